"""What a look at a sample of a column leaves: counts, and never a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Counts over a sample."""

    values: int
    """Not NULL and not empty; each element of an array counts."""
    distinct: int
    whole: Mapping[str, int]
    """Shape → distinct values that have it from end to end."""
    inside: Mapping[str, int]
    """Shape → distinct values in which it stands among other words."""
    words: float
    """Of a distinct value, on average."""
    years: int = 0
    """From the first date to the last."""

    def share(self, shape: str) -> float:
        """Of the distinct values."""
        return self.whole.get(shape, 0) / self.distinct if self.distinct else 0.0
