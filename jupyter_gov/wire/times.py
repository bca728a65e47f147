"""Durations and instants as people write them and as the API carries them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from jupyter_gov.errors import BadRequest

_PART = re.compile(r"([0-9]{1,6})\s*(s|m|h|d)")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=36_500)
"""Longer ones would leave the calendar when they are added to a date."""


def parse_duration(text: str) -> timedelta:
    """``90s``, ``30m``, ``4h``, ``1h30m``, ``2d``.  Raises BadRequest; zero is refused."""
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip():
        raise BadRequest(
            f"{text[:40]!r} is not a duration", hint="Write 90s, 30m, 4h, 1h30m or 2d."
        )
    total = sum((timedelta(**{_UNIT[unit]: int(n)}) for n, unit in parts), timedelta())
    if total <= timedelta():
        raise BadRequest(f"{text[:40]!r} is no time at all")
    if total > _LONGEST:
        raise BadRequest(f"{text[:40]!r} is longer than 100 years")
    return total


def show_duration(length: timedelta) -> str:
    """The shortest text that `parse_duration` reads back to the same whole seconds."""
    seconds = int(length.total_seconds())
    shown = ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds >= size:
            shown += f"{seconds // size}{unit}"
            seconds %= size
    return shown or "0s"


def utc(at: datetime) -> str:
    """
    ISO 8601 in UTC with a ``Z``; always six decimals, so that texts sort as times do.

    Raises ValueError for a naive time.
    """
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_utc(text: str) -> datetime:
    """The reverse of `utc`.  Raises ValueError for a naive time."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at.astimezone(UTC)
