"""
What was read of the state lately.

One gateway alone writes to a state folder (it holds a lock), but for `jupyter gov enroll`, which
only adds servers.  So what was found stays true until this process changes something, and what was
not found is never remembered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar, cast

_MOST = 50_000
T = TypeVar("T")


class Remembered:
    """
    Rows by what they were asked by.  Safe from many threads.

    Whoever changes the state calls `forget` after the commit and before anybody is told of it:
    a later question is then answered by the database.  What was being read meanwhile may be older
    than the change, and is given to who asked before it, but not kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes = 0
        self._rows: dict[Hashable, object] = {}

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """What *read* found for *key*, now or earlier."""
        with self._lock:
            if key in self._rows:
                return cast("T", self._rows[key])
            changes = self._changes
        found = read()
        if found is not None:
            with self._lock:
                if changes == self._changes:
                    if len(self._rows) >= _MOST:
                        self._rows.clear()
                    self._rows[key] = found
        return found

    def forget(self, keys: Iterable[Hashable] | None = None) -> None:
        """Something changed: what these keys gave, or everything."""
        with self._lock:
            self._changes += 1
            if keys is None:
                self._rows.clear()
                return
            for key in keys:
                self._rows.pop(key, None)
