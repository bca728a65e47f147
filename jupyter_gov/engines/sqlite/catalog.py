"""What is in a SQLite file: its tables, views and columns, with the admin's tags."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sqlite3
import time
from pathlib import Path

from jupyter_gov.connections.model import Catalog, Column, Table, Tags

_SETTLED_NS = 200_000_000
_MODULE = re.compile(r"\bUSING\s+[\"'`\[]?(\w+)", re.IGNORECASE)


def quoted(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def read_only_uri(path: Path) -> str:
    """The file, which must exist, for reading."""
    return f"{path.absolute().as_uri()}?mode=ro"


def version_of(connection: sqlite3.Connection, schema: str, path: Path) -> str:
    """
    What identifies one layout of one file, within one transaction.

    The schema's own counter alone does not: a copy that is put over the file in place may carry
    the same number with its tables on other pages, and an inode is given out again.
    """
    file = path.stat()
    layout = hashlib.sha256()
    for row in connection.execute(f"SELECT type, name, rootpage, sql FROM {schema}.sqlite_master"):
        layout.update(repr(row).encode(errors="surrogatepass"))
    cookie = counter_of(connection, schema)
    return f"{file.st_dev}:{file.st_ino}:{cookie}:{layout.hexdigest()[:16]}"


def counter_of(connection: sqlite3.Connection, schema: str) -> int:
    """SQLite's count of changes to the schema."""
    (counter,) = connection.execute(f"PRAGMA {schema}.schema_version").fetchone()
    return int(counter)


def state_of(path: Path) -> tuple[int, ...] | None:
    """
    Changes whenever the file or its write-ahead log does; None while they are just changing.

    Clocks of file systems are coarse, so a change of this moment may be followed by another that
    does not show.  Raises OSError.
    """
    file = path.stat()
    state = [file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns]
    last = file.st_ctime_ns
    with contextlib.suppress(FileNotFoundError):
        log = path.with_name(path.name + "-wal").stat()
        state += [log.st_ino, log.st_size, log.st_mtime_ns, log.st_ctime_ns]
        last = max(last, log.st_ctime_ns)
    return None if abs(time.time_ns() - last) < _SETTLED_NS else tuple(state)


def introspect(path: Path, tags: Tags, known: Catalog | None = None) -> Catalog:
    """
    The catalog; *known* itself while the schema has not changed.

    Raises sqlite3.Error, or OSError for a file that is gone.
    """
    with contextlib.closing(
        sqlite3.connect(read_only_uri(path), uri=True, isolation_level=None, timeout=5)
    ) as connection:
        connection.execute("BEGIN")
        version = version_of(connection, "main", path)
        if known is not None and known.version == version:
            return known
        return _read(connection, tags, version)


def _read(connection: sqlite3.Connection, tags: Tags, version: str) -> Catalog:
    listed = connection.execute(
        "SELECT name, type, coalesce(sql, '') FROM sqlite_master WHERE type IN ('table', 'view')"
    ).fetchall()
    hidden = _hidden(connection, listed)
    tables: dict[str, Table] = {}
    others: set[str] = set()
    for name, kind, sql in listed:
        if name in hidden or name.lower().startswith("sqlite_"):
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
            row_id=_row_id(connection, name) if kind == "table" else "",
        )
    return Catalog(version=version, tables=tables, others=frozenset(others))


def _hidden(connection: sqlite3.Connection, listed: list[tuple[str, str, str]]) -> set[str]:
    """Virtual tables and the tables in which they keep their own copy of the data."""
    virtual = {name: sql for name, _, sql in listed if _is_virtual(sql)}
    # Since 3.37 SQLite says which tables are shadows; before, and of modules that are not loaded
    # here, the name must do.
    kinds = {
        name: kind
        for schema, name, kind, *_ in connection.execute("PRAGMA table_list")
        if schema == "main"
    }
    modules = {name for (name,) in connection.execute("SELECT name FROM pragma_module_list")}
    by_name = tuple(
        f"{name}_" for name, sql in virtual.items() if not kinds or _module(sql) not in modules
    )
    shadows = {
        name
        for name, _, _ in listed
        if kinds.get(name) == "shadow" or (by_name and name.startswith(by_name))
    }
    return virtual.keys() | shadows


def _is_virtual(sql: str) -> bool:
    return re.match(r"\s*CREATE\s+VIRTUAL\b", sql, re.IGNORECASE) is not None


def _module(sql: str) -> str:
    found = _MODULE.search(sql)
    return found[1].lower() if found else ""


def _row_id(connection: sqlite3.Connection, table: str) -> str:
    """The column that SQLite also calls ``rowid``; empty if there is none."""
    try:
        cursor = connection.execute(f"SELECT rowid FROM {quoted(table)} LIMIT 0")
    except sqlite3.Error:
        return ""  # WITHOUT ROWID
    name: str = cursor.description[0][0]
    return "" if name.lower() == "rowid" else name
