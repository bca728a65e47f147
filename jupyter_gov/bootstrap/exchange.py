"""What a changed configuration means: the difference, and what it ends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jupyter_gov.access.model import Grant
from jupyter_gov.broker.ports import Policy
from jupyter_gov.errors import DatabaseUnavailable
from jupyter_gov.identity.model import Session

_SECRET = re.compile(
    r"(://[^:/@\s]*:)[^@\s]+(?=@)|"
    r"([?&][a-z_]*(?:passw|pwd|secret|token|key)[a-z_]*=)[^&\s\"']+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a reload did."""

    difference: tuple[str, ...]
    waits: tuple[str, ...]
    """Settings that only a start reads, and that therefore stay as they are."""
    passwords: Mapping[str, str]
    """Of evaluation identities that are new: shown once, never recorded."""


def without_secrets(text: str) -> str:
    """
    *text* as it may stand in the record.

    The check refuses passwords in URLs, so that none should get here; the record is for ever.
    """
    return _SECRET.sub(lambda found: f"{found[1] or found[2]}…", text)


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """``+`` added, ``-`` removed, ``~`` changed: one line for each config path."""
    said = []
    for path in sorted(old.keys() | new.keys()):
        if path not in new:
            said.append(f"- {path}")
        elif path not in old:
            said.append(f"+ {path} = {new[path]}")
        elif old[path] != new[path]:
            said.append(f"~ {path} = {new[path]} (was {old[path]})")
    return tuple(map(without_secrets, said))


def outdated(grant: Grant, session: Session | None, old: Policy, new: Policy) -> str:
    """Why the new configuration ends *grant* and cuts its streams; empty if it does not."""
    name = grant.eligibility
    before, after = old.profiles.get(name), new.profiles.get(name)
    if before is None or after is None or session is None:
        return f"the eligibility {name} is gone"
    person = session.principal.person
    agent = session.principal.is_agent
    if name not in [e.name for e in new.of_person(grant.connection, person, agent=agent)]:
        return f"the eligibility {name} no longer covers its holder"
    if not grant.tables <= set(new.eligibilities[name].tables):
        return f"the eligibility {name} covers fewer tables now"
    if grant.fingerprint != new.connections[grant.connection].fingerprint():
        return "another database stands under the connection's name"
    if grant.data_use_agreement != new.eligibilities[name].data_use_agreement:
        return f"the data use agreement of {name} changed"
    if changed := before.tightened(after, _read_by(grant, (old, new))):
        return f"the treatment of {', '.join(changed[:5])} was tightened"
    return ""


def _read_by(grant: Grant, policies: Iterable[Policy]) -> frozenset[str]:
    """The tables whose treatment reaches the grant: a view may read any of them."""
    tables = grant.tables
    for policy in policies:
        spec = policy.connections.get(grant.connection)
        if spec is None:
            continue
        try:
            known = policy.engines[grant.connection].catalog().tables
            views = any(known[name].kind == "view" for name in grant.tables if name in known)
        except DatabaseUnavailable:
            views = True
        if views:
            tables |= spec.tags.keys()
    return frozenset(tables)
