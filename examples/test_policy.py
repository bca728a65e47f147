"""
What the example policy promises, as tests: run `pytest examples` after every change of it.

They start a real gateway under `jupyter_server_config.py`, over a small invented clinic, and ask
it as the people whom the configuration knows.
"""

import os
import sqlite3
from pathlib import Path

import clinic
import pytest

from jupyter_gov.testing import (
    assert_absent,
    assert_clear,
    assert_no_value,
    assert_pseudonym,
    assert_refused,
    assert_treated,
    assert_withheld,
)

HERE = Path(__file__).parent
WHO = "SELECT patient_id, mrn, ssn, full_name, birth_date, zip, city, notes FROM patients LIMIT 50"


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """A clinic of few patients."""
    path = tmp_path_factory.mktemp("clinic") / "clinic.db"
    clinic.generate(path, patients=200)
    return path


@pytest.fixture(scope="session")
def gov_config(database):
    """The configuration under test, pointed at that clinic."""
    before = os.environ.get("CLINIC_DB")
    os.environ["CLINIC_DB"] = str(database)
    yield HERE / "jupyter_server_config.py"
    os.environ.pop("CLINIC_DB")
    if before is not None:
        os.environ["CLINIC_DB"] = before


@pytest.fixture(scope="session")
def canaries(database):
    """Values that nobody may see, from the database itself."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT ssn, full_name, phone, email FROM patients").fetchall()
    connection.close()
    return [value for row in rows for value in row if value]


def test_an_analyst_sees_no_direct_identifier(gov_gateway, canaries):
    """Joins and counts work; nobody is named."""
    frame = gov_gateway.client("ana").query("clinic", WHO)
    assert_clear(frame, "patient_id")
    assert_pseudonym(frame, "mrn")
    assert_treated(frame, "ssn", "partial")
    assert_withheld(frame, "full_name")
    assert_treated(frame, "birth_date", "year")
    assert_treated(frame, "zip", "zip3")
    assert_withheld(frame, "city")
    assert_withheld(frame, "notes")
    assert_no_value(frame, canaries)


def test_a_care_manager_finds_the_way(gov_gateway):
    """Town and ZIP code as they are, and an age; still no name."""
    frame = gov_gateway.client("sam").query("clinic", WHO)
    assert_clear(frame, "zip")
    assert_clear(frame, "city")
    assert_treated(frame, "birth_date", "age")
    assert_withheld(frame, "full_name")


def test_an_agent_gets_less_than_its_person(gov_gateway):
    """No part of an SSN, fewer tables, and a budget."""
    agent = gov_gateway.client("ana", agent="recon")
    assert_withheld(agent.query("clinic", WHO), "ssn")
    with assert_refused("out_of_scope"):
        agent.query("clinic", "SELECT * FROM medications")
    assert agent.connect("clinic").budget().rows_left == 50_000 - 50


def test_claims_are_not_for_care(gov_gateway):
    """A care manager's tables end there, and explaining says the same."""
    sam = gov_gateway.client("sam")
    assert "claims" not in set(sam.tables("clinic")["table"])
    with assert_refused("out_of_scope"):
        sam.query("clinic", "SELECT * FROM claims")
    assert sam.explain("clinic", "SELECT * FROM claims").decision == "deny"


def test_somebody_without_a_group_gets_nothing(gov_gateway, canaries):
    """Whatever they write, also in what they are told."""
    with assert_refused("no_grant") as refused:
        gov_gateway.client("rui").query("clinic", "SELECT * FROM patients")
    assert_no_value(refused.error, [*canaries, "patients"])


def test_a_view_shows_no_more_than_its_tables(gov_gateway, canaries):
    """It is made anew over what the person may see."""
    frame = gov_gateway.client("ana").query("clinic", "SELECT * FROM v_readmissions LIMIT 50")
    assert_absent(frame, "full_name")
    assert_no_value(frame, canaries)
