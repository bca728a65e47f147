"""How much of what is there a detector finds, on notes that somebody has labelled."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gov.masking.detection.model import Recall, Span


class BadNotes(Exception):
    """What is wrong with the labelled notes, by line, without their text."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A note, and ``(start, end, entity)`` of what in it identifies somebody."""

    text: str
    labels: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found of what was labelled."""

    notes: int
    labelled: Counter[str]
    """Entity → labels."""
    found: Counter[str]
    """Entity → labels of which every character would have been hidden."""
    unanswered: int
    """Notes for which no answer came; their labels count as not found."""

    @property
    def recall(self) -> Recall:
        return Recall(
            figures={e: self.found[e] / n for e, n in self.labelled.items()}, notes=self.notes
        )


def read_notes(path: Path) -> list[Labelled]:
    """
    One JSON object a line: ``{"text": …, "spans": [[start, end, entity], …]}``.

    Raises BadNotes, OSError.
    """
    notes = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            text = said["text"]
            labels = tuple(_label(span, text) for span in said["spans"])
        except (ValueError, KeyError, TypeError):
            raise BadNotes(
                f'{path}:{number}: write {{"text": "…", "spans": [[start, end, "ENTITY"], …]}},'
                " with places within the text"
            ) from None
        notes.append(Labelled(text, labels))
    if not any(note.labels for note in notes):
        raise BadNotes(f"{path}: there is nothing labelled in it")
    return notes


def _label(span: Any, text: str) -> tuple[int, int, str]:
    start, end, entity = span
    if type(start) is not int or type(end) is not int or not isinstance(entity, str):
        raise TypeError
    if not 0 <= start < end <= len(text):
        raise ValueError
    return start, end, entity


def measured(notes: Sequence[Labelled], found: Sequence[Sequence[Span] | None]) -> Measured:
    """
    Compare.

    A label counts as found if all of it is within places that were found, whatever they were
    taken for: what is replaced under another name is hidden as well.
    """
    labelled: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for note, spans in zip(notes, found, strict=True):
        hidden = list(_stretches(spans or ()))
        for start, end, entity in note.labels:
            labelled[entity] += 1
            hits[entity] += any(first <= start and end <= last for first, last in hidden)
    return Measured(len(notes), labelled, hits, sum(spans is None for spans in found))


def _stretches(spans: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """What all places cover together, in order."""
    start = end = -1
    for span in sorted(spans):
        if span.start > end:
            if end > start:
                yield start, end
            start, end = span.start, span.end
        end = max(end, span.end)
    if end > start:
        yield start, end
