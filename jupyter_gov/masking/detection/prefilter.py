"""
Which recognisers can find anything at all in a text: one pass of Hyperscan over its bytes.

The answer may say yes too often, never too seldom.  A pattern that Hyperscan would read otherwise
than the `regex` package does is not asked of it: its recogniser always runs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import regex

hyperscan: Any
try:
    import hyperscan
except ImportError:  # no wheel for this machine: every recogniser then runs, as in presidio
    hyperscan = None

_CASELESS, _DOTALL, _MULTILINE, _SINGLEMATCH, _ALLOWEMPTY, _PREFILTER = 1, 2, 4, 8, 16, 128
_EXACT = _CASELESS | _DOTALL | _MULTILINE | _SINGLEMATCH | _ALLOWEMPTY
_WIDER = _EXACT | _PREFILTER
"""For what Hyperscan cannot do, such as look-arounds and back references: it then takes more."""

_KNOWN_FLAGS = int(regex.DOTALL | regex.MULTILINE | regex.IGNORECASE)
_READ_OTHERWISE = re.compile(
    r"\\x|\\u|\\N|\{,|\{[^{}]*[eids][^{}]*\}|\[\[|\[:[a-z^]|--|&&|~~|\|\||\(\?(?!:|=|!|<=|<!|P<|i\))"
)
"""
Escapes by number, ``{,n}``, fuzzy matching, set operations, and groups other than the plain ones:
`regex`, PCRE and Hyperscan do not agree on each of these.
"""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_UNLIKE_PCRE = re.compile("[\x1c-\x1f]|[^\x00-\x7f]")
"""White space to `regex` and not to PCRE; and what is not one byte."""


class _Nearest(dict[int, str]):
    """
    An ASCII character that a positive class takes wherever it takes the character itself.

    It is asked of `regex`, whose reading counts.
    """

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if code < 0x80 and not 0x1C <= code <= 0x1F:
            nearest = char
        elif regex.match(r"\d", char):
            nearest = str(unicodedata.decimal(char, 0))
        elif regex.match(r"\s", char):
            nearest = " "
        elif regex.match("[a-z]", char, regex.IGNORECASE):
            nearest = next(a for a in _LETTERS if regex.match(a, char, regex.IGNORECASE))
        elif regex.match(r"\w", char):
            nearest = "_"
        else:
            nearest = "\x01"
        self[code] = nearest
        return nearest


def flags_for(pattern: str, flags: int) -> int | None:
    """How to ask Hyperscan for a superset of a pattern's matches in ASCII text; None: not."""
    if (
        hyperscan is None
        or flags & ~_KNOWN_FLAGS
        or not pattern.isascii()
        or _READ_OTHERWISE.search(pattern)
    ):
        return None
    try:
        re.compile(pattern)  # refuses what only `regex` knows
    except re.error:
        return None
    return next((asked for asked in (_EXACT, _WIDER) if _compiles(pattern, asked)), None)


def _compiles(pattern: str, flags: int) -> bool:
    try:
        hyperscan.Database().compile(
            expressions=[pattern.encode()], ids=[0], elements=1, flags=[flags]
        )
    except hyperscan.error:
        return False
    return True


def kept_by_nearest(pattern: str) -> bool:
    """
    Whether what it takes of a text, it takes of the text in `_Nearest`'s characters too.

    White space, digits and word characters stay what they are.  Only a class of what it does not
    take could lose a match, if it names a character that stands for others.
    """
    at = pattern.find("[^")
    while at >= 0:
        if at == 0 or pattern[at - 1] != "\\":
            inside = re.match(r"\[\^\]?(?:\\.|[^\]\\])*", pattern[at:])
            named = re.sub(r"\\[sdwSDW]", "", inside.group()[2:]) if inside else "_"
            if re.search(r"[ 0-9_\x01]|\w-|-\w|\\[nrtfvab]", named):
                return False
        at = pattern.find("[^", at + 2)
    return True


class Prefilter:
    """
    Args:
        patterns: each with its flags, of the `regex` package.
    """

    def __init__(self, patterns: Sequence[tuple[str, int]]) -> None:
        flags = [flags_for(*pattern) for pattern in patterns]
        asked = [i for i, how in enumerate(flags) if how is not None]
        self.always = frozenset(range(len(patterns))) - frozenset(asked)
        """Numbers of the patterns that must always be tried."""
        self.mapped_always = self.always | {i for i in asked if not kept_by_nearest(patterns[i][0])}
        """The same for a text that is not plain ASCII."""
        self._nearest = _Nearest()
        self._database = None
        if asked:
            self._database = hyperscan.Database()
            self._database.compile(
                expressions=[patterns[i][0].encode() for i in asked], ids=asked,
                elements=len(asked), flags=[flags[i] or 0 for i in asked],
            )  # fmt: skip

    def hits(self, text: str) -> frozenset[int]:
        """Numbers of the patterns that may match somewhere in the text."""
        if _UNLIKE_PCRE.search(text) is None:
            return self._scan(text.encode(), self.always)
        near = text.translate(self._nearest)
        return self._scan(near.encode(), self.mapped_always)

    def _scan(self, data: bytes, always: Iterable[int]) -> frozenset[int]:
        found = set(always)
        if self._database is not None and data:
            self._database.scan(data, match_event_handler=_note, context=found)
        return frozenset(found)


def _note(number: int, _start: int, _end: int, _flags: int, found: set[int]) -> None:
    found.add(number)
