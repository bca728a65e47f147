"""
What the treatments of dates do: year, month, date_shift and age.

A date is a day of the common era up to the year 9999: a date or timestamp of the database, or a
text that begins with one in ISO 8601, as SQLite keeps them.  Anything else is withheld, also what
comes before year 1, after 9999, and PostgreSQL's infinities.  A timestamp with a zone is taken in
UTC.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from jupyter_gov.masking.canonical import SHORT, Memory, Value, canonical, encoded, fits

OLDEST_AGE = 90
"""45 CFR 164.514(b)(2)(i)(C): ages over 89 become one category."""

DEFAULT_DAYS = 365
MOST_DAYS = 36_500

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T].*)?", re.DOTALL)
_TIME = re.compile(
    r"(?:[ T](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    r"(?: ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
"""What may stand after the day in a text that is shifted: it stays, so it must be a time."""

_D = TypeVar("_D", str, date)


def read_date(value: Value) -> date | None:
    """The day of a date, a timestamp (in UTC if it has a zone) or a text; None for others."""
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).date()
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not fits(value, SHORT):
        return None
    found = _DATE.fullmatch(value)
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def _like(value: Value, day: date) -> Value:
    """*day* in the type of *value*: midnight of a timestamp, ISO 8601 of a text."""
    if isinstance(value, datetime):
        zone = None if value.tzinfo is None else UTC
        return datetime(day.year, day.month, day.day, tzinfo=zone)
    return day if isinstance(value, date) else day.isoformat()


def _years_before(today: date) -> tuple[int, int]:
    """Year and month of everybody's birth who is just 90."""
    return max(today.year - OLDEST_AGE, 1), today.month


def year(today: date) -> Callable[[Value], Any]:
    """1 January of the year; everything 90 or more years ago shares one date."""
    floor, _ = _years_before(today)

    def treat(value: Value) -> Value:
        day = read_date(value)
        return None if day is None else _like(value, date(max(day.year, floor), 1, 1))

    return Memory(treat).__getitem__


def month(today: date) -> Callable[[Value], Any]:
    """The first of the month; everything 90 or more years ago shares one date."""
    floor = date(*_years_before(today), 1)

    def treat(value: Value) -> Value:
        day = read_date(value)
        return None if day is None else _like(value, max(day.replace(day=1), floor))

    return Memory(treat).__getitem__


def age(today: date) -> Callable[[Value], int | None]:
    """Whole years since a date of birth, or an age as stored; 90 stands for 90 and over."""

    def treat(value: Value) -> int | None:
        if isinstance(value, bool):
            return None
        if isinstance(value, int):
            return min(value, OLDEST_AGE) if value >= 0 else None
        if isinstance(value, Decimal):
            whole = value.is_finite() and value >= 0 and value == value.to_integral_value()
            return int(min(value, Decimal(OLDEST_AGE))) if whole else None
        day = read_date(value)
        if day is None or day > today:
            return None
        years = today.year - day.year - ((today.month, today.day) < (day.month, day.day))
        return min(years, OLDEST_AGE)

    return Memory(treat).__getitem__


def days_of(key: bytes, days: int) -> Callable[[Value], int | None]:
    """
    How far everything about one subject moves.

    Args:
        key: of the shifts of a space.
        days: the most, either way.

    Returns:
        From the subject to a number of days in ±*days*, never 0: the first 28 bits of
        HMAC-SHA-256 of its canonical text.  None for a subject that is NULL.
    """

    def shift(subject: Value) -> int | None:
        said = canonical(subject)
        if said is None or days < 1:
            return None
        raw = said if isinstance(said, bytes) else encoded(said)
        drawn = int(hmac.digest(key, raw, "sha256").hex()[:7], 16) % (2 * days)
        return drawn - days + (drawn >= days)

    return Memory(shift, numbers=True).__getitem__


def date_shift(key: bytes, days: int = DEFAULT_DAYS) -> Callable[[Value, Value], Any]:
    """
    A function of value and subject that moves all dates about one subject by the same days.

    So intervals stay as they are, and the time of day.  What would leave the years 1 to 9999 is
    withheld.
    """
    shift_of = days_of(key, days)

    def treat(value: Value, subject: Value) -> Value:
        shift = shift_of(subject)
        day = read_date(value)
        if shift is None or day is None:
            return None
        try:
            if isinstance(value, datetime):
                at = value if value.tzinfo is None else value.astimezone(UTC)
                return at + timedelta(days=shift)
            moved = day + timedelta(days=shift)
        except OverflowError:
            return None
        if isinstance(value, str):
            rest = value[10:]
            return moved.isoformat() + rest if _TIME.fullmatch(rest) else None
        return moved

    return treat
