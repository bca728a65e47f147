"""A database administrator's own way into a connection's database."""

from __future__ import annotations

import os
import pwd
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.connections.secrets import SecretRef
from jupyter_gov.engines.postgres.link import conninfo_of
from jupyter_gov.errors import ConfigInvalid


def as_dba(spec: ConnectionSpec, url: str, secret: str) -> str:
    """
    Another login to the same database, for libpq: named here, or as its own environment says.

    Raises ConfigInvalid, DatabaseUnavailable.
    """
    other: dict[str, Any] = {"user": os.environ.get("PGUSER") or pwd.getpwuid(os.geteuid()).pw_name}
    if url:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            raise ConfigInvalid(
                ("--dba-url: is not a URL such as postgresql://dba@host/db",)
            ) from None
        if parsed.password is not None:
            raise ConfigInvalid(
                ("--dba-url: holds a password; give it by --dba-secret file:/path",)
            )
        other["user"] = parsed.username or other["user"]
        if parsed.host:
            other["host"], other["port"] = parsed.host, parsed.port
        if parsed.database:
            other["dbname"] = parsed.database
    other["password"] = None
    if secret:
        try:
            other["password"] = SecretRef.parse(secret).fetch()
        except ValueError as error:
            raise ConfigInvalid((f"--dba-secret: {error}",)) from None
    return conninfo_of(spec, **other)
