"""
Grants in the database: a login role and its sessions for each, from the first statement to the end.

Outlives a change of the configuration, so that a grant which the new one supports goes on.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import psycopg

from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.engines.postgres.errors import unavailable
from jupyter_gov.engines.postgres.link import conninfo_of
from jupyter_gov.engines.postgres.names import ADMIN
from jupyter_gov.engines.postgres.pool import IDLE_SECONDS, Lease, Pool
from jupyter_gov.engines.postgres.roles import Roles, as_role
from jupyter_gov.errors import DatabaseUnavailable

_log = logging.getLogger(__name__)
_TICK = 15.0
_LEARN_AGAIN = 600.0
"""Seconds: it reads a whole table."""
_LEARN_MOST = "10min"
_DATABASE = (psycopg.Error, OSError)


class DatabaseGrants:
    """Everything of one gateway's grants in one database.  Safe from many threads."""

    def __init__(self, spec: ConnectionSpec, gateway: str) -> None:
        """
        Args:
            gateway: tells this gateway's roles from another's; 8 to 32 hex digits.
        """
        self._spec = spec
        self.roles = Roles(lambda: conninfo_of(spec), gateway)
        self.pool = Pool(spec.max_sessions)
        self._lock = threading.Lock()
        self._minting: dict[str, threading.Lock] = {}
        self._left: set[str] = set()
        """Roles that could not be ended: the database was away."""
        self._learned: dict[str, float] = {}
        """Function → when it was last called, of `time.monotonic`."""
        self._stop = threading.Event()
        self._keeper: threading.Thread | None = None

    def lease(self, grant_id: str, groups: Callable[[], Sequence[str]], ends_at: datetime) -> Lease:
        """
        The grant's role, minted with its first statement.  Raises DatabaseUnavailable.

        Args:
            groups: what the role is to be a member of; asked for only when it is minted.
        """
        lease = self.pool.lease(grant_id)
        if lease is not None:
            return lease
        with self._lock:
            own = self._minting.setdefault(grant_id, threading.Lock())
        with own:
            lease = self.pool.lease(grant_id)
            if lease is not None:
                return lease
            try:
                minted = self.roles.mint(groups(), ends_at)
            except _DATABASE as error:
                raise unavailable(self._spec.name, error, gateways=True) from None
            lease = Lease(grant_id, minted, as_role(conninfo_of(self._spec), minted))
            self.pool.add(lease)
            self._keep()
            return lease

    def end(self, grant_id: str) -> None:
        """Cancel, terminate, drop: nothing of the grant is left.  Never raises."""
        lease = self.pool.end(grant_id)
        with self._lock:
            self._minting.pop(grant_id, None)
            if lease is not None:
                self._left.add(lease.minted.suffix)
        if lease is not None:
            self._end_left()

    def _end_left(self) -> None:
        with self._lock:
            left = list(self._left)
        for suffix in left:
            try:
                self.roles.end(suffix)
            except (*_DATABASE, DatabaseUnavailable) as error:
                # It can log in until the grant's end only, and is tried again.
                why = type(error).__name__
                _log.warning("%s: a role could not be ended yet (%s)", self._spec.name, why)
                return
            with self._lock:
                self._left.discard(suffix)

    def knows(self, kept: str, token: str) -> bool:
        """Whether a pseudonym can be found by an index.  False where that cannot be asked."""
        try:
            return self.roles.knows(kept, token)
        except (*_DATABASE, DatabaseUnavailable):
            return False

    def learn(self, function: str) -> None:
        """Have the database keep new pseudonyms, in the background and not again at once."""
        now = time.monotonic()
        with self._lock:
            if now < self._learned.get(function, -_LEARN_AGAIN) + _LEARN_AGAIN:
                return
            self._learned[function] = now
        threading.Thread(target=self._learn, args=(function,), daemon=True, name="learn").start()

    def _learn(self, function: str) -> None:
        try:
            with psycopg.connect(conninfo_of(self._spec), autocommit=True) as session:
                session.execute(f"SET statement_timeout = '{_LEARN_MOST}'")
                session.execute(f"SELECT {ADMIN}.{function}()")
        except (*_DATABASE, DatabaseUnavailable) as error:
            why = type(error).__name__
            _log.warning("%s: pseudonyms could not be kept (%s)", self._spec.name, why)

    def sweep(self) -> int:
        """End what a crashed gateway left.  Returns how many.  Raises DatabaseUnavailable."""
        try:
            return self.roles.sweep()
        except _DATABASE as error:
            raise unavailable(self._spec.name, error, gateways=True) from None

    def _keep(self) -> None:
        with self._lock:
            if self._keeper is None and not self._stop.is_set():
                self._keeper = threading.Thread(
                    target=self._keeping, name=f"gov-{self._spec.name}", daemon=True
                )
                self._keeper.start()

    def _keeping(self) -> None:
        while not self._stop.wait(_TICK):
            self.pool.close_idle(time.monotonic() - IDLE_SECONDS)
            with contextlib.suppress(*_DATABASE, DatabaseUnavailable):
                self.roles.heartbeat()
                self.roles.sweep()
                self._end_left()

    def close(self) -> None:
        """End every role of this gateway; what runs is cut."""
        self._stop.set()
        for grant_id in self.pool.grants():
            self.end(grant_id)
        if self._keeper is not None:
            self._keeper.join(timeout=30)
        self.roles.close()
