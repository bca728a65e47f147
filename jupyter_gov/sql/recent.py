"""
Statements that were read a moment ago.

Cells are run again, and agents ask the same with other parameters.  What is kept is small and in
memory only: a few statements of ordinary length, as their users wrote them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

KEPT = 128
LONGEST = 2_000
"""Characters; a parsed statement takes a hundred times its text."""
P = ParamSpec("P")
T = TypeVar("T")


def remembering(read: Callable[P, T]) -> Callable[P, T]:
    """
    *read*, which answers again what it answered lately for the same arguments.

    The first argument is the statement's text; all must be hashable.  What was refused is read
    anew each time.  The results are shared between threads, so nobody may change them.
    """
    kept = cast("Callable[P, T]", functools.lru_cache(KEPT)(read))

    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        return (kept if len(str(args[0])) <= LONGEST else read)(*args, **kwargs)

    return again
