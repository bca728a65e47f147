"""Edits of a text, each at its own place; everything else stays as the user wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters of the text that are replaced, the end exclusive."""

    start: int
    end: int
    text: str


def edited(sql: str, edits: Iterable[Edit]) -> str:
    """The text after all edits, which do not overlap."""
    parts: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda each: each.start):
        parts += [sql[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, sql[at:]])


def origin(edits: Iterable[Edit], offset: int) -> int | None:
    """Where in the text before the edits the sign at *offset* stood; None if one put it there."""
    moved = 0
    for edit in sorted(edits, key=lambda each: each.start):
        begins = edit.start + moved
        if offset < begins:
            break
        if offset < begins + len(edit.text):
            return None
        moved += len(edit.text) - (edit.end - edit.start)
    return offset - moved
