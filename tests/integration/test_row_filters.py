"""A profile that shows some rows only: the others are not there, whatever is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import wall as sqlite_wall
from tests.support.postgres import Server
from tests.support.postgres_wall import Wall, hospital, walls

HIDDEN = 7
"""A patient of Alaska; the filter shows no Alaskans."""

PROBES = [
    "SELECT count(*) FROM patients WHERE patient_id = 7",
    "SELECT count(*) FROM patients WHERE state = 'AK'",
    "SELECT count(*) FROM patients p WHERE p.patient_id IN (7)",
    "SELECT count(*) FROM v_patient_contact WHERE patient_id = 7",
    "SELECT count(*) FROM v_roster WHERE ref = 7",
    "SELECT count(*) FROM (SELECT * FROM patients) x WHERE x.patient_id = 7",
    "SELECT count(*) FROM patients WHERE patient_id = 7 OR patient_id = 7",
]
ERRORS = [
    "SELECT count(*) FROM patients WHERE 1 / (patient_id - 7) IS NOT NULL",
    "SELECT count(*) FROM patients"
    " WHERE CASE WHEN patient_id = 7 THEN 1 / (patient_id - 7) ELSE 1 END = 1",
]
"""Statements that would fail on the hidden row, if they ever met it."""


@pytest.fixture(scope="module")
def postgres_hospital(postgres: Server, hospital_template: str) -> Iterator[Wall]:
    """The hospital without its Alaskans, and messages of one channel only."""
    profile, tags, schemas = hospital()
    filtered = dataclasses.replace(
        profile, rows={"patients": "state <> 'AK'", "messages": "channel = 'sms'"}
    )
    with walls(postgres, hospital_template, {"some": filtered}, tags, schemas) as made:
        yield made["some"]


class TestPostgres:
    """On the server, behind a security barrier."""

    @pytest.mark.parametrize("doorman", [True, False], ids=["gate", "no-gate"])
    @pytest.mark.parametrize("sql", PROBES)
    def test_a_hidden_row_is_not_there(self, postgres_hospital, sql, doorman):
        """In the table, in the source's own views over it, in any spelling."""
        assert postgres_hospital.ask(sql, doorman=doorman).rows == [(0,)]

    @pytest.mark.parametrize("doorman", [True, False], ids=["gate", "no-gate"])
    @pytest.mark.parametrize("sql", ERRORS)
    def test_a_hidden_row_raises_nothing(self, postgres_hospital, sql, doorman):
        """What the reader writes runs after the condition: there is no error to learn from."""
        seen = postgres_hospital.ask(sql, doorman=doorman)
        assert seen.error is None

    def test_a_partition_is_filtered_as_its_parent(self, postgres_hospital):
        """Whichever of them is asked."""
        for table in ("messages", "messages_2024", "messages_2025"):
            rows = postgres_hospital.ask(f"SELECT DISTINCT channel FROM {table}").rows
            assert set(rows) <= {("sms",)}

    def test_the_condition_is_in_no_text_one_can_read(self, postgres_hospital):
        """Its constants are rows of a table that only the projections read."""
        views = postgres_hospital.ask(
            "SELECT pg_get_viewdef(c.oid) FROM pg_class c WHERE relname = 'patients'", doorman=False
        )
        assert views.rows
        assert "AK" not in views.everything
        assert postgres_hospital.ask("SELECT * FROM gov_private.literal", doorman=False).error

    def test_the_other_rows_are_there(self, postgres_hospital):
        """All of them."""
        assert postgres_hospital.ask("SELECT count(*) FROM patients").rows == [(22,)]


class TestSqlite:
    """In the file's inner views."""

    @pytest.fixture
    def hospital(self, tmp_path: Path) -> Iterator[sqlite_wall.Wall]:
        treatments, tags = sqlite_wall.hospital_policy()
        path = sqlite_wall.hospital(tmp_path / "hospital.db")
        with sqlite_wall.wall(path, tags, treatments) as made:
            made.profile = dataclasses.replace(made.profile, rows={"patients": "state <> 'AK'"})
            yield made

    @pytest.mark.parametrize(
        "sql",
        [
            *PROBES[:3],
            *PROBES[5:],
        ],
    )
    def test_a_hidden_row_is_not_there(self, hospital, sql):
        """In any spelling."""
        seen = hospital.ask(sql)
        assert seen.error is None
        assert seen.rows == [(0,)]
