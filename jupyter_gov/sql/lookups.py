"""
A pseudonym that is asked for: ``WHERE mrn = :pseudonym``.

Over a view the database would treat every row to find the one.  Where a statement compares a
column with such a token and every row it wants must fulfil that, the table in it can be replaced
by a function that goes by an index.  The condition stays: the replacement narrows, and decides
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from jupyter_gov.sql.edits import Edit
from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.postgres_lexemes import Kind, Lexeme, lexemes

TOKEN = re.compile(r"p_[0-9a-f]{20}")


@dataclass(frozen=True, slots=True)
class Lookup:
    """A table that one pseudonym narrows."""

    table: str
    """As the statement's `relations` spell it."""
    column: str
    token: str
    start: int
    end: int
    """Of the table's name in the text, its schema included."""
    said: str
    """The token as it stands in the text: ``:name`` or a literal."""
    alias: str
    """The table's own name, if the statement gives it no other."""

    def edit(self, function: str) -> Edit:
        """The text with *function*, quoted, in the place of the table."""
        alias = f' AS "{self.alias}"' if self.alias else ""
        return Edit(self.start, self.end, f"{function}({self.said}){alias}")


def lookups(statement: Statement, binds: Mapping[str, object]) -> list[Lookup]:
    """At most one for each table; those of which anything is doubtful are left out."""
    tree = statement.tree
    if tree is None:
        return []
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    words = lexemes(statement.text)
    found: dict[int, Lookup] = {}
    for select in tree.find_all(exp.Select):
        where = select.args.get("where")
        if where is None:
            continue
        tables = list(_tables(select, ctes))
        for compared in _conditions(where.this):
            made = _lookup(compared, tables, statement.text, words, binds)
            if made is not None:
                found.setdefault(made.start, made)
    return list(found.values())


def _conditions(node: exp.Expr) -> Iterator[exp.EQ]:
    """Those that every row must fulfil."""
    if isinstance(node, exp.And):
        yield from _conditions(node.left)
        yield from _conditions(node.right)
    elif isinstance(node, exp.Paren):
        yield from _conditions(node.this)
    elif isinstance(node, exp.EQ):
        yield node


def _tables(select: exp.Select, ctes: set[str]) -> Iterator[exp.Table]:
    """Base tables right in FROM, and those joined to them."""
    origin = select.args.get("from_") or select.args.get("from")
    joined = [join.this for join in select.args.get("joins") or []]
    for each in [*([origin.this] if origin is not None else []), *joined]:
        plain = isinstance(each, exp.Table) and isinstance(each.this, exp.Identifier)
        known = (
            {k for k, v in each.args.items() if v} <= {"this", "db", "alias"} if plain else False
        )
        if known and (each.args.get("db") or each.name.lower() not in ctes):
            yield each


def _lookup(
    compared: exp.EQ,
    tables: list[exp.Table],
    sql: str,
    words: Sequence[Lexeme],
    binds: Mapping[str, object],
) -> Lookup | None:
    sides = [compared.left, compared.right]
    column = next((side for side in sides if isinstance(side, exp.Column)), None)
    plain = any(isinstance(side, exp.Placeholder | exp.Literal) for side in sides)
    if column is None or not plain or column.args.get("db"):
        return None
    asked = _asked(column, sql, words, binds)
    fits = [t for t in tables if not column.table or t.alias_or_name == column.table]
    if asked is None or len(fits) != 1 or (not column.table and len(tables) != 1):
        return None
    (table,) = fits
    alias = table.args.get("alias")
    if isinstance(alias, exp.TableAlias) and alias.args.get("columns"):
        return None  # its columns have other names here
    first = table.args.get("db") or table.this
    if "start" not in first.meta or "end" not in table.this.meta:
        return None
    token, said = asked
    return Lookup(
        table=f"{table.db}.{table.name}" if table.db else table.name,
        column=column.name,
        token=token,
        start=first.meta["start"],
        end=table.this.meta["end"] + 1,
        said=said,
        alias="" if alias is not None else table.name.replace('"', '""'),
    )


def _asked(
    column: exp.Column, sql: str, found: Sequence[Lexeme], binds: Mapping[str, object]
) -> tuple[str, str] | None:
    """
    The token that stands beside a column's name, and how the text spells it.

    By the text itself: in the tree parameters and strings are not as the user wrote them.
    """
    end = column.this.meta.get("end")
    first = next((part for part in column.parts if "start" in part.meta), None)
    if end is None or first is None:
        return None
    last_at = next((i for i, each in enumerate(found) if each.end == end + 1), None)
    first_at = next((i for i, each in enumerate(found) if each.start == first.meta["start"]), None)
    for at, equals in ((last_at, 1), (first_at, -1)):
        if at is None or not 0 <= at + 2 * equals < len(found):
            continue
        if found[at + equals].value != "=":
            continue
        value = found[at + 2 * equals]
        said = sql[value.start : value.end]
        token = binds.get(value.value) if value.kind is Kind.BIND else said[1:-1]
        if value.kind in (Kind.BIND, Kind.STRING) and isinstance(token, str):
            return (token, said) if TOKEN.fullmatch(token) else None
    return None
