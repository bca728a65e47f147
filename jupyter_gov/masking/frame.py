"""
The last look at each Arrow batch before it leaves the gateway.

Two things happen here.  Cells that carry a seal are withheld.  And each output column that is
plainly a treated base column is checked again: a value without the shape of its treatment means
that the engine's wall has a hole, so it is withheld and counted, and the record says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from jupyter_gov.masking.model import Treatment
from jupyter_gov.masking.treatments import OLDEST_AGE, SHAPES, Seals


@dataclass(slots=True)
class FrameCounts:
    """What the frame step did, for the outcome record."""

    sealed: int = 0
    """Cells withheld because they carried a seal."""
    mismatched: int = 0
    """Cells withheld because they did not have their treatment's shape.  Never 0 by luck."""
    columns: set[int] = field(default_factory=set)


def mask_batch(
    batch: pa.RecordBatch, expected: Sequence[Treatment | None], counts: FrameCounts
) -> pa.RecordBatch:
    """
    Withhold what must not leave.

    Args:
        batch: as the engine gave it.
        expected: per output column the treatment of the base column it plainly shows; None
            where that is not known.  Shorter than the batch: the rest is not known.

    Returns:
        A batch of the same schema and length.
    """
    columns = []
    for index, column in enumerate(batch.columns):
        treatment = expected[index] if index < len(expected) else None
        column = _without_seals(column, index, counts)
        if treatment not in (None, Treatment.CLEAR):
            column = _checked(column, treatment, index, counts)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _withhold(column: pa.Array, bad: pa.Array, index: int, counts: FrameCounts) -> pa.Array:
    counts.columns.add(index)
    return pc.if_else(bad, pa.scalar(None, column.type), column)


def _without_seals(column: pa.Array, index: int, counts: FrameCounts) -> pa.Array:
    if not pa.types.is_string(column.type) and not pa.types.is_binary(column.type):
        return column
    # A seal is not ASCII: one pass over the bytes spares the ordinary column the rest.
    mark, close = Seals.OPEN[0].encode(), Seals.CLOSE.encode()
    data = column.buffers()[2]
    plain = b"" if data is None else data.to_pybytes()
    if mark not in plain and close not in plain:
        return column
    if pa.types.is_binary(column.type):
        bad = pc.or_(
            pc.match_substring(column, mark),
            pc.match_substring(column, close),
        )
    else:
        bad = pc.match_substring_regex(column, Seals.PATTERN)
    bad = pc.fill_null(bad, False)
    hits = pc.sum(bad).as_py() or 0
    if not hits:
        return column
    counts.sealed += hits
    return _withhold(column, bad, index, counts)


def _checked(
    column: pa.Array, treatment: Treatment | None, index: int, counts: FrameCounts
) -> pa.Array:
    if column.null_count == len(column):
        return column
    if treatment in (Treatment.WITHHOLD, Treatment.SEAL):
        good = pa.array([False] * len(column))
    elif treatment is Treatment.AGE:
        if not pa.types.is_integer(column.type):
            good = pa.array([False] * len(column))
        else:
            good = pc.and_(pc.greater_equal(column, 0), pc.less_equal(column, OLDEST_AGE))
    elif pa.types.is_string(column.type):
        good = pc.match_substring_regex(column, SHAPES[str(treatment)])
    else:
        good = pa.array([False] * len(column))
    bad = pc.and_(pc.is_valid(column), pc.invert(pc.fill_null(good, False)))
    hits = pc.sum(bad).as_py() or 0
    if not hits:
        return column
    counts.mismatched += hits
    return _withhold(column, bad, index, counts)
