"""
What a treated value looks like: the frame's last look at columns that plainly show one.

A value without the shape of its treatment means that the engine's wall has a hole.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from jupyter_gov.masking.model import SEALED, Treatment
from jupyter_gov.masking.treatments import OLDEST_AGE, SHAPES

_DATE = r"^[0-9]{4,6}-[0-9]{2}-[0-9]{2}(?:[ T].*)?$"
_NUMBER = r"^[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?$"
_TEXTS = {
    **{Treatment(name): shape for name, shape in SHAPES.items()},
    Treatment.DATE_SHIFT: _DATE,
    Treatment.BUCKET: _NUMBER,
    Treatment.ROUND: _NUMBER,
    Treatment.PATHS: "",  # JSON of any shape
}
_DATES = {Treatment.YEAR: "year", Treatment.MONTH: "month"}
UNCHECKED = frozenset({Treatment.CLEAR}) | SEALED
"""As it is; or opened on the frame, token by token."""


def is_text(kind: pa.DataType) -> bool:
    is_a = pa.types
    return bool(is_a.is_string(kind) or is_a.is_large_string(kind) or is_a.is_string_view(kind))


def is_list(kind: pa.DataType) -> bool:
    is_a = pa.types
    return bool(
        is_a.is_list(kind) or is_a.is_large_list(kind) or is_a.is_fixed_size_list(kind)
    )  # fmt: skip


def misshapen(column: pa.Array, treatment: Treatment) -> pa.Array:
    """Where a column of plain cells does not hold what its treatment gives; nulls do."""
    if is_list(column.type):
        values = column.flatten()
        bad = misshapen(values, treatment)
        parents = pc.unique(pc.filter(pc.list_parent_indices(column), bad))
        places = pa.array(range(len(column)), pa.int64())
        return pc.is_in(places, value_set=parents.cast(pa.int64()))
    good = _shaped(column, treatment)
    return pc.and_(pc.is_valid(column), pc.invert(pc.fill_null(good, False)))


def _shaped(column: pa.Array, treatment: Treatment) -> pa.Array:
    kind = column.type
    is_a = pa.types
    none = pa.repeat(pa.scalar(False), len(column))
    if is_text(kind):
        shape = _TEXTS.get(treatment)
        if shape is None:
            return none
        plain = column.cast(pa.large_string()) if is_a.is_string_view(kind) else column
        return pc.match_substring_regex(plain, shape)
    every = pa.repeat(pa.scalar(True), len(column))
    if treatment is Treatment.AGE and is_a.is_integer(kind):
        return pc.and_(pc.greater_equal(column, 0), pc.less_equal(column, OLDEST_AGE))
    if is_a.is_date(kind) or is_a.is_timestamp(kind):
        if treatment is Treatment.DATE_SHIFT:
            return every
        if treatment not in _DATES:
            return none
        if is_a.is_timestamp(kind):
            column = column.cast(pa.timestamp(kind.unit))  # an instant, told in UTC
        return pc.equal(pc.floor_temporal(column, unit=_DATES[treatment]), column)
    number = is_a.is_integer(kind) or is_a.is_floating(kind) or is_a.is_decimal(kind)
    return every if number and treatment in (Treatment.BUCKET, Treatment.ROUND) else none
