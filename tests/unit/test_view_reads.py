"""What the record says that was read, when it was read through a view of the source."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.engines.sqlite.engine import SqliteEngine, SqliteExecution
from jupyter_gov.masking.model import ColumnPolicy, Profile, Treatment
from jupyter_gov.masking.treatments import Seals
from jupyter_gov.sql.gate import read
from tests.support.keys import KEYS

TAGS = {"people": {"id": "key", "mrn": "mrn", "city": "city"}}
PROFILE = Profile(
    connection="c",
    by_tag={
        "key": ColumnPolicy(Treatment.CLEAR),
        "city": ColumnPolicy(Treatment.CLEAR),
        "mrn": ColumnPolicy(Treatment.PSEUDONYM, "mrn"),
    },
    untagged=ColumnPolicy(Treatment.WITHHOLD),
    tags=TAGS,
)
SCHEMA = """
    CREATE TABLE people (id INTEGER, mrn TEXT, city TEXT);
    INSERT INTO people VALUES (1, 'M1', 'Keene');
    CREATE VIEW short AS SELECT id, mrn AS number FROM people;
    CREATE VIEW shorter AS WITH x AS (SELECT number FROM short) SELECT number AS n FROM x;
    CREATE VIEW places AS SELECT city FROM people;
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SqliteEngine]:
    """A table with a treated column, and views over it."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA)
    spec = ConnectionSpec(name="c", url=f"sqlite:///{path}", tags=TAGS)
    made = SqliteEngine(spec, path, KEYS)
    yield made
    made.close()


def run(engine: SqliteEngine, sql: str) -> SqliteExecution:
    """Run to the end."""
    execution = engine.start(
        read(sql, "sqlite"), {}, profile=PROFILE,
        tables=frozenset({"people", "short", "shorter", "places"}),
        seals=Seals(bytes(64)), today=date(2026, 3, 1), deadline=time.monotonic() + 10,
    )  # fmt: skip
    list(execution.batches())
    return execution


class TestReadsThroughViews:
    @pytest.mark.parametrize(
        "sql", ["SELECT number FROM short", "SELECT n FROM shorter", "SELECT * FROM shorter AS s"]
    )
    def test_the_treated_column_behind_a_view_is_named(self, engine, sql):
        """A pseudonym that came through a view is said to be one."""
        execution = run(engine, sql)
        assert "people.mrn" in execution.reads
        assert execution.treated == {"people.mrn": Treatment.PSEUDONYM}
        execution.close()

    def test_a_view_of_clear_columns_names_nothing_treated(self, engine):
        """What a view does not read is not said to be read."""
        execution = run(engine, "SELECT city FROM places")
        assert execution.reads == ("people.city", "places.city")
        assert execution.treated == {}
        execution.close()
