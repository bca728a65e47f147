"""The kernel's side: client, magics, display.  Imports only wire and errors."""
