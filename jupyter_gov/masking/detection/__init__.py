"""
Finding what identifies a person in free text, with presidio-analyzer in processes of its own.

The gateway sends texts and gets back places, never text: what is put in their stead is decided
here.  A text for which no answer came is withheld.
"""
