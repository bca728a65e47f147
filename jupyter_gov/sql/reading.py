"""
What a statement would read, from its text and the catalog alone.

For engines that cannot compile a statement before there is a role to run it under.  It errs on one
side only: a column that may be read is named, whatever notation reaches it.  It protects nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from jupyter_gov.errors import Next, UnknownName
from jupyter_gov.sql.gate import Statement, tokens_of
from jupyter_gov.sql.names import near_matches, place_of

_MAKE_COLUMNS = (exp.Lateral, exp.Unnest, exp.UDTF, exp.RecursiveWithSearch)
_VALUES = {TokenType.STRING, TokenType.NUMBER}


class Named(Protocol):
    """A column, by its name."""

    @property
    def name(self) -> str: ...


class Relation(Protocol):
    """A table or view, as a catalog has it."""

    @property
    def name(self) -> str: ...

    @property
    def columns(self) -> Sequence[Named]: ...


class Relations(Protocol):
    """A catalog."""

    @property
    def tables(self) -> Mapping[str, Relation]: ...

    def resolve(self, name: str) -> str | None:
        """The table's own spelling; None if there is none of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """The columns that a statement would read."""

    columns: tuple[tuple[str, str], ...]
    """Table and column, in the catalog's spelling."""
    exact: bool
    """Whether the database itself said so; else these at most."""


def reads_of(statement: Statement, catalog: Relations, dialect: str) -> Reads:
    """Every column of the statement's tables that it may read."""
    tree, tables = statement.tree, _tables(statement, catalog)
    if tree is None:
        found = [(table.name, c.name) for table in tables.values() for c in table.columns]
        return Reads(columns=tuple(sorted(found)), exact=False)
    words = {t.text.lower() for t in tokens_of(statement.text, dialect)
             if t.token_type not in _VALUES}  # fmt: skip
    whole, found = set(_whole(tree)), []
    for table in tables.values():
        names = _called(tree, table) | {table.name.lower()}
        every = bool(whole & names) or "*" in whole
        found += [(table.name, c.name) for c in table.columns if every or c.name.lower() in words]
    return Reads(columns=tuple(sorted(found)), exact=False)


def _tables(statement: Statement, catalog: Relations) -> dict[str, Relation]:
    owned = filter(None, map(catalog.resolve, statement.relations))
    return {name: catalog.tables[name] for name in owned}


def _called(tree: exp.Expr, table: Relation) -> set[str]:
    """What the statement calls that table: its name, and each alias."""
    plain = table.name.rpartition(".")[2].lower()
    return {
        node.alias_or_name.lower() for node in tree.find_all(exp.Table)
        if node.name.lower() == plain
    } | {plain}  # fmt: skip


def _whole(tree: exp.Expr) -> Iterator[str]:
    """Names whose every column is taken, in lower case; ``*`` for those of all tables."""
    aliases = {node.alias_or_name.lower() for node in tree.find_all(exp.Table)}
    for column in tree.find_all(exp.Column):
        if isinstance(column.this, exp.Star):
            yield column.table.lower()
        elif column.name.lower() in aliases:  # a row as a value
            yield column.name.lower()
    for star in tree.find_all(exp.Star):
        if not isinstance(star.parent, exp.Count | exp.Column):
            yield "*"
    for join in tree.find_all(exp.Join):
        if join.args.get("method"):  # NATURAL compares what both have
            yield "*"
    for node in tree.find_all(exp.Table):
        alias = node.args.get("alias")
        if alias is not None and alias.columns:  # its columns are renamed by place
            yield node.alias_or_name.lower()


def check_columns(statement: Statement, catalog: Relations, dialect: str) -> None:
    """
    Raises UnknownName for a column that none of the statement's tables has.

    Silent where a name may come from something else.
    """
    tree, tables = statement.tree, _tables(statement, catalog)
    if tree is None:
        return
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            return  # a table function: its columns are not known here
    if tree.find(*_MAKE_COLUMNS) is not None:
        return
    made = {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
    for named in tree.find_all(exp.TableAlias):
        made |= {named.name.lower()} | {column.name.lower() for column in named.columns}
    columns = {c.name.lower() for table in tables.values() for c in table.columns}
    known = made | columns | {name for t in tables.values() for name in _called(tree, t)}
    for column in tree.find_all(exp.Column):
        if isinstance(column.this, exp.Star) or column.name.lower() in known:
            continue
        shown = f"{column.table}.{column.name}" if column.table else column.name
        raise UnknownName(
            f"there is no column {shown}",
            position=place_of(shown, statement.text, dialect),
            near=near_matches(column.name, sorted(columns)),
            next=Next("fix_sql"),
        )
