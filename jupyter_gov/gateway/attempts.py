"""
Recording what strangers try.

Such records are made before anyone is known, so they are counted: beyond a rate they are summed
up, and a flood fills neither the log nor the disk.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor
from dataclasses import replace

from tornado.httputil import HTTPServerRequest

from jupyter_gov.audit.events import Actor, Event
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.errors import AuditUnavailable
from jupyter_gov.identity.ports import Clock

PER_MINUTE = 120


class Attempts:
    """Writes refused attempts to the log, at most so many a minute; the rest are counted."""

    def __init__(self, log: AuditLog, clock: Clock, executor: Executor) -> None:
        self._log = log
        self._clock = clock
        self._executor = executor
        self._window = 0.0
        self._in_window = 0
        self._left_out = 0

    def note(self, event: Event) -> None:
        """Record *event* soon.  Called on the loop; never raises."""
        now = time.monotonic()
        if now - self._window >= 60:
            self._window, self._in_window = now, 0
        if self._in_window >= PER_MINUTE:
            self._left_out += 1
            return
        self._in_window += 1
        if self._left_out:
            event = replace(event, says={**event.says, "left_out_before": self._left_out})
            self._left_out = 0
        self._executor.submit(self._append, event)

    def _append(self, event: Event) -> None:
        try:
            self._log.append(event)
        except AuditUnavailable:
            self._left_out += 1

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
