"""A real PostgreSQL's errors in our words: the user's names and places, and never a value."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from jupyter_gov.connections.model import Catalog, Column, Table
from jupyter_gov.engines.postgres.errors import Words, unavailable
from jupyter_gov.engines.postgres.functions import FUNCTIONS
from jupyter_gov.errors import (
    BadSyntax,
    DatabaseUnavailable,
    EngineRefused,
    GovError,
    QueryFailed,
    UnknownName,
)
from jupyter_gov.kernel import magics
from jupyter_gov.masking.model import ColumnPolicy, Profile, Treatment
from jupyter_gov.sql.binds import numbered
from jupyter_gov.sql.gate import read
from jupyter_gov.sql.qualify import requalified
from tests.support.gateway import ROOT

VIEWS = """
CREATE SCHEMA masked;
CREATE VIEW masked.patients AS SELECT patient_id, 'p_0123456789abcdef0123'::text AS mrn,
  'p_0123456789abcdef0123'::text AS ssn, 40 AS dob, full_name AS secret, state FROM patients;
CREATE VIEW masked.claims AS SELECT claim_id, patient_id, billed_amount, payer FROM claims;
SET search_path = masked;
"""
CATALOG = Catalog(
    version="1",
    schemas=("public",),
    tables={
        "patients": Table(
            name="patients", kind="table",
            columns=(
                Column(name="patient_id", type="integer", tag="id"),
                Column(name="mrn", type="integer", tag="mrn"),
                Column(name="ssn", type="text", tag="mrn"),
                Column(name="dob", type="date", tag="birth"),
                Column(name="secret", type="text", tag="id"),
                Column(name="added_later", type="text", tag=None),
                Column(name="state", type="text", tag="id"),
            ),
        ),
        "claims": Table(
            name="claims", kind="table",
            columns=(Column(name="claim_id", type="integer", tag="id"),
                     Column(name="patient_id", type="integer", tag="id"),
                     Column(name="billed_amount", type="numeric(12,2)", tag="id"),
                     Column(name="payer", type="text", tag="id")),
        ),
    },
)  # fmt: skip
PROFILE = Profile(
    connection="hospital",
    by_tag={
        "id": ColumnPolicy(Treatment.CLEAR),
        "mrn": ColumnPolicy(Treatment.PSEUDONYM),
        "birth": ColumnPolicy(Treatment.AGE),
    },
    untagged=ColumnPolicy(Treatment.WITHHOLD),
    tags={},
)


@pytest.fixture(scope="module")
def session(postgres, hospital_template) -> Iterator[psycopg.Connection[Any]]:
    """The cases' hospital with two masked views."""
    postgres.create("errors", template=hospital_template)
    with postgres.connect("errors") as connection:
        connection.execute(VIEWS)
        yield connection
    postgres.drop("errors")


@pytest.fixture
def failed(session):
    """What the user is told of a statement that fails."""

    def tell(sql: str) -> GovError:
        statement = read(sql, "postgres", FUNCTIONS)
        text, _ = numbered(requalified(statement, {"public": "masked"}), "postgres")
        try:
            session.execute(text, prepare=False).fetchall()
        except psycopg.Error as error:
            told = Words("hospital", statement, CATALOG, PROFILE, text).of(error)
            magic = told.next.magic if told.next else ""
            for verb in re.findall(r"%gov ([a-z]+)", f"{told} {told.hint} {magic}"):
                assert verb in magics._VERBS
            return told
        raise AssertionError("it did not fail")

    return tell


class TestNames:
    @pytest.mark.parametrize(
        ("sql", "says", "where", "near"),
        [
            ("SELECT statee FROM patients", "no column statee", (1, 8), "state"),
            ("SELECT 1,\n  p.pateint_id FROM public.patients p", "no column p.pateint_id", (2, 3),
             "patient_id"),
            ("SELECT * FROM\n public.patient", "no table public.patient", (2, 2), "patients"),
            ("SELECT * FROM nosuch.claims", "no table nosuch.claims", (1, 15), "claims"),
            ("SELECT patient.state FROM patients", "no table patient in FROM", (1, 8), "patients"),
            ("SELECT a::nosuch FROM (SELECT 1 AS a) x", "no type or collation nosuch", (1, 11), ""),
        ],
    )  # fmt: skip
    def test_an_unknown_one_is_shown_with_near_ones(self, failed, sql, says, where, near):
        """As the user wrote it, where the user wrote it."""
        told = failed(sql)
        assert isinstance(told, UnknownName)
        assert says in told.message
        assert (told.position.line, told.position.column) == where
        assert not near or near in told.near

    def test_a_column_nobody_decided_about_says_whom_to_ask(self, failed):
        """It is in the table, and not in what is shown of it."""
        told = failed("SELECT state, added_later FROM patients")
        assert isinstance(told, EngineRefused)
        assert "patients.added_later" in told.message
        assert "jupyter gov provision hospital" in told.hint
        assert told.next.action == "ask_admin"
        assert told.position.column == 15

    def test_what_the_grant_does_not_cover_says_how_to_ask(self, session, postgres, failed):
        """By the magic that asks for more."""
        session.execute("CREATE ROLE nobody_errors")
        session.execute("GRANT USAGE ON SCHEMA masked TO nobody_errors")
        session.execute("SET ROLE nobody_errors")
        try:
            told = failed("SELECT * FROM claims")
        finally:
            session.execute("RESET ROLE")
            session.execute("DROP OWNED BY nobody_errors; DROP ROLE nobody_errors")
        assert isinstance(told, EngineRefused)
        assert "claims" in told.message
        assert "%gov request hospital" in told.hint


class TestTreatments:
    @pytest.mark.parametrize(
        ("sql", "says"),
        [
            ("SELECT extract(year FROM mrn) FROM patients", "mrn is treated: pseudonym"),
            ("SELECT * FROM patients WHERE mrn = 5", "mrn is treated: pseudonym"),
            ("SELECT * FROM claims c JOIN patients p ON c.claim_id = p.mrn",
             "mrn is treated: pseudonym"),
            ("SELECT mrn::int FROM patients", "mrn is treated: pseudonym"),
            ("SELECT sum(mrn) FROM patients", "mrn is treated: pseudonym"),
            ("SELECT dob + interval '1 day' FROM patients", "dob is treated: age"),
            ("SELECT date_trunc('year', dob) FROM patients", "dob is treated: age"),
            ("SELECT * FROM patients WHERE dob = date '1931-02-28'", "dob is treated: age"),
        ],
    )  # fmt: skip
    def test_a_type_that_they_changed_is_told(self, failed, sql, says):
        """The column, its treatment, and what it is now."""
        told = failed(sql)
        assert isinstance(told, QueryFailed)
        assert says in told.message
        assert "%gov tables hospital" in told.hint
        column = says.split()[0]
        assert sql[told.position.offset :].startswith(column)

    def test_a_type_that_they_did_not_change_is_not_blamed_on_them(self, failed):
        """A plain mistake is one."""
        told = failed("SELECT mrn, payer + 1 FROM claims JOIN patients USING (patient_id)")
        assert "treated" not in told.message
        assert told.position.column == 19


class TestValues:
    @pytest.mark.parametrize(
        ("sql", "says"),
        [
            ("SELECT 1 / (patient_id - 7) FROM patients", "divided by zero"),
            ("SELECT secret::int FROM patients", "not a value of the type"),
            ("SELECT secret::date FROM patients", "not a date or time"),
            ("SELECT secret::jsonb FROM patients", "not a value of the type"),
            ("SELECT patient_id * 100000000000000000000::bigint FROM patients", "too large"),
            ("SELECT power(10.0, 200000)", "too large"),
            ("SELECT (SELECT secret FROM patients)", "more than one row"),
            ("SELECT regexp_match('x', secret || '(') FROM patients", "regular expression"),
            ("SELECT now() AT TIME ZONE secret FROM patients", "does not take"),
            ("SELECT date_part(secret, now()) FROM patients", "does not take"),
            ("SELECT convert_from('x'::bytea, secret) FROM patients", ""),
            ("SELECT secret LIKE 'x' ESCAPE 'ab' FROM patients", "escape"),
            ("SELECT state FROM patients GROUP BY secret", "GROUP BY"),
            ("SELECT patient_id FROM patients, claims", "more than one table"),
            ("SELECT secret::bit(4) FROM patients", ""),
            ("SELECT sqrt(-patient_id) FROM patients", "root"),
            ("SELECT 'x'::text COLLATE \"nosuch\"", "no type or collation"),
            ("SELECT repeat(secret, 100000000) FROM patients", ""),
        ],
    )
    def test_no_value_is_in_a_text(self, failed, sql, says):
        """Whatever the server's own message holds."""
        told = failed(sql)
        shown = f"{told} {told.hint} {told.near} {told.message}"
        assert says in told.message
        for canary in ("Quartermain", "Zebulon", "Abernathy", "Marisol", "900-"):
            assert canary not in shown

    @pytest.mark.parametrize(
        "case",
        [
            json.loads(line)
            for line in (ROOT / "tests" / "cases" / "masking_bypass.jsonl").read_text().splitlines()
        ],
        ids=lambda case: case["id"],
    )
    def test_nor_in_one_of_the_attacks(self, session, case):
        """Run on the bare tables, so that their errors carry what there is to carry."""
        statements = case["sql"] if isinstance(case["sql"], list) else [case["sql"]]
        leaks = case.get("leaks") or []
        canaries = [leaks] if isinstance(leaks, str) else leaks
        for sql in statements:
            try:
                statement = read(sql, "postgres", FUNCTIONS)
            except GovError:
                continue
            with session.transaction(force_rollback=True):
                session.execute(
                    "SET LOCAL search_path = public; SET LOCAL statement_timeout = 5000"
                )
                try:
                    with session.transaction():
                        session.execute(sql, prepare=False)
                except psycopg.Error as error:
                    told = Words("hospital", statement, CATALOG, PROFILE).of(error)
                    said = f"{told} {told.hint} {told.near}"
                    assert not any(c in said and c not in sql for c in map(str, canaries))


class TestTimes:
    def test_a_timeout_and_a_cancel_are_a_stop(self, session, failed):
        """The broker says which clock it was."""
        session.execute("SET statement_timeout = 50")
        try:
            assert failed(SLOW).message == "the statement was stopped"
        finally:
            session.execute("SET statement_timeout = 0")

        def cancel() -> None:
            time.sleep(0.2)
            session.cancel_safe()

        thread = threading.Thread(target=cancel)
        thread.start()
        assert failed(SLOW).message == "the statement was stopped"
        thread.join()

    def test_a_session_that_was_ended_is_no_fault_of_the_statement(self, postgres, session):
        """Trying again may help."""
        statement = read("SELECT 1", "postgres", FUNCTIONS)
        with psycopg.connect(postgres.conninfo("errors"), autocommit=True) as other:
            session.execute("SELECT pg_terminate_backend(%s)", [other.info.backend_pid])
            for _ in range(2):  # once it is told so, then it finds the connection closed
                with pytest.raises(psycopg.OperationalError) as lost:
                    other.execute("SELECT 1")
                told = Words("hospital", statement, CATALOG, PROFILE).of(lost.value)
                assert isinstance(told, DatabaseUnavailable)
                assert told.next.action in ("retry", "ask_admin")


SLOW = "SELECT count(*) FROM generate_series(1, 1000000000)"


class TestUnavailable:
    def test_a_role_that_has_ended(self, postgres):
        """A new grant makes another."""
        with pytest.raises(psycopg.OperationalError) as refused:
            psycopg.connect(postgres.conninfo("errors", "gone", "wrong"))
        told = unavailable("hospital", refused.value)
        assert told.next.action == "request_grant"
        assert "gone" not in str(told)

    def test_a_server_that_is_not_there(self):
        """Somebody has to look."""
        with pytest.raises(psycopg.OperationalError) as refused:
            psycopg.connect("host=127.0.0.1 port=1 connect_timeout=2")
        told = unavailable("hospital", refused.value)
        assert told.next.action == "ask_admin"
        assert "127.0.0.1" not in f"{told} {told.hint}"

    def test_no_room_for_a_session(self, postgres, session):
        """It passes."""
        session.execute("CREATE ROLE narrow_errors LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
        try:
            with pytest.raises(psycopg.OperationalError) as refused:
                psycopg.connect(postgres.conninfo("errors", "narrow_errors", "x"))
        finally:
            session.execute("DROP ROLE narrow_errors")
        assert unavailable("hospital", refused.value).next.action == "retry"

    def test_syntax_that_only_the_server_minds(self, failed):
        """At its place."""
        told = failed("SELECT sum(DISTINCT) FROM claims")
        assert isinstance(told, BadSyntax)

    def test_a_fault_of_ours_is_told_as_one(self):
        """And its text, which may hold anything, is not shown."""
        statement = read("SELECT 1", "postgres", FUNCTIONS)
        told = Words("hospital", statement, CATALOG, PROFILE).of(ValueError("900-11-2233"))
        assert told.code == "query_failed"
        assert "900" not in f"{told} {told.hint}"
