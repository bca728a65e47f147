"""
The audit log on SQLite: WAL, FULL, one writer at a time.

Whoever appends also commits, with what others have added meanwhile: concurrent appends are
committed together when they arrive together, never wait for company, and change no threads.
A reserve file holds disk space back: when the volume is full, ends and outcomes still find room,
and new statements are refused until there is space again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_gov.audit.events import Actor, Event, canonical
from jupyter_gov.audit.merkle import leaf_hash
from jupyter_gov.audit.ports import Leaf
from jupyter_gov.errors import AuditUnavailable
from jupyter_gov.store.reserve import Reserve, is_full
from jupyter_gov.wire.times import from_utc

_log = logging.getLogger(__name__)

RESERVE_BYTES = 2 * 1024 * 1024
BATCH = 256
_PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Seconds before an end is tried again that could not be written for want of something."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS leaf (
    seq INTEGER PRIMARY KEY,
    record TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    of TEXT NOT NULL,
    body BLOB NOT NULL,
    leaf BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS leaf_by_of ON leaf (of) WHERE of <> '';
CREATE INDEX IF NOT EXISTS leaf_by_kind ON leaf (kind);
CREATE TRIGGER IF NOT EXISTS leaf_is_not_changed BEFORE UPDATE ON leaf
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS leaf_is_not_removed BEFORE DELETE ON leaf
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
"""
# The triggers stop accidents.  Against someone who owns the file only the hashes help, and a root
# noted outside.


@dataclass(slots=True)
class _Append:
    event: Event
    body: bytes
    reserved: bool
    settled: bool = False
    problem: AuditUnavailable | None = None

    def settle(self, problem: AuditUnavailable | None = None) -> None:
        """It is on disk, or why it is not."""
        self.settled, self.problem = True, problem


class SqliteAuditLog:
    """The AuditLog port.  `close` waits for what was appended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reserve = Reserve(path.with_suffix(".reserve"), RESERVE_BYTES)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        setup = self._connect()
        setup.executescript(_SCHEMA)
        setup.close()
        self._reserve.hold()
        self._closed = False
        self._adding = threading.Lock()
        self._waiting: deque[_Append] = deque()
        self._writing = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, timeout=10, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    # ------------------------------------------------------------ the port

    def append(self, event: Event, *, reserved: bool = False) -> str:
        item = _Append(event, _body(event), reserved)
        with self._adding:
            if self._closed:
                raise AuditUnavailable("the gateway is shutting down, so nothing was run")
            self._waiting.append(item)
        with self._writing:
            while not item.settled:
                self._write()
        if item.problem is not None:
            raise item.problem
        return event.record

    def open_intents(self) -> list[Event]:
        with contextlib.closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT body FROM leaf AS i WHERE kind = 'intent' AND NOT EXISTS"
                " (SELECT 1 FROM leaf AS o WHERE o.of = i.record AND o.kind = 'outcome')"
            ).fetchall()
        return [read_event(body) for (body,) in rows]

    def crashed(self) -> bool:
        with contextlib.closing(self._connect()) as connection:
            last = connection.execute(
                "SELECT kind FROM leaf WHERE kind IN ('gateway.started', 'gateway.stopped')"
                " ORDER BY seq DESC LIMIT 1"
            ).fetchone()
        return last is not None and last[0] == "gateway.started"

    def ran_under(self, grants: Collection[str]) -> dict[str, tuple[int, int]]:
        ran = dict.fromkeys(grants, (0, 0))
        marks = [grant.encode() for grant in ran]
        with contextlib.closing(self._connect()) as connection:
            bodies = connection.execute(
                "SELECT body FROM leaf WHERE kind IN ('intent', 'outcome') ORDER BY seq"
            )
            for (body,) in bodies:
                if not any(mark in body for mark in marks):
                    continue  # most records are of grants that ended long ago
                event = read_event(body)
                if event.grant in ran:
                    statements, rows = ran[event.grant]
                    if event.kind == "intent":
                        ran[event.grant] = statements + 1, rows
                    else:
                        ran[event.grant] = statements, rows + int(event.says.get("rows", 0))
        return ran

    def leaves(self, *, after: int = -1) -> Iterator[Leaf]:
        return read_leaves(self.path, after=after)

    def close(self) -> None:
        """Write what was appended; nothing can be appended after."""
        with self._adding:
            self._closed = True
        with self._writing:
            while self._waiting:
                self._write()
            self._drop()

    # ------------------------------------------------------------ who writes

    def _write(self) -> None:
        """Commit what waits, oldest first, at most `BATCH` of it."""
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
        try:
            self._connection = self._connection or self._connect()
            self._commit(self._connection, batch)
        except Exception as fault:
            # Whatever it was: whoever waits is told, and the next one goes on, with a connection
            # of which nothing is left open.
            _log.error("fault %s in the audit log's writer", type(fault).__name__)
            self._drop()
            for item in batch:
                if not item.settled:
                    item.settle(_unwritten(type(fault).__name__))

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _commit(self, connection: sqlite3.Connection, batch: list[_Append]) -> None:
        ordinary = [item for item in batch if not item.reserved]
        if ordinary and not self._reserve.hold():
            for item in ordinary:
                item.settle(_full())
            batch = [item for item in batch if item.reserved]
        if not batch:
            return
        problem = self._insert(connection, batch)
        if problem is not None and len(batch) > 1:
            # One bad apple, or no room for all: settle each on its own.
            for item in batch:
                self._commit(connection, [item])
            return
        if problem is not None and batch[0].reserved:
            problem = self._insist(connection, batch, problem)
        for item in batch:
            item.settle(None if problem is None else _told(problem))

    def _insist(
        self, connection: sqlite3.Connection, batch: list[_Append], problem: Exception | None
    ) -> Exception | None:
        """What has happened is written if it can be: into the reserve, or when memory is free."""
        if is_full(problem):
            self._reserve.release()
            return self._insert(connection, batch)
        for pause in _PAUSES:
            time.sleep(pause)
            if (problem := self._insert(connection, batch)) is None:
                break
        return problem

    def _insert(self, connection: sqlite3.Connection, batch: list[_Append]) -> Exception | None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            (last,) = connection.execute("SELECT coalesce(max(seq), -1) FROM leaf").fetchone()
            rows = []
            for seq, item in enumerate(batch, start=last + 1):
                event, body = item.event, item.body
                rows.append((seq, event.record, event.kind, event.of, body, leaf_hash(body)))
            connection.executemany("INSERT INTO leaf VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        except Exception as error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            return error
        return None


def _body(event: Event) -> bytes:
    """In the thread of whoever appends: what cannot be written down spoils nobody else's batch."""
    try:
        return canonical(event)
    except Exception as fault:
        _log.error("fault %s in a record of kind %s", type(fault).__name__, event.kind)
        raise _unwritten(type(fault).__name__) from None


def _told(error: Exception) -> AuditUnavailable:
    return _full() if is_full(error) else _unwritten(type(error).__name__)


def _unwritten(fault: str) -> AuditUnavailable:
    return AuditUnavailable(
        "the audit record cannot be written, so nothing was run",
        hint=f"The log's administrator should look at {fault}.",
    )


def _full() -> AuditUnavailable:
    return AuditUnavailable(
        "the audit volume is full, so nothing was run",
        hint=f"Free space on the gateway's state volume ({os.strerror(errno.ENOSPC)}), then retry.",
    )


def read_event(body: bytes) -> Event:
    """An event from its canonical bytes."""
    data = json.loads(body)
    return Event(
        kind=data["kind"],
        at=from_utc(data["at"]),
        record=data["record"],
        actor=Actor(
            principal=data["principal"],
            on_behalf_of=data["on_behalf_of"],
            session=data["session"],
            kernel=data["kernel"],
            server=data["server"],
            isolation=data["isolation"],
        ),
        of=data["of"],
        connection=data["connection"],
        grant=data["grant"],
        says=data["says"],
    )


def read_leaves(path: Path, *, after: int = -1) -> Iterator[Leaf]:
    """The rows of a log file, which is opened read-only."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    with contextlib.closing(connection):
        rows = connection.execute(
            "SELECT seq, record, kind, of, body, leaf FROM leaf WHERE seq > ? ORDER BY seq",
            (after,),
        )
        for seq, record, kind, of, body, leaf in rows:
            yield Leaf(seq=seq, record=record, kind=kind, of=of, body=body, leaf=leaf)
