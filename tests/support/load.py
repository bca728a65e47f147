"""Kernels that ask without pause, and remember what they were told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import urllib3

from jupyter_gov.errors import GovError
from tests.support.gateway import StubKernel
from tests.support.streams import Stream, numbers

MIX = ("SELECT 1", "SELECT count(*) FROM patients", numbers(30_000), "SELECT nmae FROM patients")


@dataclass
class Load:
    """Runs from `with` to its end, on a thread for each kernel."""

    kernels: Iterable[StubKernel]
    pause: float = 0.05
    completed: set[str] = field(default_factory=set)
    """Records of statements whose whole answer arrived."""
    told: set[str] = field(default_factory=set)
    """Every record a kernel has heard of, from a head or an error."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [
            threading.Thread(target=self._ask, args=(kernel, number))
            for number, kernel in enumerate(self.kernels)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, kernel: StubKernel, turn: int) -> None:
        while not self._stop.is_set():
            turn += 1
            try:
                stream = Stream(kernel, MIX[turn % len(MIX)])
                record = stream.head.record
                self.told.add(record)
                stream.finish()
                self.completed.add(record)
            except (GovError, AssertionError) as problem:
                self.told.add(getattr(problem, "record", ""))
            except (OSError, urllib3.exceptions.HTTPError):
                pass  # the connection broke between two reads
            time.sleep(self.pause)
