"""How a PostgreSQL server is reached: a connection's URL, as libpq wants it."""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import make_url

from jupyter_gov.connections.model import ConnectionSpec


def database_of(spec: ConnectionSpec) -> str:
    """The database's name, which the check has seen to be there."""
    database = make_url(spec.url).database
    assert database is not None
    return database


def conninfo_of(spec: ConnectionSpec, **other: Any) -> str:
    """
    The gateway's own login; *other* replaces parts of it.

    Raises DatabaseUnavailable: the secret cannot be read.
    """
    url = make_url(spec.url)
    parts: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "dbname": url.database,
        "user": url.username,
        "password": spec.secret.fetch() if spec.secret is not None else None,
        **{name: value for name, value in url.query.items() if isinstance(value, str)},
        **other,
    }
    return make_conninfo(**{name: value for name, value in parts.items() if value is not None})
