"""What may be wrong with the URL of a connection, before anybody connects."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

ENGINES = frozenset({"postgresql", "sqlite"})
_SECRET = re.compile("passw|pwd|secret|token|key", re.IGNORECASE)
"""Names of URL parameters whose values are secrets."""
_NO_SECRETS = frozenset({"sslkey"})
"""The path of a file."""
_ELSEWHERE = frozenset({"user", "dbname", "port", "service"})
"""Parameters that would go over what the URL says in its own places."""
_VERIFIED = ("verify-ca", "verify-full")


def mistakes(url: str) -> Iterator[str]:
    """Each in words for the config path that holds the URL, without what may be a secret."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        yield "is not a SQLAlchemy URL, such as sqlite:////path/clinic.db"
        return
    named = parsed.query.keys() - _NO_SECRETS
    if parsed.password is not None or any(map(_SECRET.search, named)):
        yield 'holds a password; give it by "secret": "file:/path" instead'
    match parsed.get_backend_name():
        case "sqlite":
            yield from _sqlite(parsed)
        case "postgresql":
            yield from _postgresql(parsed)
        case other:
            yield f"there is no engine for {other}; this version has: {', '.join(sorted(ENGINES))}"


def _sqlite(url: URL) -> Iterator[str]:
    if not url.database or url.database == ":memory:":
        yield "names no file; write sqlite:////absolute/path/to/file.db"
    elif not Path(url.database).is_absolute():
        yield (
            f"{url.database} depends on where the gateway is started; write"
            " sqlite:////absolute/path/to/file.db"
        )


def _postgresql(url: URL) -> Iterator[str]:
    if not url.username:
        yield "names no user; write postgresql://gov_gateway@host/database"
    if not url.database:
        yield "names no database; write postgresql://gov_gateway@host/database"
    if other := sorted(_ELSEWHERE & url.query.keys()):
        yield f"says {other[0]} as a parameter; write postgresql://gov_gateway@host/database"
    # A parameter goes over the URL's own, as libpq has it.
    hosts = f"{url.query.get('host', url.host or '')},{url.query.get('hostaddr', '')}".split(",")
    away = [host for host in hosts if host and not _is_here(host)]
    if away and url.query.get("sslmode") not in _VERIFIED:
        yield (
            f"sends data over the network to {away[0]} without checking who answers; add"
            " ?sslmode=verify-full&sslrootcert=/path/of/the/ca.pem"
        )


def _is_here(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
