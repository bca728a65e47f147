"""Where samples come from: the database of a connection, by a login that may read its tables."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url

from jupyter_gov.bootstrap.dba import as_dba
from jupyter_gov.connections.described import Source
from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.engines.postgres.sample import PostgresSource
from jupyter_gov.engines.sqlite.sample import SqliteSource


def open_source(spec: ConnectionSpec, *, url: str = "", secret: str = "") -> Source:
    """
    The database, to be closed; *url* and *secret* as `as_dba` takes them, for PostgreSQL.

    Raises ConfigInvalid, DatabaseUnavailable.
    """
    if spec.dialect == "sqlite":
        database = make_url(spec.url).database
        assert database is not None  # checked
        return SqliteSource(spec.name, Path(database))
    return PostgresSource(spec.name, as_dba(spec, url, secret), spec.schemas)
