"""
Every statement of `tests/cases/classification.jsonl`, as this version's one dialect meets it.

Reads pass and all the rest is refused, by the gate or by the engine's list of functions.  A case
that SQLite cannot express stands below with its reason, and a new case fails until it is placed.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.engines.sqlite.engine import SqliteEngine
from jupyter_gov.errors import BadSyntax, GovError, StatementRefused
from jupyter_gov.masking.model import ColumnPolicy, Profile, Treatment
from jupyter_gov.masking.treatments import Seals
from jupyter_gov.sql.gate import read
from tests.support.keys import KEYS

FILE = Path(__file__).parents[1] / "cases" / "classification.jsonl"
CASES = {case["id"]: case for case in map(json.loads, FILE.read_text().splitlines())}

NOT_SQLITE = {
    "CL-021": "B'101' is no literal of SQLite; it does not parse here",
    "CL-199": "# begins no comment in SQLite; it does not parse here",
    "CL-201": "SHOW is MySQL's; %gov tables answers it",
    "CL-247": "PRAGMA is refused whatever it asks; %gov tables answers it",
}
"""Reads of their own dialects that do not pass here, and must not."""

READS = [c for c in CASES.values() if c["class"] == "read" and c["id"] not in NOT_SQLITE]
REFUSED = [c for c in CASES.values() if c["class"] != "read"]
TABLES = frozenset({"claims", "encounters", "t"})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteEngine]:
    """A database with the tables that the cases name."""
    path = tmp_path_factory.mktemp("cases") / "hospital.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE claims (claim_id, status); CREATE TABLE encounters (department,"
            " encounter_type); CREATE TABLE t (a, ssn, `delete`)"
        )
    made = SqliteEngine(ConnectionSpec(name="hospital", url=f"sqlite:///{path}"), path, KEYS)
    yield made
    made.close()


def run(engine: SqliteEngine, sql: str) -> None:
    """Gate and engine, as a grant on everything in the clear would be run."""
    execution = engine.start(
        read(sql, "sqlite"),
        {},
        profile=Profile(
            connection="hospital", by_tag={}, untagged=ColumnPolicy(Treatment.CLEAR), tags={}
        ),
        tables=TABLES,
        seals=Seals(bytes(64)),
        today=date(2026, 3, 2),
        deadline=time.monotonic() + 1,
    )
    try:
        for _ in execution.batches():
            pass
    finally:
        execution.close()


@pytest.mark.parametrize("case", READS, ids=lambda case: case["id"])
def test_a_read_passes_the_gate(case):
    """Words such as `update` in a name or a string refuse nothing."""
    assert read(case["sql"], "sqlite").action == "read"


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["id"])
def test_everything_else_is_refused(engine, case):
    """By the gate; a function that does something is on no list of the engine."""
    with pytest.raises(GovError):
        run(engine, case["sql"])


@pytest.mark.parametrize(("identity", "why"), NOT_SQLITE.items(), ids=NOT_SQLITE)
def test_what_sqlite_cannot_express_is_refused(identity, why):
    """Each of the list, so that the list stays true."""
    with pytest.raises((StatementRefused, BadSyntax)):
        read(CASES[identity]["sql"], "sqlite")


def test_the_gate_itself_stops_what_is_no_query():
    """The engine's list of functions is needed for queries only."""
    passed = []
    for case in REFUSED:
        try:
            read(case["sql"], "sqlite")
        except GovError:
            continue
        passed.append(case)
    assert all(case["sql"].upper().startswith("SELECT") for case in passed)
    assert {c["id"] for c in passed if c["dialect"] == "sqlite"} == {"CL-256", "CL-258", "CL-266"}
