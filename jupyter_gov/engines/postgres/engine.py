"""
PostgreSQL: privileges are the wall.

Every statement runs as a login role of its grant that may read masked views and nothing else, so
whatever the SQL says it meets treated values only.  The gateway's own login makes and ends those
roles through the minter's functions and holds no right on a table.  What the wall stands on is
looked at before anything is served and again while it is served; one finding stops the connection.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import date, datetime

import psycopg
import pyarrow as pa
from sqlglot import exp

from jupyter_gov.connections.model import Catalog, ConnectionSpec, Tag
from jupyter_gov.engines.postgres.catalog import catalog_of
from jupyter_gov.engines.postgres.check import Findings, inspect
from jupyter_gov.engines.postgres.errors import Words, unavailable
from jupyter_gov.engines.postgres.fetch import Fetch
from jupyter_gov.engines.postgres.functions import FUNCTIONS
from jupyter_gov.engines.postgres.grants import DatabaseGrants
from jupyter_gov.engines.postgres.link import database_of
from jupyter_gov.engines.postgres.names import Names, quoted
from jupyter_gov.engines.postgres.pool import Lease, Pool
from jupyter_gov.engines.postgres.session import Session
from jupyter_gov.errors import BindMissing, DatabaseUnavailable, Next
from jupyter_gov.masking.model import Profile, Treatment
from jupyter_gov.masking.seals import EngineSeals, Opener, Seals
from jupyter_gov.sql.binds import numbered
from jupyter_gov.sql.edits import Edit
from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.lookups import lookups
from jupyter_gov.sql.names import place_of
from jupyter_gov.sql.plan import filtered
from jupyter_gov.sql.qualify import requalified
from jupyter_gov.sql.reading import Reads, check_columns, reads_of
from jupyter_gov.sql.recent import remembering
from jupyter_gov.wire.messages import Bind

_LOOK_EVERY = 60.0
"""Seconds between two looks at the wall while statements run."""
_SHOWN = 8
_EXPLAIN = "EXPLAIN (FORMAT JSON) "


Spelled = tuple[str, list[Bind]]
"""A statement with ``$1`` … and the values of these."""


Columns = tuple[tuple[str, str], ...]
"""Table and column of each that a statement may read."""


@remembering
def _worded(
    written: str,
    statement: Statement,
    schemas: tuple[tuple[str, str], ...],
    also: tuple[Edit, ...],
) -> tuple[str, tuple[str, ...]]:
    """The statement over the masked schemas, with ``$1`` …, and the names of these."""
    text = requalified(statement, dict(schemas), also)
    if statement.kind == "explain":
        text = _EXPLAIN + text[statement.begin :]
    return numbered(text, PostgresEngine.dialect)


class PostgresEngine:
    """One PostgreSQL database.  Safe to use from many threads."""

    dialect = "postgres"

    def __init__(
        self,
        spec: ConnectionSpec,
        profiles: Iterable[Profile],
        needed: Mapping[str, set[str]],
        keys: Mapping[str, bytes],
        held: DatabaseGrants,
    ) -> None:
        """
        Args:
            needed: profile id → tables that an eligibility names under it.
            keys: pad → key that the projections must be using.
            held: what this gateway's grants have in the database.
        """
        self._spec = spec
        self._profiles = {profile.profile_id: profile for profile in profiles}
        self._needed = needed
        self._keys = keys
        self.held = held
        self._names = Names(database_of(spec))
        self._looking = threading.Lock()
        self._found: Findings | None = None
        self._catalog: Catalog | None = None
        self._looked_at = 0.0
        self._columns_of: Callable[[str, Statement], Columns]

    def under(
        self, profiles: Iterable[Profile], needed: Mapping[str, set[str]], keys: Mapping[str, bytes]
    ) -> PostgresEngine:
        """The same database under another configuration; its grants go on."""
        return PostgresEngine(self._spec, profiles, needed, keys, self.held)

    @property
    def functions(self) -> frozenset[str]:
        """Functions a statement may call: PostgreSQL's own that do no harm, and offered ones."""
        return FUNCTIONS | (self._found.functions if self._found is not None else frozenset())

    def catalog(self) -> Catalog:
        """The tables as they are provisioned.  Raises DatabaseUnavailable."""
        self._look()
        assert self._catalog is not None
        return self._catalog

    def notes(self) -> tuple[str, ...]:
        """What the admin should know.  Raises DatabaseUnavailable."""
        return tuple(self._look().notes)

    def _look(self) -> Findings:
        """
        What the wall stands on, seen a moment ago.

        Raises DatabaseUnavailable: the database is away, or something on the list is wrong.
        """
        found = self._found
        if found is None or time.monotonic() > self._looked_at + _LOOK_EVERY:
            with self._looking:
                found = self._found
                if found is None or time.monotonic() > self._looked_at + _LOOK_EVERY:
                    found = self._look_again()
        if found.problems:
            raise DatabaseUnavailable(
                f"{self._spec.name} is not served: its engine does not enforce the masking",
                hint="; ".join(found.problems[:_SHOWN])
                + f". See: jupyter gov provision {self._spec.name} --check",
                next=Next("ask_admin"),
            )
        return found

    def _look_again(self) -> Findings:
        try:
            found = self.held.roles.with_session(
                lambda session: inspect(
                    session, self._spec, self._profiles.values(), self._needed, self._keys
                )
            )
        except (psycopg.Error, OSError) as error:
            raise unavailable(self._spec.name, error, gateways=True) from None
        catalog = self._catalog = catalog_of(
            found.relations, self._spec.schemas, self._spec.tags, found.exposed
        )
        self._columns_of = remembering(
            lambda written, statement: reads_of(statement, catalog, self.dialect).columns
        )
        self._found, self._looked_at = found, time.monotonic()
        return found

    # ------------------------------------------------------------ one statement

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
        grant_id: str,
        ends_at: datetime,
    ) -> PostgresExecution:
        """
        Make ready to run as the grant's own role, which is minted now if there is none.

        Args:
            deadline: of `time.monotonic`; the database stops by itself then.
            ends_at: of the grant; the role cannot log in later.

        Raises BindMissing, DatabaseUnavailable, Busy, GrantOver.
        """
        found = self._look()
        plain = self._spelled(statement, binds, profile)
        by_index = self._by_index(statement, binds, profile, found)
        ways = [self._spelled(statement, binds, profile, by_index)] if by_index else []
        lease = self.held.lease(grant_id, lambda: self._groups(profile, tables), ends_at)
        session = self.held.pool.take(lease, deadline)
        shown = Shown(self._spec.name, found, self.catalog(), profile, self._columns_of)
        return PostgresExecution(
            self.held.pool, lease, session, statement, [*ways, plain], deadline, shown
        )

    def _spelled(
        self,
        statement: Statement,
        binds: Mapping[str, Bind],
        profile: Profile,
        also: Sequence[Edit] = (),
    ) -> Spelled:
        """The statement as PostgreSQL is given it.  Raises BindMissing."""
        text, order = _worded(statement.text, statement, self._schemas(profile), tuple(also))
        for name in order:
            if name not in binds:
                raise BindMissing(
                    f":{name} has no value",
                    position=place_of(name, statement.text, self.dialect),
                    next=Next("fix_sql"),
                )
        return text, [binds[name] for name in order]

    def _by_index(
        self,
        statement: Statement,
        binds: Mapping[str, Bind],
        profile: Profile,
        found: Findings,
    ) -> list[Edit]:
        """Tables of which the statement wants the rows of one pseudonym, to be found by it."""
        edits = []
        for each in lookups(statement, binds) if statement.kind == "query" else ():
            table = self.catalog().resolve(each.table)
            ways = found.by_pseudonym.get(profile.profile_id, {})
            way = ways.get((table, each.column)) if table is not None else None
            if way is None:
                continue
            if self.held.knows(way.kept, each.token):
                edits.append(each.edit(f"{quoted(way.schema)}.{way.function}"))
            else:
                self.held.learn(way.learn)
        return edits

    def _groups(self, profile: Profile, tables: frozenset[str]) -> list[str]:
        """What the role of a grant is a member of."""
        readers = [self._names.reader(profile, table) for table in sorted(tables)]
        return [self._names.group(profile), *readers]

    def _schemas(self, profile: Profile) -> tuple[tuple[str, str], ...]:
        return tuple((each, self._names.schema(profile, each)) for each in self._spec.schemas)

    def reads(self, statement: Statement, *, profile: Profile, tables: frozenset[str]) -> Reads:
        """What it may read, as its text and the catalog say.  Raises UnknownName."""
        check_columns(statement, self.catalog(), self.dialect)
        return reads_of(statement, self.catalog(), self.dialect)

    def end_grant(self, grant_id: str) -> None:
        """Nothing of the grant is left in the database.  Never raises."""
        self.held.end(grant_id)

    def sweep(self) -> int:
        """End what a crashed gateway left.  Returns how many.  Raises DatabaseUnavailable."""
        return self.held.sweep()

    def close(self) -> None:
        """End every role of this gateway; what runs is cut."""
        self.held.close()


class Shown:
    """What one statement can see: its projections, and how they are treated."""

    def __init__(
        self,
        connection: str,
        found: Findings,
        catalog: Catalog,
        profile: Profile,
        reads: Callable[[str, Statement], Columns],
    ) -> None:
        self.connection = connection
        self.reads = reads
        self.catalog = catalog
        self.profile = profile
        self._views = found.views.get(profile.profile_id, {})

    def table(self, view: int) -> str | None:
        """The table that a view with that OID stands for."""
        return self._views.get(view)

    def treatment(self, table: str, column: str) -> Treatment | None:
        """What becomes of a base table's column; None of a view that was made anew."""
        known = self.catalog.tables.get(table)
        if known is None or known.kind == "view":
            return None
        tag: Tag | None = next((c.tag for c in known.columns if c.name == column), None)
        return self.profile.policy(tag).treatment

    def at(self, origin: tuple[int, int] | None) -> Treatment | None:
        """The treatment of the column that an output column plainly shows."""
        table = None if origin is None else self.table(origin[0])
        if origin is None or table is None:
            return None
        columns = self.catalog.tables[table].columns
        if not 0 < origin[1] <= len(columns):
            return None
        column = columns[origin[1] - 1]
        treatment = self.treatment(table, column.name)
        if column.type.endswith("[]") or treatment is Treatment.PATHS:
            return None  # the last look knows plain values
        return treatment


class PostgresExecution:
    """One statement in one session.  `cancel` may be called from any thread."""

    def __init__(
        self,
        pool: Pool,
        lease: Lease,
        session: Session,
        statement: Statement,
        ways: Sequence[Spelled],
        deadline: float,
        shown: Shown,
    ) -> None:
        """
        Args:
            ways: to ask, all for the same rows; the last is what errors are told of.
        """
        self.opener: Opener = EngineSeals(lease.minted.seal_key)
        self.role = lease.minted.name
        self.names: list[str] = []
        self._pool = pool
        self._lease = lease
        self._session = session
        self._statement = statement
        self._ways = ways
        self._deadline = deadline
        self._shown = shown
        self._fetch: Fetch | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._read: Columns | None = None
        self._words = Words(shown.connection, statement, shown.catalog, shown.profile, ways[-1][0])

    def batches(self) -> Generator[pa.RecordBatch]:
        """
        Run, and yield Arrow batches; at least one, which may be empty.

        Raises errors of the tree, in words of ours.
        """
        try:
            self._session.begin(max(0.001, self._deadline - time.monotonic()))
            fetch = self._fetch = self._described()
            self.names = fetch.names
            if self._statement.kind == "explain":
                yield self._plan(fetch)
            else:
                yield from fetch.batches()
        except Exception as error:
            raise self._words.of(error) from None

    def _described(self) -> Fetch:
        *quick, plain = self._ways
        for way in quick:
            with contextlib.suppress(psycopg.Error):
                return Fetch(self._session, *way)
        return Fetch(self._session, *plain)

    def _plan(self, fetch: Fetch) -> pa.RecordBatch:
        """Lines of it that may be seen: costs would count rows that a filter or group hides."""
        cells = [cell for batch in fetch.batches() for cell in batch.column(0).to_pylist()]
        plan = json.loads(cells[0]) if isinstance(cells[0], str) else cells[0]
        tree = self._statement.tree
        named = [cte.alias for cte in tree.find_all(exp.CTE)] if tree is not None else []
        named += self._statement.relations
        profile = self._shown.profile
        lines = filtered(plan, named, costs=not profile.rows and not profile.min_group)
        return pa.RecordBatch.from_pydict({self.names[0]: pa.array(lines, pa.string())})

    @property
    def reads(self) -> tuple[str, ...]:
        """``table.column`` of all that it may have read; PostgreSQL itself reports no columns."""
        return tuple(f"{table}.{column}" for table, column in self._columns())

    def _columns(self) -> Columns:
        if self._read is None:
            self._read = self._shown.reads(self._statement.text, self._statement)
        return self._read

    @property
    def treated(self) -> dict[str, Treatment]:
        """Of what was read, what did not come as it is."""
        return {
            f"{table}.{column}": treatment
            for table, column in self._columns()
            if (treatment := self._shown.treatment(table, column)) is not None
            and treatment is not Treatment.CLEAR
        }

    def expected(self, names: list[str]) -> list[Treatment | None]:
        """Per output column the treatment of the base column it plainly shows, if that is known."""
        if self._fetch is None:
            return []
        return [self._shown.at(origin) for origin in self._fetch.origins]

    def cancel(self) -> None:
        """Stop the database, now.  Late, it stops nothing: the session may be at another."""
        with self._lock:
            if not self._closed:
                self._session.cancel()

    def close(self) -> None:
        """Hand the session back."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        sound = False
        try:
            sound = self._session.end()
        finally:
            self._pool.give_back(self._lease, self._session, sound=sound)
