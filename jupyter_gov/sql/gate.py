"""
The doorman: exactly one statement, of an allowed kind, understood.

The engine is the wall; the gate gives early, friendly refusals and says which relations a
statement names, so that a grant can be chosen.  What it does not understand does not pass.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from jupyter_gov.errors import BadSyntax, Next, Position, StatementRefused
from jupyter_gov.sql.expansion import MAX_NODES, MAX_WINDOWS, nodes_expanded, windows

# sqlglot warns with the statement's own text, which may hold what must not be in a log.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

MAX_SQL = 100_000
"""Characters."""

_READS = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)
_NEVER = (
    exp.DDL, exp.DML, exp.Command, exp.Pragma, exp.Attach, exp.Detach, exp.Drop, exp.Alter,
    exp.Transaction, exp.Commit, exp.Rollback, exp.Set, exp.Use, exp.Describe, exp.Lock, exp.Into,
)  # fmt: skip
_OTHER_BINDS = {TokenType.PLACEHOLDER, TokenType.PARAMETER}
_FIX = Next("fix_sql")


@dataclass(frozen=True, slots=True)
class Source:
    """The base column that an output column shows as it is; ``*`` for all of a relation's."""

    relation: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement that passed the gate."""

    text: str
    action: str
    relations: tuple[str, ...]
    """As the user spelled them, CTEs left out."""
    binds: tuple[str, ...]
    sources: tuple[Source | None, ...] | None
    """
    Where plain output columns come from; None where that cannot be said.  A net, never the wall.
    """
    tree: exp.Expr | None = field(default=None, repr=False, compare=False)
    """As it was parsed, for an engine that has to spell it otherwise."""


def tokens_of(sql: str, dialect: str) -> list[Token]:
    """Tokens with their offsets.  Raises BadSyntax."""
    try:
        return sqlglot.tokenize(sql, read=dialect)
    except Exception:  # whatever a library makes of a hostile text, it is not understood
        raise BadSyntax("the statement does not parse", next=_FIX) from None


def position_of(sql: str, offset: int) -> Position:
    """Line and column of an offset."""
    before = sql[:offset]
    return Position(
        line=before.count("\n") + 1, column=offset - (before.rfind("\n") + 1) + 1, offset=offset
    )


def read(sql: str, dialect: str) -> Statement:
    """Let a statement pass or say why not.  Raises StatementRefused, BadSyntax."""
    if len(sql) > MAX_SQL:
        raise StatementRefused(
            f"the statement is longer than {MAX_SQL:,} characters", hint="Bind values instead."
        )
    if "\0" in sql:
        raise StatementRefused("the statement contains a NUL character")
    tree = _parse(sql, dialect)
    if not isinstance(tree, _READS):
        raise StatementRefused(
            "only reading is allowed here: SELECT, VALUES, WITH … SELECT",
            hint=f"This is {_kind(tree)}, and no grant covers it.",
            next=_FIX,
        )
    for node in tree.walk():
        if isinstance(node, _NEVER):
            raise StatementRefused(f"{_kind(node)} is not allowed inside a query", next=_FIX)
    _check_size(tree)
    return Statement(
        text=sql,
        action="read",
        relations=_relations(tree),
        binds=_binds(tree),
        sources=_sources(tree),
        tree=tree,
    )


def _check_size(tree: exp.Expr) -> None:
    """What a database would put in before its first step, where no timeout reaches it."""
    try:
        fits = nodes_expanded(tree) <= MAX_NODES and windows(tree) <= MAX_WINDOWS
    except RecursionError:
        fits = False
    if not fits:
        raise StatementRefused(
            "the statement is too large once its subqueries are put in",
            hint="Each use of a CTE counts its whole text again, and each different window is a"
            " subquery of its own.",
            next=_FIX,
        )


def _parse(sql: str, dialect: str) -> exp.Expr:
    tokens = tokens_of(sql, dialect)
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise BadSyntax("there is no statement", next=_FIX)
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            raise StatementRefused(
                "exactly one statement at a time",
                position=position_of(sql, token.start),
                next=_FIX,
            )
        if token.token_type in _OTHER_BINDS or (
            token.token_type == TokenType.VAR and token.text.startswith("$")
        ):
            raise StatementRefused(
                "parameters are written :name",
                hint="Other forms (?, ?1, @name, $name) are not taken.",
                position=position_of(sql, token.start),
                next=_FIX,
            )
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=dialect) if tree is not None]
    except sqlglot.ParseError as error:
        position = _place_of(error, tokens, sql)
        raise BadSyntax("the statement does not parse", position=position, next=_FIX) from None
    except Exception:  # as above; RecursionError among others
        raise BadSyntax("the statement does not parse", next=_FIX) from None
    if len(trees) != 1:
        raise StatementRefused("exactly one statement at a time", next=_FIX)
    return trees[0]


def _place_of(error: sqlglot.ParseError, tokens: list[Token], sql: str) -> Position | None:
    """Where the parser stopped.  It tells of its token's end: the start is looked up."""
    where = error.errors[0] if error.errors else {}
    stopped = (where.get("line"), where.get("col"))
    found = next((token for token in tokens if (token.line, token.col) == stopped), None)
    return None if found is None else position_of(sql, found.start)


def _kind(node: exp.Expr) -> str:
    if isinstance(node, exp.Command):
        word = str(node.this).upper()
        return word if word.isalpha() and len(word) < 16 else "a command"
    return type(node).__name__.upper() if isinstance(node, _NEVER) else "no query"


def _relations(tree: exp.Expr) -> tuple[str, ...]:
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    names: dict[str, None] = {}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            continue  # a table function: the engine decides
        if table.db or table.name.lower() not in ctes:
            names[table.name] = None
    for inside in tree.find_all(exp.In):
        # `x IN claims` names a table without FROM; the parser takes it for a column or a text.
        field = inside.args.get("field")
        if isinstance(field, exp.Column | exp.Literal) and (
            field.name.lower() not in ctes or field.args.get("table")
        ):
            names[field.name] = None
    return tuple(names)


def _binds(tree: exp.Expr) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for node in tree.find_all(exp.Placeholder, exp.Parameter):
        name = node.this if isinstance(node, exp.Placeholder) else None
        if not isinstance(name, str) or not name.isidentifier():
            raise StatementRefused("parameters are written :name", next=_FIX)
        names[name] = None
    return tuple(names)


def _sources(tree: exp.Expr) -> tuple[Source | None, ...] | None:
    if not isinstance(tree, exp.Select) or tree.args.get("with_") or tree.args.get("with"):
        return None
    joins = tree.args.get("joins") or []
    if any(join.args.get("using") or join.args.get("method") for join in joins):
        return None
    origin = tree.args.get("from_") or tree.args.get("from")
    tables = [origin.this] if origin is not None else []
    tables += [join.this for join in joins]
    by_alias: dict[str, str] = {}
    for table in tables:
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            return None
        by_alias[table.alias_or_name.lower()] = table.name
    return tuple(source for item in tree.expressions for source in _source(item, by_alias))


def _source(item: exp.Expr, by_alias: dict[str, str]) -> list[Source | None]:
    item = item.unalias()
    if isinstance(item, exp.Star):
        return [Source(table, "*") for table in by_alias.values()]
    if not isinstance(item, exp.Column):
        return [None]
    alias = item.table.lower()
    if alias in by_alias:
        return [Source(by_alias[alias], "*" if isinstance(item.this, exp.Star) else item.name)]
    if not alias and len(by_alias) == 1:
        return [Source(next(iter(by_alias.values())), item.name)]
    return [None]
