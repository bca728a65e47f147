"""
The file changes under the gateway: its schema, its layout, its place, its health.

Whatever happens to it, a statement sees one state of one schema, or is told why not.
"""

from __future__ import annotations

import functools
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from jupyter_gov.engines.sqlite.guard import Guard, StaleCatalog
from jupyter_gov.errors import DatabaseUnavailable, GovError, QueryFailed
from jupyter_gov.masking.treatments import pseudonym
from jupyter_gov.sql import gate
from tests.support.wall import TODAY, Wall, wall

SECRET = "Zebulon Quartermain"
SCHEMA = f"""
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
    INSERT INTO people VALUES (1, '{SECRET}', 'Keene');
    CREATE TABLE visits (id INTEGER PRIMARY KEY, person INTEGER, reason TEXT);
    INSERT INTO visits VALUES (10, 1, 'cough');
"""
TAGS = {
    "people": {"id": "key", "name": "name", "city": "fact"},
    "visits": {"id": "key", "person": "key", "reason": "fact"},
}
TREATMENTS = {"key": "clear", "fact": "clear", "name": "withhold"}
WAIT = 7
"""Seconds in which an answer comes though the file is locked."""


def change(path: Path, script: str) -> None:
    """What the database's owner does meanwhile."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a b?.db"  # a name that needs care in a URI
    change(made, SCHEMA)
    return made


@pytest.fixture
def people(path: Path) -> Iterator[Wall]:
    with wall(path, TAGS, TREATMENTS) as made:
        assert made.ask("SELECT name, city FROM people").rows == [(None, "Keene")]
        yield made


class TestSchema:
    def test_a_column_that_is_added_is_withheld_until_it_is_tagged(self, people, path):
        """A pooled connection notices, and the new column shows nothing."""
        change(path, f"ALTER TABLE people ADD COLUMN nick TEXT DEFAULT '{SECRET}'")
        seen = people.ask("SELECT * FROM people")
        assert list(seen.frame.columns) == ["id", "name", "city", "nick"]
        assert seen.rows == [(1, None, "Keene", None)]

    def test_a_column_that_is_gone_is_unknown(self, people, path):
        """With the names that are still there."""
        change(path, "ALTER TABLE people DROP COLUMN city")
        seen = people.ask("SELECT city FROM people")
        assert seen.error.code == "unknown_name"
        assert people.ask("SELECT id FROM people").rows == [(1,)]

    def test_a_column_that_is_renamed_is_withheld_until_it_is_tagged(self, people, path):
        """Tags go by name, and the new one has none."""
        change(path, "ALTER TABLE people RENAME COLUMN name TO full_name")
        assert people.ask("SELECT full_name FROM people").rows == [(None,)]

    def test_a_table_that_is_added_is_out_of_reach(self, people, path):
        """The grant does not name it; not even its rows can be counted."""
        change(path, "CREATE TABLE secrets AS SELECT name FROM people")
        for sql in ("SELECT * FROM secrets", "SELECT count(*) FROM secrets"):
            for doorman in (True, False):
                assert isinstance(people.ask(sql, doorman=doorman).error, GovError)

    def test_a_table_that_is_gone_is_unknown(self, people, path):
        """And the others stay."""
        change(path, "DROP TABLE visits")
        assert isinstance(people.ask("SELECT * FROM visits").error, GovError)
        assert people.ask("SELECT city FROM people").rows == [("Keene",)]

    def test_a_change_between_decision_and_first_row_is_not_seen(self, people, path):
        """From its start a statement has one state of the file, schema and rows."""
        change(path, "PRAGMA journal_mode=WAL")
        statement = gate.read("SELECT * FROM people", "sqlite")
        execution = people.engine.start(
            statement, {}, profile=people.profile, tables=people.tables,
            seals=people.seals, today=TODAY, deadline=time.monotonic() + 10,
        )  # fmt: skip
        change(path, f"ALTER TABLE people ADD COLUMN nick DEFAULT '{SECRET}'; DELETE FROM people")
        (batch,) = execution.batches()
        execution.close()
        assert batch.to_pydict() == {"id": [1], "name": [None], "city": ["Keene"]}

    def test_a_connection_made_for_another_schema_is_not_used(self, people, path):
        """The last check stands inside the statement's own transaction."""
        make = functools.cache(functools.partial(pseudonym, b"k" * 32))
        guard = Guard(path, people.engine.catalog(), people.profile, people.tables, make)
        with closing(guard):
            change(path, "ALTER TABLE people ADD COLUMN nick")
            with pytest.raises(StaleCatalog):
                guard.begin(seals=people.seals, today=TODAY, deadline=time.monotonic() + 1)

    def test_a_catalog_of_another_schema_makes_no_connection(self, people, path):
        """Views are made only for the schema that they were thought for."""
        catalog = people.engine.catalog()
        change(path, "ALTER TABLE people ADD COLUMN nick")
        make = functools.cache(functools.partial(pseudonym, b"k" * 32))
        with pytest.raises(StaleCatalog):
            Guard(path, catalog, people.profile, people.tables, make)


class TestPlace:
    def test_a_copy_put_over_it_with_the_same_counter_is_noticed(self, people, path, tmp_path):
        """
        Its tables lie on each other's pages, and its schema has the same number.

        A connection that trusts the number alone would read people's names as visits' reasons.
        """
        other = tmp_path / "other.db"
        first, second = SCHEMA.split("CREATE TABLE visits")
        change(other, f"CREATE TABLE visits{second}{first}")
        counters = [counter(file) for file in (path, other)]
        assert counters[0] == counters[1]
        shutil.copyfile(other, path)
        seen = people.ask("SELECT id, person, reason FROM visits")
        assert SECRET not in seen.everything
        assert seen.rows == [(10, 1, "cough")]

    def test_another_file_in_its_place_is_noticed(self, people, path, tmp_path):
        """Moved there under the same name, as a nightly load does."""
        other = tmp_path / "other.db"
        change(other, SCHEMA.replace("Keene", "Nashua"))
        other.replace(path)
        assert people.ask("SELECT city FROM people").rows == [("Nashua",)]

    def test_a_file_that_is_gone_is_said_to_be_and_may_come_back(self, people, path, tmp_path):
        """Nothing of it is served from a connection that still holds it."""
        path.rename(tmp_path / "away.db")
        seen = people.ask("SELECT city FROM people")
        assert isinstance(seen.error, DatabaseUnavailable)
        assert "cannot be opened" in seen.error.message
        assert str(path) not in seen.everything
        (tmp_path / "away.db").rename(path)
        assert people.ask("SELECT city FROM people").rows == [("Keene",)]

    def test_an_empty_file_has_no_tables(self, people, path):
        """SQLite takes it for a database of nothing."""
        path.write_bytes(b"")
        assert isinstance(people.ask("SELECT city FROM people").error, GovError)


def counter(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA schema_version").fetchone()[0])


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Something writes, and lets nobody read meanwhile."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        yield writer


class TestHealth:
    def test_a_short_lock_is_waited_for(self, people, path):
        """A writer that ends soon costs its own time and no error."""
        with locked(path) as writer:
            timer = threading.Timer(0.5, writer.execute, ("ROLLBACK",))
            timer.start()
            assert people.ask("SELECT city FROM people").rows == [("Keene",)]
            timer.join()

    def test_a_long_lock_is_said_to_be_one(self, people, path):
        """After some seconds, as an error that may be tried again."""
        with locked(path):
            seen = people.ask("SELECT city FROM people")
        assert isinstance(seen.error, DatabaseUnavailable)
        assert "busy" in seen.error.message
        assert seen.error.retryable
        assert seen.seconds < WAIT
        assert people.ask("SELECT city FROM people").rows == [("Keene",)]

    def test_what_is_no_database_is_said_to_be_damaged(self, people, path):
        """Not one byte of it is repeated."""
        path.write_bytes(SECRET.encode() * 1_000)
        seen = people.ask("SELECT city FROM people")
        assert isinstance(seen.error, DatabaseUnavailable)
        assert "damaged" in seen.error.message
        assert SECRET not in seen.everything

    def test_a_damaged_page_is_said_to_be_damaged(self, path):
        """A table's own page is overwritten; the rest of the file stays as it was."""
        with closing(sqlite3.connect(path)) as connection:
            (page,) = connection.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = 'people'"
            ).fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        with path.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(SECRET.encode() * 20)
        with wall(path, TAGS, TREATMENTS) as made:
            seen = made.ask("SELECT city FROM people")
            assert isinstance(seen.error, DatabaseUnavailable)
            assert "damaged" in seen.error.message
            assert SECRET not in seen.everything
            assert made.ask("SELECT reason FROM visits").rows == [("cough",)]

    @pytest.mark.parametrize("column", ["city", "name"])
    def test_a_text_that_is_not_utf8_is_an_error_without_it(self, people, path, column):
        """Clear or treated: the driver's own message would repeat the bytes."""
        change(path, f"UPDATE people SET {column} = CAST(x'{b'Zebulon'.hex()}ff' AS TEXT)")
        treated = {**TREATMENTS, "name": "partial"}
        with wall(path, TAGS, treated) as made:
            seen = made.ask(f"SELECT {column} FROM people")
        assert isinstance(seen.error, QueryFailed)
        assert "Zebulon" not in seen.everything
