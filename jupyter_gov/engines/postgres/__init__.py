"""PostgreSQL: privileges are the wall.  Begin at `engine`."""
