"""
Row filters: which rows of a table a profile shows at all.

A condition of the admin's, in a small language that every engine has: comparisons of the table's
own columns with constants, joined by AND, OR and NOT.  It is kept as a tree, so that an engine
can put the constants where the reader of a view's text does not see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp

_COMPARES: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.Like: "LIKE",
}  # fmt: skip
_CAN = "compare the table's own columns with constants by = <> < <= > >= LIKE IN BETWEEN IS NULL"

Constant = str | int | float | bool


@dataclass(frozen=True, slots=True)
class RowFilter:
    """A condition that was understood."""

    text: str
    """As the admin wrote it."""
    tree: exp.Expr
    columns: tuple[str, ...]
    """Those it compares, as written."""

    def sql(
        self, column: Callable[[str], str], constant: Callable[[int, str, Constant], str]
    ) -> str:
        """
        The condition for an engine.

        Args:
            column: a column's name → its SQL.
            constant: number, column it is compared with, value → its SQL.
        """
        numbers = iter(range(10_000))
        return _sql(self.tree, column, lambda of, value: constant(next(numbers), of, value))

    def constants(self) -> tuple[Constant, ...]:
        """In the order of their numbers."""
        found: list[Constant] = []

        def keep(number: int, of: str, value: Constant) -> str:
            found.append(value)
            return ""

        self.sql(lambda name: name, keep)
        return tuple(found)


@cache
def row_filter(text: str) -> RowFilter:
    """Read a condition.  Raises ValueError, saying what may be written."""
    try:
        tree = sqlglot.parse_one(f"SELECT 1 WHERE {text}", dialect="postgres")
    except Exception:
        raise ValueError(f"is not a condition; {_CAN}") from None
    where = tree.args.get("where")
    others = {k for k, v in tree.args.items() if v} - {"where", "expressions", "kind"}
    if not isinstance(tree, exp.Select) or not isinstance(where, exp.Where) or others:
        raise ValueError(f"is more than a condition; {_CAN}")
    columns = tuple(dict.fromkeys(_check(where.this)))
    return RowFilter(text, where.this, columns)


_ARGS = {"this", "expression", "expressions", "low", "high", "negate"}
"""All that is looked at: a node that says more than these is not understood."""


def _check(node: exp.Expr) -> Iterator[str]:
    """The columns it names.  Raises ValueError."""
    if unknown := {name for name, value in node.args.items() if value} - _ARGS:
        raise ValueError(f"holds {min(unknown)}; {_CAN}")
    match node:
        case exp.And() | exp.Or():
            yield from _check(node.left)
            yield from _check(node.right)
        case exp.Not() | exp.Paren():
            yield from _check(node.this)
        case exp.In() if node.expressions:
            yield _column(node.this)
            for each in node.expressions:
                _constant(each)
        case exp.Between():
            yield _column(node.this)
            _constant(node.args["low"])
            _constant(node.args["high"])
        case exp.Is() if isinstance(node.expression, exp.Null):
            yield _column(node.this)
        case _ if type(node) in _COMPARES:
            yield _column(node.this)
            _constant(node.expression)
        case _:
            raise ValueError(f"holds {type(node).__name__.lower()}; {_CAN}")


def _column(node: exp.Expr) -> str:
    if not isinstance(node, exp.Column) or node.table or not isinstance(node.this, exp.Identifier):
        raise ValueError(f"compares something else than a column; {_CAN}")
    return str(node.name)


def _constant(node: exp.Expr) -> Constant:
    negative = isinstance(node, exp.Neg)
    inner = node.this if negative else node
    if isinstance(inner, exp.Boolean) and not negative:
        return bool(inner.this)
    if not isinstance(inner, exp.Literal) or (inner.is_string and negative):
        raise ValueError(f"compares with something else than a constant; {_CAN}")
    if inner.is_string:
        return str(inner.this)
    value = float(inner.this) if not str(inner.this).isdigit() else int(inner.this)
    return -value if negative else value


def _sql(
    node: exp.Expr, column: Callable[[str], str], constant: Callable[[str, Constant], str]
) -> str:
    def inner(below: exp.Expr) -> str:
        return _sql(below, column, constant)

    def put(of: exp.Expr, value: exp.Expr) -> str:
        return constant(_column(of), _constant(value))

    if node.args.get("negate"):
        plain = node.copy()
        plain.set("negate", None)
        return f"(NOT {inner(plain)})"
    match node:
        case exp.And():
            return f"({inner(node.left)} AND {inner(node.right)})"
        case exp.Or():
            return f"({inner(node.left)} OR {inner(node.right)})"
        case exp.Not():
            return f"(NOT {inner(node.this)})"
        case exp.Paren():
            return inner(node.this)
        case exp.In():
            values = ", ".join(put(node.this, each) for each in node.expressions)
            return f"{column(_column(node.this))} IN ({values})"
        case exp.Between():
            low, high = (put(node.this, node.args[name]) for name in ("low", "high"))
            return f"{column(_column(node.this))} BETWEEN {low} AND {high}"
        case exp.Is():
            return f"{column(_column(node.this))} IS NULL"
        case _:
            value = put(node.this, node.expression)
            return f"{column(_column(node.this))} {_COMPARES[type(node)]} {value}"
