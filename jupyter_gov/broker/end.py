"""
`end`: the one verb that ends a statement, a stream, a session or a grant.

Whoever ends something (its holder, an admin, the clock, a changed policy, a shutdown) comes
through here, so that nothing ends in the store and goes on in a database or a stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from jupyter_gov.access.decide import ask_again
from jupyter_gov.access.model import Grant
from jupyter_gov.access.ports import GrantStore
from jupyter_gov.audit.events import Actor, Event
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.broker.running import Run, Running
from jupyter_gov.errors import (
    Cancelled,
    GovError,
    GrantOver,
    SessionOver,
    TimedOut,
    Unavailable,
)
from jupyter_gov.identity.model import Session
from jupyter_gov.identity.ports import Clock, IdentityStore

_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Target:
    """What to end.  A kernel's statements end without ending its session: it may restart."""

    kind: Literal["statement", "kernel", "grant", "session", "everything"]
    id: str = ""
    holder: str = ""
    """For a statement: the slot it must belong to."""


class Ender:
    """Ends things, records it, and knows when time ends them."""

    def __init__(
        self,
        identity: IdentityStore,
        grants: GrantStore,
        log: AuditLog,
        running: Running,
        clock: Clock,
        idle: timedelta,
        release: Callable[[Grant], None] = lambda grant: None,
    ) -> None:
        """
        Args:
            release: takes away what a grant has in its database.  Never raises.
        """
        self._identity = identity
        self._grants = grants
        self._log = log
        self._running = running
        self._clock = clock
        self._idle = idle
        self._release = release
        self._seen: dict[str, datetime] = {}

    def end(self, target: Target, reason: str) -> bool:
        """End *target* because of *reason* (a text for people); False if there was nothing."""
        match target.kind:
            case "statement":
                why: GovError = Cancelled(f"the statement was cancelled: {reason}")
                return self._cut(
                    lambda r: r.query_id == target.id and r.slot_id == target.holder, why
                )
            case "kernel":
                return self._cut(
                    lambda r: r.slot_id == target.id, Cancelled(f"the kernel ended: {reason}")
                )
            case "grant":
                return self._end_grant(target.id, reason)
            case "session":
                return self._end_session(target.id, reason)
            case "everything":
                over = Unavailable(f"the gateway is shutting down: {reason}")
                self._running.close(over)
                return self._cut(lambda r: True, over)

    def _cut(self, matches: Callable[[Run], bool], why: GovError) -> bool:
        hit = [run for run in self._running if matches(run)]
        for run in hit:
            run.end(why)
        return bool(hit)

    def _end_grant(self, grant_id: str, reason: str) -> bool:
        grant = self._grants.grant(grant_id)
        if grant is None:
            return False
        now = self._clock()
        try:
            ended = self._grants.end_grant(grant_id, at=now, why=reason)
        finally:  # whatever the store says: what runs is cut
            self._cut(
                lambda r: r.grant_id == grant_id,
                grant_over(grant, f"ended while the statement ran: {reason}"),
            )
            self._release(grant)
        if ended:
            session = self._identity.session(grant.session_id)
            who = self._actor(session) if session else Actor(principal=grant.principal)
            self._log.append(
                Event(
                    kind="grant.ended",
                    at=now,
                    actor=who,
                    connection=grant.connection,
                    grant=grant_id,
                    says={"why": reason, "rows": grant.rows, "statements": grant.queries},
                ),
                reserved=True,
            )
        return ended

    def _end_session(self, session_id: str, reason: str) -> bool:
        session = self._identity.session(session_id)
        if session is None:
            return False
        now = self._clock()
        try:
            ended = self._identity.end_session(session_id, at=now, why=reason)
        finally:
            self._cut(
                lambda r: r.session_id == session_id,
                SessionOver(f"the session ended while the statement ran: {reason}"),
            )
        every = _Every()
        for grant in self._grants.grants_of(session_id):
            if grant.ended_at is None:
                with every:
                    self._end_grant(grant.grant_id, f"its session ended ({reason})")
        self._seen.pop(session_id, None)
        if ended:
            who = self._actor(session)
            with every:
                self._log.append(
                    Event(kind="session.ended", at=now, actor=who, says={"why": reason}),
                    reserved=True,
                )
        every.settle()
        return ended

    def _actor(self, session: Session) -> Actor:
        kernel = self._identity.last_kernel(session.server_id, session.kernel_id)
        if kernel is None:
            return actor_of(session)
        return actor_of(session, slot=kernel.slot_id, isolation=kernel.isolation)

    # ------------------------------------------------------------ the clock

    def touch(self, session: Session) -> None:
        """The session was used now."""
        now = self._clock()
        self._seen[session.session_id] = now
        if now >= (session.seen_at or session.started_at) + _SEEN_EVERY:
            # Late by a minute is near enough, and spares a write for each request.
            self._identity.see_session(session.session_id, at=now)

    def idle_since(self, session: Session) -> datetime:
        """When it was last used; before this process began, to the minute."""
        earlier = session.seen_at or session.started_at
        return self._seen.setdefault(session.session_id, earlier)

    def end_what_is_over(self) -> datetime | None:
        """
        End every grant and session whose time has come.

        Returns the next instant at which something ends, None if nothing will.
        """
        now = self._clock()
        instants: list[datetime] = []
        every = _Every()
        for run in self._running:
            if now >= run.stops_at:
                # Also while its reader is slow: the database waits for it, with its locks.
                run.end(timed_out(run.stops_at - run.began_at))
            else:
                instants.append(run.stops_at)
        for session in self._identity.sessions():
            idle = self.idle_since(session) + self._idle
            with every:
                if now >= session.ends_at:
                    self._end_session(session.session_id, "its time was over")
                elif now >= idle and not any(
                    run.session_id == session.session_id for run in self._running
                ):
                    self._end_session(session.session_id, "it was idle too long")
                else:
                    instants += [session.ends_at, max(idle, now + timedelta(seconds=1))]
        for grant in self._grants.open_grants():
            with every:
                if now >= grant.end:
                    self._end_grant(grant.grant_id, "its time was over")
                else:
                    instants.append(grant.end)
        every.settle()
        return min(instants, default=None)

    def over(self, grant: Grant) -> bool:
        """Whether a grant has no time left."""
        return self._clock() >= grant.end


class _Every:
    """Several ends, each tried whatever becomes of the others: a log that is down stops none."""

    def __init__(self) -> None:
        self._problem: GovError | None = None

    def __enter__(self) -> None:
        """One of them."""

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> bool:
        if isinstance(problem, GovError):
            self._problem = self._problem or problem
            return True
        return False

    def settle(self) -> None:
        """After the last.  Raises the first problem there was."""
        if self._problem is not None:
            raise self._problem


def timed_out(allowed: timedelta) -> TimedOut:
    """What someone is told whose statement ran longer than it may."""
    return TimedOut(
        f"the statement ran longer than {int(allowed.total_seconds())} s",
        hint="Narrow it: fewer rows, or an indexed condition.",
    )


def grant_over(grant: Grant, how: str) -> GrantOver:
    """What someone is told whose grant *how*, with the way to a new one."""
    step = ask_again(grant.connection)
    return GrantOver(
        f"grant {grant.grant_id} {how}", hint=f"Ask for a new one: {step.magic}", next=step
    )


def actor_of(session: Session, *, slot: str = "", isolation: str = "") -> Actor:
    """Who a session acts as, for the record."""
    principal = session.principal
    return Actor(
        principal=f"{principal.issuer}|{principal.subject}",
        on_behalf_of=principal.on_behalf_of or "",
        session=session.session_id,
        kernel=slot or session.kernel_id,
        server=session.server_id,
        isolation=isolation,
    )
