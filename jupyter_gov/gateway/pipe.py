"""
From the thread that runs a statement to the loop that writes to the network.

Holds at most a few chunks: when the kernel reads slowly, the thread waits, and with it the
database.  Nobody else does.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable

from jupyter_gov.errors import Cancelled

_CHUNKS = 3


class Pipe:
    """The broker's Sink.  One thread writes, one coroutine reads."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_abandon: Callable[[], None] = lambda: None
    ) -> None:
        self._loop = loop
        self._on_abandon = on_abandon
        self._ready = asyncio.Event()
        self._changed = threading.Condition()
        self._chunks: deque[bytes] = deque()
        self._taken = 0
        self._written = 0
        self._gone = False
        self._ended = False
        self._abandoned = False
        self.sent = 0

    # ------------------------------------------------------------ the thread's side

    def write(self, data: bytes) -> None:
        with self._changed:
            while len(self._chunks) >= _CHUNKS and not self._gone and not self._abandoned:
                self._changed.wait()
            if self._gone:
                raise Cancelled("the kernel has gone")
            if self._abandoned and len(self._chunks) >= _CHUNKS:
                # The run was ended from outside while its reader is slow: what waits is dropped,
                # so that the last word, why it ended, still fits.
                self._chunks.clear()
            self._chunks.append(data)
            self._written += 1
        self._loop.call_soon_threadsafe(self._ready.set)

    def drain(self) -> None:
        with self._changed:
            while self._taken < self._written and not self._gone and not self._abandoned:
                self._changed.wait()
            if self._gone:
                raise Cancelled("the kernel has gone")

    def abandon(self) -> None:
        with self._changed:
            first, self._abandoned = not self._abandoned, True
            self._changed.notify_all()
        if first:
            self._loop.call_soon_threadsafe(self._on_abandon)

    # ------------------------------------------------------------ the loop's side

    def end(self) -> None:
        """The thread is done.  Called on the loop."""
        self._ended = True
        self._ready.set()

    def gone(self) -> None:
        """The kernel has gone.  From any thread."""
        with self._changed:
            self._gone = True
            self._chunks.clear()
            self._changed.notify_all()
        self._loop.call_soon_threadsafe(self._ready.set)

    async def chunks(self) -> AsyncIterator[bytes]:
        """What was written, until the end; a chunk counts as sent when the next is asked for."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._chunks and not self._gone:
                chunk = self._chunks.popleft()
                yield chunk
                with self._changed:
                    self._taken += 1
                    self.sent += len(chunk)
                    self._changed.notify_all()
            if self._ended or self._gone:
                return
