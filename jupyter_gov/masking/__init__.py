"""SEEING: what a column becomes, profiles, and the last look at the frame."""
