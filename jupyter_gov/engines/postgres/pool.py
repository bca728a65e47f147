"""
Sessions of the grants' login roles: few, opened late, closed when idle, shared fairly.

A session serves one grant only.  All grants together open at most so many, since the database
counts them too; whoever waits is served in the order of asking.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from jupyter_gov.engines.postgres.roles import Minted
from jupyter_gov.engines.postgres.session import Session
from jupyter_gov.errors import Busy, GrantOver

PER_GRANT = 2
IDLE_SECONDS = 60.0


@dataclass(eq=False, slots=True)
class Lease:
    """A grant's login role and its sessions."""

    grant_id: str
    minted: Minted
    conninfo: str = field(repr=False)
    idle: list[tuple[float, Session]] = field(default_factory=list)
    """Since when, and which; the last used is taken first."""
    busy: set[Session] = field(default_factory=set)
    over: bool = False

    @property
    def open(self) -> int:
        return len(self.idle) + len(self.busy)


class Pool:
    """All sessions of one database.  Safe from many threads."""

    def __init__(self, most: int, opened: Callable[[str], Session] = Session) -> None:
        self._most = most
        self._opened = opened
        self._changed = threading.Condition()
        self._leases: dict[str, Lease] = {}
        self._waiting: list[Lease] = []

    def add(self, lease: Lease) -> None:
        with self._changed:
            self._leases[lease.grant_id] = lease

    def lease(self, grant_id: str) -> Lease | None:
        with self._changed:
            return self._leases.get(grant_id)

    def grants(self) -> list[str]:
        with self._changed:
            return list(self._leases)

    def take(self, lease: Lease, deadline: float) -> Session:
        """
        A session of that grant, until *deadline* of `time.monotonic`.

        Raises Busy when none became free, GrantOver when the grant ended meanwhile.
        """
        with self._changed:
            self._waiting.append(lease)
            try:
                while True:
                    if lease.over:
                        raise GrantOver(f"grant {lease.grant_id} ended in this moment")
                    if self._turn(lease):
                        return self._give(lease)
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise Busy("the database has no session free; others are being served")
                    self._changed.wait(left)
            finally:
                self._waiting.remove(lease)
                self._changed.notify_all()

    def _turn(self, lease: Lease) -> bool:
        """Whether nobody who asked earlier could be served now instead."""
        return next((other for other in self._waiting if self._room(other)), None) is lease

    def _room(self, lease: Lease) -> bool:
        if lease.over or lease.idle:
            return True
        if lease.open >= PER_GRANT:
            return False
        return self._open() < self._most or any(other.idle for other in self._leases.values())

    def _open(self) -> int:
        return sum(lease.open for lease in self._leases.values())

    def _give(self, lease: Lease) -> Session:
        if lease.idle:
            _, session = lease.idle.pop()
        else:
            if self._open() >= self._most:
                longest = min((o for o in self._leases.values() if o.idle), key=lambda o: o.idle[0])
                longest.idle.pop(0)[1].close()
            session = self._opened(lease.conninfo)
        lease.busy.add(session)
        return session

    def give_back(self, lease: Lease, session: Session, *, sound: bool) -> None:
        """Called once for each `take`; a session that is not *sound* is closed."""
        with self._changed:
            lease.busy.discard(session)
            keep = sound and not lease.over
            if keep:
                lease.idle.append((time.monotonic(), session))
            self._changed.notify_all()
        if not keep:
            session.close()

    def close_idle(self, before: float) -> None:
        """Close what nobody has used since *before*, of `time.monotonic`."""
        with self._changed:
            old = [
                (lease, entry)
                for lease in self._leases.values()
                for entry in lease.idle
                if entry[0] < before
            ]
            for lease, entry in old:
                lease.idle.remove(entry)
            self._changed.notify_all()
        for _, (_, session) in old:
            session.close()

    def end(self, grant_id: str) -> Lease | None:
        """Forget a grant: what runs is cancelled, what is idle closed.  None: it had no role."""
        with self._changed:
            lease = self._leases.pop(grant_id, None)
            if lease is None:
                return None
            lease.over = True
            idle, lease.idle = lease.idle, []
            busy = list(lease.busy)
            self._changed.notify_all()
        for session in busy:
            with contextlib.suppress(Exception):
                session.cancel()
        for _, session in idle:
            session.close()
        return lease
