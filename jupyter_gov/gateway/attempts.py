"""
Recording what strangers try.

Such records are made before anyone is known, so they are counted: beyond a rate they are summed
up, and a flood fills neither the log nor the disk.  Each kind has its own rate, so that noise of
one kind hides nothing of another, and what is left out is recorded too, as a number.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from tornado.httputil import HTTPServerRequest

from jupyter_gov.audit.events import Actor, Event
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.errors import AuditUnavailable
from jupyter_gov.identity.ports import Clock

PER_MINUTE = 60
"""Records of one kind, of known persons and of strangers each."""
_WINDOW = 60.0


@dataclass(slots=True)
class _Quota:
    """One kind's records in the window that runs."""

    began: float
    used: int = 0
    left_out: int = 0


class Attempts:
    """Writes refused attempts to the log, at most so many a minute; the rest are counted."""

    def __init__(
        self,
        log: AuditLog,
        clock: Clock,
        executor: Executor,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._clock = clock
        self._executor = executor
        self._now = now
        self._lock = threading.Lock()
        self._quotas: dict[tuple[str, bool], _Quota] = {}

    def note(self, event: Event) -> None:
        """Record *event* soon.  Called on the loop; never raises."""
        key, now = (event.kind, bool(event.actor.principal)), self._now()
        with self._lock:
            quota = self._quotas.setdefault(key, _Quota(now))
            if now - quota.began >= _WINDOW:
                quota.began, quota.used = now, 0
            if quota.used >= PER_MINUTE:
                quota.left_out += 1
                return
            quota.used += 1
            left_out, quota.left_out = quota.left_out, 0
        if left_out:
            event = replace(event, says={**event.says, "left_out_before": left_out})
        self._executor.submit(self._append, event, key, left_out + 1)

    def sum_up(self, *, everything: bool = False) -> None:
        """
        Record how many were left out in windows that are over; at a stop, in all.

        Blocking; called from time to time.
        """
        now = self._now()
        with self._lock:
            due = [
                (key, quota)
                for key, quota in self._quotas.items()
                if quota.left_out and (everything or now - quota.began >= _WINDOW)
            ]
            counts = [(key, quota.left_out) for key, quota in due]
            for _, quota in due:
                quota.left_out = 0
        for key, count in counts:
            says = {"why": "left out, since there were too many of this kind", "left_out": count}
            self._append(Event(kind=key[0], at=self._clock(), says=says), key, count)

    def _append(self, event: Event, key: tuple[str, bool], stands_for: int) -> None:
        try:
            self._log.append(event)
        except AuditUnavailable:
            with self._lock:  # said later: neither this one nor those before it are forgotten
                self._quotas[key].left_out += stands_for

    def refused(self, request: HTTPServerRequest, why: str, route: str, who: str = "") -> None:
        """A deciding request that was not believed."""
        headers = request.headers
        self.note(
            Event(
                kind="decision.refused",
                at=self._clock(),
                actor=Actor(principal=who),
                says={
                    "why": why,
                    "route": f"{request.method} {route}"[:200],
                    "origin": headers.get("Origin", "")[:200],
                    "site": headers.get("Sec-Fetch-Site", "")[:40],
                    "dest": headers.get("Sec-Fetch-Dest", "")[:40],
                    "address": request.remote_ip or "",
                },
            )
        )
