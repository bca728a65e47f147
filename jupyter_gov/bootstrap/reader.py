"""Reads what an admin wrote, value by value; each mistake names its config path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from jupyter_gov.errors import BadRequest
from jupyter_gov.wire.times import parse_duration


class Reader:
    """Reads one nested mapping, noting what is wrong."""

    def __init__(self, where: str, value: Any, problems: list[str], known: Iterable[str]) -> None:
        self.where = where
        self._problems = problems
        self._value: Mapping[str, Any] = {}
        if not isinstance(value, Mapping):
            self.bad("", f"write a mapping with {', '.join(known)}")
            return
        self._value = value
        for key in value:
            if key not in known:
                self.bad(f'["{key}"]', "there is no such key" + near(str(key), known))

    def bad(self, below: str, text: str) -> None:
        self._problems.append(f"{self.where}{below}: {text}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._value.get(key, default)
        if not isinstance(value, str) or not value:
            self.bad(f'["{key}"]', "write a text" if key in self._value else "is missing")
            return ""
        return value

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        value = self._value.get(key, default)
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            self.bad(f'["{key}"]', "write a list of texts")
            return ()
        if default is None and not value:
            self.bad(f'["{key}"]', "is empty")
        return tuple(value)

    def duration(self, key: str, default: str) -> timedelta:
        value = self._value.get(key, default)
        try:
            return parse_duration(str(value))
        except BadRequest as error:
            self.bad(f'["{key}"]', f"{error.message}; write 90s, 30m, 4h or 2d")
            return timedelta(minutes=1)

    def count(self, key: str, default: int | None) -> int | None:
        value = self._value.get(key, default)
        if value is None:
            return None
        if type(value) is not int or value < 1:
            self.bad(f'["{key}"]', "write a whole number above 0")
            return default
        return value


def near(name: str, known: Iterable[str]) -> str:
    """What may have been meant."""
    names = sorted(map(str, known))
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else "; none is there"


def named(where: str, value: Mapping[Any, Any], problems: list[str]) -> Iterator[tuple[str, Any]]:
    """The entries whose names are texts; a Python mapping may have others."""
    for name, given in value.items():
        if isinstance(name, str) and name:
            yield name, given
        else:
            problems.append(f"{where}[{name!r}]: write the name as a text")
