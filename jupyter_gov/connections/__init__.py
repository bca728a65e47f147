"""TO WHAT: named databases, their secrets, and the catalog of tables, columns and tags."""
