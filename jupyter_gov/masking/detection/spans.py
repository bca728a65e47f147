"""From the places that were found to the text that may leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from jupyter_gov.masking.detection.model import Operator, Span


class Place(NamedTuple):
    """Characters ``[start, end)`` that nothing may show."""

    start: int
    end: int
    entity: str
    """Of the longest span there, then of the highest score."""
    operator: Operator


def covered(spans: Iterable[Span]) -> dict[str, list[tuple[int, int]]]:
    """Entity → the stretches that its spans cover together, in order."""
    stretches: dict[str, list[tuple[int, int]]] = {}
    for span in sorted(spans):
        own = stretches.setdefault(span.entity, [])
        if own and span.start <= own[-1][1]:
            own[-1] = (own[-1][0], max(own[-1][1], span.end))
        else:
            own.append((span.start, span.end))
    return stretches


def places(spans: Sequence[Span], operator: Callable[[str], Operator]) -> list[Place]:
    """
    The union of all spans: what overlaps is one place, and spans that only touch stay apart.

    It is withheld if one of its spans is to be; else the longest span says what becomes of it.
    """
    found: list[Place] = []
    group: list[Span] = []

    def close() -> None:
        if group:
            longest = max(group, key=lambda s: (s.end - s.start, s.score, s.entity))
            asked = {operator(s.entity) for s in group}
            done = Operator.WITHHOLD if Operator.WITHHOLD in asked else operator(longest.entity)
            end = max(s.end for s in group)
            found.append(Place(group[0].start, end, longest.entity, done))
            group.clear()

    end = -1
    for span in sorted(spans):
        if span.start >= end:
            close()
        group.append(span)
        end = max(end, span.end)
    close()
    return found


def believable(spans: Sequence[Span], length: int) -> bool:
    """Whether an answer can be of a text of that many characters."""
    return all(0 <= span.start < span.end <= length and span.entity for span in spans)


def replaced(
    text: str, found: Sequence[Place], surrogate: Callable[[str, str], str | None]
) -> str | None:
    """
    The text without what was found; None where the whole of it must be withheld.

    Args:
        found: in order, without overlaps.
        surrogate: entity and what stood there → a code of the gateway's; None withholds.
    """
    parts = []
    at = 0
    for place in found:
        parts.append(text[at : place.start])
        if place.operator is Operator.WITHHOLD:
            return None
        if place.operator is Operator.SURROGATE:
            code = surrogate(place.entity, text[place.start : place.end])
            if code is None:
                return None
            parts.append(code)
        else:
            parts.append(f"<{place.entity}>")
        at = place.end
    parts.append(text[at:])
    return "".join(parts)
