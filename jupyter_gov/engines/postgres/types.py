"""
PostgreSQL's types as Arrow columns: one type for a column, whichever driver brings it.

A statement is wrapped in an outer SELECT that leaves what both drivers can bring exactly, and
makes PostgreSQL's own text of everything else, so that the values cannot depend on the driver.
What such a text stands for is said in the field's metadata, for the kernel to make objects of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jupyter_gov.wire.cells import DECIMAL, INTERVAL, JSON, JSON_DECIMAL, JSON_FLOAT, KIND

Cells = Sequence[bytes | None]
"""One column of some rows in PostgreSQL's binary format; None is NULL."""

_DATE_EPOCH = 10_957
_TIME_EPOCH = 946_684_800_000_000
"""2000-01-01 in days and microseconds since 1970: PostgreSQL counts from there."""
_FIRST_DATE = -2_440_588
_FIRST_TIME = _FIRST_DATE * 86_400_000_000
"""4713 BC, the earliest of both: what is before came by an overflow."""
_MAX32, _MIN32 = 2**31 - 1, -(2**31)
_MAX64, _MIN64 = 2**63 - 1, -(2**63)


class OutOfRange(ValueError):
    """A value that no column of its type can hold."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How columns of one PostgreSQL type come."""

    type: pa.DataType
    raw: Callable[[Cells], pa.Array]
    """From PostgreSQL's binary format to what the Arrow driver would bring."""
    finish: Callable[[pa.Array], pa.Array] = lambda array: array
    """From what the Arrow driver brings to *type*."""
    outer: str = "{}"
    """What the outer SELECT has for the column ``{}``."""
    outer_psycopg: str = ""
    """The same where psycopg brings it, if that differs."""
    kind: bytes | None = None
    size: str = ""
    """How many bytes the column ``{}`` may have; empty if they are few."""
    cast: str = "text"
    """Type of what the outer SELECT has, where *size* matters."""

    def field(self, name: str) -> pa.Field:
        return pa.field(name, self.type, metadata={KIND: self.kind} if self.kind else None)

    def expression(self, column: str, *, psycopg: bool) -> str:
        template = self.outer_psycopg if psycopg and self.outer_psycopg else self.outer
        return template.format(column)

    def from_arrow(self, array: pa.Array) -> pa.Array:
        """Raises OutOfRange, and TypeError if this is not what was described."""
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        made = self.finish(array)
        if made.type != self.type:
            raise TypeError(f"{made.type} for {self.type}")
        return made

    def from_cells(self, cells: Cells) -> pa.Array:
        """Raises OutOfRange."""
        return self.from_arrow(self.raw(cells))


# ------------------------------------------------------------------ from the binary format


def _fixed(dtype: str) -> Callable[[Cells], pa.Array]:
    wire = np.dtype(dtype).newbyteorder(">")
    nothing = bytes(wire.itemsize)

    def raw(cells: Cells) -> pa.Array:
        data = b"".join([nothing if cell is None else cell for cell in cells])
        values = np.frombuffer(data, wire).astype(wire.newbyteorder("="))
        return pa.array(values, mask=np.array([cell is None for cell in cells], bool))

    return raw


def _as(kind: pa.DataType, raw: Callable[[Cells], pa.Array]) -> Callable[[Cells], pa.Array]:
    return lambda cells: raw(cells).view(kind)


def _dates(cells: Cells) -> pa.Array:
    return _shifted(_fixed("i4")(cells), np.int32(_DATE_EPOCH)).view(pa.date32())


def _times(cells: Cells) -> pa.Array:
    return _shifted(_fixed("i8")(cells), np.int64(_TIME_EPOCH)).view(pa.timestamp("us"))


def _shifted(array: pa.Array, by: Any) -> pa.Array:
    """Moved to Arrow's epoch as the Arrow driver does it: what overflows comes round."""
    values = np.asarray(array.fill_null(0))
    return pa.array(values + by, mask=np.asarray(array.is_null()))


def _bools(cells: Cells) -> pa.Array:
    return pa.array([None if cell is None else cell != b"\0" for cell in cells], pa.bool_())


def _bytes(cells: Cells) -> pa.Array:
    return pa.array(cells, pa.binary())


def _texts(cells: Cells) -> pa.Array:
    return pa.array(cells, pa.binary()).view(pa.string())


def _jsonb(cells: Cells) -> pa.Array:
    return _texts([None if cell is None else cell[1:] for cell in cells])  # its version, 1


def _uuids(cells: Cells) -> pa.Array:
    return pa.array(cells, pa.binary(16))


# ------------------------------------------------------------------ to the column's type


def _to_int64(array: pa.Array) -> pa.Array:
    return array.cast(pa.int64())


def _unsigned(array: pa.Array) -> pa.Array:
    return array.view(pa.uint32()).cast(pa.int64())


def _to_float(array: pa.Array) -> pa.Array:
    """The shortest text of a ``real``, as a double: 1.1, where widening would give 1.1000000238."""
    return array.cast(pa.float64())


def _spelled(array: pa.Array) -> pa.Array:
    """NaN and infinity as PostgreSQL spells them."""
    data = array.buffers()[2]
    if data is None or b"n" not in memoryview(data).tobytes():
        return array
    for theirs, ours in (("nan", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity")):
        array = pc.if_else(pc.equal(array, theirs), ours, array)
    return array


def _dates_checked(array: pa.Array) -> pa.Array:
    """Infinity is the greatest and the least number there is."""
    days = array.view(pa.int32())
    first = pc.min(days).as_py()
    if first is None or first >= _FIRST_DATE:
        return array
    for came, meant in ((_MAX32, _MAX32), (_MIN32, _MIN32)):
        wrapped = (came + _DATE_EPOCH + 2**31) % 2**32 - 2**31
        days = pc.if_else(pc.equal(days, wrapped), pa.scalar(meant, pa.int32()), days)
    return days.view(array.type)


def _times_checked(zone: str | None) -> Callable[[pa.Array], pa.Array]:
    def finish(array: pa.Array) -> pa.Array:
        us = array.view(pa.int64())
        first = pc.min(us).as_py()
        if first is not None and first < _FIRST_TIME:
            for came in (_MAX64, _MIN64):
                wrapped = (came + _TIME_EPOCH + 2**63) % 2**64 - 2**63
                us = pc.if_else(pc.equal(us, wrapped), pa.scalar(came, pa.int64()), us)
            lost = pc.and_(pc.less(us, _FIRST_TIME), pc.greater(us, _MIN64))
            if pc.any(lost).as_py():
                raise OutOfRange("a timestamp after the year 294246")
        return us.view(pa.timestamp("us", zone))

    return finish


_HEX = np.frombuffer("".join(f"{i:02x}" for i in range(256)).encode(), np.uint16)
_DASHES = (8, 13, 18, 23)
_DIGITS = [i for i in range(36) if i not in _DASHES]


def _uuid_texts(array: pa.Array) -> pa.Array:
    size = len(array)
    if not size:
        return pa.array([], pa.string())
    values = np.frombuffer(array.buffers()[1], np.uint8)
    values = values[array.offset * 16 : (array.offset + size) * 16]
    texts = np.full((size, 36), ord("-"), np.uint8)
    texts[:, _DIGITS] = _HEX[values].view(np.uint8).reshape(size, 32)
    offsets = 36 * np.arange(size + 1, dtype=np.int32)
    made = pa.StringArray.from_buffers(size, pa.py_buffer(offsets), pa.py_buffer(texts))
    if array.null_count:
        made = pc.if_else(array.is_null(), pa.scalar(None, pa.string()), made)
    return made


# ------------------------------------------------------------------ the table

_LENGTH = "pg_catalog.octet_length({})"
_COLUMN_SIZE = "pg_catalog.pg_column_size({})"
"""Without reading what is stored elsewhere; what is compressed counts as such."""
_TEXT = Shape(pa.string(), _texts, size=_LENGTH)
_NAME = Shape(pa.string(), _texts)
SHAPES: dict[int, Shape] = {
    16: Shape(pa.bool_(), _bools),
    17: Shape(pa.binary(), _bytes, size=_LENGTH, cast="bytea"),
    19: _NAME,
    20: Shape(pa.int64(), _fixed("i8")),
    21: Shape(pa.int64(), _fixed("i2"), _to_int64),
    23: Shape(pa.int64(), _fixed("i4"), _to_int64),
    25: _TEXT,
    26: Shape(pa.int64(), _fixed("i4"), _unsigned),  # oid
    114: Shape(
        pa.string(),
        _texts,
        kind=JSON,
        size="pg_catalog.octet_length({}::pg_catalog.text)",
        cast="json",
    ),
    700: Shape(pa.float64(), _texts, _to_float, outer="{}::pg_catalog.text"),
    701: Shape(pa.float64(), _fixed("f8")),
    1042: Shape(pa.string(), _texts, size=_LENGTH, cast="bpchar"),  # char(n)
    1043: Shape(pa.string(), _texts, size=_LENGTH, cast="varchar"),
    1082: Shape(pa.date32(), _dates, _dates_checked),
    1083: Shape(pa.time64("us"), _as(pa.time64("us"), _fixed("i8"))),
    1114: Shape(pa.timestamp("us"), _times, _times_checked(None)),
    1184: Shape(pa.timestamp("us", "UTC"), _times, _times_checked("UTC")),
    1186: Shape(pa.string(), _texts, outer="{}::pg_catalog.text", kind=INTERVAL),
    1700: Shape(pa.string(), _texts, _spelled, outer_psycopg="{}::pg_catalog.text", kind=DECIMAL),
    2950: Shape(pa.string(), _uuids, _uuid_texts),
    3802: Shape(pa.string(), _jsonb, kind=JSON, size=_COLUMN_SIZE, cast="jsonb"),
}
"""By the OID of the type: those that come as they are, or whose text stands for something."""

_ARRAY_KINDS = {700: JSON_FLOAT, 701: JSON_FLOAT, 1700: JSON_DECIMAL}
LOOK_UP = """
SELECT t.oid,
  CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END,
  coalesce((SELECT e.typtype = 'c' FROM pg_catalog.pg_type AS e WHERE e.oid = t.typelem), false),
  EXISTS (SELECT FROM pg_catalog.pg_cast AS c
          WHERE c.castsource = t.oid AND c.casttarget = 'pg_catalog.text'::pg_catalog.regtype),
  t.typlen < 0
FROM pg_catalog.pg_type AS t WHERE t.oid = ANY(%s)
"""
"""What `other` needs to know of a type, after its OID."""


def other(element: int, of_rows: bool, has_cast: bool, varies: bool) -> Shape:
    """
    Any other type: an array as JSON, all else as PostgreSQL's own text.

    Args:
        element: OID of the type of its elements, if it is an array; else 0.
        of_rows: whether those are rows, which would become objects.
        has_cast: whether it has a cast of its own to text, and perhaps to another text than
            PostgreSQL shows, as inet has.
        varies: whether its values differ in size.
    """
    size = _COLUMN_SIZE if varies else ""
    if element:
        elements = "{}::pg_catalog.text[]" if of_rows else "{}"
        outer = f"pg_catalog.array_to_json({elements})::pg_catalog.text"
        return Shape(
            pa.string(), _texts, outer=outer, kind=_ARRAY_KINDS.get(element, JSON), size=size
        )
    # JSON has the text of the output function, which needs no right on a schema or a function.
    outer = "pg_catalog.json_build_array({})->>0" if has_cast else "{}::pg_catalog.text"
    return Shape(pa.string(), _texts, outer=outer, size=size)


def unwrapped(oid: int) -> Shape:
    """Of a column in PostgreSQL's text format, as of SHOW and EXPLAIN."""
    return Shape(pa.string(), _texts, kind=JSON if oid in (114, 3802) else None)
