"""
A few values of each column of a PostgreSQL database, read-only and for a limited time.

Nothing is written, and no value stands in a statement: whatever the server logs of it are names.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg

from jupyter_gov.connections.described import Described
from jupyter_gov.engines.postgres.catalog import Relation, known_as, relations
from jupyter_gov.engines.postgres.names import quoted
from jupyter_gov.errors import DatabaseUnavailable

CHARACTERS = 2_000
"""A longer value is cut by the database itself."""
ELEMENTS = 20
"""So many elements of an array are looked at."""
SECONDS = 60.0
"""Everything together takes at most so long."""
_STATEMENT_MS = 10_000
_LOCK_MS = 2_000

_KEYS = """
SELECT c.conrelid, c.contype, a.attname, coalesce(n.nspname, ''), coalesce(f.relname, '')
  FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
  LEFT JOIN pg_catalog.pg_class f ON f.oid = c.confrelid
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = f.relnamespace
 WHERE c.conrelid = ANY(%s) AND c.contype IN ('p', 'f')
   AND pg_catalog.array_length(c.conkey, 1) = 1
"""
_COMPUTED = """
SELECT d.adrelid, a.attname, pg_catalog.array_agg(b.attname::text)
  FROM pg_catalog.pg_attrdef d
  JOIN pg_catalog.pg_attribute a
    ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''
  JOIN pg_catalog.pg_depend p
    ON p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND p.objid = d.oid
   AND p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND p.refobjid = d.adrelid
   AND p.refobjsubid > 0 AND p.refobjsubid <> d.adnum
  JOIN pg_catalog.pg_attribute b ON b.attrelid = d.adrelid AND b.attnum = p.refobjsubid
 WHERE d.adrelid = ANY(%s) GROUP BY 1, 2
"""
_SIZES = """
SELECT oid, relkind = 'r', reltuples, pg_catalog.obj_description(oid, 'pg_class')
  FROM pg_catalog.pg_class WHERE oid = ANY(%s)
"""


class PostgresSource:
    """One database, through a login that may read its tables.  Close it."""

    def __init__(self, name: str, conninfo: str, schemas: Sequence[str]) -> None:
        """
        Args:
            conninfo: libpq's; what it leaves out comes from libpq's environment.

        Raises DatabaseUnavailable.
        """
        self._name = name
        self._schemas = schemas
        self._until = time.monotonic() + SECONDS
        self._relations: dict[str, tuple[Relation, bool, float]] = {}
        try:
            self._session = psycopg.connect(
                conninfo,
                autocommit=True,
                connect_timeout=10,
                application_name="jupyter gov classify",
                options="-c default_transaction_read_only=on -c search_path=pg_catalog"
                f" -c statement_timeout={_STATEMENT_MS} -c lock_timeout={_LOCK_MS}"
                " -c idle_in_transaction_session_timeout=60000",
            )
        except psycopg.Error as error:
            raise self._unavailable(error) from None
        self._session.read_only = True

    def _unavailable(self, error: psycopg.Error) -> DatabaseUnavailable:
        """By the state's code: a server's own words may quote a value."""
        state = error.sqlstate or ("the server did not answer" if not self._alive() else "error")
        fix = {
            "42501": "this login may not read the table: give one that may by --dba-url",
            "57014": "a statement took too long; ask for fewer rows by --sample",
            "55P03": "the table is locked; try again later",
            "28P01": "the password is wrong: see --dba-secret, or PGPASSWORD",
        }.get(state, "check the address, the login and its password")
        return DatabaseUnavailable(
            f"the database of {self._name} cannot be read ({state})", hint=f"{fix}."
        )

    def _alive(self) -> bool:
        session = getattr(self, "_session", None)
        return session is not None and not session.closed

    def columns(self) -> list[Described]:
        try:
            return self._columns()
        except psycopg.Error as error:
            raise self._unavailable(error) from None

    def _columns(self) -> list[Described]:
        every = [r for r in relations(self._session, self._schemas) if r.kind == "table"]
        oids = [relation.oid for relation in every]
        found = [relation for relation in every if relation.parent not in oids]
        named = {r.oid: known_as(r.schema, r.name, self._schemas) for r in found}
        keys: dict[tuple[int, str], bool] = {}
        refers: dict[tuple[int, str], str] = {}
        for oid, kind, column, schema, table in self._session.execute(_KEYS, (oids,)):
            if kind == "p":
                keys[oid, column] = True
            else:
                refers[oid, column] = known_as(schema, table, self._schemas)
        computed = {
            (oid, column): tuple(of)
            for oid, column, of in self._session.execute(_COMPUTED, (oids,))
        }
        comments, by_oid = {}, {relation.oid: relation for relation in found}
        for oid, plain, size, comment in self._session.execute(_SIZES, ([*by_oid],)):
            comments[oid] = comment or ""
            self._relations[named[oid]] = (by_oid[oid], plain, size)
        return [
            Described(
                table=named[r.oid],
                name=a.name,
                type=a.type,
                comment=a.comment,
                table_comment=comments.get(r.oid, ""),
                key=keys.get((r.oid, a.name), False),
                refers_to=refers.get((r.oid, a.name), ""),
                computed_from=computed.get((r.oid, a.name), ()),
            )
            for r in found
            for a in r.attributes
        ]

    def sample(self, table: str, columns: Sequence[Described], rows: int) -> list[list[object]]:
        if time.monotonic() > self._until:
            raise DatabaseUnavailable(
                f"the tables of {self._name} took more than {SECONDS:.0f} seconds",
                hint="Ask for fewer rows by --sample.",
            )
        relation, plain, size = self._relations[table]
        shown = ", ".join(map(_shown, columns))
        at = f"{quoted(relation.schema)}.{quoted(relation.name)}"
        read = f"SELECT {shown} FROM {at}"
        try:
            found = []
            if plain and size > 20 * rows:  # pages from all over; a small table has none to spare
                part = min(100.0, 400.0 * rows / size)
                found = self._rows(f"{read} TABLESAMPLE SYSTEM ({part:.6f}) LIMIT {rows}")
            if len(found) < rows:
                found = self._rows(f"{read} LIMIT {rows}")
        except psycopg.Error as error:
            raise self._unavailable(error) from None
        return [list(column) for column in zip(*found, strict=True)] or [[] for _ in columns]

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self._session.transaction():
            return self._session.execute(statement.encode(), prepare=False).fetchall()

    def close(self) -> None:
        self._session.close()


def _shown(column: Described) -> str:
    name, kind = quoted(column.name), column.type
    if kind.endswith("[]"):
        return f"({name})[1:{ELEMENTS}]::pg_catalog.text[]"
    if kind == "bytea":
        return f"pg_catalog.substr({name}, 1, 64)"
    return f'pg_catalog."left"({name}::pg_catalog.text, {CHARACTERS})'
