"""The grant desk: what a session holds, may ask for, and is given."""

from __future__ import annotations

import secrets
import threading
from datetime import timedelta

from jupyter_gov.access.decide import Need, choose, no_grant
from jupyter_gov.access.model import Eligibility, Grant
from jupyter_gov.access.ports import GrantStore
from jupyter_gov.audit.events import Event, new_record_id
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.audit.sealing import AuditKey
from jupyter_gov.broker.caller import Caller
from jupyter_gov.broker.end import Ender, Target
from jupyter_gov.broker.ports import Policy
from jupyter_gov.errors import BadRequest, Denied, Next, NoGrant, OutOfScope, SessionOver
from jupyter_gov.identity.ports import Clock
from jupyter_gov.wire.messages import RequestGrant
from jupyter_gov.wire.times import parse_duration, show_duration, utc

MAX_NOTE = 500
_UNTOLD = "that connection"
"""Whether there is one of that name is not for those to know who may not use it."""


class GrantDesk:
    """Opens grants, each recorded before it is given."""

    def __init__(
        self, store: GrantStore, log: AuditLog, audit_key: AuditKey, ender: Ender, clock: Clock
    ) -> None:
        self._store = store
        self._log = log
        self._audit_key = audit_key
        self._ender = ender
        self._clock = clock
        self._opening = threading.Lock()

    def eligible(self, policy: Policy, caller: Caller, connection: str) -> list[Eligibility]:
        """What the caller may ask for on that connection."""
        principal = caller.session.principal
        return policy.of_person(connection, principal.person, agent=principal.is_agent)

    def held(self, policy: Policy, caller: Caller, connection: str = "") -> list[Grant]:
        """
        The session's grants, over or not.

        One that the configuration in force no longer supports ends here: the group was left, the
        profile changed, or another database stands under the name.
        """
        held = []
        for grant in self._store.grants_of(caller.session.session_id):
            if connection and grant.connection != connection:
                continue
            if grant.ended_at is None and (why := self._unsupported(policy, caller, grant)):
                self._ender.end(Target("grant", grant.grant_id), why)
                grant = self._store.grant(grant.grant_id) or grant
            held.append(grant)
        return held

    def _unsupported(self, policy: Policy, caller: Caller, grant: Grant) -> str:
        names = [e.name for e in self.eligible(policy, caller, grant.connection)]
        if grant.eligibility not in names:
            return f"the eligibility {grant.eligibility} no longer covers you"
        agreement = policy.eligibilities[grant.eligibility].data_use_agreement
        if grant.data_use_agreement != agreement:
            return f"the data use agreement of {grant.eligibility} changed"
        if policy.profiles[grant.eligibility].profile_id != grant.profile:
            return "the treatment of its columns changed"
        if policy.connections[grant.connection].fingerprint() != grant.fingerprint:
            return "another database stands under the connection's name"
        return ""

    def any(self, policy: Policy, caller: Caller, connection: str) -> None:
        """
        Coarse: a stranger's SQL never reaches the parser.

        Raises NoGrant for someone who neither holds nor held a grant and may not open one.
        """
        if connection in policy.connections:
            if self.eligible(policy, caller, connection):
                return
            if any(g.connection == connection for g in self.held(policy, caller)):
                return
        raise no_grant(_UNTOLD)

    def settle(self, policy: Policy, caller: Caller, need: Need) -> tuple[Grant, bool]:
        """The one grant to run under; True if it was opened for this statement."""
        chosen = self.foresee(policy, caller, need)
        if isinstance(chosen, Grant):
            return chosen, False
        with self._opening:  # statements side by side open one default grant, not one each
            chosen = self.foresee(policy, caller, need)
            if isinstance(chosen, Grant):
                return chosen, False
            return self.open(policy, caller, chosen, chosen.default_duration, note=""), True

    def foresee(self, policy: Policy, caller: Caller, need: Need) -> Grant | Eligibility:
        """The grant to run under, or that whose default grant would be opened.  Opens nothing."""
        held = self.held(policy, caller, need.connection)
        opened = {grant.eligibility for grant in held}
        openable = [
            e
            for e in self.eligible(policy, caller, need.connection)
            if e.approval == "auto" and e.name not in opened
        ]
        return choose(need, held, openable, policy.clear_columns(), at=self._clock())

    def request(self, policy: Policy, caller: Caller, asked: RequestGrant) -> Grant:
        """`%gov request`: a new grant of the eligibility named, or of the narrowest one."""
        offers = [
            e
            for e in self.eligible(policy, caller, asked.connection)
            if not asked.eligibility or e.name == asked.eligibility
        ]
        if asked.connection not in policy.connections or not offers:
            raise no_grant(_UNTOLD)
        if len(asked.note) > MAX_NOTE:
            raise BadRequest(f"a note has at most {MAX_NOTE} characters")
        chosen = min(offers, key=lambda e: (len(e.tables), len(e.clear), e.name))
        lasts = parse_duration(asked.duration) if asked.duration else chosen.default_duration
        if lasts > chosen.max_duration:
            raise OutOfScope(
                f"the eligibility {chosen.name} gives at most"
                f" {show_duration(chosen.max_duration)} at a time",
                next=Next(
                    "request_grant",
                    magic=f"%gov request {asked.connection}"
                    f" --for {show_duration(chosen.max_duration)}",
                ),
            )
        return self.open(policy, caller, chosen, lasts, note=asked.note)

    def open(
        self,
        policy: Policy,
        caller: Caller,
        eligibility: Eligibility,
        lasts: timedelta,
        *,
        note: str,
    ) -> Grant:
        """Record, then give.  A crash between leaves a record of a grant nobody holds."""
        now = self._clock()
        session = caller.session
        end = min(now + lasts, session.ends_at)
        if end <= now:
            raise SessionOver("the session is over, so nothing can be granted in it")
        grant = Grant(
            grant_id="G-" + secrets.token_hex(6),
            principal=caller.actor.principal,
            session_id=session.session_id,
            connection=eligibility.connection,
            fingerprint=policy.connections[eligibility.connection].fingerprint(),
            eligibility=eligibility.name,
            profile=policy.profiles[eligibility.name].profile_id,
            tables=frozenset(eligibility.tables),
            actions=eligibility.actions,
            start=now,
            end=end,
            max_rows=eligibility.max_rows,
            max_queries=eligibility.max_queries,
            preset=eligibility.preset,
            data_use_agreement=eligibility.data_use_agreement,
        )
        record = new_record_id()
        sealed = {"sealed": self._audit_key.seal(record, "", {"--note": note})} if note else {}
        self._log.append(
            Event(
                kind="grant.opened",
                at=now,
                record=record,
                actor=caller.actor,
                connection=grant.connection,
                grant=grant.grant_id,
                says={
                    "eligibility": eligibility.name,
                    "approval": eligibility.approval,
                    "profile": grant.profile,
                    "tables": grant.tables,
                    "actions": sorted(map(str, grant.actions)),
                    "start": utc(grant.start),
                    "end": utc(grant.end),
                    "purpose": session.purpose,
                    "preset": grant.preset,
                    "data_use_agreement": grant.data_use_agreement,
                    **sealed,
                },
            )
        )
        self._store.add_grant(grant)
        return grant

    def refused(self, caller: Caller, connection: str, why: Denied) -> None:
        """Record that a request was refused."""
        self._log.append(
            Event(
                kind="grant.refused",
                at=self._clock(),
                actor=caller.actor,
                connection=connection if not isinstance(why, NoGrant) else "",
                says={"code": why.code, "rule": why.message},
            )
        )
