"""Seals within a cell: where they stand, and how the cell reads with them opened."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jupyter_gov.masking.seals import CLOSE, OPEN, PATTERN

Release = Callable[[str], str | None]
"""From a token to what may leave of it; None: nothing."""

TOKEN = re.compile(rf"{OPEN}[A-Za-z0-9_-]+=*{CLOSE}")
_PART = re.compile(PATTERN)
_MARK, _CLOSE = OPEN[0].encode(), CLOSE.encode()


class Withheld(Exception):
    """What is asked about must not leave."""


def carries(value: Any) -> bool:
    """Whether a seal, or a part of one, is anywhere in a value of any shape."""
    if isinstance(value, str):
        return _PART.search(value) is not None
    if isinstance(value, bytes):
        return _MARK in value or _CLOSE in value
    if isinstance(value, Mapping):
        return any(map(carries, value.keys())) or any(map(carries, value.values()))
    if isinstance(value, list | tuple):
        return any(map(carries, value))
    return False


def tokens_in(value: Any) -> Iterator[str]:
    """The whole tokens in the texts of a value of any shape."""
    if isinstance(value, str):
        yield from TOKEN.findall(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tokens_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tokens_in(item)


def _is_json(text: str) -> bool:
    """Whether what stands around the tokens is JSON, in whose strings they then are."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        raise Withheld from None
    return True


def opened(text: str, release: Release) -> str:
    """
    A text with its tokens opened where they stand; what was in them is not looked at again.

    Raises Withheld if one does not open, or if a part of one is left.
    """
    if TOKEN.fullmatch(text):
        whole = release(text)
        if whole is None:
            raise Withheld
        return whole
    quoted = _is_json(text)
    parts = []
    at = 0
    for token in TOKEN.finditer(text):
        parts.append(_between(text[at : token.start()]))
        said = release(token.group())
        if said is None:
            raise Withheld
        parts.append(json.dumps(said, ensure_ascii=False)[1:-1] if quoted else said)
        at = token.end()
    parts.append(_between(text[at:]))
    return "".join(parts)


def _between(text: str) -> str:
    if _PART.search(text):
        raise Withheld
    return text


def rewritten(value: Any, release: Release, withhold: Callable[[], None]) -> Any:
    """
    A value of any shape with its tokens opened.

    What does not open becomes None where it stands, after a call of *withhold*.  Raises Withheld
    where nothing can stand for it, as in the key of a map, or in bytes.
    """
    if not carries(value):
        return value
    if isinstance(value, str):
        return opened(value, release)
    if isinstance(value, Mapping):
        if any(map(carries, value.keys())):
            raise Withheld
        return {key: _item(item, release, withhold) for key, item in value.items()}
    if isinstance(value, tuple):  # an entry of a map
        key, item = value
        if carries(key):
            raise Withheld
        return key, _item(item, release, withhold)
    if isinstance(value, list):
        return [
            rewritten(item, release, withhold)
            if isinstance(item, tuple)
            else _item(item, release, withhold)
            for item in value
        ]
    raise Withheld


def _item(value: Any, release: Release, withhold: Callable[[], None]) -> Any:
    try:
        return rewritten(value, release, withhold)
    except Withheld:
        withhold()
        return None
