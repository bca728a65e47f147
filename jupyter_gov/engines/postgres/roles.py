"""
The gateway's side of the minter: one login role for each grant, made late and ended for certain.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

from jupyter_gov.engines.postgres.names import ADMIN, Names

CONNECT_SECONDS = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A login role.  Its password is known here and nowhere else."""

    suffix: str
    name: str
    password: str = field(repr=False)
    seal_key: bytes = field(repr=False)
    """64 bytes: what this role's projections seal with."""


class Roles:
    """
    Makes, ends and sweeps login roles in one database.  Safe from many threads.

    Args:
        conninfo: of the gateway's own login, with its secret fetched at that moment.
        gateway: tells this gateway's roles from another's; 8 to 32 hex digits.
    """

    def __init__(self, conninfo: Callable[[], str], gateway: str) -> None:
        self._conninfo = conninfo
        self._gateway = gateway
        self._lock = threading.Lock()
        self._session: psycopg.Connection[Any] | None = None
        self._live: set[str] = set()

    def with_session(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Run *work* on the gateway's own session, opened anew once if it was lost.

        Raises psycopg.Error, DatabaseUnavailable.
        """
        with self._lock:
            session = self._session
            if session is not None and not session.closed:
                try:
                    return work(session)
                except psycopg.OperationalError:
                    if not session.broken:
                        raise
                self._drop()
            self._session = psycopg.connect(
                self._conninfo(), autocommit=True, connect_timeout=CONNECT_SECONDS
            )
            return work(self._session)

    def mint(self, groups: Sequence[str], ends_at: datetime) -> Minted:
        """A role that may log in until *ends_at*.  Raises psycopg.Error, DatabaseUnavailable."""

        def work(session: psycopg.Connection[Any]) -> Minted:
            suffix, password = secrets.token_hex(8), secrets.token_urlsafe(32)
            name = Names(session.info.dbname).ephemeral + suffix
            # A verifier, so that no password is in a statement or a log.
            verifier = session.pgconn.encrypt_password(
                password.encode(), name.encode(), b"scram-sha-256"
            ).decode()
            row = session.execute(
                f"SELECT {ADMIN}.mint(%s, %s, %s, %s, %s)",
                (suffix, verifier, list(groups), ends_at, self._gateway),
                binary=True,
            ).fetchone()
            assert row is not None
            self._live.add(suffix)
            return Minted(suffix=suffix, name=name, password=password, seal_key=bytes(row[0]))

        return self.with_session(work)

    def end(self, suffix: str) -> int:
        """
        Terminate a role's sessions and drop it; nothing happens to one that is gone.

        Returns how many sessions were open.  Raises psycopg.Error, DatabaseUnavailable.
        """

        def work(session: psycopg.Connection[Any]) -> int:
            self._live.discard(suffix)
            return _end(session, suffix)

        return self.with_session(work)

    def sweep(self) -> int:
        """
        End what was left: by an earlier run of this gateway, by one that is gone, or by the clock.

        Returns how many.  Raises psycopg.Error, DatabaseUnavailable.
        """

        def work(session: psycopg.Connection[Any]) -> int:
            rows = session.execute(f"SELECT * FROM {ADMIN}.orphans(%s)", (self._gateway,))
            left = [suffix for (suffix,) in rows if suffix not in self._live]
            for suffix in left:
                _end(session, suffix)
            return len(left)

        return self.with_session(work)

    def knows(self, kept: str, token: str) -> bool:
        """Whether it is kept what a pseudonym stands for.  Raises as `mint` does."""
        asked = f"SELECT {ADMIN}.known(%s, %s)"
        return self.with_session(
            lambda session: session.execute(asked, (kept, token)).fetchone() == (True,)
        )

    def heartbeat(self) -> None:
        """Tell other gateways that this one lives.  Raises psycopg.Error, DatabaseUnavailable."""
        self.with_session(lambda s: s.execute(f"SELECT {ADMIN}.heartbeat(%s)", (self._gateway,)))

    def _drop(self) -> None:
        if self._session is not None:
            with contextlib.suppress(psycopg.Error):
                self._session.close()
            self._session = None

    def close(self) -> None:
        """Close the gateway's own session."""
        with self._lock:
            self._drop()


def _end(session: psycopg.Connection[Any], suffix: str) -> int:
    row = session.execute(f"SELECT {ADMIN}.end_role(%s)", (suffix,)).fetchone()
    assert row is not None
    return int(row[0])


def as_role(conninfo: str, minted: Minted) -> str:
    """How a session of that role is opened."""
    return make_conninfo(
        conninfo,
        user=minted.name,
        password=minted.password,
        application_name="jupyter_gov",
        connect_timeout=CONNECT_SECONDS,
    )
