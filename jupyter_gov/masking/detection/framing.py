"""Messages between the gateway and a detection process: JSON, after its length in four bytes."""

from __future__ import annotations

import json
import os
import select
import time
from typing import Any

PORTION = 16
"""Texts of one answer: what is slow but alive is heard of in time."""
MAX_MESSAGE = 256 * 1024 * 1024
_LENGTH = 4


class Broken(Exception):
    """The other side is gone, too slow, or says what is no message."""


def pack(message: Any) -> bytes:
    """ASCII, so that halves of surrogate pairs survive."""
    body = json.dumps(message).encode()
    if len(body) > MAX_MESSAGE:
        raise Broken("too long")
    return len(body).to_bytes(_LENGTH, "big") + body


def read(source: int) -> Any | None:
    """The next message, waiting for as long as it takes; None at the end."""
    head = _exactly(source, _LENGTH)
    if head is None:
        return None
    body = _exactly(source, int.from_bytes(head, "big"))
    return None if body is None else json.loads(body)


def _exactly(source: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(source, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write(target: int, data: bytes) -> None:
    """All of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


class Channel:
    """The gateway's end: nothing waits past its deadline.  Both descriptors are non-blocking."""

    def __init__(self, source: int, target: int) -> None:
        self._source, self._target = source, target
        os.set_blocking(source, False)
        os.set_blocking(target, False)

    def send(self, message: Any, until: float) -> None:
        """*until* is of `time.monotonic`.  Raises Broken."""
        view = memoryview(pack(message))
        while view:
            self._wait(self._target, select.POLLOUT, until)
            try:
                view = view[os.write(self._target, view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise Broken("gone") from error

    def receive(self, until: float) -> Any:
        """The next message.  Raises Broken."""
        size = int.from_bytes(self._exactly(_LENGTH, until), "big")
        if size > MAX_MESSAGE:
            raise Broken("too long")
        try:
            return json.loads(self._exactly(size, until))
        except (ValueError, RecursionError):
            raise Broken("no JSON") from None

    def _exactly(self, size: int, until: float) -> bytes:
        parts = []
        while size:
            self._wait(self._source, select.POLLIN, until)
            try:
                part = os.read(self._source, min(size, 1 << 20))
            except BlockingIOError:
                continue
            except OSError as error:
                raise Broken("gone") from error
            if not part:
                raise Broken("gone")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _wait(self, descriptor: int, event: int, until: float) -> None:
        left = until - time.monotonic()
        poll = select.poll()  # select() knows no descriptor above 1023
        poll.register(descriptor, event)
        if left <= 0 or not poll.poll(left * 1000):
            raise Broken("too slow")
