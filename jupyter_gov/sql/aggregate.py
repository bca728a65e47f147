"""
Statements that may only count and average, over groups of at least so many people.

A statement of the form below gets a condition on its groups: so many different subjects in each,
and so many with a value in each column that is summed or averaged.  Any other form is refused,
since it could reach for single rows: a condition inside an aggregate, a window, a subquery, an
error that tells of one row.  What two answers differ in can still tell of one person; that is
limited by what conditions may say, and recorded, not prevented.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from jupyter_gov.errors import Next, Position, StatementRefused
from jupyter_gov.sql import gate
from jupyter_gov.sql.aggregate_form import HINT, Form
from jupyter_gov.sql.edits import Edit, edited, origin
from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.group_clause import clauses
from jupyter_gov.sql.names import place_of
from jupyter_gov.sql.places import position_of

_FIX = Next("fix_sql")


@dataclass(frozen=True, slots=True)
class Grouped:
    """The statement with the condition on its groups."""

    statement: Statement
    edits: tuple[Edit, ...]

    def own_place(self, position: Position, sql: str) -> Position | None:
        """From a place in the longer text to the one in the user's own, if there is one."""
        offset = origin(self.edits, position.offset)
        if offset is not None:
            return position_of(sql, offset)
        # A name in the condition is one that the user wrote elsewhere.
        word = re.compile(r"[^\W\d]\w*").match(self.statement.text, position.offset)
        return place_of(word[0], sql, self.statement.dialect) if word else None


def grouped(
    statement: Statement,
    subjects: Mapping[str, str | None],
    min_group: int,
    functions: Set[str] = frozenset(),
) -> Grouped:
    """
    Raises StatementRefused, with the place, for what is not of the one form.

    Args:
        subjects: for each of the statement's relations the column that says whom a row is about;
            None where rows are about nobody.
        functions: as the gate was given them.
    """
    try:
        return _grouped(statement, subjects, min_group, functions)
    except RecursionError:
        raise StatementRefused("the statement is nested too deeply", hint=HINT, next=_FIX) from None


def _grouped(
    statement: Statement,
    subjects: Mapping[str, str | None],
    min_group: int,
    functions: Set[str],
) -> Grouped:
    tree = statement.tree
    form = Form(statement, subjects)
    if not isinstance(tree, exp.Select):
        raise form.refused("only one SELECT may be asked", tree)
    form.check(tree)
    condition = form.condition(min_group)
    edits = tuple(_edits(statement, condition))
    text = edited(statement.text, edits)
    again = gate.read(text, statement.dialect, functions)
    _compare(tree, again.tree, condition, statement.dialect)
    return Grouped(again, edits)


def _edits(statement: Statement, condition: str) -> Iterator[Edit]:
    places = clauses(statement)
    if places.having is None:
        yield Edit(places.end, places.end, f" HAVING {condition}")
    else:
        yield Edit(places.having, places.having, f" {condition} AND (")
        yield Edit(places.end, places.end, ")")


def _compare(before: exp.Select, after: exp.Expr | None, condition: str, dialect: str) -> None:
    """That the condition stands where it must, whatever the text around it is."""
    ours = sqlglot.parse_one(condition, dialect=dialect)
    having = before.args.get("having")
    wanted = before.copy()
    if having is not None:
        ours = exp.And(this=ours, expression=exp.Paren(this=having.this.copy()))
    wanted.set("having", exp.Having(this=ours))
    if after is None or _said(after, dialect) != _said(wanted, dialect):
        raise StatementRefused("the statement cannot be held to its groups", hint=HINT, next=_FIX)


def _said(tree: exp.Expr, dialect: str) -> str:
    return tree.sql(dialect, comments=False)
