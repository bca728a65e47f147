"""
What each treatment does to one value.

One definition for every engine that calls back into the gateway.  Each takes whatever the engine
stored and returns NULL for what it does not understand: a date that is not a date is withheld,
not passed through.
"""

from __future__ import annotations

import base64
import hmac
import re
import string
from collections.abc import Callable
from datetime import date
from itertools import product
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

Value = None | int | float | str | bytes

OLDEST_AGE = 90
"""45 CFR 164.514(b)(2)(i)(C): ages over 89 become one category."""

_SMALL = "036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893"
SMALL_ZIP3 = frozenset(_SMALL.split())
"""
Three-digit areas of 20,000 people or fewer (2000 census), which become 000.

Source: HHS, Guidance Regarding Methods for De-identification of PHI, 26 November 2012, on
45 CFR 164.514(b)(2)(i)(B).
"""

PSEUDONYM_PREFIX = "p_"
SHAPES = {
    "pseudonym": r"^p_[a-z2-7]{16}$",
    "partial": r"^[^0-9A-Za-z]*(?:\*[^0-9A-Za-z]*)*(?:[0-9A-Za-z][^0-9A-Za-z]*){0,4}$",
    "year": r"^[0-9]{4}-01-01$",
    "zip3": r"^[0-9]{3}$",
}
"""What a treated text looks like (RE2): the frame's last look tests plain columns against it."""

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T].*)?", re.DOTALL)
_ZIP = re.compile(r"[0-9]{5}(?:-?[0-9]{4})?")
_MEMO = 200_000
_STARS = str.maketrans(dict.fromkeys(string.ascii_letters + string.digits, "*"))


def _bytes(said: str | bytes) -> bytes:
    return said if isinstance(said, bytes) else said.encode("utf-8", "surrogatepass")


_PAIRS = ["".join(pair) for pair in product(string.ascii_lowercase + "234567", repeat=2)]


def _base32(ten: bytes) -> str:
    """RFC 4648 in lower case; the library's own takes longer than the HMAC."""
    n = int.from_bytes(ten)
    return "".join([_PAIRS[n >> shift & 1023] for shift in (70, 60, 50, 40, 30, 20, 10, 0)])


class _Memory(dict[Value, Any]):
    """
    What a treatment made of recent values: an engine calls it once a row, and most values recur.

    Args:
        numbers: remember them too; those that are equal are one key, so *treat* must not tell
            them apart.
    """

    def __init__(self, treat: Callable[[Value], Any], *, numbers: bool = False) -> None:
        super().__init__()
        self._treat = treat
        self._numbers = numbers

    def __missing__(self, value: Value) -> Any:
        treated = self._treat(value)
        if self._numbers or not isinstance(value, int | float):
            if len(self) >= _MEMO:
                self.clear()
            self[value] = treated
        return treated


def pseudonym(key: bytes, domain: str) -> Callable[[Value], str | None]:
    """
    A function that replaces each value by a stable token, so that joins and counts still work.

    Args:
        key: of the pseudonym space, 32 bytes or more.
        domain: values of one domain get equal tokens wherever they stand.

    Returns:
        18 characters: ``p_`` and base32(HMAC-SHA-256), 80 bits.  Remembers recent values, since
        an engine calls it once a row.

    Raises:
        ValueError: *key* is shorter than 32 bytes.

    Source: RFC 2104.  A keyed hash of a value is *derived* from it (45 CFR 164.514(c)).
    """
    if len(key) < 32:
        raise ValueError("a pseudonym key has at least 32 bytes")
    prefix = domain.encode() + b"\0"

    def token(value: Value) -> str | None:
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # equal in SQL: 17.0 joins 17
        said = value if isinstance(value, str | bytes) else str(value)
        digest = hmac.digest(key, prefix + _bytes(said), "sha256")
        return PSEUDONYM_PREFIX + _base32(digest[:10])

    return _Memory(token, numbers=True).__getitem__


def partial(value: Value) -> str | None:
    """The last four letters or digits stay, of values with eight or more; the rest become ``*``."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return "****"
    text = str(value)
    if text.isascii() and text[-4:].isalnum() and len(text) >= 4:
        # Most identifiers end in four signs: one translation does.
        head = text[:-4]
        masked = head.translate(_STARS)
        kept = masked.count("*") - head.count("*") >= 4
        return masked + (text[-4:] if kept else "****")
    signs = [i for i, c in enumerate(text) if c.isalnum()]
    kept_at = set(signs[-4:]) if len(signs) >= 8 else set()
    return "".join("*" if c.isalnum() and i not in kept_at else c for i, c in enumerate(text))


def read_date(value: Value) -> date | None:
    """The day of an ISO 8601 date or timestamp; None for anything else."""
    if not isinstance(value, str):
        return None
    found = _DATE.fullmatch(value)
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def year(today: date) -> Callable[[Value], str | None]:
    """1 January of the year; everything 90 or more years ago shares one date."""
    floor = today.year - OLDEST_AGE

    def treat(value: Value) -> str | None:
        day = read_date(value)
        return None if day is None else f"{max(day.year, floor):04d}-01-01"

    return _Memory(treat).__getitem__


def age(today: date) -> Callable[[Value], int | None]:
    """Whole years since a date of birth, or an age as stored; 90 stands for 90 and over."""

    def treat(value: Value) -> int | None:
        if isinstance(value, int):
            return min(value, OLDEST_AGE) if value >= 0 else None
        day = read_date(value)
        if day is None or day > today:
            return None
        years = today.year - day.year - ((today.month, today.day) < (day.month, day.day))
        return min(years, OLDEST_AGE)

    return _Memory(treat).__getitem__


def zip3(small: frozenset[str] = SMALL_ZIP3) -> Callable[[Value], str | None]:
    """The first three digits of a US ZIP code, 000 for the small areas."""

    def treat(value: Value) -> str | None:
        text = f"{value:05d}" if isinstance(value, int) else value
        if not isinstance(text, str) or not _ZIP.fullmatch(text.strip()):
            return None
        area = text.strip()[:3]
        return "000" if area in small else area

    return _Memory(treat).__getitem__


class Opener(Protocol):
    """Opens what an engine sealed under one grant."""

    def open(self, token: str) -> str | None:
        """What is in a token; None for what is not one of this grant's tokens, whole."""


class Seals:
    """
    Opaque, authenticated tokens for values only the gateway may open.

    The key is per grant, so a token can't be replayed elsewhere.  Deterministic (AES-SIV, RFC
    5297), so that DISTINCT and GROUP BY keep working: equality and length show, nothing else.
    """

    OPEN, CLOSE = "⟦gov:", "⟧"
    PATTERN = "(?i)⟦gov:|⟧"

    def __init__(self, key: bytes) -> None:
        self._siv = AESSIV(key)

    def seal(self, value: Value) -> str | None:
        """The token of a value; NULL stays NULL."""
        if value is None:
            return None
        plain = b"b" + value if isinstance(value, bytes) else b"t" + _bytes(str(value))
        return self._token(self._siv.encrypt(plain, None))

    def _token(self, sealed: bytes) -> str:
        return self.OPEN + base64.urlsafe_b64encode(sealed).decode() + self.CLOSE

    def open(self, token: str) -> str | None:
        """The text in a token; None for what is not one of this grant's tokens, whole."""
        if not (token.startswith(self.OPEN) and token.endswith(self.CLOSE)):
            return None
        try:
            sealed = base64.urlsafe_b64decode(token[len(self.OPEN) : -len(self.CLOSE)])
            plain = self._siv.decrypt(sealed, None)
        except (InvalidTag, ValueError):
            return None
        if token != self._token(sealed):
            return None  # another spelling of one of ours
        return plain[1:].decode(errors="replace") if plain[:1] == b"t" else None
