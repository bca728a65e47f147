"""Rows of Python values as Arrow batches, for engines that declare no result types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from jupyter_gov.wire.cells import MIXED, encode_cell

_TYPES = {
    frozenset({int}): pa.int64(),
    frozenset({float}): pa.float64(),
    frozenset({int, float}): pa.float64(),
    frozenset({str}): pa.string(),
    frozenset({bytes}): pa.binary(),
}
"""What a column of values of these Python types becomes.  Arrow's own guess makes bytes of texts
beside blobs, and whole numbers of floats."""


def _mixed(values: Sequence[Any]) -> pa.Array:
    return pa.array(map(encode_cell, values), pa.string())


class BatchBuilder:
    """
    Takes each column's type from its values, which are those of SQLite and of JSON's scalars.

    A new type starts a new schema: the stream then goes on in a new segment, which the client
    joins to the earlier ones.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._types: list[pa.DataType | None] = [None] * len(names)
        self._is_mixed = [False] * len(names)

    def build(self, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
        """One batch of these rows, which may be none."""
        columns: Sequence[Sequence[Any]]
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(self._names)
        arrays = [self._array(i, values) for i, values in enumerate(columns)]
        fields = [
            pa.field(name, array.type, metadata={MIXED: b"json"} if mixed else None)
            for name, array, mixed in zip(self._names, arrays, self._is_mixed, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

    def _array(self, index: int, values: Sequence[Any]) -> pa.Array:
        if self._is_mixed[index]:
            return _mixed(values)
        known = self._types[index]
        kinds = set(map(type, values)) - {type(None)}
        if not kinds:
            return pa.nulls(len(values), known or pa.null())
        wanted = _TYPES.get(frozenset(kinds))
        if wanted == pa.int64() and known == pa.float64():
            wanted = known  # whole numbers go on as they began, where they can
        try:
            if wanted is None:
                raise pa.ArrowTypeError
            array = pa.array(values, wanted)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            self._is_mixed[index] = True
            return _mixed(values)
        self._types[index] = array.type
        return array
