"""Waiting for something another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_PAUSE = 0.05


def until(ask: Callable[[], T], what: str, *, seconds: float = 20.0) -> T:
    """The first true answer of *ask*, asked again and again; *what* names it if none comes."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}; last: {answer!r}")
        time.sleep(_PAUSE)
    return answer
