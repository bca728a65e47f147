"""
What is recorded.

Each event becomes one leaf: canonical bytes, hashed when written and never changed.  Statements
and their parameters travel in it sealed, since what someone types into a query may be a patient's
name and the log is for ever.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jupyter_gov.wire.times import utc

KINDS: Mapping[str, str] = {
    "gateway.started": "the gateway began to serve",
    "gateway.stopped": "the gateway ended in order",
    "config.loaded": "the configuration in force, by digest",
    "config.reloaded": "a changed configuration came into force, with the difference",
    "config.refused": "a changed configuration was wrong and the old one stays",
    "database.provisioned": "projections and roles were made in a database, or taken away",
    "catalog.sampled": "rows are about to be looked at to propose tags; no value is kept",
    "server.enrolled": "a notebook server may open kernel slots",
    "server.removed": "a notebook server's credential was taken back, and its kernels with it",
    "kernel.opened": "a notebook server opened a kernel slot",
    "kernel.enrolled": "a kernel exchanged its secret for a key",
    "kernel.enrolment_refused": "an enrolment secret was unknown, revoked or used before",
    "kernel.revoked": "a kernel was shut down and its key revoked",
    "request.refused": "a signed request was not believed: signature, timestamp or replay",
    "password.renewed": "evaluation identities got new passwords, which signs them out",
    "signin.succeeded": "a person proved who they are on the gateway's page",
    "signin.failed": "a sign-in failed",
    "decision.refused": "a deciding request was refused: origin, session, proof or rule",
    "attach.opened": "a kernel showed a code",
    "attach.confirmed": "a person attached a kernel to themselves or to their agent",
    "attach.refused": "a person refused a kernel's code",
    "session.continued": "an attachment went on in its restarted kernel",
    "session.ended": "an attachment ended",
    "grant.opened": "a time-boxed grant began",
    "grant.refused": "a grant was asked for and refused",
    "grant.ended": "a grant ended",
    "intent": "a statement is about to run",
    "outcome": "how a statement ended",
    "refusal": "a statement was refused before it ran",
    "explained": "somebody asked what would become of a statement; nothing ran",
}
"""Every kind of event: the closed list that the reference documents."""


def new_record_id() -> str:
    """A name for one record: 16 random hex digits."""
    return "R-" + secrets.token_hex(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who, on whose behalf, from where."""

    principal: str = ""
    """``issuer|subject``"""
    on_behalf_of: str = ""
    session: str = ""
    kernel: str = ""
    server: str = ""
    isolation: str = ""


NOBODY = Actor()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened."""

    kind: str
    at: datetime
    record: str = field(default_factory=new_record_id)
    actor: Actor = NOBODY
    of: str = ""
    """The intent that an outcome closes."""
    connection: str = ""
    grant: str = ""
    says: Mapping[str, Any] = field(default_factory=dict)
    """The rest: strings, whole numbers, booleans, None and lists and objects of them."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such kind of event: {self.kind}")


def canonical(event: Event) -> bytes:
    """
    The bytes that are hashed: JSON with sorted keys, no spaces, UTF-8.

    For the values allowed here (no floats, whole numbers below 2**53) this is RFC 8785.
    """
    whole = _plain(
        {
            "v": 1,
            "kind": event.kind,
            "at": utc(event.at),
            "record": event.record,
            "principal": event.actor.principal,
            "on_behalf_of": event.actor.on_behalf_of,
            "session": event.actor.session,
            "kernel": event.actor.kernel,
            "server": event.actor.server,
            "isolation": event.actor.isolation,
            "of": event.of,
            "connection": event.connection,
            "grant": event.grant,
            "says": event.says,
        }
    )
    text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")


def _utf16(key: str) -> bytes:
    """What RFC 8785 sorts keys by."""
    return key.encode("utf-16-be", "surrogatepass")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        named = {str(key): item for key, item in value.items()}
        return {key: _plain(named[key]) for key in sorted(named, key=_utf16)}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item) for item in value]
        return sorted(items) if isinstance(value, set | frozenset) else items
    raise TypeError(f"a {type(value).__name__} cannot stand in an event")
