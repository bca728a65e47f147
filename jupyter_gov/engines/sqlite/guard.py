"""
A guarded SQLite connection: the random names, the views, and the authorizer.

Read it together with the tests in `tests/integration/test_sqlite_wall.py`, which run every attack
of the case files against it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from jupyter_gov.connections.model import Catalog
from jupyter_gov.engines.sqlite.catalog import counter_of, quoted, read_only_uri, version_of
from jupyter_gov.engines.sqlite.functions import FUNCTIONS, TABLE_FUNCTIONS, install
from jupyter_gov.engines.sqlite.limits import SHAPES, STEPS, Allowance, temp_store
from jupyter_gov.engines.sqlite.projections import Projections
from jupyter_gov.engines.sqlite.spelling import cte_names, joined_columns
from jupyter_gov.errors import EngineRefused, Next, StatementRefused
from jupyter_gov.masking.model import Profile, Treatment
from jupyter_gov.masking.treatments import Seals, Treats
from jupyter_gov.sql.gate import MAX_SQL, Statement

_OK, _DENY = sqlite3.SQLITE_OK, sqlite3.SQLITE_DENY
_FIX = Next("fix_sql")
_LIMITS = {
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 4 * MAX_SQL,  # bytes of characters
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 1_000,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 50,
}

Value = None | int | float | str | bytes


class StaleCatalog(Exception):
    """The file is not what the catalog says any more; nothing was read."""


class Guard:
    """
    One connection.  Used by one statement at a time, from `begin` to `end`.

    `cancel` may be called from any thread; everything else from the thread that runs.
    """

    def __init__(
        self,
        path: Path,
        catalog: Catalog,
        profile: Profile,
        tables: frozenset[str],
        treats: Treats,
    ) -> None:
        self.catalog = catalog
        self.profile = profile
        self.tables = tables
        self.allowance = Allowance()
        self.begun = False
        """Whether it holds one state of the file, for a statement."""
        self.reads: set[tuple[str, str]] = set()
        self.longest = 0
        """Bytes of a value, in the shape that this statement's result has."""
        self.why: tuple[str, str] | None = None
        """What the authorizer refused first, as kind and name."""
        self._ours = True
        """While the gateway's own statements run.  Whatever else runs is authorized."""
        self._ctes: frozenset[str] = frozenset()
        self.connection = sqlite3.connect(
            ":memory:",
            uri=True,
            cached_statements=0,
            isolation_level=None,
            check_same_thread=False,
            timeout=5,
        )
        self._views = Projections(self.connection, catalog, profile, tables, treats)
        try:
            self._build(path)
        except BaseException:
            self.connection.close()
            raise

    def _build(self, path: Path) -> None:
        run = self.connection.execute
        for pragma in ("trusted_schema=off", f"temp_store={temp_store()}", "cell_size_check=on"):
            run(f"PRAGMA {pragma}")
        run(f"ATTACH ? AS {self._views.source}", (read_only_uri(path),))
        # A mapped file that somebody cuts short would end the process.
        run(f"PRAGMA {self._views.source}.mmap_size=0")
        install(self.connection)
        run("BEGIN")
        if version_of(self.connection, self._views.source, path) != self.catalog.version:
            raise StaleCatalog
        self._counter = counter_of(self.connection, self._views.source)
        self._views.build()
        for function in TABLE_FUNCTIONS:
            # They declare themselves through the authorizer at first use: warm them.
            run(f"SELECT * FROM {function}('[1]')").fetchall()
        modules = run("SELECT name FROM pragma_module_list").fetchall()
        self._modules = {name.lower() for (name,) in modules}
        self.connection.set_authorizer(self._authorize)
        self._hide_broken_views()
        run("COMMIT")
        run("PRAGMA query_only=1")
        for limit, value in _LIMITS.items():
            self.connection.setlimit(limit, value)
        self.connection.set_progress_handler(self.allowance.over, STEPS)
        self._ours = False

    def _hide_broken_views(self) -> None:
        """Views of the source that reach for what nobody may have are not shown."""
        views = [name for name, table in self._views.visible.items() if table.kind == "view"]
        for name in views:
            self._ours = False
            try:
                self.connection.execute(f"SELECT * FROM temp.{quoted(name)} LIMIT 0").close()
                works = True
            except sqlite3.Error:
                works = False
            self._ours = True
            if not works:
                self._views.hide(name)

    # ------------------------------------------------------------ one statement

    def begin(self, *, seals: Seals, today: date, deadline: float) -> None:
        """
        Make ready for one statement, on one state of the file.

        Raises StaleCatalog if the schema has changed, sqlite3.Error.
        """
        self.reads = set()
        self.why = None
        self._views.use(seals, today)
        self.allowance.begin(deadline)
        self._ours = True
        try:
            self.connection.execute("BEGIN")
            if counter_of(self.connection, self._views.source) != self._counter:
                raise StaleCatalog
            self.begun = True
        finally:
            self._ours = False

    def run(self, text: str, statement: Statement, binds: Mapping[str, Value]) -> sqlite3.Cursor:
        """Execute *text*, which is *statement* over the views.  Raises EngineRefused and more."""
        self._refuse_reserved(text)
        self._ctes = cte_names(statement.tree)
        cursor = self._execute(text, binds)
        self._note_joined(statement)
        names = [part[0] for part in cursor.description or ()]
        if names[:2] == ["addr", "opcode"] or names == ["id", "parent", "notused", "detail"]:
            cursor.close()
            raise StatementRefused("EXPLAIN is not allowed", next=_FIX)
        return cursor

    def compile(self, text: str, statement: Statement) -> None:
        """As `run`, up to the first step: afterwards `reads` are what it would read."""
        self._refuse_reserved(text)
        self._ctes = cte_names(statement.tree)
        # Steps through the compiled program as a listing, and executes none of it.
        self._execute(f"EXPLAIN {text}", dict.fromkeys(statement.binds)).close()
        self._note_joined(statement)

    def _execute(self, text: str, binds: Mapping[str, Value]) -> sqlite3.Cursor:
        """In the first shape that has columns enough."""
        for columns, length in SHAPES:
            self.connection.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, columns)
            self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, length)
            self.longest = length
            try:
                return self.connection.execute(text, binds)
            except sqlite3.OperationalError as error:
                if not str(error).startswith("too many columns") or columns == SHAPES[-1][0]:
                    raise
            self.reads, self.why = set(), None
        raise AssertionError("unreachable")

    def end(self) -> None:
        """Let go of the file.  Raises sqlite3.Error; the connection is then of no more use."""
        self.allowance.end()
        self.begun = False
        self._ours = True
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        finally:
            self._ours = False

    def cancel(self) -> None:
        """Stop what runs, from any thread."""
        self.allowance.cancel()
        self.connection.interrupt()

    def close(self) -> None:
        self.allowance.end()
        self.connection.close()

    def _refuse_reserved(self, sql: str) -> None:
        plain = sql.lower()
        if self._views.tag in plain or self._views.source in plain or "sqlite_" in plain:
            raise EngineRefused("the statement uses a name that is reserved", next=_FIX)

    # ------------------------------------------------------------ what it showed

    def projection(self, relation: str) -> dict[str, Treatment] | None:
        """Lower-case column → treatment of a visible base table, in the table's order."""
        own = self.catalog.resolve(relation)
        table = self._views.visible.get(own) if own is not None else None
        if table is None or table.kind != "table":
            return None
        return {c.name.lower(): self._views.treatment(table, c.name) for c in table.columns}

    def treated(self) -> dict[str, Treatment]:
        """``table.column`` → treatment, of what this statement read and did not get as it is."""
        found: dict[str, Treatment] = {}
        for name, column in self.reads:
            table = self.catalog.tables[name]
            if table.kind != "table":
                continue
            for each in [c.name for c in table.columns] if column == "*" else [column]:
                treatment = self._views.treatment(table, each)
                if treatment is not Treatment.CLEAR:
                    found[f"{name}.{each}"] = treatment
        return found

    def visible_names(self, kind: str) -> Iterable[str]:
        """Names an error may suggest: the grant's own."""
        if kind == "table":
            return list(self._views.visible)
        return sorted({c.name for t in self._views.visible.values() for c in t.columns})

    def _note_joined(self, statement: Statement) -> None:
        """NATURAL and USING read columns of which the authorizer is not told."""
        joined = joined_columns(statement.tree)
        if joined is not None and not joined:
            return
        for relation in statement.relations:
            own = self.catalog.resolve(relation)
            table = self._views.visible.get(own) if own is not None else None
            if table is None:
                continue
            self.reads |= self._views.read_by_view.get(table.name, set())
            if joined is None:
                self.reads.add((table.name, "*"))
            else:
                self.reads |= {
                    (table.name, c.name) for c in table.columns if c.name.lower() in joined
                }

    # ------------------------------------------------------------ the wall

    def _authorize(
        self,
        action: int,
        first: str | None,
        second: str | None,
        db: str | None,
        context: str | None,
    ) -> int:
        """
        SQLite asks for each thing a statement would do.  Only what is known is allowed.

        Args:
            context: the innermost view, subquery or CTE that does it, by the name it has in FROM.
                A user may choose that name, so it counts only where it cannot be guessed.
        """
        if self._ours or action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return _OK
        if action == sqlite3.SQLITE_READ:
            return self._authorize_read(first or "", second or "", db, context)
        if action == sqlite3.SQLITE_FUNCTION:
            if (second or "").lower() in FUNCTIONS or context in self._views.base_of:
                return _OK
            return self._deny("function", second or "")
        return self._deny("action", "")

    def _authorize_read(self, table: str, column: str, db: str | None, context: str | None) -> int:
        views = self._views
        if db == views.source:
            # The file is read by the table's own projection, and by nothing else.  A count(*) of
            # it comes without context, since the view was flattened, and with no column.
            if views.base_of.get(context or "") == table:
                return _OK
            if not column and table in views.base_of.values():
                return _OK
        elif db == "temp":
            if column == "ROWID":
                return self._deny("rowid", "rowid")
            if table in views.visible:
                if column:
                    self.reads.add((table, column))
                self.reads |= views.read_by_view.get(table, set())
                return _OK
            if table in views.base_of or table in views.inner_views:
                return _OK
        elif db == "main":
            if table.lower() in TABLE_FUNCTIONS:
                return _OK
        elif db is None and not column and self._counted(table):
            return _OK
        return self._deny("read", table)

    def _counted(self, name: str) -> bool:
        """Whether ``count(*)`` may be taken of what a statement calls so, without a schema."""
        views, plain = self._views, name.lower()
        if name in views.base_of or name in views.inner_views or plain in TABLE_FUNCTIONS:
            return True
        own = self.catalog.resolve(name)
        if own in views.visible:
            self.reads |= views.read_by_view.get(own, set())
            return True
        # A name of the file is taken by an empty view, so that a CTE's name means the CTE.
        return (
            (plain in self._ctes or plain in views.ctes)
            and plain not in self._modules
            and not re.match(r"pragma_|sqlite_", plain)
        )

    def _deny(self, kind: str, name: str) -> int:
        self.why = self.why or (kind, name)
        return _DENY
