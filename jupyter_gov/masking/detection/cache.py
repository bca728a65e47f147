"""What was made of texts that were scanned before, bounded in bytes."""

from __future__ import annotations

import hmac
import threading
from collections import OrderedDict
from collections.abc import Sequence

_ENTRY = 200
"""Bytes of an entry beside its text, about."""


class Cache:
    """
    HMAC of a text → what may leave of it.  Safe from many threads.

    Args:
        key: random, of this process; texts themselves are not kept as keys.
        limit: bytes; what was used longest ago goes first.
    """

    def __init__(self, key: bytes, limit: int) -> None:
        self._key = key
        self._limit = limit
        self._held: OrderedDict[bytes, str | None] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def names(self, of: str, texts: Sequence[str]) -> list[bytes]:
        """The keys of texts; *of* tells profiles and detectors apart."""
        start = hmac.new(self._key, of.encode() + b"\0", "sha256")
        made = []
        for text in texts:
            one = start.copy()
            one.update(text.encode("utf-8", "surrogatepass"))
            made.append(one.digest()[:20])
        return made

    def get(self, names: Sequence[bytes]) -> list[tuple[bool, str | None]]:
        """For each name whether it is known, and the text (None: withheld)."""
        with self._lock:
            found = []
            for name in names:
                known = name in self._held
                if known:
                    self._held.move_to_end(name)
                found.append((known, self._held.get(name)))
            return found

    def put(self, name: bytes, text: str | None) -> None:
        size = _ENTRY + len(text or "")
        if size > self._limit:
            return
        with self._lock:
            if name in self._held:
                self._size -= _ENTRY + len(self._held.pop(name) or "")
            self._held[name] = text
            self._size += size
            while self._size > self._limit:
                _, dropped = self._held.popitem(last=False)
                self._size -= _ENTRY + len(dropped or "")

    @property
    def bytes(self) -> int:
        return self._size
