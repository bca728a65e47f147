"""MAY THEY: eligibilities, grants, and the decision."""
