"""The gateway's clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _wall() -> datetime:
    return datetime.now(UTC)


class ForwardClock:
    """
    Aware UTC that never goes back and never stands still.

    A clock set back by hand or by NTP must not revive a grant, nor lengthen one: until the wall
    has caught up, time goes on as fast as it passes.  What has ended is also marked as ended in
    the store, which holds over a restart.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = _wall,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        self._now = wall()
        self._ticked = steady()

    def __call__(self) -> datetime:
        with self._lock:
            ticked = self._steady()
            passed = timedelta(seconds=ticked - self._ticked)
            self._now = max(self._now + passed, self._wall())
            self._ticked = ticked
            return self._now
