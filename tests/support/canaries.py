"""What must not be seen: every value of a treated column, however it is written."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from jupyter_gov.connections.model import Tags

SHORTEST = 6
"""Shorter values stand in other data by chance."""


class Canaries:
    """Looks for raw values in whatever a kernel gets."""

    def __init__(self, raw: Iterable[str]) -> None:
        self._plain: set[str] = set()
        for value in raw:
            self._plain |= {form for form in _forms(value) if len(form) >= SHORTEST}

    @classmethod
    def of(cls, path: Path, tags: Tags, treatments: Mapping[str, str]) -> Canaries:
        """The values of a database's treated columns that its clear ones do not show as well."""
        clear: list[str] = []
        treated: list[str] = []
        with closing(sqlite3.connect(path)) as connection:
            for table, columns in tags.items():
                for column, tag in columns.items():
                    rows = connection.execute(f'SELECT "{column}" FROM "{table}"')
                    values = [str(value) for (value,) in rows if value is not None]
                    (clear if treatments[tag] == "clear" else treated).extend(values)
        return cls.unlike(clear, treated, [*tags, *(c for own in tags.values() for c in own)])

    @classmethod
    def unlike(cls, clear: Iterable[str], treated: Iterable[str], names: Iterable[str]) -> Canaries:
        """The treated values, and words of them, that neither clear ones nor *names* show."""
        treated = list(treated)
        ordinary = "\n".join([*clear, " ".join(names)]).casefold()
        words = {word for value in treated for word in re.findall(r"[A-Z][^\W\d_]{5,}", value)}
        return cls(v for v in {*treated, *words} if v.casefold() not in ordinary)

    def seen_in(self, text: str, but_for: str = "") -> list[str]:
        """Those that stand in *text* and not in *but_for*, which the user wrote."""
        folded, own = text.casefold(), but_for.casefold()
        return sorted(form for form in self._plain if form in folded and form not in own)


def _forms(value: str) -> Iterable[str]:
    """As it is, backwards, in hexadecimal, and its digits alone."""
    plain = value.casefold()
    yield plain
    yield plain[::-1]
    yield from (value.encode().hex(), plain.encode().hex(), value.upper().encode().hex())
    digits = re.sub(r"\D", "", value)
    if len(digits) >= 9:
        yield digits
