"""
What a statement is, and how much it could do: for approval, not for protection.

A read may simply run.  A write or a change of the schema may be approved; a write that touches at
most as many rows as it names by a unique key is *bounded* and may simply run where writing is
granted.  What steers transactions, administers the server or cannot be told is never approvable.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from jupyter_gov.errors import GovError
from jupyter_gov.sql import gate, postgres
from jupyter_gov.sql.bounded import is_bounded
from jupyter_gov.sql.postgres_lexemes import Kind, Lexeme, lexemes
from jupyter_gov.sql.relations import with_of
from jupyter_gov.sql.shadow import shadow
from jupyter_gov.sql.verbs import ADMIN_FUNCTIONS, WRITE_FUNCTIONS, verb_of

UniqueKeys = Mapping[str, Sequence[frozenset[str]]]
"""Table → the sets of columns of which each is unique, as the catalog spells them."""


class Class(enum.StrEnum):
    """What a statement does."""

    READ = "read"
    WRITE = "write"
    DDL = "ddl"
    ADMIN = "admin"
    TRANSACTION = "transaction"
    UNSAFE = "unsafe"


class Risk(enum.StrEnum):
    """How much it could do, least first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """One statement, told."""

    kind: Class
    risk: Risk
    bounded: bool = False
    """Of a write: whether it names its rows, by equality with a unique key."""
    why: str = ""
    """In a few words of ours."""

    @property
    def needs_approval(self) -> bool:
        """Whether it must not simply run."""
        return self.kind is not Class.READ and not self.bounded

    @property
    def approvable(self) -> bool:
        """Whether somebody may say yes to it."""
        return self.kind in (Class.READ, Class.WRITE, Class.DDL)


_RISKS = {
    Class.READ: Risk.LOW,
    Class.WRITE: Risk.HIGH,
    Class.DDL: Risk.HIGH,
    Class.ADMIN: Risk.CRITICAL,
    Class.TRANSACTION: Risk.HIGH,
    Class.UNSAFE: Risk.CRITICAL,
}
_DML = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


def classify(sql: str, dialect: str, functions: Set[str], unique_keys: UniqueKeys) -> Classified:
    """
    Never raises: what is not understood is unsafe.

    Args:
        functions: that a statement may call.
    """
    try:
        tree, words, called, found = _understood(sql, dialect)
    except (GovError, sqlglot.errors.SqlglotError, RecursionError) as error:
        return _of(Class.UNSAFE, getattr(error, "message", "the statement does not parse"))
    if (told := _by_functions(called, functions)) is not None:
        return told
    verb = verb_of(words, dialect)
    if words[0] == "with":
        verb = "dml" if isinstance(tree, _DML) else "query"
    if verb in ("query", "dml") and tree is not None:
        try:
            postgres.check_calls(sql, _without_targets(found), tree, functions)
        except GovError as refusal:
            return _of(Class.UNSAFE, refusal.message)
    if verb == "query":
        return _of_query(sql, dialect, functions, tree)
    if verb == "dml":
        return _of_dml(tree, unique_keys)
    # A pragma that writes changes the whole file.
    risk = Risk.CRITICAL if words[0] == "pragma" and verb == "write" else None
    return _of(Class(verb), words[0].upper(), risk)


def _of(kind: Class, why: str, risk: Risk | None = None) -> Classified:
    return Classified(kind=kind, risk=risk or _RISKS[kind], why=why)


def _of_query(sql: str, dialect: str, functions: Set[str], tree: exp.Expr | None) -> Classified:
    if tree is None:
        return _of(Class.UNSAFE, "the statement does not parse")
    if next(tree.find_all(*_DML), None) is not None:
        return _of(Class.WRITE, "a write inside a query")
    if next(tree.find_all(exp.Into), None) is not None:
        return _of(Class.DDL, "SELECT INTO makes a table")
    if next(tree.find_all(exp.Lock), None) is not None:
        return _of(Class.WRITE, "it locks rows", Risk.MEDIUM)
    try:
        gate.read(sql, dialect, functions)
    except GovError as refusal:
        return _of(Class.UNSAFE, refusal.message)
    recursive = any(w.args.get("recursive") for w in tree.find_all(exp.With))
    return _of(Class.READ, "", Risk.MEDIUM if recursive else None)


def _of_dml(tree: exp.Expr | None, unique_keys: UniqueKeys) -> Classified:
    if not isinstance(tree, _DML):
        return _of(Class.WRITE, "the write is not understood", Risk.CRITICAL)
    with_ = with_of(tree)
    if with_ is not None and next(with_.find_all(*_DML), None) is not None:
        return _of(Class.WRITE, "a write inside a write", Risk.CRITICAL)
    if is_bounded(tree, unique_keys):
        return Classified(
            kind=Class.WRITE, risk=Risk.MEDIUM, bounded=True, why="it names its rows by a key"
        )
    return _of(Class.WRITE, "it does not name its rows by a key", Risk.CRITICAL)


def _by_functions(called: Sequence[str], functions: Set[str]) -> Classified | None:
    """What the worst of the functions makes of it; None if all may be called."""
    unlisted = [name for name in called if name not in functions]
    if not unlisted:
        return None
    kinds = [
        WRITE_FUNCTIONS.get(name) or ("admin" if name.startswith(ADMIN_FUNCTIONS) else "unsafe")
        for name in unlisted
    ]
    for name, kind in zip(unlisted, kinds, strict=True):
        if kind == "unsafe":
            return _of(Class.UNSAFE, f"it calls {name}")
    for name, kind in zip(unlisted, kinds, strict=True):
        if kind == "admin":
            return _of(Class.ADMIN, f"it calls {name}")
    lock = all(kind == "lock" for kind in kinds)
    return _of(Class.WRITE, f"it calls {unlisted[0]}", Risk.MEDIUM if lock else None)


def _without_targets(found: Sequence[Lexeme]) -> list[Lexeme]:
    """Without the table after INTO, whose list of columns would look like a call."""
    kept: list[Lexeme] = []
    target = False
    for lexeme in found:
        target = lexeme.word("into") or (target and (lexeme.named or lexeme.mark(".")))
        if not target or lexeme.word("into"):
            kept.append(lexeme)
    return kept


def _understood(
    sql: str, dialect: str
) -> tuple[exp.Expr | None, list[str], list[str], list[Lexeme]]:
    """
    The tree if it parses, its first words in lower case, what it calls, and PostgreSQL's tokens.

    Raises GovError and sqlglot's errors for what is not one statement.
    """
    if dialect == "postgres":
        found = gate.one_statement(sql, lexemes(sql))
        if found[0].word("explain"):
            found = _explained(found)
        words = [each.value if each.kind is Kind.WORD else "" for each in found[:6]]
        return _tree(shadow(sql, found)), words, _called(found), found
    if dialect != "sqlite":
        return None, ["unknown"], [], []
    tokens = gate.tokens_of(sql, dialect)
    trees = [tree for tree in sqlglot.parse(sql, dialect=dialect) if tree is not None]
    if len(trees) != 1:
        raise sqlglot.ParseError("not one statement")
    words = [token.text.lower() for token in tokens[:6]]
    names = [node.name.lower() for node in trees[0].find_all(exp.Anonymous)]
    return trees[0], words, [name for name in names if not name.startswith("pragma_")], []


def _explained(found: Sequence[Lexeme]) -> list[Lexeme]:
    """The statement after EXPLAIN and its options, whatever they are."""
    at = 1
    if at < len(found) and found[at].mark("(") and not found[at + 1].word("select", "with"):
        while at < len(found) and not found[at].mark(")"):
            at += 1
        at += 1
    while at < len(found) and found[at].word("analyze", "analyse", "verbose"):
        at += 1
    return list(found[at:]) or list(found)


def _tree(stand_in: str) -> exp.Expr | None:
    try:
        trees = [tree for tree in sqlglot.parse(stand_in, dialect="postgres") if tree is not None]
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None
    return trees[0] if len(trees) == 1 else None


def _called(found: Sequence[Lexeme]) -> list[str]:
    """Names of PostgreSQL's own that a parenthesis follows and that act, or might."""
    names = []
    for index, lexeme in enumerate(found[:-1]):
        acts = lexeme.value in WRITE_FUNCTIONS or lexeme.value.startswith(
            (*ADMIN_FUNCTIONS, "pg_", "lo_", "dblink", "query_to_xml", "set_config")
        )
        if lexeme.named and found[index + 1].mark("(") and acts:
            names.append(lexeme.value)
    return names
