"""
The views of a guarded connection: every table of the file under a profile.

Each table is a view with a random name, which reads the file, under a view with the table's own
name, which the user sees.  The source's own views are made again over the inner ones.
"""

from __future__ import annotations

import secrets
import sqlite3
from datetime import date

from jupyter_gov.connections.model import Catalog, Table
from jupyter_gov.engines.sqlite.catalog import quoted
from jupyter_gov.engines.sqlite.spelling import over_projections
from jupyter_gov.masking.model import SEALED, SUBJECT, ColumnPolicy, Profile, Treatment
from jupyter_gov.masking.rows import Constant, row_filter
from jupyter_gov.masking.treatments import Seals, Treat, Treats

_BY_DAY = frozenset({Treatment.YEAR, Treatment.MONTH, Treatment.AGE})
_NO_KEY = bytes(64)


def _nothing(*_: object) -> None:
    return None


class Projections:
    """The views, and what their names stand for."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        catalog: Catalog,
        profile: Profile,
        tables: frozenset[str],
        treats: Treats,
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._profile = profile
        self._tables = tables
        self._treats = treats
        self._today: date | None = None
        self._functions: dict[ColumnPolicy, str] = {}
        self.tag = "g" + secrets.token_hex(8)
        self.source = "d" + secrets.token_hex(8)
        """The file's schema.  It and the tag are what no statement can guess."""
        self.base_of: dict[str, str] = {}
        """Inner view → the one table it reads."""
        self.inner_views: set[str] = set()
        """Inner views of the source's own views."""
        self.ctes: set[str] = set()
        """Lower-case names of the CTEs in the source's own views."""
        self.visible: dict[str, Table] = {}
        self.read_by_view: dict[str, set[tuple[str, str]]] = {}
        """View → ``(table, column)`` of base tables that it reads, whatever is selected of it."""

    def build(self) -> None:
        """Make the views.  Raises sqlite3.Error."""
        views = []
        for table in self._catalog.tables.values():
            if table.kind == "view":
                views.append(table)
            else:
                self._project(table)
        self._replay(views)
        # The other names are taken as well, so that none of them means the file's own table.
        for name in self._catalog.tables.keys() | self._catalog.others:
            if name not in self.visible and not name.lower().startswith("sqlite_"):
                self._take(name)

    def hide(self, name: str) -> None:
        """Show a view no more."""
        del self.visible[name]
        self._connection.execute(f"DROP VIEW temp.{quoted(name)}")
        self._take(name)

    def _take(self, name: str) -> None:
        self._connection.execute(
            f"CREATE TEMP VIEW {quoted(name)} AS SELECT NULL AS no_access WHERE 0"
        )

    def use(self, seals: Seals, today: date) -> None:
        """What one statement's treatments depend on."""
        another_day, self._today = today != self._today, today
        for policy in self._functions:
            kinds = {leaf.treatment for leaf in policy.leaves()}
            if kinds & SEALED or (another_day and kinds & _BY_DAY):
                self._register(policy, seals, today)

    def treatment(self, table: Table, column: str) -> Treatment:
        """What becomes of a base table's column."""
        tag = next((c.tag for c in table.columns if c.name == column), None)
        return self._profile.policy(tag).treatment

    def _register(self, policy: ColumnPolicy, seals: Seals | None, today: date) -> None:
        """Of value and, where it goes by it, subject.  What takes *seals* is NULL until `use`."""
        function: Treat = _nothing
        if seals is not None or not {leaf.treatment for leaf in policy.leaves()} & SEALED:
            function = self._treats.of(
                policy, today=today, small=self._profile.small_areas, seals=seals or Seals(_NO_KEY)
            )
        self._connection.create_function(
            self._functions[policy], 1 + policy.by_subject, function, deterministic=True
        )

    def _inner(self, name: str) -> str:
        return f"{self.tag}_{name}"

    def _project(self, table: Table) -> None:
        if not table.columns:
            return
        inner = self._inner(table.name)
        columns = [self._treated(table, i) for i in range(len(table.columns))]
        self._connection.execute(
            f"CREATE TEMP VIEW {quoted(inner)} AS"
            f" SELECT {', '.join(columns)} FROM {self.source}.{quoted(table.name)}"
            + self._where(table)
        )
        self.base_of[inner] = table.name
        self._show(table)

    def _where(self, table: Table) -> str:
        condition = self._profile.rows.get(table.name)
        if condition is None:
            return ""
        return " WHERE " + row_filter(condition).sql(quoted, lambda _, of, value: _literal(value))

    def _show(self, table: Table) -> None:
        if table.name in self._tables:
            inner = quoted(self._inner(table.name))
            self._connection.execute(
                f"CREATE TEMP VIEW {quoted(table.name)} AS SELECT * FROM temp.{inner}"
            )
            self.visible[table.name] = table

    def _treated(self, table: Table, index: int) -> str:
        column = table.columns[index]
        policy = self._profile.policy(column.tag)
        name = quoted(column.name)
        if policy.treatment is Treatment.CLEAR:
            return name
        if policy.treatment is Treatment.WITHHOLD:
            return f"NULL AS {name}"
        if policy not in self._functions:
            self._functions[policy] = f"{self.tag}_{len(self._functions)}"
            self._register(policy, None, date.min)
        arguments = name
        if policy.by_subject:
            subject = next((quoted(c.name) for c in table.columns if c.tag == SUBJECT), "NULL")
            arguments = f"{name}, {subject}"
        return f"{self._functions[policy]}({arguments}) AS {name}"

    # ------------------------------------------------------------ the source's views

    def _replay(self, waiting: list[Table]) -> None:
        """One that cannot be made again over the projections is not shown: it fails closed."""
        while waiting:
            later = [view for view in waiting if not self._replay_one(view)]
            if len(later) == len(waiting):
                return
            waiting = later

    def _replay_one(self, view: Table) -> bool:
        found = over_projections(view.definition, self._made)
        if found is None:
            return False
        query, ctes = found
        inner = self._inner(view.name)
        columns = ", ".join(quoted(column.name) for column in view.columns)
        try:
            self._connection.execute(f"CREATE TEMP VIEW {quoted(inner)} ({columns}) AS {query}")
        except sqlite3.Error:
            return False
        try:
            reads = self._reads_of(inner)
        except sqlite3.Error:
            self._connection.execute(f"DROP VIEW temp.{quoted(inner)}")
            return False
        self.read_by_view[view.name] = reads
        self.inner_views.add(inner)
        self.ctes |= ctes
        self._show(view)
        return True

    def _made(self, name: str) -> str | None:
        own = self._catalog.resolve(name)
        inner = self._inner(own) if own is not None else ""
        return inner if inner in self.base_of or inner in self.inner_views else None

    def _reads_of(self, inner: str) -> set[tuple[str, str]]:
        """What the database itself says that a view reads.  Raises sqlite3.Error."""
        found: set[tuple[str, str]] = set()

        def note(
            action: int, table: str | None, column: str | None, db: str | None, _: object
        ) -> int:
            base = self.base_of.get(table or "")
            if action == sqlite3.SQLITE_READ and db == "temp" and column and base is not None:
                found.add((base, column))
            return sqlite3.SQLITE_OK

        self._connection.set_authorizer(note)
        try:
            self._connection.execute(f"SELECT * FROM temp.{quoted(inner)} LIMIT 0")
        finally:
            self._connection.set_authorizer(None)
        return found


def _literal(value: Constant) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(int(value) if isinstance(value, bool) else value)
