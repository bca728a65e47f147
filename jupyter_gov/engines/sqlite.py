"""
SQLite: the authorizer is the wall.

`main` is an empty memory database.  The real file is attached read-only under a random name that
no statement can guess, and every table the grant covers is a TEMP view over an inner view with a
random name, which alone may read the file.  The authorizer denies by default: whatever a
statement does to names, functions or joins, it can only meet treated values.

What each precaution is for, found by attacking this construction without it: a CTE named like a
table spoofs the authorizer's fifth argument (hence the random inner names); NATURAL and USING
joins read columns of `main` that are never authorized (hence nothing is in `main`); a cached
statement ignores a changed policy (hence no statement cache).
"""

from __future__ import annotations

import marshal
import re
import sqlite3
import threading
from collections.abc import Generator, Mapping
from datetime import date, datetime, time
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from jupyter_gov.connections.model import Catalog, ConnectionSpec
from jupyter_gov.engines.arrow import BatchBuilder
from jupyter_gov.engines.sqlite_catalog import introspect
from jupyter_gov.engines.sqlite_guard import FUNCTIONS, Guard
from jupyter_gov.errors import (
    BadSyntax,
    BindMissing,
    DatabaseUnavailable,
    EngineRefused,
    GovError,
    Next,
    Position,
    QueryFailed,
    UnknownName,
)
from jupyter_gov.masking.model import Profile, Treatment
from jupyter_gov.masking.treatments import Seals
from jupyter_gov.sql.gate import Source, Statement, tokens_of
from jupyter_gov.sql.names import near_matches, place_of
from jupyter_gov.wire.messages import Bind

FIRST_ROWS = 1_000
"""The first batch is small, so that a first row is seen early."""
ROWS = 16_384
BATCH_BYTES = 8 * 1024 * 1024
_IDLE = 4
"""Guarded connections kept per profile and set of tables; opening one costs about 10 ms."""
_FIX = Next("fix_sql")


class SqliteEngine:
    """One SQLite file.  Safe to use from many threads."""

    dialect = "sqlite"
    functions = FUNCTIONS

    def __init__(self, spec: ConnectionSpec, path: Path, pseudonym_key: bytes) -> None:
        self._spec = spec
        self._path = path
        self._key = pseudonym_key
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, frozenset[str]], list[Guard]] = {}
        self._catalog: Catalog | None = None
        self._closed = False

    def catalog(self) -> Catalog:
        """The tables as they are now.  Raises DatabaseUnavailable."""
        try:
            self._catalog = introspect(self._path, self._spec.tags, self._catalog)
        except sqlite3.Error:
            raise DatabaseUnavailable(
                f"the database of {self._spec.name} cannot be opened",
                hint="Its administrator should check that the file exists and may be read.",
            ) from None
        return self._catalog

    def start(
        self,
        statement: Statement,
        binds: Mapping[str, Bind],
        *,
        profile: Profile,
        tables: frozenset[str],
        seals: Seals,
        today: date,
        deadline: float,
    ) -> SqliteExecution:
        """
        Make ready to run under that profile on those tables only.

        Args:
            deadline: of `time.monotonic`; the database stops by itself then.
        """
        missing = [name for name in statement.binds if name not in binds]
        if missing:
            raise BindMissing(
                f":{missing[0]} has no value",
                position=place_of(missing[0], statement.text, self.dialect),
                next=_FIX,
            )
        guard = self._take(profile, tables)
        guard.prepare(seals=seals, today=today, deadline=deadline)
        return SqliteExecution(self, guard, statement, binds)

    def _take(self, profile: Profile, tables: frozenset[str]) -> Guard:
        catalog = self.catalog()
        key = (profile.profile_id, tables)
        while True:
            with self._lock:
                held = self._idle.get(key)
                guard = held.pop() if held else None
            if guard is None:
                break
            if guard.catalog.version == catalog.version:
                return guard
            guard.close()
        try:
            return Guard(self._path, catalog, profile, tables, self._key)
        except sqlite3.Error:
            raise DatabaseUnavailable(
                f"the database of {self._spec.name} cannot be opened under this profile"
            ) from None

    def give_back(self, guard: Guard) -> None:
        """Called by an execution that is done with its connection."""
        guard.disarm()
        with self._lock:
            held = self._idle.setdefault((guard.profile.profile_id, guard.tables), [])
            if len(held) < _IDLE and not self._closed:
                held.append(guard)
                return
        guard.close()

    def close(self) -> None:
        """Close what is idle now, and what runs when it is done."""
        with self._lock:
            self._closed = True
            idle = [guard for held in self._idle.values() for guard in held]
            self._idle.clear()
        for guard in idle:
            guard.close()


class SqliteExecution:
    """One statement on one guarded connection.  `cancel` may be called from any thread."""

    def __init__(
        self,
        engine: SqliteEngine,
        guard: Guard,
        statement: Statement,
        binds: Mapping[str, Bind],
    ) -> None:
        self._engine = engine
        self._guard = guard
        self._statement = statement
        self._binds = {name: _bound(binds[name]) for name in statement.binds}
        self.names: list[str] = []
        self._lock = threading.Lock()
        self._closed = False

    def batches(self) -> Generator[pa.RecordBatch]:
        """
        Run, and yield Arrow batches; at least one, which may be empty.

        A batch ends at `BATCH_BYTES`, so that a few large cells do not fill the memory.

        Raises EngineRefused, QueryFailed, BadSyntax, UnknownName.
        """
        guard = self._guard
        text = _retarget(self._statement.text)
        guard.refuse_reserved(text)
        cursor = None
        try:
            guard.arm()
            cursor = guard.connection.execute(text, self._binds)
            self.names = [part[0] for part in cursor.description or ()]
            guard.refuse_explain(self.names)
            builder = BatchBuilder(self.names)
            rows = _some(cursor, FIRST_ROWS)
            yield builder.build(rows)
            while rows:
                rows = _some(cursor, ROWS)
                if rows:
                    yield builder.build(rows)
        except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError) as error:
            raise self._translated(error) from None
        finally:
            if cursor is not None:
                cursor.close()
            guard.disarm()

    @property
    def reads(self) -> tuple[str, ...]:
        """``table.column`` of what the statement read, as the authorizer saw it."""
        return tuple(sorted(f"{table}.{column}" for table, column in self._guard.reads))

    @property
    def treated(self) -> dict[str, Treatment]:
        """Of what was read, what did not come as it is."""
        return self._guard.treated()

    def expected(self, names: list[str]) -> list[Treatment | None]:
        """Per output column the treatment of the base column it plainly shows, if that is known."""
        sources = self._statement.sources
        if sources is None:
            return []
        flat: list[Treatment | None] = []
        for source in sources:
            flat += self._expand(source)
        return flat if len(flat) == len(names) else []

    def _expand(self, source: Source | None) -> list[Treatment | None]:
        if source is None:
            return [None]
        projection = self._guard.projection(source.relation)
        if projection is None:
            return [None]
        if source.column == "*":
            return list(projection.values())
        return [projection.get(source.column.lower())]

    def cancel(self) -> None:
        """Stop the database, now.  Late, it stops nothing: the connection may be another's."""
        with self._lock:
            if not self._closed:
                self._guard.cancel()

    def close(self) -> None:
        """Hand the connection back."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._engine.give_back(self._guard)

    # ------------------------------------------------------------ errors, in our words

    def _translated(self, error: Exception) -> GovError:
        said = str(error)
        if self._guard.expired():
            return QueryFailed("the statement was stopped")
        if self._guard.why or "not authorized" in said or "prohibited" in said:
            return self._refusal()
        if found := re.fullmatch(r"no such (column|table|function): (.+)", said):
            return self._unknown(found[1], found[2])
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
        for sign, text in _OUR_WORDS.items():
            if sign in said:
                return QueryFailed(text, next=_FIX)
        return QueryFailed(
            "the database could not run the statement",
            hint="Its own message is not shown, since it may contain values.",
            next=_FIX,
        )

    def _place(self, name: str) -> Position | None:
        return place_of(name, self._statement.text, "sqlite")

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
        if kind == "read" and position is not None:
            return EngineRefused(
                f"the grant does not cover {name}",
                position=position,
                near=near_matches(name, self._guard.visible_names("table")),
                next=Next("narrow", magic="%gov tables", call="con.tables()"),
            )
        return EngineRefused(
            "the statement reaches for something the grant does not cover", next=_FIX
        )


_OUR_WORDS = {
    "integer overflow": "a whole number grew too large",
    "string or blob too big": "a value grew longer than is allowed",
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
    "database is locked": "the database is busy; try again",
    "Could not decode": "a text of the database is not UTF-8",
}


def _retarget(sql: str) -> str:
    """``main.`` means the connection's own tables: point it at the views, keeping offsets."""
    tokens = tokens_of(sql, "sqlite")
    for token, after in pairwise(tokens):
        if token.text.lower() == "main" and after.text == ".":
            span = sql[token.start : token.end + 1]
            if span.lower() == "main":
                sql = sql[: token.start] + "temp" + sql[token.end + 1 :]
    return sql


def _some(cursor: sqlite3.Cursor, most: int) -> list[tuple[object, ...]]:
    """The next rows: at most so many, and no more than about `BATCH_BYTES` of them."""
    rows: list[tuple[object, ...]] = []
    size = 0
    for row in cursor:
        rows.append(row)
        size += len(marshal.dumps(row))  # the cheapest measure of a row there is
        if len(rows) >= most or size >= BATCH_BYTES:
            break
    return rows


def _bound(value: Bind) -> int | float | str | bytes | None:
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def file_of(url_database: str | None) -> Path:
    """The file a SQLAlchemy URL names.  Raises ValueError for a memory database."""
    if not url_database or url_database == ":memory:":
        raise ValueError("a memory database has nothing to govern; name a file")
    return Path(url_database)
