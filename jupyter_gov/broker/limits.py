"""Admission: so that one hostile kernel cannot stop the hospital."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jupyter_gov.errors import Busy

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Limits of one gateway."""

    per_kernel: int = 4
    """Statements at the same time, streams that are being read included."""
    per_principal: int = 8
    everyone: int = 64
    per_second: float = 20.0
    """Requests of one kernel, averaged; bursts may be three times as many."""


class Limits:
    """Counts what runs, and how fast each kernel asks."""

    def __init__(self, rates: Rates, steady: Callable[[], float] = time.monotonic) -> None:
        self._rates = rates
        self._steady = steady
        self._lock = threading.Lock()
        self._running: dict[str, int] = {}
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def room(self, key: str) -> None:
        """
        Raises Busy if *key*'s bucket is empty.  Takes nothing.

        For a key that a request only claims: who cannot sign with it must not use up its rate.
        """
        with self._lock:
            tokens, last = self._buckets.get(key, (1.0, 0.0))
            if tokens + (self._steady() - last) * self._rates.per_second < 1:
                raise self._busy()

    def pace(self, key: str, cost: float = 1.0) -> None:
        """Take *cost* tokens of *key*'s bucket, at most a full one.  Raises Busy."""
        burst = max(3 * self._rates.per_second, 1.0)
        now = self._steady()
        with self._lock:
            tokens, last = self._buckets.pop(key, (burst, now))
            tokens = min(burst, tokens + (now - last) * self._rates.per_second)
            cost = min(cost, burst)
            left = tokens - cost
            self._buckets[key] = (left if left >= 0 else tokens, now)
            while len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        if left < 0:
            raise self._busy()

    def _busy(self) -> Busy:
        return Busy(
            "too many requests in a short time",
            hint=f"A kernel may ask {self._rates.per_second:g} times a second on average.",
        )

    @contextlib.contextmanager
    def hold(self, kernel: str, person: str) -> Iterator[Callable[[], None]]:
        """
        Count one running statement; a person's agents count as theirs.

        Gives what counts it no more before the end: its kernel may ask again once it is answered,
        whatever is still to be cleared away.  Raises Busy.
        """
        counted = (
            ("everyone", self._rates.everyone, "the gateway runs as many statements as it may"),
            (f"k:{kernel}", self._rates.per_kernel, "this kernel runs as many as it may"),
            (f"p:{person}", self._rates.per_principal, "you run as many as you may"),
        )
        with self._lock:
            for key, most, text in counted:
                if self._running.get(key, 0) >= most:
                    raise Busy(f"{text} at the same time ({most})")
            for key, _, _ in counted:
                self._running[key] = self._running.get(key, 0) + 1
        left = [key for key, _, _ in counted]

        def let_go() -> None:
            with self._lock:
                while left:
                    key = left.pop()
                    self._running[key] -= 1
                    if not self._running[key]:
                        del self._running[key]

        try:
            yield let_go
        finally:
            let_go()
