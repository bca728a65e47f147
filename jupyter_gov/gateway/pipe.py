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
_PIECE = 256 * 1024
PATIENCE = 60.0
"""Seconds in which a reader must take something: a database waits for it, with its locks."""


class Pipe:
    """The broker's Sink.  One thread writes, one coroutine reads."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_abandon: Callable[[], None] = lambda: None,
        patience: float = PATIENCE,
    ) -> None:
        self._loop = loop
        self._on_abandon = on_abandon
        self._patience = patience
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
            self._wait_while(lambda: len(self._chunks) >= _CHUNKS)
            self._chunks.append(data)
            self._written += 1
        self._loop.call_soon_threadsafe(self._ready.set)

    def drain(self) -> None:
        with self._changed:
            self._wait_while(lambda: self._taken < self._written)

    def _wait_while(self, full: Callable[[], bool]) -> None:
        """Until the reader took enough.  Raises Cancelled when it has gone, or takes nothing."""
        while full() and not self._gone and not self._abandoned:
            sent = self.sent
            if not self._changed.wait(self._patience) and self.sent == sent:
                raise Cancelled(
                    f"the kernel took nothing for {self._patience:g} s, while the database waited"
                )
        if self._gone:
            raise Cancelled("the kernel has gone")

    def abandon(self) -> None:
        with self._changed:
            first, self._abandoned = not self._abandoned, True
            # What was not handed out yet stays here: the run has ended.
            self._chunks.clear()
            self._changed.notify_all()
        if first:
            self._loop.call_soon_threadsafe(self._on_abandon)

    def end(self) -> None:
        with self._changed:
            self._ended = True
        self._loop.call_soon_threadsafe(self._ready.set)

    # ------------------------------------------------------------ the loop's side

    def gone(self) -> None:
        """The kernel has gone.  From any thread."""
        with self._changed:
            self._gone = True
            self._chunks.clear()
            self._changed.notify_all()
        self._loop.call_soon_threadsafe(self._ready.set)

    async def chunks(self) -> AsyncIterator[bytes]:
        """What was written, until the end, in pieces that count as sent when handed out."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._chunks and not self._gone:
                with self._changed:
                    if not self._chunks:
                        break
                    chunk = self._chunks.popleft()
                for start in range(0, len(chunk), _PIECE):
                    piece = chunk[start : start + _PIECE]
                    with self._changed:
                        self.sent += len(piece)
                        self._changed.notify_all()
                    yield piece
                with self._changed:
                    self._taken += 1
                    self._changed.notify_all()
            with self._changed:
                # What was written in this moment has set `_ready` again, or is about to.
                if self._gone or (self._ended and not self._chunks):
                    return
