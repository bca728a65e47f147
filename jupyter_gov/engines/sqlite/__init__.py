"""SQLite: the authorizer is the wall.  Begin at `engine`."""
