"""
What one statement may use of the gateway: time, memory, room for temporary files.

SQLite asks `Allowance.over` every few thousand steps of its program.  Between two questions, and
while it prepares a statement, only its own limits hold: the size of a value, of the statement, and
of everything SQLite has allocated in this process.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from jupyter_gov.engines.sqlite.functions import MAX_VALUE

HEAP_BYTES = 1 << 30
"""All that SQLite may allocate in this process; beyond it a statement fails, not the gateway."""
MEMORY_BYTES = 1 << 30
"""By how much the process may grow while one statement runs."""
SPILL_BYTES = 4 << 30
"""What one statement may write to temporary files."""
STEPS = 1_000
"""Of SQLite's program, between two questions."""
SHAPES = ((128, MAX_VALUE), (512, MAX_VALUE // 4), (2_000, MAX_VALUE // 16))
"""
Most columns of a result, and most bytes of a value in it: a row is made whole before it can be
measured, so a wide one holds shorter values.
"""
_LOOK_SECONDS = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")


_sorts_in = "file"


def temp_store() -> str:
    """Where a connection keeps what does not fit: ``file``, or ``memory`` without a folder."""
    return _sorts_in


def confine(spill: Path) -> None:
    """
    For this whole process: bound SQLite's memory, and put its temporary files into *spill*.

    They hold what a sort, a DISTINCT or an index made for one join must keep, treated or not, and
    have no name once they are open.  Call it before anything else uses SQLite; the environment
    variable for the same purpose is read when the library is loaded, which is too early.  A SQLite
    that was built without the pragma sorts in memory, and fails where that is too little.
    """
    global _sorts_in
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA hard_heap_limit={HEAP_BYTES}")
        escaped = str(spill.absolute()).replace("'", "''")
        connection.execute(f"PRAGMA temp_store_directory='{escaped}'")
        taken = connection.execute("PRAGMA temp_store_directory").fetchone()
    _sorts_in = "file" if taken == (str(spill.absolute()),) else "memory"


class Allowance:
    """Of one statement.  `cancel` may be called from any thread, the rest from its own."""

    def __init__(self, *, memory: int = MEMORY_BYTES, spill: int = SPILL_BYTES) -> None:
        self._most_memory, self._most_spilled = memory, spill
        self._deadline = 0.0
        self._cancelled = False
        self._memory = 0
        self._written = 0
        self._written_of: int | None = None
        self._look_at = 0.0
        self.exceeded = ""
        """``memory`` or ``disk``, once there was too little of it."""

    def begin(self, deadline: float) -> None:
        """From now until *deadline*, of `time.monotonic`."""
        self._deadline, self._cancelled, self.exceeded = deadline, False, ""
        self._look_at = 0.0
        self._memory = resident()
        try:
            self._written_of = os.open("/proc/thread-self/io", os.O_RDONLY | os.O_CLOEXEC)
            self._written = _written(self._written_of)
        except OSError:
            self._written_of = None  # not Linux, or not counted here

    def end(self) -> None:
        """Give back what `begin` took.  Idempotent."""
        if self._written_of is not None:
            os.close(self._written_of)
            self._written_of = None

    def cancel(self) -> None:
        self._cancelled = True

    @property
    def stopped(self) -> bool:
        """Cancelled, or past the deadline."""
        return self._cancelled or time.monotonic() > self._deadline

    def over(self) -> bool:
        """Whether the statement must stop."""
        if self._cancelled or self.exceeded:
            return True
        now = time.monotonic()
        if now > self._deadline:
            return True
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            if resident() - self._memory > self._most_memory:
                self.exceeded = "memory"
            elif self._spilled() > self._most_spilled:
                self.exceeded = "disk"
        return bool(self.exceeded)

    def _spilled(self) -> int:
        return 0 if self._written_of is None else _written(self._written_of) - self._written


def resident() -> int:
    """Bytes of memory this process has; 0 where that is not told."""
    try:
        file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return int(os.read(file, 128).split()[1]) * _PAGE
    finally:
        os.close(file)


def _written(file: int) -> int:
    """Bytes that a thread has written, to files and elsewhere."""
    fields = os.pread(file, 512, 0).split()
    return int(fields[fields.index(b"wchar:") + 1])
