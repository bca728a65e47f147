"""What of the server's environment a kernel does not get."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

ALWAYS = frozenset(
    {
        "JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "CONFIGPROXY_AUTH_TOKEN",
        "JUPYTER_GATEWAY_AUTH_TOKEN", "JUPYTERHUB_CLIENT_ID", "CREDENTIALS_DIRECTORY",
        "PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE", "PGSERVICE", "MYSQL_PWD", "DATABASE_URL",
        "SQLALCHEMY_DATABASE_URI",
    }
)  # fmt: skip
"""Scrubbed even if an admin lists them: they open the notebook server or a database."""

LOOKS_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|PASS$|CREDENTIAL|PRIVATE|COOKIE|AUTH|(?:^|_)PAT$|(?:^|_)PWD$"
    r"|KEY$|_KEY_|DSN$|DATABASE_UR[IL]|_URI$|CONNECTION_?STR",
    re.IGNORECASE,
)
_NAMES_PLACES = frozenset({"PWD", "OLDPWD"})
_HOLDS_PASSWORD = re.compile(
    r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@|\b(?:password|passwd|pwd)\s*=\s*[^\s;&]",
    re.IGNORECASE,
)
_FROM_ENVIRONMENT = re.compile(r"env:(\w+)")


def secrets_named(config: Any) -> Iterator[str]:
    """
    Variables that the gateway's configuration names as sources of secrets (``env:NAME``).

    Args:
        config: any nesting of mappings and lists, as traitlets holds it.
    """
    if isinstance(config, str):
        if found := _FROM_ENVIRONMENT.fullmatch(config):
            yield found[1]
    elif isinstance(config, Mapping):
        for value in config.values():
            yield from secrets_named(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from secrets_named(value)


def scrubbed(
    environment: Mapping[str, str], keep: Mapping[str, str], never: frozenset[str] = frozenset()
) -> dict[str, str]:
    """
    *environment* without what looks like a secret, by its name or by its value.

    Args:
        keep: names that stay although they look like secrets, each with the reason.
        never: names that go whatever *keep* says, besides those of `ALWAYS`.
    """
    return {
        name: value
        for name, value in environment.items()
        if name not in ALWAYS
        and name not in never
        and (name in keep or name in _NAMES_PLACES or not _looks_secret(name, value))
    }


def _looks_secret(name: str, value: str) -> bool:
    return bool(LOOKS_SECRET.search(name) or _HOLDS_PASSWORD.search(value))
