"""The wall as a kernel meets it: over HTTP, from a gateway in a process of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_gov.errors import (
    DatabaseUnavailable,
    EngineRefused,
    GovError,
    QueryFailed,
    StatementRefused,
    UnknownName,
)
from tests.conftest import populate
from tests.support.canaries import Canaries
from tests.support.gateway import running
from tests.support.wall import CASES, bare, cases, hospital, hospital_policy

MORE = """
import tomllib
policy = tomllib.loads(Path({policy!r}).read_text())
c.GovConnections.connections["hospital"] = {{
    "url": "sqlite:///{database}", "description": "an invented hospital", "timeout": "20s",
}}
c.GovConnections.tags = {{
    **tomllib.loads((here / "clinic-tags.toml").read_text()),
    "hospital": {{
        table: {{column: "h_" + tag for column, tag in columns.items()}}
        for table, columns in policy["tags"].items()
    }},
}}
c.GovMasking.treatments.update({{"h_" + t: name for t, name in policy["treatments"].items()}})
c.GovAccess.eligibilities["ward"] = {{
    "who": ["group:analysts"],
    "connection": "hospital",
    "tables": [*policy["tags"], "v_patient_contact", "v_roster", "v_dept_stats"],
    "default_duration": "1h",
}}
"""
SAMPLE = [c for c in cases("more_bypass.jsonl") if "kind" not in c and isinstance(c["leaks"], list)]
SAMPLE = [*SAMPLE[::9], *cases("masking_bypass.jsonl")[::11]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hospital(tmp_path_factory.mktemp("hospital") / "hospital.db")


@pytest.fixture(scope="module")
def ward(make_site, database: Path) -> Iterator:
    """A kernel of ana's, connected to the hospital."""
    more = MORE.format(policy=str(CASES / "policy.toml"), database=database)
    with running(make_site(more)) as gateway:
        yield populate(gateway).analyst().connect("hospital")


@pytest.fixture(scope="module")
def canaries(database: Path) -> Canaries:
    treatments, tags = hospital_policy()
    return Canaries.of(database, tags, treatments)


def shown(error: GovError) -> str:
    """All that IPython prints of an error, and all that its attributes hold."""
    lines = error._render_traceback_()
    return "\n".join([*lines, repr(vars(error)), str(error.__cause__)])


class TestAttacks:
    @pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case["id"])
    def test_nothing_raw_reaches_the_kernel(self, ward, canaries, case):
        """In the frame, its attributes, or the error as a notebook shows it."""
        try:
            frame = ward.query(case["sql"], binds=case.get("binds"))
            seen = frame.to_csv() + "\n".join(frame.columns) + repr(frame.attrs)
            assert frame.attrs["gov"]["connection"] == "hospital"
        except GovError as error:
            seen = shown(error)
        assert canaries.seen_in(seen, but_for=case["sql"] + str(case.get("binds"))) == []


class TestErrors:
    def test_a_misspelt_column_is_shown_in_the_users_own_text(self, ward):
        """With its place, and the names of the grant's projections that are like it."""
        with pytest.raises(UnknownName) as wrong:
            ward.query("SELECT patient_id,\n       full_nam\nFROM patients")
        assert wrong.value.near == ("full_name",)
        lines = wrong.value._render_traceback_()
        assert "           full_nam" in lines
        assert "           ^" in lines

    def test_a_function_that_is_not_listed_is_named(self, ward):
        """With what is like it."""
        with pytest.raises(EngineRefused, match="load_extension"):
            ward.query("SELECT load_extension('x')")
        with pytest.raises((EngineRefused, UnknownName)) as wrong:
            ward.query("SELECT groupconcat(payer) FROM claims")
        assert "group_concat" in wrong.value.near

    def test_a_value_in_sqlites_error_stays_there(self, ward):
        """Our words, and the record's id."""
        with pytest.raises(QueryFailed) as wrong:
            ward.query("SELECT json_extract('{}', state || 'x') FROM patients")
        assert "record R-" in str(wrong.value)
        assert "WAx" not in shown(wrong.value)

    @pytest.mark.parametrize(
        ("sql", "kind"),
        [
            ("PRAGMA table_info(patients)", StatementRefused),
            ("EXPLAIN SELECT 1", StatementRefused),
            ("SELECT 1; SELECT 2", StatementRefused),
            ("SELECT * FROM temp.sqlite_master", GovError),
        ],
    )
    def test_what_is_forbidden_is_refused_and_recorded(self, ward, sql, kind):
        """Every refusal names its record."""
        with pytest.raises(kind) as refused:
            ward.query(sql)
        assert refused.value.record.startswith("R-")


class TestHonest:
    def test_clear_columns_come_as_they_are_and_the_rest_is_said(self, ward, database):
        """The frame's attributes say what was treated."""
        sql = "SELECT patient_id, state, ssn, dob, notes FROM patients ORDER BY patient_id"
        frame = ward.query(sql)
        truth = bare(database, sql).frame
        assert frame["state"].tolist() == truth["state"].tolist()
        assert frame["notes"].isna().all()
        assert frame.attrs["gov"]["treated"] == {
            "patients.ssn": "partial", "patients.dob": "year", "patients.notes": "seal",
        }  # fmt: skip
        assert frame.attrs["gov"]["withheld_cells"] == 30

    def test_a_natural_join_says_that_it_read_everything(self, ward):
        """The database does not tell which columns it compares, so all are named."""
        frame = ward.query("SELECT count(*) AS n FROM patients NATURAL JOIN guarantors")
        assert {"patients.ssn", "guarantors.tax_id"} <= frame.attrs["gov"]["treated"].keys()

    def test_a_join_by_using_says_which_columns_it_read(self, ward):
        """They are in the statement."""
        sql = "SELECT count(*) AS n FROM patients JOIN (SELECT 'x' AS mrn) USING (mrn)"
        assert ward.query(sql).attrs["gov"]["treated"] == {"patients.mrn": "pseudonym"}


class TestFile:
    def test_it_may_go_away_and_come_back(self, ward, database):
        """The gateway goes on, and says what its administrator should look at."""
        away = database.with_suffix(".away")
        database.rename(away)
        try:
            with pytest.raises(DatabaseUnavailable) as gone:
                ward.query("SELECT count(*) AS n FROM patients")
            assert gone.value.retryable
            assert str(database) not in shown(gone.value)
        finally:
            away.rename(database)
        assert ward.query("SELECT count(*) AS n FROM patients")["n"].tolist() == [30]

    def test_a_column_added_meanwhile_is_withheld(self, ward, database):
        """In the very next statement."""
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("ALTER TABLE claims ADD COLUMN patient_name DEFAULT 'Zebulon Q.'")
            connection.commit()
        frame = ward.query("SELECT claim_id, patient_name FROM claims")
        assert frame["patient_name"].isna().all()
        assert frame.attrs["gov"]["treated"] == {"claims.patient_name": "withhold"}
