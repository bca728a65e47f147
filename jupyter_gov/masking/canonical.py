"""
One text for one value, whatever type it has: what keyed hashes and seals are made of.

Values that SQL calls equal have the same text: 17, 17.0 and '17'.  Each engine's own SQL gives the
same (`engines/postgres/treatments.py`), so a pseudonym made there joins one that is made here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

Value = None | int | float | str | bytes | Decimal | date | UUID

WHOLE = 2**63
"""Floats below this in size are exact as 64-bit integers if they have no fraction."""
DIGITS = 100
"""Decimal numbers with more digits than this before or after the point are withheld."""

LONGEST = 32_000_000
"""Bytes, of a text in UTF-8: what is longer is withheld, since an engine's own limits are near."""
SHORT = 10_000
"""Bytes of a text that may be an identifier, a ZIP code or a date: what is longer is none."""

_EXACT = Context(prec=200_000)


def encoded(text: str) -> bytes:
    """UTF-8, also of what is no valid Unicode, as SQLite may hold it."""
    return text.encode("utf-8", "surrogatepass")


def fits(value: str | bytes, most: int) -> bool:
    """Whether a text has at most so many bytes in UTF-8."""
    if len(value) > most:
        return False
    return isinstance(value, bytes) or 4 * len(value) <= most or len(encoded(value)) <= most


def canonical(value: Value) -> str | bytes | None:
    """
    The text of a value, or its bytes; None for NULL, and for what has no one text.

    A float with a fraction equals only itself, so it is the bits of its IEEE 754 double.
    """
    match value:
        case None:
            return None
        case str() | bytes():
            return value if fits(value, LONGEST) else None
        case int():
            return str(int(value))  # a bool is 1 or 0, as SQLite keeps it
        case float():
            return _of_float(value)
        case Decimal():
            return _of_decimal(value)
        case datetime():
            return _of_datetime(value)
        case date():
            return value.isoformat()
        case UUID():
            return str(value)


def _of_float(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < WHOLE:
        return str(int(value))
    return "f" + struct.pack(">d", value).hex()


def _of_decimal(value: Decimal) -> str | None:
    if value.is_nan():
        return "NaN"
    if value.is_infinite():
        return "Infinity" if value > 0 else "-Infinity"
    if not value:
        return "0"
    if value.adjusted() >= DIGITS:
        return None
    plain = value.normalize(_EXACT)
    exponent = plain.as_tuple().exponent
    assert isinstance(exponent, int)
    return None if -exponent > DIGITS else f"{plain:f}"


def _of_datetime(value: datetime) -> str:
    """As PostgreSQL writes it in ISO style; one with a zone in UTC."""
    zone = ""
    if value.tzinfo is not None:
        value, zone = value.astimezone(UTC).replace(tzinfo=None), "+00"
    text = value.isoformat(sep=" ")
    return (text.rstrip("0") if value.microsecond else text) + zone


class Memory(dict[Value, Any]):
    """
    What a treatment made of recent values: an engine calls it once a row, and most values recur.

    Args:
        numbers: remember whole ones too; those that are equal are one key, so *treat* must not
            tell them apart.  A fraction is another value as a float than as a decimal.
        size: values that are remembered, at most.
    """

    def __init__(
        self, treat: Callable[[Any], Any], *, numbers: bool = False, size: int = 200_000
    ) -> None:
        super().__init__()
        self._treat = treat
        self._numbers = numbers
        self._size = size

    def __missing__(self, value: Value) -> Any:
        treated = self._treat(value)
        if not isinstance(value, int | float | Decimal) or (
            self._numbers
            and not isinstance(value, Decimal)
            and (isinstance(value, int) or value.is_integer())
        ):
            if len(self) >= self._size:
                self.clear()
            self[value] = treated
        return treated
