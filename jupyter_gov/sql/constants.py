"""
Constants of a condition that fail before any row is looked at, if they fail at all.

``coalesce(CURRENT_TIMESTAMP - INTERVAL '300000 years', d)`` fails for the first row that comes to
it, and so tells that there is one.  PostgreSQL works out beforehand what depends on nothing; what
depends on the clock or on a setting it works out when it is needed.  So those may be of kinds and
sizes only with which nothing can go wrong.
"""

from __future__ import annotations

import re

from sqlglot import exp

_DAY = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+([Zz]|[+-][0-9:]+)?)?")
_SPAN = re.compile(r"[0-9]{1,4}")
_PAST = (exp.CurrentDate, exp.CurrentTimestamp)
_TIMES = frozenset({
    exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ,
})  # fmt: skip
_PLAIN = frozenset({
    exp.DataType.Type.SMALLINT, exp.DataType.Type.INT, exp.DataType.Type.BIGINT,
    exp.DataType.Type.DECIMAL, exp.DataType.Type.FLOAT, exp.DataType.Type.DOUBLE,
    exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR, exp.DataType.Type.CHAR,
    exp.DataType.Type.BOOLEAN, exp.DataType.Type.UUID, exp.DataType.Type.TIME,
})  # fmt: skip
_UNITS = frozenset({"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"})


def is_bare(node: exp.Expr) -> bool:
    """A value as it is written, which may stand beside a column in a function."""
    node = node.unnest()
    if isinstance(node, exp.Neg):
        node = node.this.unnest()
        return _is_number(node) or isinstance(node, exp.Placeholder)
    if isinstance(node, exp.Cast):
        return _is_day(node)
    return isinstance(node, exp.Literal | exp.Placeholder | exp.Boolean | exp.Null)


def is_constant(node: exp.Expr) -> bool:
    """One that may be compared with."""
    node = node.unnest()
    if is_bare(node) or type(node) in _PAST:
        return not any(isinstance(each, exp.Column | exp.Query) for each in node.walk())
    if type(node) is exp.Cast:
        return _is_cast(node)
    if isinstance(node, exp.Interval):
        return isinstance(node.this, exp.Literal)
    if isinstance(node, exp.Add | exp.Sub):
        one, other = node.left.unnest(), node.right.unnest()
        if _is_number(one) and _is_number(other):
            return True
        return (type(one) in _PAST or _is_day(one)) and _is_short(other)
    return False


def _is_cast(node: exp.Cast) -> bool:
    inner, kind = node.this.unnest(), node.to.this
    if node.to.args.get("nested") or node.args.get("format"):
        return False
    if type(inner) in _PAST:
        return kind in _TIMES
    if isinstance(inner, exp.Cast):
        return False  # a text that is made a date is so when a row needs it
    return is_bare(inner) and (kind in _PLAIN or kind in _TIMES)


def _is_number(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string


def _is_day(node: exp.Expr) -> bool:
    """A date that is far from where dates end."""
    if type(node) is not exp.Cast or not isinstance(node.this, exp.Literal):
        return False
    text = node.this.name
    return node.this.is_string and node.to.this in _TIMES and _DAY.fullmatch(text) is not None


def _is_short(node: exp.Expr) -> bool:
    """A span that does not lead to where dates end."""
    if _is_number(node):
        return _SPAN.fullmatch(node.name) is not None
    if not isinstance(node, exp.Interval) or not isinstance(node.this, exp.Literal):
        return False
    unit = node.text("unit").upper().removesuffix("S")
    most = 3 if unit in ("YEAR", "QUARTER") else 4
    return unit in _UNITS and _SPAN.fullmatch(node.this.name) is not None and (
        len(node.this.name) <= most
    )  # fmt: skip
