"""
A guarded SQLite connection: the random names, the views, and the authorizer.

Read it together with the tests in `tests/integration/test_sqlite_wall.py`, which run every attack
of the case files against it.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from jupyter_gov.connections.model import Catalog, Table
from jupyter_gov.engines.sqlite_catalog import quoted
from jupyter_gov.errors import EngineRefused, Next, StatementRefused
from jupyter_gov.masking import treatments
from jupyter_gov.masking.model import Profile, Treatment
from jupyter_gov.masking.treatments import Seals, Value

_FUNCTION_LIST = """
    count sum total avg min max group_concat string_agg row_number rank dense_rank percent_rank
    cume_dist ntile lag lead first_value last_value nth_value abs coalesce ifnull nullif iif if
    length octet_length lower upper substr substring trim ltrim rtrim replace instr round sign hex
    quote printf format char unicode typeof date time datetime julianday strftime unixepoch
    timediff like glob -> ->> json json_array json_object json_group_array json_group_object
    json_extract json_type json_array_length json_valid json_quote sqrt pow power floor ceil
    ceiling trunc ln log log2 log10 exp mod pi sin cos tan asin acos atan atan2 radians degrees
    likely unlikely concat concat_ws current_date current_time current_timestamp median
"""
FUNCTIONS = frozenset(_FUNCTION_LIST.split())
"""Functions of SQLite that a statement may call.  None reads a file, a schema or a setting."""

TABLE_FUNCTIONS = frozenset({"json_each", "json_tree"})

_OK, _DENY = sqlite3.SQLITE_OK, sqlite3.SQLITE_DENY
_PROGRESS_STEPS = 5_000
_FIX = Next("fix_sql")


class Guard:
    """
    One connection, armed while a statement runs.  Used by one statement at a time.

    `cancel` may be called from any thread; everything else from the thread that runs.
    """

    def __init__(
        self,
        path: Path,
        catalog: Catalog,
        profile: Profile,
        tables: frozenset[str],
        pseudonym_key: bytes,
    ) -> None:
        self.catalog = catalog
        self.profile = profile
        self.tables = tables
        self._tag = "g" + secrets.token_hex(8)
        self._source = "d" + secrets.token_hex(8)
        self._key = pseudonym_key
        self._base_of: dict[str, str] = {}
        self._inner_views: set[str] = set()
        self._read_by_view: dict[str, set[tuple[str, str]]] = {}
        """View → ``(table, column)`` of base tables that it reads, whatever is selected of it."""
        self._visible: dict[str, Table] = {}
        self._armed = False
        self._cancelled = False
        self._deadline = 0.0
        self._seals: Seals | None = None
        self._today = date.min
        self.reads: set[tuple[str, str]] = set()
        self.why: tuple[str, str] | None = None
        self.connection = sqlite3.connect(
            ":memory:",
            uri=True,
            cached_statements=0,
            isolation_level=None,
            check_same_thread=False,
            timeout=5,
        )
        try:
            self._build(path)
        except BaseException:
            self.connection.close()
            raise

    # ------------------------------------------------------------ building

    def _build(self, path: Path) -> None:
        run = self.connection.execute
        for pragma in ("trusted_schema=off", "temp_store=file", "cell_size_check=on"):
            run(f"PRAGMA {pragma}")
        run(f"ATTACH ? AS {self._source}", (f"{path.absolute().as_uri()}?mode=ro",))
        self._register("seal", lambda value: self._seals.seal(value) if self._seals else None)
        self._register("year", lambda value: treatments.year(self._today)(value))
        self._register("age", lambda value: treatments.age(self._today)(value))
        self._register("zip3", treatments.zip3())
        self._register("partial", treatments.partial)
        views = [t for t in self.catalog.tables.values() if t.kind == "view"]
        for table in self.catalog.tables.values():
            if table.kind == "table":
                self._project(table)
        self._replay(views)
        for name in self.catalog.tables.keys() | self.catalog.others:
            if name not in self._visible and not name.lower().startswith("sqlite_"):
                run(f"CREATE TEMP VIEW {quoted(name)} AS SELECT NULL AS no_access WHERE 0")
        for function in TABLE_FUNCTIONS:
            # They declare themselves through the authorizer at first use: warm them.
            run(f"SELECT * FROM {function}('[1]')").fetchall()
        modules = run("SELECT name FROM pragma_module_list").fetchall()
        self._modules = {name.lower() for (name,) in modules}
        self._objects = {n.lower() for n in self.catalog.tables.keys() | self.catalog.others}
        run("PRAGMA query_only=1")
        for limit, value in (
            (sqlite3.SQLITE_LIMIT_LENGTH, 4_000_000),
            (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000),
            (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 200),
            (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 50),
            (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
            (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200),
            (sqlite3.SQLITE_LIMIT_FUNCTION_ARG, 50),
        ):
            self.connection.setlimit(limit, value)
        self.connection.set_authorizer(self._authorize)
        self.connection.set_progress_handler(lambda: int(self.expired()), _PROGRESS_STEPS)

    def _register(self, name: str, function: Callable[[Value], Value]) -> None:
        self.connection.create_function(
            f"{self._tag}_{name}",
            1,
            function,
            deterministic=True,
        )

    def _inner(self, name: str) -> str:
        return f"{self._tag}_{name}"

    def _project(self, table: Table) -> None:
        inner = self._inner(table.name)
        columns = [self._treated(table, i) for i in range(len(table.columns))]
        if not columns:
            return
        self.connection.execute(
            f"CREATE TEMP VIEW {quoted(inner)} AS"
            f" SELECT {', '.join(columns)} FROM {self._source}.{quoted(table.name)}"
        )
        self._base_of[inner] = table.name
        self._show(table)

    def _show(self, table: Table) -> None:
        if table.name in self.tables:
            inner = quoted(self._inner(table.name))
            self.connection.execute(
                f"CREATE TEMP VIEW {quoted(table.name)} AS SELECT * FROM temp.{inner}"
            )
            self._visible[table.name] = table

    def _treated(self, table: Table, index: int) -> str:
        column = table.columns[index]
        policy = self.profile.policy(column.tag)
        name = quoted(column.name)
        match policy.treatment:
            case Treatment.CLEAR:
                return name
            case Treatment.WITHHOLD:
                return f"NULL AS {name}"
            case Treatment.PSEUDONYM:
                return f"{self._pseudonym(policy.domain)}({name}) AS {name}"
            case other:
                return f"{self._tag}_{other}({name}) AS {name}"

    def _pseudonym(self, domain: str) -> str:
        function = f"p_{domain.encode().hex()}"
        self._register(function, treatments.pseudonym(self._key, domain))
        return f"{self._tag}_{function}"

    def _replay(self, views: list[Table]) -> None:
        """
        Re-create the source's views over the projections.

        One that cannot be re-created is not shown: it fails closed.
        """
        waiting = views
        while waiting:
            later = [view for view in waiting if not self._replay_one(view)]
            if len(later) == len(waiting):
                return
            waiting = later

    def _replay_one(self, view: Table) -> bool:
        made = self._base_of.keys() | self._inner_views
        try:
            tree = sqlglot.parse_one(view.definition, dialect="sqlite")
            query = tree.expression
            ctes = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
            for table in list(query.find_all(exp.Table)):
                if not isinstance(table.this, exp.Identifier):
                    continue
                if not table.db and table.name.lower() in ctes:
                    continue
                own = self.catalog.resolve(table.name)
                if own is None or self._inner(own) not in made:
                    return False
                alias = table.alias or table.name
                table.replace(
                    exp.Table(
                        this=exp.to_identifier(self._inner(own), quoted=True),
                        db=exp.to_identifier("temp"),
                        alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
                    )
                )
            columns = ", ".join(quoted(column.name) for column in view.columns)
            inner = self._inner(view.name)
            self.connection.execute(
                f"CREATE TEMP VIEW {quoted(inner)} ({columns}) AS {query.sql('sqlite')}"
            )
            self._read_by_view[view.name] = self._reads_of(inner)
        except (SqlglotError, RecursionError, AttributeError, sqlite3.Error):
            return False
        self._inner_views.add(inner)
        self._show(view)
        return True

    def _reads_of(self, inner: str) -> set[tuple[str, str]]:
        """What the database itself says that a view reads.  Raises sqlite3.Error."""
        found: set[tuple[str, str]] = set()

        def note(
            action: int, table: str | None, column: str | None, db: str | None, _: object
        ) -> int:
            if action == sqlite3.SQLITE_READ and db == "temp" and column:
                base = self._base_of.get(table or "")
                if base is not None:
                    found.add((base, column))
            return _OK

        self.connection.set_authorizer(note)
        try:
            self.connection.execute(f"SELECT * FROM temp.{quoted(inner)} LIMIT 0")
        finally:
            self.connection.set_authorizer(None)
        return found

    # ------------------------------------------------------------ one statement

    def prepare(self, *, seals: Seals, today: date, deadline: float) -> None:
        """Before a statement: under which grant's seal, on which day, until when."""
        self._seals, self._today, self._deadline = seals, today, deadline
        self._cancelled = False
        self.reads = set()
        self.why = None

    def arm(self) -> None:
        """From here the authorizer decides."""
        self._armed = True

    def disarm(self) -> None:
        self._armed = False

    def cancel(self) -> None:
        """Stop what runs, from any thread."""
        self._cancelled = True
        self.connection.interrupt()

    def expired(self) -> bool:
        """Cancelled, or past the deadline."""
        return self._cancelled or time.monotonic() > self._deadline

    def close(self) -> None:
        self.connection.close()

    def refuse_reserved(self, sql: str) -> None:
        """The names only the gateway uses.  Raises EngineRefused."""
        plain = sql.lower()
        if self._tag in plain or self._source in plain or "sqlite_" in plain:
            raise EngineRefused("the statement uses a name that is reserved", next=_FIX)

    def refuse_explain(self, names: list[str]) -> None:
        """EXPLAIN shows the database's programs and constants.  Raises StatementRefused."""
        if names[:2] == ["addr", "opcode"] or names == ["id", "parent", "notused", "detail"]:
            raise StatementRefused("EXPLAIN is not allowed", next=_FIX)

    # ------------------------------------------------------------ what it showed

    def projection(self, relation: str) -> dict[str, Treatment] | None:
        """Lower-case column → treatment of a visible base table, in the table's order."""
        own = self.catalog.resolve(relation)
        table = self._visible.get(own) if own is not None else None
        if table is None or table.kind != "table":
            return None
        return {c.name.lower(): self.profile.policy(c.tag).treatment for c in table.columns}

    def treated(self) -> dict[str, Treatment]:
        """``table.column`` → treatment, of what this statement read and did not get as it is."""
        found: dict[str, Treatment] = {}
        for table, column in self.reads:
            known = self.catalog.tables[table]
            by_name = {c.name: c.tag for c in known.columns}
            if known.kind == "table" and column in by_name:
                treatment = self.profile.policy(by_name[column]).treatment
                if treatment is not Treatment.CLEAR:
                    found[f"{table}.{column}"] = treatment
        return found

    def visible_names(self, kind: str) -> list[str]:
        """Names an error may suggest: the grant's own."""
        if kind == "table":
            return list(self._visible)
        return sorted({c.name for t in self._visible.values() for c in t.columns})

    # ------------------------------------------------------------ the wall

    def _authorize(
        self,
        action: int,
        first: str | None,
        second: str | None,
        db: str | None,
        inner: str | None,
    ) -> int:
        """SQLite asks for each thing a statement would do.  Only what is known is allowed."""
        if not self._armed:
            return _OK
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return _OK
        if action == sqlite3.SQLITE_READ:
            return self._authorize_read(first or "", second or "", db, inner)
        if action == sqlite3.SQLITE_FUNCTION:
            name = (second or "").lower()
            if name in FUNCTIONS or inner in self._base_of:
                return _OK
            self.why = self.why or ("function", second or "")
            return _DENY
        self.why = self.why or ("action", "")
        return _DENY

    def _authorize_read(self, table: str, column: str, db: str | None, inner: str | None) -> int:
        if inner in self._base_of and self._base_of[inner] == table and db == self._source:
            return _OK  # the projection, and nothing else, reads the file
        if db == "temp" and column == "ROWID":
            self.why = self.why or ("read", "rowid")
            return _DENY
        if db == "temp" and table in self._visible:
            if column:
                self.reads.add((table, column))
            self.reads |= self._read_by_view.get(table, set())
            return _OK
        if db == "temp" and (table in self._base_of or table in self._inner_views):
            return _OK
        if column == "" and db in (None, self._source, "temp"):
            # count(*): flattening drops the context
            if table in self._visible or table in self._base_of or table in self._inner_views:
                return _OK
            if db is None and self._is_cte(table):
                return _OK
        if table.lower() in TABLE_FUNCTIONS:
            return _OK
        self.why = self.why or ("read", table)
        return _DENY

    def _is_cte(self, name: str) -> bool:
        plain = name.lower()
        return (
            plain not in self._modules
            and plain not in self._objects
            and not re.match(r"pragma_|sqlite_", plain)
        )
