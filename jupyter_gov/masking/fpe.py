"""
What `fpe` does to a text: other digits, or letters and digits, in the same places.

By FF1 under the key of a space, with the domain as its tweak.  ASCII punctuation and spaces stay,
so that a number keeps its format; a text with anything else in it is withheld, since that would
stay readable.  So is one of fewer than a million possible values: FF1 does not hide those (NIST
SP 800-38G, revision 1, section 5.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from jupyter_gov.masking.ff1 import FF1, Numerals

SMALLEST_DOMAIN = 1_000_000
LONGEST = 200
"""Signs: what is longer is no identifier, and is withheld."""

_KEPT, _BAD = 254, 255
_FEW = 8
_DIGITS = b"0123456789"
_SMALL = b"abcdefghijklmnopqrstuvwxyz"
_RADIX = {"digits": 10, "alnum": 36}


def _table(alphabet: str) -> npt.NDArray[np.uint8]:
    """Byte → numeral, or what else it is."""
    table = np.full(256, _BAD, np.uint8)
    table[32:127] = _KEPT
    table[ord("A") : ord("Z") + 1] = table[ord("a") : ord("z") + 1] = _BAD
    signs = _DIGITS if alphabet == "digits" else _DIGITS + _SMALL
    for numeral, sign in enumerate(signs):
        table[sign] = table[bytes([sign]).upper()[0]] = numeral
    return table


_TABLES = {alphabet: _table(alphabet) for alphabet in _RADIX}
_SIGNS = {
    False: np.frombuffer(_DIGITS + _SMALL.upper(), np.uint8),
    True: np.frombuffer(_DIGITS + _SMALL, np.uint8),
}
"""Numeral → sign, by whether the value is in lower case."""


class FormatPreserving:
    """
    Treats what was sealed for `fpe`.

    Args:
        key_of: from a space to its AES key.
    """

    def __init__(self, key_of: Callable[[str], bytes]) -> None:
        self._key_of = cache(key_of)

    def encrypt(self, kind: str, texts: Sequence[str | None]) -> list[str | None]:
        """
        The texts in their places; None for what is withheld.

        Args:
            kind: that of the seals, ``fpe:SPACE/DOMAIN:ALPHABET``.
        """
        space, _, rest = kind.removeprefix("fpe:").partition("/")
        domain, _, alphabet = rest.rpartition(":")
        if not kind.startswith("fpe:") or alphabet not in _RADIX:
            return [None] * len(texts)
        ff1 = FF1(self._key_of(space), _RADIX[alphabet], domain.encode())
        by_length: dict[int, list[int]] = {}
        for place, text in enumerate(texts):
            if text is not None and text.isascii() and 0 < len(text) <= LONGEST:
                by_length.setdefault(len(text), []).append(place)
        treated: list[str | None] = [None] * len(texts)
        for length, places in by_length.items():
            joined = "".join([texts[place] or "" for place in places])
            raw = np.frombuffer(joined.encode(), np.uint8).reshape(-1, length)
            done, good = _treated(ff1, alphabet, raw)
            whole = done.tobytes().decode("ascii")
            for row, place in enumerate(places):
                if good[row]:
                    treated[place] = whole[row * length : (row + 1) * length]
        return treated


def _treated(ff1: FF1, alphabet: str, raw: Numerals) -> tuple[Numerals, npt.NDArray[np.bool_]]:
    """Texts of one length, as bytes; and which of them could be treated."""
    numerals = _TABLES[alphabet][raw]
    small: npt.NDArray[np.bool_] = np.any((raw >= ord("a")) & (raw <= ord("z")), axis=1)
    large: npt.NDArray[np.bool_] = np.any((raw >= ord("A")) & (raw <= ord("Z")), axis=1)
    bad: npt.NDArray[np.bool_] = np.any(numerals == _BAD, axis=1)
    good = ~(bad | (small & large))
    done = raw.copy()
    signs = numerals < _KEPT
    # One format at a time: where the signs stand, and in which case the letters are.
    shapes = np.concatenate([np.packbits(signs, axis=1), small[:, None].astype(np.uint8)], axis=1)
    for shape, rows in _alike(shapes, np.flatnonzero(good)):
        where = np.flatnonzero(signs[rows[0]])
        if _RADIX[alphabet] ** len(where) < SMALLEST_DOMAIN:
            good[rows] = False
            continue
        lower = bool(shape[-1])
        made = _encrypted(ff1, numerals[np.ix_(rows, where)], lower)
        done[np.ix_(rows, where)] = _SIGNS[lower][made]
    return done, good


def _alike(
    shapes: Numerals, left: npt.NDArray[np.intp]
) -> Iterator[tuple[Numerals, npt.NDArray[np.intp]]]:
    """The rows of each shape.  A column has few, as a rule, so sorting all would be a waste."""
    for _ in range(_FEW):
        if not left.size:
            return
        shape = shapes[left[0]]
        alike: npt.NDArray[np.bool_] = np.all(shapes[left] == shape, axis=1)
        yield shape, left[alike]
        left = left[~alike]
    found, which = np.unique(shapes[left], axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(which.ravel(), minlength=len(found)))
    for shape, rows in zip(found, np.split(left[order], ends[:-1]), strict=True):
        yield shape, rows


def _encrypted(ff1: FF1, numerals: Numerals, lower: bool) -> Numerals:
    """
    In lower case until there is a letter again, which shows the case.

    So no value of one case becomes what another of the other case becomes (cycle walking).
    """
    made = ff1.encrypt_many(numerals)
    while lower and (again := np.flatnonzero((made < 10).all(axis=1))).size:
        made[again] = ff1.encrypt_many(made[again])
    return made
