"""
The doorman: exactly one statement, of an allowed kind, understood.

The engine is the wall; the gate gives early, friendly refusals and says which relations a
statement names, so that a grant can be chosen.  What it does not understand does not pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from jupyter_gov.errors import BadSyntax, Next, Position, StatementRefused
from jupyter_gov.sql import postgres
from jupyter_gov.sql.expansion import MAX_NODES, MAX_WINDOWS, nodes_expanded, windows
from jupyter_gov.sql.explain import query_of
from jupyter_gov.sql.places import position_of as position_of
from jupyter_gov.sql.postgres_lexemes import Kind, Lexeme, lexemes
from jupyter_gov.sql.relations import Reference, references, with_of
from jupyter_gov.sql.shadow import shadow, shadow_of_tokens
from jupyter_gov.sql.tokens import tokens_of as tokens_of

MAX_SQL = 100_000
"""Characters."""

_READS = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)
_NEVER = (
    exp.DDL, exp.DML, exp.Command, exp.Pragma, exp.Attach, exp.Detach, exp.Drop, exp.Alter,
    exp.Transaction, exp.Commit, exp.Rollback, exp.Set, exp.Use, exp.Describe, exp.Lock, exp.Into,
)  # fmt: skip
_BEGINNINGS = frozenset({"select", "with", "values", "table"})
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
    """
    CTEs left out: in SQLite as the user spelled them without a schema; in PostgreSQL folded, as
    ``schema.table`` where the user wrote a schema.
    """
    binds: tuple[str, ...]
    sources: tuple[Source | None, ...] | None
    """
    Where plain output columns come from; None where that cannot be said.  A net, never the wall.
    """
    tree: exp.Expr | None = field(default=None, repr=False, compare=False)
    """As it was parsed, for an engine that has to spell it otherwise."""
    dialect: str = "sqlite"
    kind: str = "query"
    """``query`` or ``explain``."""
    begin: int = 0
    """Where the query itself begins in *text*: after EXPLAIN and its options."""


def read(sql: str, dialect: str, functions: Set[str] = frozenset()) -> Statement:
    """
    Let a statement pass or say why not.  Raises StatementRefused, BadSyntax.

    Args:
        functions: the engine's allow-list, in lower case; where the gate decides about functions
            (PostgreSQL), none that is not on it passes.  ``schema.name`` allows a call with that
            schema.
    """
    if len(sql) > MAX_SQL:
        raise StatementRefused(
            f"the statement is longer than {MAX_SQL:,} characters", hint="Bind values instead."
        )
    if "\0" in sql:
        raise StatementRefused("the statement contains a NUL character")
    if dialect == "postgres":
        return _read_postgres(sql, functions)
    tree, binds = _parse(sql, dialect)
    relations = _allowed(tree, dialect)
    return _statement(sql, dialect, tree, relations, binds)


def _read_postgres(sql: str, functions: Set[str]) -> Statement:
    """From the server's own tokens: what the parser is given cannot be read in two ways."""
    found = lexemes(sql)
    found = one_statement(sql, found)
    kind, first = query_of(sql, found)
    own = found[first:]
    if not own[0].word(*_BEGINNINGS) and not own[0].mark("("):
        word = own[0].value.upper()
        raise _no_read(word if own[0].kind is Kind.WORD and len(word) < 16 else "no query")
    postgres.check_words(sql, own)
    tree = _tree_of(sql, own)
    postgres.restore(tree, own)
    relations = _allowed(tree, "postgres")
    postgres.check(sql, own, tree, relations, functions)
    binds = tuple(dict.fromkeys(each.value for each in own if each.kind is Kind.BIND))
    return _statement(sql, "postgres", tree, relations, binds, kind, own[0].start)


def _tree_of(sql: str, own: Sequence[Lexeme]) -> exp.Expr:
    """Once more without the functions' names, of whose arguments the parser may think otherwise."""
    stand_in = shadow(sql, own)
    try:
        return _parsed(stand_in, _tokens_like(stand_in, own), "postgres", sql)
    except BadSyntax as first:
        if first.position is None:
            raise
        stand_in = shadow(sql, own, plain_calls=True)
        try:
            return _parsed(stand_in, _tokens_like(stand_in, own), "postgres", sql)
        except BadSyntax:
            raise first from None


def _statement(
    sql: str,
    dialect: str,
    tree: exp.Expr,
    relations: Sequence[Reference],
    binds: tuple[str, ...],
    kind: str = "query",
    begin: int = 0,
) -> Statement:
    return Statement(
        text=sql,
        action="read",
        relations=tuple(dict.fromkeys(each.spelled for each in relations)),
        binds=binds,
        sources=_sources(tree, {id(each.node): each.spelled for each in relations}),
        tree=tree,
        dialect=dialect,
        kind=kind,
        begin=begin,
    )


def _allowed(tree: exp.Expr, dialect: str) -> list[Reference]:
    """The relations of a tree that is a query and nothing else.  Raises StatementRefused."""
    if not isinstance(tree, _READS):
        raise _no_read(_kind(tree))
    for node in tree.walk():
        if isinstance(node, _NEVER):
            raise StatementRefused(f"{_kind(node)} is not allowed inside a query", next=_FIX)
    _check_size(tree)
    return references(tree, dialect)


def _no_read(kind: str) -> StatementRefused:
    return StatementRefused(
        "only reading is allowed here: SELECT, VALUES, WITH … SELECT",
        hint=f"This is {kind}, and no grant covers it.",
        next=_FIX,
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


def _parse(sql: str, dialect: str) -> tuple[exp.Expr, tuple[str, ...]]:
    """The tree, and the names of the parameters in order."""
    stand_in = shadow_of_tokens(sql, tokens_of(sql, dialect))
    tokens = tokens_of(stand_in, dialect)
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise BadSyntax("there is no statement", next=_FIX)
    binds: dict[str, None] = {}
    for index, token in enumerate(tokens):
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
        if token.token_type == TokenType.COLON and index + 1 < len(tokens):
            after = tokens[index + 1]
            binds[sql[after.start : after.end + 1]] = None
    tree = _parsed(stand_in, tokens, dialect, sql)
    if not all(name.isidentifier() for name in binds):
        raise StatementRefused("parameters are written :name", next=_FIX)
    return tree, tuple(binds)


def _parsed(stand_in: str, tokens: list[Token], dialect: str, sql: str) -> exp.Expr:
    """The tree of one statement.  Raises BadSyntax with the place in the user's own text."""
    try:
        trees = [tree for tree in sqlglot.parse(stand_in, dialect=dialect) if tree is not None]
    except sqlglot.ParseError as error:
        position = _place_of(error, tokens, sql)
        raise BadSyntax("the statement does not parse", position=position, next=_FIX) from None
    except Exception:  # as above; RecursionError among others
        raise BadSyntax("the statement does not parse", next=_FIX) from None
    if len(trees) != 1:
        raise StatementRefused("exactly one statement at a time", next=_FIX)
    return trees[0]


def one_statement(sql: str, found: list[Lexeme]) -> list[Lexeme]:
    """Without semicolons at the end.  Raises BadSyntax, StatementRefused."""
    while found and found[-1].mark(";"):
        found.pop()
    if not found:
        raise BadSyntax("there is no statement", next=_FIX)
    for lexeme in found:
        if lexeme.mark(";"):
            raise StatementRefused(
                "exactly one statement at a time",
                position=position_of(sql, lexeme.start),
                next=_FIX,
            )
    return found


def _tokens_like(stand_in: str, found: Sequence[Lexeme]) -> list[Token]:
    """The parser's tokens, each within one of the server's or made of whole ones."""
    tokens = tokens_of(stand_in, "postgres")
    starts = {lexeme.start for lexeme in found}
    ends = {lexeme.end for lexeme in found}
    inside = {
        at
        for lexeme in found
        if lexeme.kind in (Kind.OPERATOR, Kind.BIND) or lexeme.value in ("::", ":=")
        for at in range(lexeme.start + 1, lexeme.end)
    }
    for token in tokens:
        begins = token.start in starts or token.start in inside
        if not begins or not (token.end + 1 in ends or token.end + 1 in inside):
            raise BadSyntax(
                "the statement does not parse",
                position=position_of(stand_in, token.start),
                next=_FIX,
            )
    return tokens


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


def _sources(tree: exp.Expr, relations: Mapping[int, str]) -> tuple[Source | None, ...] | None:
    if not isinstance(tree, exp.Select) or with_of(tree) is not None:
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
        by_alias[table.alias_or_name.lower()] = relations.get(id(table), table.name)
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
