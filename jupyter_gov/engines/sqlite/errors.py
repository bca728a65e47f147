"""
What SQLite says when it fails, in our words.

Its own texts may hold values (``JSON path error near '900-11-2233'``), so none is passed on.  A
name is repeated only if it stands in the user's own statement.
"""

from __future__ import annotations

import re
import sqlite3

from jupyter_gov.connections.model import Table
from jupyter_gov.engines.sqlite.functions import FUNCTIONS
from jupyter_gov.engines.sqlite.guard import Guard
from jupyter_gov.errors import (
    BadSyntax,
    DatabaseUnavailable,
    EngineRefused,
    GovError,
    Next,
    Position,
    QueryFailed,
    UnknownName,
)
from jupyter_gov.sql.names import near_matches, place_of

_FIX = Next("fix_sql")
_NO_SUCH = re.compile(r"no such (column|table|function): (.+?)(?: - should this be .*)?", re.DOTALL)
_TEXTS = {
    "integer overflow": "a whole number grew too large",
    "too many terms in compound SELECT": "too many SELECTs are joined by UNION",
    "Expression tree is too large": "the statement is nested too deeply",
    "parser stack overflow": "the statement is nested too deeply",
    "malformed JSON": "a JSON function was given something that is not JSON",
    "wrong number of arguments": "a function was given the wrong number of arguments",
    "misuse of aggregate": "an aggregate stands where none may stand",
    "misuse of window": "a window function stands where none may stand",
    "do not have the same number of result columns": "the SELECTs differ in their columns",
    "ORDER BY term": "ORDER BY names something that is not in the result",
    "GROUP BY term": "GROUP BY names something that is not in the result",
    "one statement": "exactly one statement at a time",
    "LIKE or GLOB pattern too complex": "a LIKE pattern is too long",
    "Could not decode": "a text of the database is not UTF-8",
    "user-defined function raised": "a value of the database could not be treated",
    "too many columns in": "there are too many columns",
    "too many terms in": "there are too many terms in ORDER BY or GROUP BY",
    "at most 64 tables in a join": "too many tables are joined",
    "no such index": "there is no such index: views have none",
    "no such collation": "there is no such collation",
    "sub-select returns": "a subquery gives more columns than are asked for",
    "row value misused": "a row value stands where a single value is needed",
}


def unavailable(connection: str, error: Exception) -> DatabaseUnavailable:
    """A file that cannot be read, and who can do something about it."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CANTOPEN) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseUnavailable(
            f"the database of {connection} is busy: something else writes to it",
            hint="Try again in a moment.",
            next=Next("retry"),
        )
    if "cannot reference objects in database" in str(error):
        return DatabaseUnavailable(
            f"the database of {connection} cannot be attached under another name",
            hint="A view or trigger of it says main.TABLE: its owner should make that again"
            " without main.",
            next=Next("ask_admin"),
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseUnavailable(
            f"the database of {connection} is damaged",
            hint="Its administrator should check the file.",
            next=Next("ask_admin"),
        )
    return DatabaseUnavailable(
        f"the database of {connection} cannot be opened",
        hint="Its administrator should check that the file exists and may be read.",
        next=Next("ask_admin"),
    )


class Words:
    """Says what went wrong with one statement of one connection."""

    def __init__(self, connection: str, sql: str, guard: Guard) -> None:
        self._connection = connection
        self._sql = sql
        self._guard = guard

    def of(self, error: Exception) -> GovError:
        """The error to raise instead."""
        allowance = self._guard.allowance
        if allowance.exceeded == "disk":
            return _too_much("room for temporary files")
        if allowance.exceeded == "memory" or isinstance(error, MemoryError):
            return _too_much("memory")
        if allowance.stopped:
            return QueryFailed("the statement was stopped")
        said = str(error)
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if self._guard.why or code == sqlite3.SQLITE_AUTH or "prohibited" in said:
            return self._refusal()
        match code:
            case sqlite3.SQLITE_TOOBIG:
                return QueryFailed(
                    "a value grew longer than is allowed",
                    hint=f"A value, and a row of a table, may have {self._guard.longest:,} bytes"
                    " in a result of so many columns.",
                    next=_FIX,
                )
            case sqlite3.SQLITE_FULL:
                return _too_much("room for temporary files")
            case sqlite3.SQLITE_NOMEM:
                return _too_much("memory")
            case (
                sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_CORRUPT
                | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN
            ):  # fmt: skip
                return unavailable(self._connection, error)
        return self._by_text(said)

    def _by_text(self, said: str) -> GovError:
        if found := _NO_SUCH.fullmatch(said):
            return self._unknown(found[1], found[2].strip('"'))
        if found := re.match(r'near "(.+?)": syntax error', said):
            return BadSyntax(
                "the statement does not parse", position=self._place(found[1]), next=_FIX
            )
        if found := re.fullmatch(r"ambiguous column name: (.+)", said):
            return QueryFailed(
                "a column name stands in more than one table",
                hint="Write it as table.column.",
                position=self._place(found[1]),
                next=_FIX,
            )
        for sign, text in _TEXTS.items():
            if sign in said:
                return QueryFailed(text, next=_FIX)
        return QueryFailed(
            "the database could not run the statement",
            hint="Its own message is not shown, since it may contain values.",
            next=_FIX,
        )

    def _place(self, name: str) -> Position | None:
        return place_of(name, self._sql, "sqlite")

    def _unknown(self, kind: str, name: str) -> GovError:
        position = self._place(name)
        if position is None:
            return QueryFailed(f"a {kind} of the statement is not known", next=_FIX)
        known = FUNCTIONS if kind == "function" else self._guard.visible_names(kind)
        return UnknownName(
            f"there is no {kind} {name}",
            position=position,
            near=near_matches(name, known),
            next=_FIX,
        )

    def _refusal(self) -> EngineRefused:
        kind, name = self._guard.why or ("", "")
        position = self._place(name) if name else None
        if kind == "function" and position is not None:
            return EngineRefused(
                f"the function {name} is not on the list of allowed functions",
                position=position,
                near=near_matches(name, FUNCTIONS),
                next=_FIX,
            )
        if kind == "rowid":
            return EngineRefused(
                "rows have no id here",
                hint="Name the key column instead: rowid is known only where a table's INTEGER"
                " PRIMARY KEY stands for it.",
                position=position,
                next=_FIX,
            )
        if kind == "read" and position is not None:
            if self._table(name) is not None:
                return EngineRefused(
                    f"the view {name} cannot be shown under a profile",
                    hint="It reads or calls what is not allowed; ask its tables instead.",
                    position=position,
                    next=Next("ask_admin"),
                )
            return EngineRefused(
                f"the grant does not cover {name}",
                position=position,
                near=near_matches(name, self._guard.visible_names("table")),
                next=Next("narrow", magic="%gov tables", call="con.tables()"),
            )
        return EngineRefused(
            "the statement reaches for something the grant does not cover", next=_FIX
        )

    def _table(self, name: str) -> Table | None:
        """What the grant covers by name though there is no projection of it."""
        own = self._guard.catalog.resolve(name)
        return self._guard.catalog.tables[own] if own in self._guard.tables else None


def _too_much(what: str) -> QueryFailed:
    return QueryFailed(
        f"the statement needs more {what} than there is for one",
        hint="Narrow it: fewer or shorter rows, or a sort of fewer columns.",
        next=_FIX,
    )
