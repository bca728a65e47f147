"""Rows of Python values as Arrow batches, for engines that declare no result types."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from jupyter_gov.wire.messages import MIXED


def _mixed(values: Sequence[Any]) -> pa.Array:
    cells: list[str | None] = []
    for value in values:
        if value is None:
            cells.append(None)
        elif isinstance(value, bytes):
            cells.append(json.dumps({"bytes": base64.b64encode(value).decode()}))
        else:
            cells.append(json.dumps(value))
    return pa.array(cells, pa.string())


class BatchBuilder:
    """
    Infers each column's type from its values, keeping the last batch's type where it still fits.

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
        if known is not None and not pa.types.is_null(known):
            try:
                return pa.array(values, known)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                pass
        try:
            array = pa.array(values, from_pandas=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            self._is_mixed[index] = True
            return _mixed(values)
        self._types[index] = array.type
        return array
