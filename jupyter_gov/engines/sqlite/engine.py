"""
SQLite: the authorizer is the wall.

`main` is an empty memory database.  The real file is attached read-only under a random name that
no statement can guess, and every table the grant covers is a TEMP view over an inner view with a
random name, which alone may read the file.  The authorizer denies by default: whatever a
statement does to names, functions or joins, it can only meet treated values.

What each precaution is for, found by attacking this construction without it: a CTE named like a
table spoofs the authorizer's fifth argument (hence the random inner names); NATURAL and USING
joins read columns of `main` that are never authorized (hence nothing is in `main`); a cached
statement ignores a changed policy (hence no statement cache); a schema that changes under a
pooled connection puts tables on other pages (hence each statement runs in a transaction that
begins by comparing the schema with the catalog).
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from time import monotonic

import pyarrow as pa

from jupyter_gov.connections.model import Catalog, ConnectionSpec
from jupyter_gov.engines.arrow import BatchBuilder
from jupyter_gov.engines.sqlite.catalog import introspect, state_of
from jupyter_gov.engines.sqlite.errors import Words, unavailable
from jupyter_gov.engines.sqlite.functions import FUNCTIONS
from jupyter_gov.engines.sqlite.guard import Guard, StaleCatalog
from jupyter_gov.engines.sqlite.spelling import for_views
from jupyter_gov.errors import BindMissing, DatabaseUnavailable, Next
from jupyter_gov.masking.model import Profile, Treatment
from jupyter_gov.masking.treatments import KeyRing, Opener, Seals, Treats
from jupyter_gov.sql.gate import Source, Statement
from jupyter_gov.sql.names import place_of
from jupyter_gov.sql.reading import Reads
from jupyter_gov.wire.messages import Bind

FIRST_ROWS = 1_000
"""The first batch is small, so that a first row is seen early."""
ROWS = 16_384
BATCH_BYTES = 8 * 1024 * 1024
_AT_ONCE = 512
"""Cells that are fetched and measured together, of ordinary size, in at most sixteen rows."""
_IDLE = 4
"""Guarded connections kept per profile and set of tables; opening one costs about 10 ms."""
_TRIES = 3
_COMPILE_SECONDS = 5.0
_FAILURES = (
    sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError, ValueError, RecursionError,
)  # fmt: skip
_FIX = Next("fix_sql")

Value = int | float | str | bytes | None


class SqliteEngine:
    """One SQLite file.  Safe to use from many threads."""

    dialect = "sqlite"
    functions = FUNCTIONS

    def __init__(self, spec: ConnectionSpec, path: Path, keys: KeyRing) -> None:
        self._spec = spec
        self._path = path
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, frozenset[str]], list[Guard]] = {}
        self._catalog: Catalog | None = None
        self._state: tuple[int, ...] | None = None
        """Of the file, when the catalog was read."""
        self._closed = False
        self._treats = Treats(keys)  # one memory of tokens for all connections

    def catalog(self) -> Catalog:
        """The tables as they are now.  Raises DatabaseUnavailable."""
        known = self._catalog
        try:
            state = state_of(self._path)
            if known is not None and state is not None and state == self._state:
                return known
            found = introspect(self._path, self._spec.tags, known)
        except (sqlite3.Error, OSError) as error:
            raise unavailable(self._spec.name, error) from None
        self._state = state
        if found is not known:
            self._catalog = found
            self._drop_idle(lambda guard: guard.catalog.version != found.version)
        return found

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
        grant_id: str = "",
        ends_at: datetime | None = None,
    ) -> SqliteExecution:
        """
        Make ready to run under that profile on those tables only.

        Args:
            deadline: of `time.monotonic`; the database stops by itself then.
            grant_id, ends_at: a file knows no roles, so there is nothing to end later.

        Raises BindMissing, DatabaseUnavailable.
        """
        values = _bound(statement, binds)
        for _ in range(_TRIES):
            guard = None
            try:
                guard = self._take(profile, tables)
                guard.begin(seals=seals, today=today, deadline=deadline)
                return SqliteExecution(self, self._spec.name, guard, statement, values, seals)
            except StaleCatalog:
                self._state = None
            except (sqlite3.Error, OSError) as error:
                raise unavailable(self._spec.name, error) from None
            finally:
                if guard is not None and not guard.begun:
                    guard.close()
        raise DatabaseUnavailable(
            f"the schema of {self._spec.name} is being changed",
            hint="Try again in a moment.",
            next=Next("retry"),
        )

    def reads(self, statement: Statement, *, profile: Profile, tables: frozenset[str]) -> Reads:
        """
        What the authorizer says it would read: it is compiled, and not run.

        Raises EngineRefused, QueryFailed, BadSyntax, UnknownName, DatabaseUnavailable.
        """
        execution = self.start(
            statement, dict.fromkeys(statement.binds), profile=profile, tables=tables,
            seals=Seals(bytes(64)), today=date.min, deadline=monotonic() + _COMPILE_SECONDS,
        )  # fmt: skip
        with contextlib.closing(execution):
            return execution.foresee()

    def _take(self, profile: Profile, tables: frozenset[str]) -> Guard:
        catalog = self.catalog()
        key = (profile.profile_id, tables)
        while True:
            with self._lock:
                held = self._idle.get(key)
                guard = held.pop() if held else None
            if guard is None:
                return Guard(self._path, catalog, profile, tables, self._treats)
            if guard.catalog.version == catalog.version:
                return guard
            guard.close()

    def give_back(self, guard: Guard) -> None:
        """Called by an execution that is done with its connection."""
        try:
            guard.end()
        except sqlite3.Error:
            guard.close()
            return
        with self._lock:
            held = self._idle.setdefault((guard.profile.profile_id, guard.tables), [])
            if len(held) < _IDLE and not self._closed:
                held.append(guard)
                return
        guard.close()

    def sweep(self) -> int:
        """A file knows no roles."""
        return 0

    def notes(self) -> tuple[str, ...]:
        """Nothing is to be said of a file."""
        return ()

    def end_grant(self, grant_id: str) -> None:
        """Nothing of a grant is in the file."""

    def close(self) -> None:
        """Close what is idle now, and what runs when it is done."""
        with self._lock:
            self._closed = True
        self._drop_idle(lambda _: True)

    def _drop_idle(self, which: Callable[[Guard], bool]) -> None:
        with self._lock:
            dropped = [guard for held in self._idle.values() for guard in held if which(guard)]
            kept = {key: [g for g in held if g not in dropped] for key, held in self._idle.items()}
            self._idle = {key: held for key, held in kept.items() if held}
        for guard in dropped:
            guard.close()


class SqliteExecution:
    """One statement on one guarded connection.  `cancel` may be called from any thread."""

    role = ""

    def __init__(
        self,
        engine: SqliteEngine,
        connection: str,
        guard: Guard,
        statement: Statement,
        values: Mapping[str, Value],
        opener: Opener,
    ) -> None:
        self.opener = opener
        self._engine = engine
        self._guard = guard
        self._statement = statement
        self._values = values
        self._words = Words(connection, statement.text, guard)
        self.names: list[str] = []
        self._cursor: sqlite3.Cursor | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._seen: tuple[tuple[str, ...], dict[str, Treatment]] | None = None

    def batches(self) -> Generator[pa.RecordBatch]:
        """
        Run, and yield Arrow batches; at least one, which may be empty.

        A batch ends at `BATCH_BYTES`, so that a few large cells do not fill the memory.

        Raises EngineRefused, QueryFailed, BadSyntax, UnknownName, DatabaseUnavailable.
        """
        statement = self._statement
        text = for_views(statement.text, statement.tree, self._guard.catalog)
        try:
            cursor = self._cursor = self._guard.run(text, statement, self._values)
            self.names = [part[0] for part in cursor.description or ()]
            builder = BatchBuilder(self.names)
            rows, more = _some(cursor, FIRST_ROWS)
            yield builder.build(rows)
            while more:
                rows, more = _some(cursor, ROWS)
                if rows:
                    yield builder.build(rows)
        except _FAILURES as error:
            raise self._words.of(error) from None
        finally:
            self._finish()

    def foresee(self) -> Reads:
        """What it would read, instead of running.  Raises as `batches` does."""
        statement = self._statement
        text = for_views(statement.text, statement.tree, self._guard.catalog)
        try:
            self._guard.compile(text, statement)
        except _FAILURES as error:
            raise self._words.of(error) from None
        return Reads(columns=tuple(sorted(self._guard.reads)), exact=True)

    def _finish(self) -> None:
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None

    @property
    def reads(self) -> tuple[str, ...]:
        """
        ``table.column`` of what the statement read, as the authorizer saw it.

        ``table.*`` where a NATURAL join does not say which.
        """
        if self._seen is not None:
            return self._seen[0]
        return tuple(sorted(f"{table}.{column}" for table, column in self._guard.reads))

    @property
    def treated(self) -> dict[str, Treatment]:
        """Of what was read, what did not come as it is."""
        return self._guard.treated() if self._seen is None else self._seen[1]

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
        self._finish()
        self._seen = self.reads, self.treated
        self._engine.give_back(self._guard)


def _some(cursor: sqlite3.Cursor, most: int) -> tuple[list[tuple[object, ...]], bool]:
    """
    The next rows, at most so many and of about `BATCH_BYTES`; and whether more may follow.

    One row of each few is weighed.  Whoever hides large ones between them meets the allowance.
    """
    rows: list[tuple[object, ...]] = []
    size, asked = 0, 1
    at_once = max(1, min(16, _AT_ONCE // (len(cursor.description or ()) or 1)))
    while len(rows) < most and size < BATCH_BYTES:
        asked = min(asked, most - len(rows))
        found = cursor.fetchmany(asked)
        rows += found
        if len(found) < asked:
            return rows, False
        weight = sum(map(sys.getsizeof, found[len(rows) // asked % asked])) or 1
        size += weight * asked
        asked = max(1, min(2 * asked, at_once, BATCH_BYTES // (8 * weight)))
    return rows, True


def _bound(statement: Statement, binds: Mapping[str, Bind]) -> dict[str, Value]:
    """What SQLite takes.  Raises BindMissing."""
    values: dict[str, Value] = {}
    for name in statement.binds:
        if name not in binds:
            raise BindMissing(
                f":{name} has no value",
                position=place_of(name, statement.text, "sqlite"),
                next=_FIX,
            )
        try:
            values[name] = _value(binds[name])
        except ValueError:
            raise BindMissing(
                f"the value of :{name} cannot be sent to SQLite",
                hint="Whole numbers have at most 64 bits, and texts are valid Unicode.",
                position=place_of(name, statement.text, "sqlite"),
                next=_FIX,
            ) from None
    return values


def _value(value: Bind) -> Value:
    """Raises ValueError."""
    if isinstance(value, Decimal):
        # SQLite has no decimals: as a text it would be greater than every number.
        whole = value.is_finite() and value == value.to_integral_value()
        value = int(value) if whole and abs(value) < 2**63 else float(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError("more than 64 bits")
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, str):
        value.encode()
        return value
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    raise ValueError("no type of SQLite")
