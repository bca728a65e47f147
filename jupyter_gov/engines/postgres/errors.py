"""
What PostgreSQL says when it fails, in our words.

The text is chosen by the error's code; names and places are the user's own, found in their
statement from the position that the server gives.  Neither its message nor detail, hint or
context is passed on.
"""

from __future__ import annotations

import logging
import traceback

import adbc_driver_manager as adbc
import psycopg

from jupyter_gov.connections.model import Catalog, Column, Table
from jupyter_gov.engines.postgres import states
from jupyter_gov.engines.postgres.functions import FUNCTIONS
from jupyter_gov.errors import (
    BadSyntax,
    DatabaseUnavailable,
    EngineRefused,
    GovError,
    Next,
    QueryFailed,
    UnknownName,
)
from jupyter_gov.masking.model import Profile, Treatment
from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.names import near_matches
from jupyter_gov.sql.places import position_of
from jupyter_gov.sql.postgres_lexemes import Kind, Lexeme, lexemes
from jupyter_gov.sql.qualify import same_place
from jupyter_gov.sql.relations import references

_log = logging.getLogger(__name__)
_FIX = Next("fix_sql")
_GONE = ("server closed", "terminating connection", "connection to server", "no connection")


def state_of(error: BaseException) -> str:
    """The five signs of an error's code, empty if it has none."""
    return str(getattr(error, "sqlstate", None) or "")


def unavailable(
    connection: str, error: BaseException, *, gateways: bool = False
) -> DatabaseUnavailable:
    """
    A database that cannot be had, and who can do something about it.

    Args:
        gateways: it was the gateway's own login that asked, not a grant's.
    """
    state = state_of(error)
    if state == "53300" or "too many connections" in str(error):
        return DatabaseUnavailable(
            f"the database of {connection} has no room for another session",
            hint="Try again in a moment.",
            next=Next("retry"),
        )
    if state.startswith("28") or (not state and "authentication failed" in str(error)):
        if gateways:
            return DatabaseUnavailable(
                f"the database of {connection} does not let the gateway in",
                hint="Is it provisioned, and is the connection's secret the login's password?"
                f" See: jupyter gov provision {connection} --check",
                next=Next("ask_admin"),
            )
        return DatabaseUnavailable(
            f"the database of {connection} does not let the grant's role in: it may have ended",
            hint=f"Ask for a new grant: %gov request {connection} --for 30m",
            next=Next(
                "request_grant",
                magic=f"%gov request {connection} --for 30m",
                call=f'gov.request("{connection}", duration="30m")',
            ),
        )
    if state.startswith("57P") or state in states.AGAIN or state.startswith("08"):
        return DatabaseUnavailable(
            f"the connection to the database of {connection} was lost",
            hint="Nothing was changed.  Try again in a moment.",
            next=Next("retry"),
        )
    return DatabaseUnavailable(
        f"the database of {connection} cannot be reached",
        hint="Its administrator should check that it runs and lets the gateway in.",
        next=Next("ask_admin"),
    )


class Words:
    """Says what went wrong with one statement of one connection."""

    def __init__(
        self,
        connection: str,
        statement: Statement,
        catalog: Catalog,
        profile: Profile,
        executed: str = "",
    ) -> None:
        """
        Args:
            executed: the text that the server was given for the statement, whose positions it
                tells; the user's own if empty.
        """
        self._connection = connection
        self._sql = statement.text
        self._statement = statement
        self._catalog = catalog
        self._profile = profile
        self._executed = executed or statement.text

    def of(self, error: BaseException) -> GovError:
        """The error to raise instead."""
        if isinstance(error, GovError):
            return error
        state = state_of(error)
        if state in states.STOPPED or _cancelled(error):
            return QueryFailed("the statement was stopped")
        if state in states.TOO_MUCH or isinstance(error, MemoryError):
            return _too_much(states.TOO_MUCH.get(state, "memory"))
        if state.startswith(states.AWAY) or state in states.AGAIN or _is_gone(error, state):
            return unavailable(self._connection, error)
        if not isinstance(error, psycopg.Error | adbc.Error):
            return _fault(error)
        return self._by_state(state, self._offset(error))

    def _by_state(self, state: str, offset: int | None) -> GovError:
        position = None if offset is None else position_of(self._sql, offset)
        match state:
            case "42601":
                return BadSyntax(states.TEXTS[state], position=position, next=_FIX)
            case "42P01" | "3F000":
                return self._unknown_table(offset)
            case "42703":
                return self._unknown_column(offset)
            case "42704":
                return self._unknown("type or collation", offset, ())
            case "42501" | "25006":
                return self._refusal(offset)
            case "42883":
                return self._no_function(offset)
        if state in states.TYPES and (told := self._by_treatment(state, offset)) is not None:
            return told
        if state in states.TEXTS:
            hint = "Write it as table.column." if state == "42702" else ""
            return QueryFailed(states.TEXTS[state], hint=hint, position=position, next=_FIX)
        return QueryFailed(
            "the database could not run the statement",
            hint="Its own message is not shown, since it may contain values.",
            position=position,
            next=_FIX,
        )

    # ------------------------------------------------------------ places

    def _offset(self, error: BaseException) -> int | None:
        """Where in the user's own text the server saw the mistake."""
        given = getattr(getattr(error, "diag", None), "statement_position", None)
        if given is None or not str(given).isdigit():
            return None
        try:
            return same_place(self._executed, int(given) - 1, self._sql)
        except GovError:
            return None

    def _lexemes(self) -> list[Lexeme]:
        try:
            return lexemes(self._sql)
        except GovError:
            return []

    def _name_at(self, offset: int | None) -> str:
        """The name that begins there, with its qualifiers, as the user wrote it."""
        found = self._lexemes()
        at = next((i for i, each in enumerate(found) if each.start == offset), None)
        if at is None or not found[at].named:
            return ""
        last = at
        while last + 2 < len(found) and found[last + 1].mark(".") and found[last + 2].named:
            last += 2
        return self._sql[found[at].start : found[last].end]

    # ------------------------------------------------------------ names

    def _unknown(self, kind: str, offset: int | None, known: tuple[str, ...]) -> GovError:
        name = self._name_at(offset)
        if offset is None or not name:
            return QueryFailed(f"a {kind} of the statement is not known", next=_FIX)
        return UnknownName(
            f"there is no {kind} {name}",
            position=position_of(self._sql, offset),
            near=near_matches(name.replace('"', ""), known),
            next=_FIX,
        )

    def _unknown_table(self, offset: int | None) -> GovError:
        name = self._name_at(offset)
        tree = self._statement.tree
        places = [] if tree is None else [each.begin for each in references(tree, "postgres")]
        if offset is not None and "." in name and offset not in places:
            table = name.rpartition(".")[0]
            return UnknownName(
                f"there is no table {table} in FROM",
                position=position_of(self._sql, offset),
                near=near_matches(table.replace('"', ""), self._statement.relations),
                next=_FIX,
            )
        return self._unknown("table", offset, tuple(self._catalog.tables))

    def _unknown_column(self, offset: int | None) -> GovError:
        name = self._name_at(offset).rpartition(".")[2].replace('"', "")
        columns = [(t, c) for t in self._tables() for c in t.columns]
        for table, column in columns:
            if name and name.lower() == column.name.lower():
                # The catalog has it and the projection has not: nobody decided about it yet.
                return EngineRefused(
                    f"{table.name}.{column.name} is not among the columns that are shown",
                    hint="It has no tag yet, or was added since the masked views were made. Its"
                    f" administrator can tag it and run: jupyter gov provision {self._connection}",
                    position=None if offset is None else position_of(self._sql, offset),
                    next=Next("ask_admin"),
                )
        return self._unknown("column", offset, tuple(sorted({c.name for _, c in columns})))

    def _refusal(self, offset: int | None) -> GovError:
        named = self._statement.relations
        what = named[0] if len(named) == 1 else "all that the statement names"
        return EngineRefused(
            f"the grant does not cover {what}",
            hint=f"Its tables are listed by %gov tables; ask for more with %gov request"
            f" {self._connection}.",
            position=None if offset is None else position_of(self._sql, offset),
            next=Next("narrow", magic="%gov tables", call="con.tables()"),
        )

    def _no_function(self, offset: int | None) -> GovError:
        """Of that name, or for what it is given."""
        told = self._by_treatment("42883", offset)
        if told is not None:
            return told
        name = self._name_at(offset).lower()
        position = None if offset is None else position_of(self._sql, offset)
        if not name:
            return QueryFailed(
                "there is no such operator for these types",
                hint="Cast one side: value::text, value::int.",
                position=position,
                next=_FIX,
            )
        if name.removeprefix("pg_catalog.") in FUNCTIONS:
            return QueryFailed(
                f"the function {name} does not take what it is given",
                hint="Cast it: value::text, value::int.  Not every version has every function.",
                position=position,
                next=_FIX,
            )
        return self._unknown("function", offset, tuple(FUNCTIONS))

    # ------------------------------------------------------------ treatments

    def _by_treatment(self, state: str, offset: int | None) -> GovError | None:
        """A type that does not fit since a column is not what it was."""
        treated = [each for each in self._near(offset) if self._is_other(each[1])]
        if not treated:
            return None
        said, types = [], []
        for _, column in treated:
            policy = self._profile.policy(column.tag)
            after = policy.treated_type(column.type)
            said.append(f"{column.name} is treated: {policy.treatment}")
            if after.lower() != column.type.lower():
                types.append(f"{column.name} is {after} here, not {column.type}")
        text = states.TEXTS.get(state, "this does not fit the types it is given")
        at = treated[0][0] if len(treated) == 1 else offset
        return QueryFailed(
            f"{text}; {', '.join(dict.fromkeys(said))}",
            hint=". ".join(
                [
                    *dict.fromkeys(types),
                    f"%gov tables {self._connection} shows what each column becomes",
                ]
            )
            + ".",
            position=None if at is None else position_of(self._sql, at),
            next=_FIX,
        )

    def _is_other(self, column: Column) -> bool:
        return self._profile.policy(column.tag).treatment is not Treatment.CLEAR

    def _near(self, offset: int | None) -> list[tuple[int, Column]]:
        """Columns that what stands at a place takes; all of the statement if it is not known."""
        found = self._lexemes()
        at = next((i for i, each in enumerate(found) if each.start == offset), None)
        if at is None:
            return self._columns(found)
        if at + 1 < len(found) and found[at + 1].mark("("):
            return self._columns(found[at : _closed(found, at + 1)])
        if found[at].kind is Kind.OPERATOR:
            return self._columns(found[_left(found, at) : _right(found, at)])
        return self._columns(found[at : _right(found, at)])

    def _columns(self, found: list[Lexeme]) -> list[tuple[int, Column]]:
        known = {c.name: c for table in self._tables() for c in table.columns}
        return [
            (each.start, known[each.value])
            for index, each in enumerate(found)
            if each.named
            and each.value in known
            and not (index + 1 < len(found) and found[index + 1].value in (".", "("))
        ]

    def _tables(self) -> list[Table]:
        resolve = self._catalog.resolve
        owned = (
            resolve(name) or resolve(name.rpartition(".")[2]) for name in self._statement.relations
        )
        return [self._catalog.tables[name] for name in owned if name is not None]


def _left(found: list[Lexeme], at: int) -> int:
    """Where the operand before an operator begins."""
    depth = 0
    for index in range(at - 1, -1, -1):
        each = found[index]
        depth += each.value in (")", "]") and each.kind is Kind.MARK
        depth -= each.value in ("(", "[") and each.kind is Kind.MARK
        ends = each.word("where", "and", "or", "select", "on", "by", "having", "when", "then")
        if depth < 0 or (depth == 0 and (ends or each.mark(","))):
            return index + 1
    return 0


def _right(found: list[Lexeme], at: int) -> int:
    """Where the operand after an operator has ended."""
    depth = 0
    for index in range(at + 1, len(found)):
        each = found[index]
        depth += each.value in ("(", "[") and each.kind is Kind.MARK
        depth -= each.value in (")", "]") and each.kind is Kind.MARK
        ends = each.word("from", "and", "or", "group", "order", "limit", "then", "end", "as")
        if depth < 0 or (depth == 0 and (ends or each.mark(","))):
            return index
    return len(found)


def _closed(found: list[Lexeme], opened: int) -> int:
    depth = 0
    for index in range(opened, len(found)):
        depth += found[index].mark("(")
        depth -= found[index].mark(")")
        if depth == 0:
            return index
    return len(found)


def _cancelled(error: BaseException) -> bool:
    status = getattr(error, "status_code", None)
    return status in (adbc.AdbcStatusCode.CANCELLED, adbc.AdbcStatusCode.TIMEOUT)


def _is_gone(error: BaseException, state: str) -> bool:
    if state:
        return False
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError):
        return True
    return isinstance(error, adbc.Error) and any(sign in str(error) for sign in _GONE)


def _too_much(what: str) -> QueryFailed:
    return QueryFailed(
        f"the statement needs more {what} than there is for one",
        hint="Narrow it: fewer or shorter rows, or a sort of fewer columns.",
        next=_FIX,
    )


def _fault(error: BaseException) -> QueryFailed:
    # Only the place is logged: the message of a library's error may contain values.
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "nowhere"
    _log.error("fault %s at %s", type(error).__name__, where)
    return QueryFailed(
        "the gateway failed while running the statement",
        hint="The gateway's own log says where; the record says that it happened.",
    )
