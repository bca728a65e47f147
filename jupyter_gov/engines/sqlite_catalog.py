"""What is in a SQLite file: its tables, views and columns, with the admin's tags."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from jupyter_gov.connections.model import Catalog, Column, Table, Tags


def quoted(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def open_read_only(path: Path) -> sqlite3.Connection:
    """The file, which must exist, for reading."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5
    )


def introspect(path: Path, tags: Tags, known: Catalog | None = None) -> Catalog:
    """The catalog; *known* itself while the schema has not changed.  Raises sqlite3.Error."""
    with contextlib.closing(open_read_only(path)) as connection:
        (schema_version,) = connection.execute("PRAGMA schema_version").fetchone()
        version = f"{path.stat().st_ino}:{schema_version}"
        if known is not None and known.version == version:
            return known
        virtual = {
            name
            for name, sql in connection.execute("SELECT name, sql FROM sqlite_master")
            if sql and sql.lstrip()[:14].upper() == "CREATE VIRTUAL"
        }
        tables: dict[str, Table] = {}
        others: set[str] = set()
        listed = connection.execute(
            "SELECT name, type, coalesce(sql, '') FROM sqlite_master"
            " WHERE type IN ('table', 'view')"
        ).fetchall()
        for name, kind, sql in listed:
            shadow = any(name.startswith(f"{owner}_") for owner in virtual)
            if name in virtual or shadow or name.lower().startswith("sqlite_"):
                others.add(name)
                continue
            try:
                columns = connection.execute(f"PRAGMA table_xinfo({quoted(name)})").fetchall()
            except sqlite3.Error:
                others.add(name)  # a view over something that is gone
                continue
            tagged = tags.get(name, {})
            tables[name] = Table(
                name=name,
                kind=kind,
                columns=tuple(
                    Column(name=column[1], type=column[2], tag=tagged.get(column[1]))
                    for column in columns
                ),
                definition=sql if kind == "view" else "",
            )
    return Catalog(version=version, tables=tables, others=frozenset(others))
