"""
The functions a statement may call, and five that are made anew.

SQLite compares a pattern with a text byte by byte: ``instr`` of 2 MB in 4 MB takes minutes and
``trim`` hours, in a single step that no deadline and no cancel interrupts.  Python's search takes
time in proportion to the text, so these functions are replaced by ones with the same results.
"""

from __future__ import annotations

import math
import sqlite3

Value = None | int | float | str | bytes

_FUNCTION_LIST = """
    count sum total avg min max group_concat string_agg row_number rank dense_rank percent_rank
    cume_dist ntile lag lead first_value last_value nth_value abs coalesce ifnull nullif iif if
    length octet_length lower upper substr substring trim ltrim rtrim replace instr round sign hex
    quote printf format char unicode typeof date time datetime julianday strftime unixepoch
    timediff like glob -> ->> json json_array json_object json_group_array json_group_object
    json_extract json_type json_array_length json_valid json_quote sqrt pow power floor ceil
    ceiling trunc ln log log2 log10 exp mod pi sin cos tan asin acos atan atan2 radians degrees
    likely unlikely concat concat_ws current_date current_time current_timestamp median
"""
FUNCTIONS = frozenset(_FUNCTION_LIST.split())
"""Functions of SQLite that a statement may call.  None reads a file, a schema or a setting."""

TABLE_FUNCTIONS = frozenset({"json_each", "json_tree"})

MAX_VALUE = 4_000_000
"""Bytes of one value, and of one row of a table."""


def install(connection: sqlite3.Connection) -> None:
    """Replace what takes quadratic time."""
    for name, arity, function in (
        ("instr", 2, _instr),
        ("replace", 3, _replace),
        ("trim", 2, _trim),
        ("ltrim", 2, _ltrim),
        ("rtrim", 2, _rtrim),
    ):
        connection.create_function(name, arity, function, deterministic=True)


def _text(value: Value) -> str:
    """A value as SQLite writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if not isinstance(value, float):
        return str(value)
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    mantissa, e, exponent = f"{value:.15g}".partition("e")
    return (mantissa if "." in mantissa else mantissa + ".0") + e + exponent


def _instr(where: Value, what: Value) -> int | None:
    if where is None or what is None:
        return None
    if isinstance(where, bytes) and isinstance(what, bytes):
        return where.find(what) + 1
    return _text(where).find(_text(what)) + 1


def _replace(where: Value, what: Value, by: Value) -> Value:
    if where is None or what is None:
        return None
    old = _text(what)
    if not old or old[0] == "\0":
        return _text(where) if isinstance(where, bytes) else where
    if by is None:
        return None
    whole, new = _text(where), _text(by)
    if len(new) > len(old) and whole.count(old) * len(new) > MAX_VALUE:
        raise OverflowError  # SQLite then says that the value is too big
    return whole.replace(old, new)


def _trim(value: Value, signs: Value) -> str | None:
    return _ltrim(_rtrim(value, signs), signs)


def _ltrim(value: Value, signs: Value) -> str | None:
    if value is None or signs is None:
        return None
    text, cut, start = _text(value), _signs(signs), 0
    while start < len(text) and text[start] in cut:
        start += 1
    return text[start:]


def _rtrim(value: Value, signs: Value) -> str | None:
    if value is None or signs is None:
        return None
    text, cut = _text(value), _signs(signs)
    end = len(text)
    while end and text[end - 1] in cut:
        end -= 1
    return text[:end]


def _signs(value: Value) -> frozenset[str]:
    return frozenset(_text(value).partition("\0")[0])
