"""What runs now, and the handle by which it is ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from jupyter_gov.broker.ports import Execution, Sink
from jupyter_gov.errors import GovError


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """One statement from its intent to its outcome."""

    query_id: str
    record: str
    session_id: str
    grant_id: str
    connection: str
    slot_id: str
    ends_at: datetime
    """The earliest end of what it runs under."""
    began_at: datetime
    stops_at: datetime
    """When it has run as long as its connection allows, the reading of its answer included."""
    sink: Sink
    execution: Execution | None = None
    ended: GovError | None = None
    """Why it was ended from outside; the first reason stays."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def started(self, execution: Execution) -> None:
        """The engine is ready; if the run was ended before, it is cancelled at once."""
        with self._lock:
            self.execution = execution
            over = self.ended is not None
        if over:
            execution.cancel()

    def end(self, why: GovError) -> None:
        """Cancel in the database and cut the stream.  From any thread."""
        with self._lock:
            if self.ended is not None:
                return
            self.ended = why
            execution = self.execution
        if execution is not None:
            execution.cancel()
        self.sink.abandon()


class Running:
    """The statements that run now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: set[Run] = set()
        self._over: GovError | None = None

    def add(self, run: Run) -> None:
        """It runs now; after `close` it is ended before it begins."""
        with self._lock:
            self._runs.add(run)
            over = self._over
        if over is not None:
            run.end(over)

    def close(self, why: GovError) -> None:
        """Nothing more may run."""
        with self._lock:
            self._over = why

    def remove(self, run: Run) -> None:
        with self._lock:
            self._runs.discard(run)

    def __iter__(self) -> Iterator[Run]:
        with self._lock:
            return iter(list(self._runs))
