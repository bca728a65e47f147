"""
What the treatments of numbers do: bucket and round.

All arithmetic is decimal and exact; a float is read with the significant digits that its type
guarantees.  What would not fit the column's type any more is withheld.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from typing import Any

from jupyter_gov.masking.canonical import Value

MOST = Decimal(10) ** 30
"""Decimal numbers of this size and above are withheld."""
MOST_FLOAT = Decimal(10) ** 15
"""Floats too, from here on: a bucket's edge would not be exact."""
INT64 = (Decimal(-(2**63)), Decimal(2**63 - 1))

_EXACT = Context(prec=20_000)

Limits = tuple[Decimal, Decimal]


def edges(limits: Limits, width: Decimal, start: Decimal) -> Decimal:
    """The lowest edge within *limits*: what lies below it is withheld."""
    with localcontext(_EXACT):
        over = (limits[0] - start) % width
        low = limits[0] - over
        return low if over == 0 else low + (width if over > 0 else 0)


def nearest(limits: Limits, to: Decimal) -> Limits:
    """Between these, excluded, a value's nearest multiple of *to* is within *limits*."""
    with localcontext(_EXACT):
        low, high = (limit - limit % to for limit in limits)
        return low - to / 2, high + to / 2


def _applied(value: Value, treat: Callable[[Decimal, bool], Decimal | None], digits: int) -> Any:
    """By the value's type, and back to it."""
    with localcontext(_EXACT):
        if isinstance(value, bool):
            return None
        if isinstance(value, int):
            done = treat(Decimal(value), True)
            return None if done is None or done != done.to_integral_value() else int(done)
        if isinstance(value, float):
            if not abs(value) < float(MOST_FLOAT):
                return None
            done = treat(Decimal(f"{value:.{digits}g}"), False)
            return None if done is None else float(done)
        if isinstance(value, Decimal):
            return treat(value, False) if value.is_finite() and abs(value) < MOST else None
        return None


def bucket(
    width: Decimal, start: Decimal = Decimal(0), limits: Limits | None = None, digits: int = 15
) -> Callable[[Value], Any]:
    """
    The lower edge of the bucket that a number is in: …, start, start + width, ….

    Args:
        limits: of the column's type; else 64 bits for whole numbers, and `MOST` for decimals.
        digits: significant ones of a float: 15, and 6 of PostgreSQL's `real`.

    Without a width everything is withheld.
    """
    if width <= 0:
        return lambda value: None
    lowest = {whole: edges(own, width, start) for whole, own in _limits(limits).items()}

    def edge(value: Decimal, whole: bool) -> Decimal | None:
        if value < lowest[whole]:
            return None
        over = (value - start) % width
        return value - (over + width if over < 0 else over)

    fits = width == int(width) and start == int(start)
    return lambda value: (
        None if isinstance(value, int) and not fits else _applied(value, edge, digits)
    )


def rounded(to: Decimal, limits: Limits | None = None, digits: int = 15) -> Callable[[Value], Any]:
    """The nearest multiple of *to*; from the middle, away from zero.  Arguments as of `bucket`."""
    if to <= 0:
        return lambda value: None
    between = {whole: nearest(own, to) for whole, own in _limits(limits).items()}

    def multiple(value: Decimal, whole: bool) -> Decimal | None:
        low, high = between[whole]
        if not low < value < high:
            return None
        over = value % to  # has the sign of the value
        away = to.copy_sign(value) if abs(over) * 2 >= to else 0
        return value - over + away

    return lambda value: (
        None if isinstance(value, int) and to != int(to) else _applied(value, multiple, digits)
    )


def _limits(given: Limits | None) -> dict[bool, Limits]:
    """For whole numbers, and for others."""
    return {True: given or INT64, False: given or (-MOST, MOST)}
