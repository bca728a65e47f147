"""Governed against direct: both sides in one run, in pairs, with the medians and their ratio."""
