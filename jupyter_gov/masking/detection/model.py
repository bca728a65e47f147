"""What a detector is, what it finds, and the honest words for how well."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

PERSON = "PERSON"
"""The entity that patterns alone never find."""


class Operator(enum.StrEnum):
    """What is done with a place that was found."""

    REPLACE = "replace"
    SURROGATE = "surrogate"
    WITHHOLD = "withhold"
    """The whole cell, not only the place."""


class Engine(enum.StrEnum):
    """What finds names."""

    SPACY = "spacy"
    TRANSFORMERS = "transformers"
    PATTERNS = "patterns"
    """Nothing: such a detector releases no text."""


class Span(NamedTuple):
    """A place in a text: characters ``[start, end)``."""

    start: int
    end: int
    entity: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """The share of what was there that was found, on labelled notes."""

    figures: Mapping[str, float]
    """Entity → 0 to 1."""
    notes: int = 0
    """How many notes it was measured on; 0: not told."""

    def __str__(self) -> str:
        shown = ", ".join(f"{entity} {share:.2f}" for entity, share in sorted(self.figures.items()))
        return f"recall {shown}" + (f" on {self.notes:,} notes" if self.notes else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSpec:
    """One detector, as the admin configured it."""

    name: str
    engine: Engine
    model: str = ""
    """Name of an installed package or folder of the model; empty for ``patterns``."""
    language: str = "en"
    entities: Mapping[str, Operator]
    """What to do with an entity; one that is not named is replaced."""
    patterns: Mapping[str, tuple[str, ...]]
    """Entity → regular expressions of the site's own, such as its record numbers."""
    threshold: float = 0.0
    """Places with a lower score do not count; 0: all count."""
    workers: int = 2
    timeout: float = 10.0
    """Seconds after which a text counts as not scanned, and is withheld."""
    cache_bytes: int = 64_000_000
    recall: Recall | None = None

    @property
    def releases(self) -> bool:
        """Whether text it has scanned may leave: names must have been looked for."""
        return self.engine is not Engine.PATTERNS

    @property
    def fingerprint(self) -> str:
        """Of what it finds and does; figures measured with another one do not hold for it."""
        says = [
            self.engine, self.model, self.language, sorted(self.entities.items()),
            sorted((entity, list(found)) for entity, found in self.patterns.items()),
            self.threshold,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(says).encode()).hexdigest()[:16]

    def operator(self, entity: str) -> Operator:
        return self.entities.get(entity, Operator.REPLACE)

    def guarantee(self, version: str = "") -> str:
        """The honest words for a column that it scans."""
        if not self.releases:
            return (
                f"withheld: the detector {self.name!r} has patterns only, and patterns find no"
                " names"
            )
        model = self.model.rstrip("/").rpartition("/")[2]
        said = self.recall or "recall not measured"
        return f"scanned by {self.name} ({self.engine} {version or model}): {said}"
