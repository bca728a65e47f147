"""The package's functions: those of one client, with this kernel's own key."""

from __future__ import annotations

from jupyter_gov.kernel.client import Client, Connection
from jupyter_gov.kernel.enrolment import enrol

_client = Client(enrol)

connect = _client.connect
connections = _client.connections
give_back = _client.give_back
grants = _client.grants
login = _client.login
logout = _client.logout
request = _client.request
whoami = _client.whoami

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
