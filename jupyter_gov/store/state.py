"""Servers, kernels, codes, sessions and grants: the IdentityStore and the GrantStore."""

from __future__ import annotations

from jupyter_gov.store.grants import Grants
from jupyter_gov.store.kernels import Kernels
from jupyter_gov.store.sessions import Sessions


class State(Kernels, Sessions, Grants):
    """Each method is one transaction; see `transactions` for what a full volume means."""
