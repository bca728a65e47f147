"""
The same statement, spelled for the guarded connection: only names change, at their own places.

Convenience, not safety: what is missed here names something that the connection does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from jupyter_gov.connections.model import Catalog, Table
from jupyter_gov.engines.sqlite.catalog import quoted

_ROW_ID = frozenset({"rowid", "_rowid_", "oid"})
_QUOTES = {'"': '"', "`": "`", "[": "]"}


@dataclass(frozen=True, slots=True)
class _Edit:
    """Characters of the text that are replaced, the end exclusive."""

    start: int
    end: int
    text: str


def for_views(sql: str, tree: exp.Expr | None, catalog: Catalog) -> str:
    """
    A user's statement over the views that stand for the tables.

    ``main.`` means the connection's own tables, and ``rowid`` the column it is another name of:
    a view has no row id.
    """
    if tree is None:
        return sql
    edits = [_Edit(*span, "temp") for span in _main_schemas(sql, tree)]
    edits += _row_ids(tree, catalog)
    return _edited(sql, edits)


def over_projections(
    definition: str, inner: Callable[[str], str | None]
) -> tuple[str, frozenset[str]] | None:
    """
    The query of a source's view, over other tables.

    Args:
        definition: the statement that made the view.
        inner: from a table's name to the view to read instead; None if there is none.

    Returns:
        The query and the lower-case names of its CTEs; None if the definition is not understood
        or names what *inner* does not know.
    """
    try:
        tree = sqlglot.parse_one(definition, dialect="sqlite")
        tokens = sqlglot.tokenize(definition, read="sqlite")
    except (SqlglotError, RecursionError):
        return None
    query = tree.args.get("expression")
    if not isinstance(tree, exp.Create) or not isinstance(query, exp.Query):
        return None
    ctes = cte_names(query)
    edits = []
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            continue  # a table function
        if not table.db and table.name.lower() in ctes:
            continue
        other = inner(table.name)
        first, last = _span(table.args.get("db") or table.this), _span(table.this)
        if other is None or first is None or last is None:
            return None
        alias = "" if table.alias else f" AS {quoted(table.name)}"
        edits.append(_Edit(first[0], last[1], f"temp.{quoted(other)}{alias}"))
    begin = next((t.end + 1 for t in tokens if t.token_type == TokenType.ALIAS), None)
    return None if begin is None else (_edited(definition, edits)[begin:], ctes)


def cte_names(tree: exp.Expr | None) -> frozenset[str]:
    """Lower-case names of every CTE."""
    return frozenset(cte.alias.lower() for cte in tree.find_all(exp.CTE)) if tree else frozenset()


def joined_columns(tree: exp.Expr | None) -> frozenset[str] | None:
    """
    Columns that joins compare without naming a table; None if a NATURAL join does not name them.

    SQLite does not tell the authorizer that it reads these.
    """
    names: set[str] = set()
    for join in tree.find_all(exp.Join) if tree else ():
        if str(join.args.get("method") or "").upper() == "NATURAL":
            return None
        names.update(name.name.lower() for name in join.args.get("using") or ())
    return frozenset(names)


def _edited(sql: str, edits: list[_Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        sql = sql[: edit.start] + edit.text + sql[edit.end :]
    return sql


def _span(node: exp.Expr | None) -> tuple[int, int] | None:
    where = node.meta if isinstance(node, exp.Identifier) else {}
    start, last = where.get("start"), where.get("end")
    return (start, last + 1) if isinstance(start, int) and isinstance(last, int) else None


def _main_schemas(sql: str, tree: exp.Expr) -> Iterator[tuple[int, int]]:
    """Where ``main`` stands for a schema, and not for a table of that name."""
    for node in tree.find_all(exp.Table, exp.Column):
        schema = node.args.get("db")
        if isinstance(node, exp.Column) and node.arg_key == "field":
            schema = node.args.get("table")  # x IN main.t
        span = _span(schema)
        if span is not None and schema is not None and schema.name.lower() == "main":
            start, end = span
            if _QUOTES.get(sql[start]) == sql[end - 1]:
                start, end = start + 1, end - 1
            yield start, end


def _row_ids(tree: exp.Expr, catalog: Catalog) -> Iterator[_Edit]:
    ctes = cte_names(tree)
    for node in tree.find_all(exp.Column):
        span = _span(node.this)
        if node.name.lower() not in _ROW_ID or span is None:
            continue
        table = _table_of(node, ctes, catalog)
        if table is None or not table.row_id:
            continue
        if node.name.lower() not in {column.name.lower() for column in table.columns}:
            yield _Edit(*span, quoted(table.row_id))


def _table_of(node: exp.Column, ctes: frozenset[str], catalog: Catalog) -> Table | None:
    """The base table that a column plainly belongs to."""
    qualifier = node.table.lower()
    select = node.find_ancestor(exp.Select)
    while select is not None:
        sources = _sources(select)
        if qualifier and qualifier not in sources:
            select = select.find_ancestor(exp.Select)
            continue
        if not qualifier and len(sources) != 1:
            return None
        table = sources[qualifier] if qualifier else next(iter(sources.values()))
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            return None
        if not table.db and table.name.lower() in ctes:
            return None
        own = catalog.resolve(table.name)
        return None if own is None else catalog.tables[own]
    return None


def _sources(select: exp.Select) -> dict[str, exp.Expr]:
    """What stands in FROM, by the name its columns are called by."""
    origin = select.args.get("from_") or select.args.get("from")
    places = [origin, *(select.args.get("joins") or [])]
    return {place.this.alias_or_name.lower(): place.this for place in places if place is not None}
