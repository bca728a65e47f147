"""Composition root: config → objects.  The only place that knows every room."""
