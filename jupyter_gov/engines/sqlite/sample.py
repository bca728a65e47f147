"""A few values of each column of a SQLite file, read-only and for a limited time."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from jupyter_gov.connections.described import Described
from jupyter_gov.engines.sqlite.catalog import introspect, quoted, read_only_uri
from jupyter_gov.engines.sqlite.errors import unavailable

CHARACTERS = 2_000
"""A longer value is cut by the database itself."""
SECONDS = 30.0
"""Everything together takes at most so long."""
_STEPS = 10_000


class SqliteSource:
    """One file.  Close it."""

    def __init__(self, name: str, path: Path) -> None:
        """Raises DatabaseUnavailable."""
        self._name = name
        self._path = path
        self._until = time.monotonic() + SECONDS
        try:
            self._connection = sqlite3.connect(
                read_only_uri(path), uri=True, isolation_level=None, timeout=5
            )
        except sqlite3.Error as error:
            raise unavailable(name, error) from None
        self._connection.execute("PRAGMA query_only=on")
        self._connection.execute("PRAGMA trusted_schema=off")
        self._connection.set_progress_handler(self._is_late, _STEPS)

    def _is_late(self) -> bool:
        return time.monotonic() > self._until

    def columns(self) -> list[Described]:
        try:
            tables = introspect(self._path, {}).tables.values()
            return [one for t in tables if t.kind == "table" for one in self._columns(t.name)]
        except (sqlite3.Error, OSError) as error:
            raise unavailable(self._name, error) from None

    def _columns(self, table: str) -> list[Described]:
        listed = self._connection.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
        keys = [column[1] for column in listed if column[5]]
        links: dict[int, list[tuple[str, str]]] = {}
        for number, _, to, own, *_ in self._connection.execute(
            f"PRAGMA foreign_key_list({quoted(table)})"
        ):
            links.setdefault(number, []).append((own, to))
        refers = {link[0][0].lower(): link[0][1] for link in links.values() if len(link) == 1}
        return [
            Described(
                table=table,
                name=name,
                type=kind,
                key=keys == [name],
                refers_to=refers.get(name.lower(), ""),
                computed_from=self._computed_from(table, name) if hidden in (2, 3) else (),
            )
            for _, name, kind, _, _, _, hidden in listed
        ]

    def _computed_from(self, table: str, name: str) -> tuple[str, ...]:
        """Names in the expression of a generated column; more than there are does no harm."""
        (sql,) = self._connection.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
        ).fetchone()
        found = re.search(
            rf"[\s,(\"`\[]{re.escape(name)}[\"`\]]?\s[^,]*?\bAS\s*\((.*)", sql, re.I | re.S
        )
        return tuple(re.findall(r"\w+", found[1])) if found else ()

    def sample(self, table: str, columns: Sequence[Described], rows: int) -> list[list[object]]:
        """From both ends, since what was added first is seldom like what was added last."""
        shown = ", ".join(
            f"CASE typeof({at}) WHEN 'blob' THEN substr({at}, 1, 64) WHEN 'text'"
            f" THEN substr({at}, 1, {CHARACTERS}) ELSE {at} END"
            for at in (quoted(column.name) for column in columns)
        )
        half = max(rows // 2, 1)
        read = f"SELECT {shown} FROM {quoted(table)}"
        try:
            found = self._connection.execute(f"{read} LIMIT {half}").fetchall()
            try:
                last = f"{read} ORDER BY rowid DESC LIMIT {rows - half}"
                found += self._connection.execute(last).fetchall() if len(found) == half else []
            except sqlite3.OperationalError:  # WITHOUT ROWID
                found = self._connection.execute(f"{read} LIMIT {rows}").fetchall()
        except sqlite3.Error as error:
            raise unavailable(self._name, error) from None
        return [list(column) for column in zip(*found, strict=True)] or [[] for _ in columns]

    def close(self) -> None:
        self._connection.close()
