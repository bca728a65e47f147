"""DOES WHAT: the statement gate, the text that is safe to keep, and places in the user's SQL."""
