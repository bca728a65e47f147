"""What of the server's environment a kernel does not get."""

from __future__ import annotations

import re
from collections.abc import Mapping

ALWAYS = frozenset(
    {
        "JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "CONFIGPROXY_AUTH_TOKEN",
        "JUPYTER_GATEWAY_AUTH_TOKEN", "JUPYTERHUB_CLIENT_ID", "CREDENTIALS_DIRECTORY",
        "PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE", "DATABASE_URL", "SQLALCHEMY_DATABASE_URI",
    }
)  # fmt: skip
"""Scrubbed even if an admin lists them: they open the notebook server or a database."""

LOOKS_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|AUTH|DSN$"
    r"|DATABASE_UR[IL]|_URI$|CONNECTION_STRING",
    re.IGNORECASE,
)
_URL_WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)


def scrubbed(environment: Mapping[str, str], keep: Mapping[str, str]) -> dict[str, str]:
    """
    *environment* without what looks like a secret.

    Args:
        keep: names that stay although they look like secrets, each with the reason.
    """
    return {
        name: value
        for name, value in environment.items()
        if name not in ALWAYS
        and (name in keep or not (LOOKS_SECRET.search(name) or _URL_WITH_PASSWORD.search(value)))
    }
