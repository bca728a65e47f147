"""
What each treatment does to one value: the definition.

Engines that call back into the gateway call these.  PostgreSQL has the same in SQL
(`engines/postgres/treatments.py`), and a test compares the two value by value.  Each takes
whatever the engine stored and returns NULL for what it does not apply to: a date that is not a
date is withheld, not passed through.
"""

from __future__ import annotations

import hmac
import re
import string
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import partial as bound
from typing import Any, Protocol
from uuid import UUID

from jupyter_gov.masking.canonical import SHORT, WHOLE, Memory, Value, canonical, encoded, fits
from jupyter_gov.masking.dates import OLDEST_AGE, age, date_shift, month, year
from jupyter_gov.masking.model import ColumnPolicy, Treatment
from jupyter_gov.masking.numbers import bucket, rounded
from jupyter_gov.masking.paths import rebuilt
from jupyter_gov.masking.places import SMALL_ZIP3
from jupyter_gov.masking.seals import EngineSeals, Opened, Opener, Seals

__all__ = [
    "OLDEST_AGE", "PSEUDONYM_PREFIX", "SHAPES", "SMALL_ZIP3", "EngineSeals", "KeyRing", "Opened",
    "Opener", "Seals", "Treat", "Treats", "Value", "age", "bucket", "date_shift", "month",
    "partial", "pseudonym", "rounded", "year", "zip3",
]  # fmt: skip

Treat = Callable[..., Any]
"""From a value; and from the subject of its row, where the policy goes by it."""

PSEUDONYM_PREFIX = "p_"
PSEUDONYM_DIGITS = 20
SHAPES = {
    "pseudonym": r"^p_[0-9a-f]{20}$",
    "partial": "^[^0-9A-Za-z\x80-\U0010ffff]*(?:[0-9A-Za-z][^0-9A-Za-z\x80-\U0010ffff]*){0,4}$",
    "year": r"^[0-9]{4}-01-01$",
    "month": r"^[0-9]{4}-[0-9]{2}-01$",
    "zip3": r"^[0-9]{3}$",
}
"""What a treated text looks like (RE2): the frame's last look tests plain columns against it."""

_ZIP = re.compile(r" *([0-9]{5})(?:-?[0-9]{4})? *")
_SIGNS = string.digits + string.ascii_letters
_STARS = str.maketrans(dict.fromkeys(_SIGNS, "*"))
_STARRED = re.compile("[0-9A-Za-z\x80-\U0010ffff]")


class KeyRing(Protocol):
    """The keys of named spaces."""

    def space(self, name: str, /) -> bytes:
        """Of pseudonyms, 32 bytes."""

    def shift(self, name: str, /) -> bytes:
        """Of the shifts of dates, 32 bytes."""


def pseudonym(key: bytes, domain: str) -> Callable[[Value], str | None]:
    """
    A function that replaces each value by a stable token, so that joins and counts still work.

    Args:
        key: of the pseudonym space, 32 bytes or more.
        domain: values of one domain get equal tokens wherever they stand.

    Returns:
        22 characters: ``p_`` and the first 20 hex digits, 80 bits, of HMAC-SHA-256 over the
        domain, a zero byte and the value's canonical text.  Remembers recent values, since an
        engine calls it once a row.

    Raises:
        ValueError: *key* is shorter than 32 bytes.

    Source: RFC 2104.  A keyed hash of a value is *derived* from it (45 CFR 164.514(c)).
    """
    if len(key) < 32:
        raise ValueError("a pseudonym key has at least 32 bytes")
    prefix = domain.encode() + b"\0"

    def token(value: Value) -> str | None:
        said = canonical(value)
        if said is None:
            return None
        raw = said if isinstance(said, bytes) else encoded(said)
        digest = hmac.digest(key, prefix + raw, "sha256")
        return PSEUDONYM_PREFIX + digest.hex()[:PSEUDONYM_DIGITS]

    return Memory(token, numbers=True).__getitem__


def partial(value: Value) -> str | None:
    """
    The last four letters or digits stay, of values with eight or more; the rest become ``*``.

    Letters and digits are those of ASCII.  Of other signs of ASCII, such as dashes, all stay; of
    signs outside ASCII none does, and they count as neither.  So it is the same in every engine,
    whatever its collation takes for a letter.

    For texts, whole numbers, decimals and UUIDs; others are withheld, such as dates, whose end
    would be month and day.
    """
    if isinstance(value, bool | date | datetime) or not isinstance(
        value, str | int | float | Decimal | UUID
    ):
        return None
    if isinstance(value, float) and not (value.is_integer() and abs(value) < WHOLE):
        return None
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    text = canonical(value)
    if not isinstance(text, str) or not fits(text, SHORT):
        return None
    if text.isascii() and text[-4:].isalnum() and len(text) >= 4:
        # Most identifiers end in four signs: one translation does.
        head = text[:-4]
        masked = head.translate(_STARS)
        kept = masked.count("*") - head.count("*") >= 4
        return masked + (text[-4:] if kept else "****")
    signs = [i for i, c in enumerate(text) if c in _SIGNS]
    cut = signs[-4] if len(signs) >= 8 else len(text)
    return _STARRED.sub("*", text[:cut]) + re.sub("[\x80-\U0010ffff]", "*", text[cut:])


def zip3(small: frozenset[str] = SMALL_ZIP3) -> Callable[[Value], str | None]:
    """The first three digits of a US ZIP code, 000 for the small areas."""

    def treat(value: Value) -> str | None:
        if isinstance(value, Decimal):
            whole = value.is_finite() and value == value.to_integral_value()
            value = int(value) if whole and abs(value) < 100_000 else None
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 100_000:
            value = f"{value:05d}"
        if not isinstance(value, str) or not fits(value, SHORT):
            return None
        found = _ZIP.fullmatch(value)
        if found is None:
            return None
        area = found[1][:3]
        return "000" if area in small else area

    return Memory(treat).__getitem__


class Treats:
    """Makes the functions of policies.  Pseudonyms and shifts are remembered over statements."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._kept: dict[ColumnPolicy, Treat] = {}

    def of(
        self, policy: ColumnPolicy, *, today: date, small: frozenset[str], seals: Seals
    ) -> Treat:
        """Of a value; and of its row's subject if the policy is `by_subject`."""
        match policy.treatment:
            case Treatment.CLEAR:
                return lambda value: value
            case Treatment.PSEUDONYM | Treatment.DATE_SHIFT:
                if policy not in self._kept:
                    self._kept[policy] = self._keyed(policy)
                return self._kept[policy]
            case Treatment.PARTIAL:
                return partial
            case Treatment.YEAR:
                return year(today)
            case Treatment.MONTH:
                return month(today)
            case Treatment.AGE:
                return age(today)
            case Treatment.ZIP3:
                return zip3(small)
            case Treatment.BUCKET:
                return bucket(policy.width, policy.start)
            case Treatment.ROUND:
                return rounded(policy.to)
            case Treatment.SEAL:
                return bound(seals.seal, kind=policy.kind)
            case Treatment.FPE | Treatment.SURROGATE:
                # Identifiers recur, and a join asks for each of them again and again.
                return Memory(bound(seals.seal, kind=policy.kind), numbers=True).__getitem__
            case Treatment.PATHS:
                leaves = {
                    leaf: self.of(leaf, today=today, small=small, seals=seals)
                    for leaf in policy.leaves()
                }
                return rebuilt(policy, leaves)
            case Treatment.WITHHOLD:
                return lambda value: None

    def _keyed(self, policy: ColumnPolicy) -> Treat:
        if policy.treatment is Treatment.DATE_SHIFT:
            return date_shift(self._keys.shift(policy.space), policy.days)
        return pseudonym(self._keys.space(policy.space), policy.domain)
