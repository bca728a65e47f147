"""
Columns whose Arrow type is not what pandas shows: what texts stand for, and times out of range.

A column becomes what `pandas.read_sql` would give.  Where its dtype cannot hold every value,
the column has objects, and the values that no Python object can hold are PostgreSQL's own text:
never NaT for infinity, nor a month of thirty days.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_gov.wire.cells import DECIMAL, INTERVAL, JSON, JSON_DECIMAL, JSON_FLOAT, KIND

if TYPE_CHECKING:
    import pyarrow as pa

Column = Any
"""A pa.ChunkedArray, or a list of Python objects."""

_EXACT = 2**53
"""From here on a double has not every whole number: an identifier would change."""
_INTERVAL = (
    r"^(?:\+?(?P<years>-?\d+) years? ?)?(?:\+?(?P<months>-?\d+) mons? ?)?"
    r"(?:\+?(?P<days>-?\d+) days? ?)?"
    r"(?:(?P<sign>[-+]?)(?P<h>\d+):(?P<m>\d+):(?P<s>\d+)(?:\.(?P<us>\d+))?)?$"
)
_ONE_INTERVAL = re.compile(_INTERVAL)
_EPOCH = dt.date(1970, 1, 1).toordinal()
_CYCLE = 146_097
"""Days after which the calendar repeats: 400 years."""
_DAY_US = 86_400_000_000
_FIRST_DAY, _LAST_DAY = 1 - _EPOCH, dt.date.max.toordinal() - _EPOCH


def needs_objects(field: pa.Field) -> bool:
    """Whether `as_shown` may change a column of this kind."""
    import pyarrow as pa

    return bool(field.metadata and KIND in field.metadata) or pa.types.is_temporal(field.type)


def as_shown(column: pa.ChunkedArray, field: pa.Field, *, exact: bool) -> Column:
    """
    The column that pandas shows.

    Args:
        field: of the answer's schema, with its metadata.
        exact: keep every digit in an Arrow type, as ``dtype_backend="pyarrow"`` wants it.
    """
    import pyarrow as pa

    kind = (field.metadata or {}).get(KIND)
    if kind == DECIMAL:
        return _decimals(column, exact)
    if kind == INTERVAL:
        return _intervals(column)
    if kind in _LOADS:
        return column if exact else [_LOADS[kind](text) for text in column.to_pylist()]
    if pa.types.is_date32(field.type):
        return _within(column, pa.int32(), _FIRST_DAY, _LAST_DAY, _date)
    if pa.types.is_timestamp(field.type) and field.type.unit == "us":
        first, last = _FIRST_DAY * _DAY_US, (_LAST_DAY + 1) * _DAY_US - 1
        zone = None if field.type.tz is None else dt.UTC
        return _within(column, pa.int64(), first, last, lambda us: _timestamp(us, zone))
    if pa.types.is_time64(field.type) and field.type.unit == "us":
        return _within(column, pa.int64(), 0, _DAY_US - 1, _time)
    return column


# ------------------------------------------------------------------ numbers


def _decimals(column: pa.ChunkedArray, exact: bool) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        numbers = _arrow_decimals(column) if exact else column.cast(pa.float64())
    except pa.ArrowInvalid:
        return column  # more digits than any decimal has, NaN in one, or no number at all
    if exact:
        return numbers
    finite = pc.filter(numbers, pc.fill_null(pc.is_finite(numbers), False))
    extremes = pc.min_max(finite).as_py()
    if any(abs(number) >= _EXACT for number in extremes.values() if number is not None):
        return [None if text is None else decimal.Decimal(text) for text in column.to_pylist()]
    return numbers


def _arrow_decimals(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    after = (
        pc.max(pc.utf8_length(pc.replace_substring_regex(column, r"^[^.]*\.?", ""))).as_py() or 0
    )
    before = pc.max(pc.utf8_length(pc.replace_substring_regex(column, r"\..*$|-", ""))).as_py() or 0
    digits = max(1, after + before)
    if digits > 76:
        raise pa.ArrowInvalid("too many digits")
    return column.cast(
        pa.decimal128(digits, after) if digits <= 38 else pa.decimal256(digits, after)
    )


# ------------------------------------------------------------------ intervals


def _intervals(column: pa.ChunkedArray) -> Column:
    """Durations of microseconds, a day being 24 hours; a month has no length in days."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = column.combine_chunks()
    parts = pc.extract_regex(texts, _INTERVAL)
    strange = pc.and_(texts.is_valid(), pc.is_null(parts))
    if not (pc.any(strange).as_py() or _some(parts, "years") or _some(parts, "months")):
        try:
            return pa.chunked_array([_durations(parts)])
        except pa.ArrowInvalid:
            pass  # more than 292,000 years
    return [_interval(text) for text in texts.to_pylist()]


def _durations(parts: Any) -> Any:
    """Raises ArrowInvalid for what is too long."""
    import pyarrow as pa
    import pyarrow.compute as pc

    seconds = pc.multiply_checked(_number(parts, "days"), 86_400)
    for name, size in (("h", 3_600), ("m", 60), ("s", 1)):
        number = _signed(parts, _number(parts, name))
        seconds = pc.add_checked(seconds, pc.multiply_checked(number, size))
    us = _signed(parts, pc.utf8_rpad(parts.field("us"), 6, "0").cast(pa.int64()))
    total = pc.add_checked(pc.multiply_checked(seconds, 1_000_000), us)
    return pc.if_else(parts.is_valid(), total, pa.scalar(None, pa.int64())).cast(pa.duration("us"))


def _some(parts: Any, name: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(pc.not_equal(parts.field(name), "")).as_py())


def _number(parts: Any, name: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    text = parts.field(name)
    return pc.if_else(pc.equal(text, ""), "0", text).cast(pa.int64())


def _signed(parts: Any, number: Any) -> Any:
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(parts.field("sign"), "-"), pc.negate(number), number)


def _interval(text: str | None) -> dt.timedelta | str | None:
    """What Python can hold of one; a text otherwise."""
    found = None if text is None else _ONE_INTERVAL.match(text)
    if found is None or found["years"] or found["months"]:
        return text
    sign = -1 if found["sign"] == "-" else 1
    clock = {"hours": found["h"], "minutes": found["m"], "seconds": found["s"]}
    clock["microseconds"] = (found["us"] or "").ljust(6, "0")
    try:
        return dt.timedelta(days=int(found["days"] or 0)) + sign * dt.timedelta(
            **{name: int(number or 0) for name, number in clock.items()}
        )
    except OverflowError:
        return text


# ------------------------------------------------------------------ JSON


def _json(text: str | None) -> Any:
    return None if text is None else _loaded(text, json.loads)


def _loaded(text: str, loads: Callable[[str], Any]) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return text


def _json_float(text: str | None) -> Any:
    return None if text is None else _each(_loaded(text, json.loads), float)


def _json_decimal(text: str | None) -> Any:
    def loads(text: str) -> Any:
        return json.loads(text, parse_float=decimal.Decimal, parse_int=decimal.Decimal)

    return None if text is None else _each(_loaded(text, loads), decimal.Decimal)


def _each(value: Any, make: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return [_each(item, make) for item in value]
    return None if value is None else make(value)


_LOADS: dict[bytes, Callable[[str | None], Any]] = {
    JSON: _json,
    JSON_FLOAT: _json_float,
    JSON_DECIMAL: _json_decimal,
}

# ------------------------------------------------------------------ dates and times


def _within(
    column: pa.ChunkedArray, kind: pa.DataType, first: int, last: int, make: Callable[[int], Any]
) -> Column:
    """As it is, if Python's own type holds every value; else objects."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pa.chunked_array([chunk.view(kind) for chunk in column.chunks], kind)
    extremes = pc.min_max(numbers).as_py()
    if extremes["min"] is None or (extremes["min"] >= first and extremes["max"] <= last):
        return column
    return [None if number is None else make(number) for number in numbers.to_pylist()]


def _date(days: int) -> dt.date | str:
    if _FIRST_DAY <= days <= _LAST_DAY:
        return dt.date.fromordinal(days + _EPOCH)
    if days in (2**31 - 1, -(2**31)):
        return "infinity" if days > 0 else "-infinity"
    year, rest, era = _far(days)
    return f"{year}{rest}{era}"


def _far(days: int) -> tuple[str, str, str]:
    """Year, ``-MM-DD``, and `` BC`` of a day that Python's calendar does not reach."""
    cycles, day = divmod(days + _EPOCH - 1, _CYCLE)
    near = dt.date.fromordinal(day + 1)
    year = near.year + 400 * cycles
    era = "" if year > 0 else " BC"
    return f"{year if year > 0 else 1 - year:04d}", near.strftime("-%m-%d"), era


def _timestamp(us: int, zone: dt.tzinfo | None) -> dt.datetime | str:
    days, within = divmod(us, _DAY_US)
    if _FIRST_DAY <= days <= _LAST_DAY:
        return dt.datetime(1970, 1, 1, tzinfo=zone) + dt.timedelta(days=days, microseconds=within)
    if us in (2**63 - 1, -(2**63)):
        return "infinity" if us > 0 else "-infinity"
    year, rest, era = _far(days)
    return f"{year}{rest} {_clock(within)}{'' if zone is None else '+00'}{era}"


def _time(us: int) -> dt.time | str:
    if us >= _DAY_US:
        return _clock(us)
    return (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=us)).time()


def _clock(us: int) -> str:
    seconds, fraction = divmod(us, 1_000_000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return text + f".{fraction:06d}".rstrip("0") if fraction else text
