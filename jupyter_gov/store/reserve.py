"""Disk space held back, so that what ends something can be written when the volume is full."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

_FULL = frozenset({
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_SHMSIZE,
})  # fmt: skip


class Reserve:
    """A file of *size* bytes in the way of others.  `release` gives its room to who needs it."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size

    def hold(self) -> bool:
        """Take the space, if it is not held already.  False while the volume has none to spare."""
        with contextlib.suppress(OSError):
            if self.path.stat().st_size == self._size:
                return True
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the space back."""
        with contextlib.suppress(OSError):
            self.path.unlink()


def is_full(error: BaseException | None) -> bool:
    """Whether SQLite's *error* says that the volume is full."""
    return getattr(error, "sqlite_errorcode", None) in _FULL
