"""
What is recorded of a statement: refused, intended, ended.

The text and its parameters are sealed under the audit key; beside them stands the statement
without its literals.  Nothing of a result is ever recorded.
"""

from __future__ import annotations

import hashlib
import time

from jupyter_gov.access.model import Eligibility, Grant
from jupyter_gov.access.ports import GrantStore
from jupyter_gov.audit.events import Actor, Event, new_record_id
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.audit.sealing import AuditKey
from jupyter_gov.broker.caller import Caller
from jupyter_gov.broker.ports import Engine, Policy
from jupyter_gov.broker.stream import ArrowStream
from jupyter_gov.connections.model import Catalog
from jupyter_gov.errors import AuditUnavailable, BadRequest, GovError
from jupyter_gov.identity.ports import Clock
from jupyter_gov.sql import gate
from jupyter_gov.sql.recent import remembering
from jupyter_gov.sql.strip import UNREADABLE, strip_literals
from jupyter_gov.wire.messages import Query, Trailer


class Recorder:
    """Makes the records of one statement; writes those of refusals itself."""

    def __init__(self, log: AuditLog, audit_key: AuditKey, clock: Clock) -> None:
        self._log = log
        self._audit_key = audit_key
        self._clock = clock
        self._strip = remembering(strip_literals)
        self._known: dict[str, tuple[Catalog, frozenset[str]]] = {}

    def _stripped(self, policy: Policy, query: Query) -> str:
        engine = policy.engines.get(query.connection)
        if engine is None:
            return strip_literals(query.sql, "", frozenset())
        try:
            known = self._known_names(query.connection, engine)
        except GovError:
            known = engine.functions
        return self._strip(query.sql, engine.dialect, known)

    def _known_names(self, connection: str, engine: Engine) -> frozenset[str]:
        """As `known_names`, put together once for each state of the catalog."""
        catalog = engine.catalog()
        kept = self._known.get(connection)
        if kept is None or kept[0] is not catalog:
            kept = self._known[connection] = (catalog, known_names(engine))
        return kept[1]

    def _says(self, record: str, policy: Policy, query: Query) -> dict[str, object]:
        sealed = self._audit_key.seal(record, query.sql, {**query.binds, "--note": query.note})
        return {"sql": self._stripped(policy, query), "sealed": sealed}

    def intent(
        self, caller: Caller, query: Query, policy: Policy, statement: gate.Statement, grant: Grant
    ) -> Event:
        """To be written before the statement runs."""
        record = new_record_id()
        catalog = policy.engines[query.connection].catalog()
        return Event(
            kind="intent",
            at=self._clock(),
            record=record,
            actor=caller.actor,
            connection=query.connection,
            grant=grant.grant_id,
            says={
                **self._says(record, policy, query),
                "action": statement.action,
                "relations": sorted({catalog.resolve(r) or r for r in statement.relations}),
                "purpose": caller.session.purpose,
                "eligibility": grant.eligibility,
                "profile": grant.profile,
                "limit": query.limit,
                "policy": policy.digest,
            },
        )

    def outcome(
        self,
        intent: Event,
        stream: ArrowStream,
        trailer: Trailer,
        error: GovError | None,
        began: float,
    ) -> Event:
        """How it ended; *began* is of `time.monotonic`."""
        return Event(
            kind="outcome",
            at=self._clock(),
            of=intent.record,
            actor=intent.actor,
            connection=intent.connection,
            grant=intent.grant,
            says={
                "result": "completed" if error is None else error.code,
                "rows": trailer.rows,
                "cut": trailer.cut,
                "cut_by": trailer.cut_by,
                "bytes_produced": stream.produced,
                "bytes_sent": stream.sent,
                "database_role": stream.role,
                "reads": list(stream.reads),
                "treated": {t.column: t.treatment for t in trailer.treated},
                "withheld_cells": trailer.withheld_cells,
                "mismatched_cells": stream.counts.mismatched,
                "scanned_cells": trailer.scanned_cells,
                "replaced_cells": trailer.replaced_cells,
                "unanswered_texts": trailer.unanswered_texts,
                "entities": dict(sorted(stream.counts.entities.items())),
                "scanned": {
                    t.column: t.guarantee for t in trailer.treated if t.treatment == "seal"
                },
                "digest": f"sha256:{stream.digest}",
                "milliseconds": int((time.monotonic() - began) * 1000),
            },
        )

    def explained(
        self,
        caller: Caller,
        query: Query,
        policy: Policy,
        statement: gate.Statement | None,
        choice: Grant | Eligibility | None,
        decision: str,
        code: str,
    ) -> Event:
        """What was told of a statement that did not run; to be written before it is told."""
        record = new_record_id()
        grant = choice if isinstance(choice, Grant) else None
        eligibility = choice.name if isinstance(choice, Eligibility) else ""
        return Event(
            kind="explained",
            at=self._clock(),
            record=record,
            actor=caller.actor,
            connection=query.connection if query.connection in policy.connections else "",
            grant=grant.grant_id if grant else "",
            says={
                **self._says(record, policy, query),
                "decision": decision,
                "code": code,
                "relations": list(statement.relations) if statement else [],
                "purpose": caller.session.purpose,
                "eligibility": grant.eligibility if grant else eligibility,
                "policy": policy.digest,
            },
        )

    def refused(
        self, actor: Actor, purpose: str, query: Query, policy: Policy, refusal: GovError, to: str
    ) -> GovError:
        """Record the refusal to run or to explain; returns what to raise."""
        record = new_record_id()
        says = {
            **self._says(record, policy, query),
            "asked": to,
            "code": refusal.code,
            "purpose": purpose,
        }
        known = query.connection if query.connection in policy.connections else ""
        event = Event(
            kind="refusal",
            at=self._clock(),
            record=record,
            actor=actor,
            connection=known,
            says=says,
        )
        return self._write(event, refusal)

    def malformed(self, actor: Actor, body: bytes, refusal: BadRequest, to: str) -> GovError:
        """Record a request that is no query, by its size and digest; returns what to raise."""
        says = {
            "asked": to,
            "code": refusal.code,
            "sql": UNREADABLE,
            "purpose": "",
            "bytes": len(body),
            "body": f"sha256:{hashlib.sha256(body).hexdigest()}",
        }
        return self._write(Event(kind="refusal", at=self._clock(), actor=actor, says=says), refusal)

    def _write(self, event: Event, refusal: GovError) -> GovError:
        try:
            self._log.append(event)
        except AuditUnavailable as unavailable:
            return unavailable
        refusal.record = event.record
        return refusal


def recover(log: AuditLog, grants: GrantStore, clock: Clock) -> int:
    """
    After a crash: close every intent without an outcome as interrupted, and count again what ran.

    Returns how many were closed.
    """
    left = log.open_intents()
    if log.crashed():
        held = [grant.grant_id for grant in grants.open_grants()]
        for grant_id, (statements, rows) in log.ran_under(held).items():
            grants.recount(grant_id, queries=statements, rows=rows)
        grants.settle()
    for intent in left:
        log.append(
            Event(
                kind="outcome",
                at=clock(),
                of=intent.record,
                actor=intent.actor,
                connection=intent.connection,
                grant=intent.grant,
                says={"result": "interrupted", "why": "the gateway ended while it ran"},
            ),
            reserved=True,
        )
    return len(left)


def known_names(engine: Engine) -> frozenset[str]:
    """Lower-case names that may stand in the record in the clear."""
    tables = engine.catalog().tables.values()
    names = {c.name.lower() for t in tables for c in t.columns}
    return engine.functions | names | {t.name.lower() for t in tables}
