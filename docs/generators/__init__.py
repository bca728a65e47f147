"""One module for each generated page of the reference: `page()` returns its text."""
