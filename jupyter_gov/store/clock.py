"""The gateway's clock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime


class ForwardClock:
    """
    Aware UTC that never goes back: a clock set back by hand or by NTP must not revive a grant.

    What has ended is also marked as ended in the store, which holds over a restart.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._highest = datetime.now(UTC)

    def __call__(self) -> datetime:
        with self._lock:
            self._highest = max(self._highest, datetime.now(UTC))
            return self._highest
