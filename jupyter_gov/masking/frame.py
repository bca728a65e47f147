"""
The last look at each Arrow batch before it leaves the gateway.

Two things happen here.  Cells that carry a seal are withheld.  And each output column that is
plainly a treated base column is checked again: a value without the shape of its treatment means
that the engine's wall has a hole, so it is withheld and counted, and the record says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jupyter_gov.masking.model import Treatment
from jupyter_gov.masking.treatments import OLDEST_AGE, SHAPES, Seals
from jupyter_gov.wire.cells import MIXED, decode_cell

_SEAL = re.compile(Seals.PATTERN)
_MARK, _CLOSE = Seals.OPEN[0].encode(), Seals.CLOSE.encode()


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
        mixed = MIXED in (batch.schema.field(index).metadata or {})
        column = _without_seals(column, mixed, index, counts)
        if treatment not in (None, Treatment.CLEAR):
            column = _checked(column, treatment, mixed, index, counts)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _withhold(column: pa.Array, bad: pa.Array, index: int, counts: FrameCounts) -> pa.Array:
    """Nulls where *bad*, in a column of any type."""
    counts.columns.add(index)
    try:
        return pc.if_else(bad, pa.scalar(None, column.type), column)
    except pa.ArrowNotImplementedError:
        pairs = zip(column.to_pylist(), bad.to_pylist(), strict=True)
        return pa.array([None if hit else value for value, hit in pairs], column.type)


def _without_seals(column: pa.Array, mixed: bool, index: int, counts: FrameCounts) -> pa.Array:
    kind = column.type
    if mixed:
        # Opened, since JSON's escapes and base64 would hide the marks.
        bad = pa.array([_carries(decode_cell(cell)) for cell in column.to_pylist()], pa.bool_())
    elif _holds_no_text(kind):
        return column
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        if not _may_carry(column):
            return column
        bad = pc.match_substring_regex(column, Seals.PATTERN)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        if not _may_carry(column):
            return column
        bad = pc.or_(pc.match_substring(column, _MARK), pc.match_substring(column, _CLOSE))
    else:
        bad = pa.array(list(map(_carries, column.to_pylist())), pa.bool_())
    bad = pc.fill_null(bad, False)
    hits = pc.sum(bad).as_py() or 0
    if not hits:
        return column
    counts.sealed += hits
    return _withhold(column, bad, index, counts)


def _holds_no_text(kind: pa.DataType) -> bool:
    is_a = pa.types
    return bool(
        is_a.is_null(kind) or is_a.is_boolean(kind) or is_a.is_integer(kind)
        or is_a.is_floating(kind) or is_a.is_decimal(kind) or is_a.is_temporal(kind)
    )  # fmt: skip


def _may_carry(column: pa.Array) -> bool:
    """A seal is not ASCII: one pass over the bytes spares the ordinary column the rest."""
    data = column.buffers()[2]
    plain = b"" if data is None else data.to_pybytes()
    return _MARK in plain or _CLOSE in plain


def _carries(value: Any) -> bool:
    """Whether a seal, or a part of one, is anywhere in a value of any shape."""
    if isinstance(value, str):
        return _SEAL.search(value) is not None
    if isinstance(value, bytes):
        return _MARK in value or _CLOSE in value
    if isinstance(value, Mapping):
        return any(map(_carries, value.keys())) or any(map(_carries, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_carries, value))
    return False


def _checked(
    column: pa.Array, treatment: Treatment | None, mixed: bool, index: int, counts: FrameCounts
) -> pa.Array:
    if column.null_count == len(column):
        return column
    none = pa.array([False] * len(column))
    if mixed or treatment in (Treatment.WITHHOLD, Treatment.SEAL):
        good = none
    elif treatment is Treatment.AGE:
        if pa.types.is_integer(column.type):
            good = pc.and_(pc.greater_equal(column, 0), pc.less_equal(column, OLDEST_AGE))
        else:
            good = none
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        good = pc.match_substring_regex(column, SHAPES[str(treatment)])
    else:
        good = none
    bad = pc.and_(pc.is_valid(column), pc.invert(pc.fill_null(good, False)))
    hits = pc.sum(bad).as_py() or 0
    if not hits:
        return column
    counts.mismatched += hits
    return _withhold(column, bad, index, counts)
