"""
Governed data access for notebooks.

    import jupyter_gov as gov          # or: %load_ext jupyter_gov
    gov.login()
    gov.connect("clinic").query("SELECT count(*) AS n FROM patients")

In a kernel that a governed notebook server started, importing this package exchanges the one-use
secret in the environment for a key held in memory.
"""

from __future__ import annotations

import os as _os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from jupyter_gov.kernel.api import (
        Connection,
        connect,
        connections,
        give_back,
        grants,
        login,
        logout,
        request,
        whoami,
    )

__all__ = [
    "Connection",
    "connect",
    "connections",
    "give_back",
    "grants",
    "login",
    "logout",
    "request",
    "whoami",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from jupyter_gov.kernel import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext jupyter_gov`"""
    from jupyter_gov.kernel.magics import GovMagics

    shell.register_magics(GovMagics)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from jupyter_gov.server.extension import GovServer

    return [{"module": "jupyter_gov", "app": GovServer}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-gov-labextension"}]


if "JUPYTER_GOV_SECRET" in _os.environ:
    from jupyter_gov.kernel.enrolment import enrol_quietly as _enrol_quietly

    _enrol_quietly()
