"""
The notebook server's side: kernel slots, the managed gateway, state for the front end.

It is untrusted: it asks, it shows, and it decides nothing.
"""
