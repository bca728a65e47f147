"""What a statement is and whether it may simply run, for every case of PostgreSQL and SQLite."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gov.engines.postgres.functions import FUNCTIONS as POSTGRES
from jupyter_gov.engines.sqlite.functions import FUNCTIONS as SQLITE
from jupyter_gov.errors import GovError
from jupyter_gov.sql.classify import Class, Classified, Risk
from jupyter_gov.sql.classify import classify as classify_any
from jupyter_gov.sql.gate import read
from tests.support.gateway import ROOT

CASES = [
    case
    for case in map(
        json.loads, (ROOT / "tests" / "cases" / "classification.jsonl").read_text().splitlines()
    )
    if case["dialect"] in ("postgres", "sqlite")
]
KEYS = {
    "claims": [frozenset({"claim_id"})],
    "patients": [frozenset({"patient_id"}), frozenset({"mrn"})],
    "messages": [frozenset({"message_id", "sent_at"})],
    "billing.guarantors": [frozenset({"guarantor_id"})],
}

REFUSED_READS = {"CL-247": "PRAGMA is refused whatever it asks; %gov tables answers it"}
"""Reads that the gate does not let pass all the same."""


def classify(sql: str, dialect: str = "postgres") -> Classified:
    """With the cases' unique keys."""
    return classify_any(sql, dialect, POSTGRES if dialect == "postgres" else SQLITE, KEYS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
class TestCases:
    def test_its_class_risk_and_approval(self, case):
        """As the case file says, without an exception."""
        told = classify(case["sql"], case["dialect"])
        assert told.kind == case["class"]
        assert told.needs_approval is case["needs_approval"]
        assert told.risk == case["risk"]

    def test_the_gate_agrees(self, case):
        """What is no read does not pass; only SQLite's engine decides about its functions."""
        functions = POSTGRES if case["dialect"] == "postgres" else SQLITE
        try:
            read(case["sql"], case["dialect"], functions)
            passed = True
        except GovError:
            passed = False
        if case["class"] == "read":
            assert passed is (case["id"] not in REFUSED_READS)
        elif case["dialect"] == "postgres":
            assert not passed


class TestApproval:
    @pytest.mark.parametrize(
        ("sql", "kind"),
        [
            ("COMMIT", Class.TRANSACTION),
            ("SET ROLE x", Class.ADMIN),
            ("SELECT pg_sleep(1)", Class.UNSAFE),
            ("SELECT 1; SELECT 2", Class.UNSAFE),
            ("SELECT * FROM pg_authid", Class.UNSAFE),
            ("COPY t TO PROGRAM 'x'", Class.UNSAFE),
            ("LOCK TABLE claims", Class.ADMIN),
            ("SELECT no_such_function(1)", Class.UNSAFE),
        ],
    )
    def test_some_are_never_approvable(self, sql, kind):
        """Whoever would say yes to them."""
        told = classify(sql)
        assert told.kind is kind
        assert told.needs_approval
        assert not told.approvable

    @pytest.mark.parametrize("sql", ["DELETE FROM claims", "DROP TABLE x", "TRUNCATE x"])
    def test_others_may_be_approved(self, sql):
        """But do not simply run."""
        told = classify(sql)
        assert told.needs_approval
        assert told.approvable

    @settings(max_examples=200)
    @given(st.text(max_size=80), st.sampled_from(["postgres", "sqlite", "mysql"]))
    def test_what_is_not_understood_is_unsafe(self, sql, dialect):
        """It never raises."""
        told = classify(sql, dialect)
        assert told.kind is Class.READ or told.needs_approval or told.bounded

    def test_another_database_is_not_understood(self):
        """There is no gate for it."""
        assert classify("SELECT 1", "mysql").kind is Class.UNSAFE


class TestBounded:
    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE claims SET status = 'paid' WHERE claim_id = 1",
            "UPDATE claims SET status = 'paid' WHERE 1 = claim_id",
            "UPDATE public.claims AS c SET status = 'x' WHERE c.claim_id = :id AND payer = 'x'",
            "DELETE FROM claims WHERE claim_id IN (1, 2, -3, '4'::int)",
            "DELETE FROM patients WHERE mrn = 'MRN-1'",
            "DELETE FROM messages WHERE (message_id = 1 AND sent_at = '2024-01-01')",
            "DELETE FROM billing.guarantors WHERE guarantor_id = 3",
            "DELETE FROM claims USING patients p WHERE claims.claim_id = 1 AND p.mrn = 'x'",
            "INSERT INTO claims (claim_id) VALUES (1), (:a)",
        ],
    )
    def test_a_key_held_to_constants_bounds(self, sql):
        """Equality or a finite list, on every column of one unique key."""
        told = classify(sql)
        assert told.bounded, told.why
        assert told.risk is Risk.MEDIUM
        assert not told.needs_approval

    @pytest.mark.parametrize(
        "sql",
        [
            "DELETE FROM claims WHERE payer = 'x'",
            "DELETE FROM claims WHERE claim_id = 1 OR payer = 'x'",
            "DELETE FROM claims WHERE NOT (claim_id = 1)",
            "DELETE FROM claims WHERE claim_id = claim_id",
            "DELETE FROM claims WHERE claim_id = encounter_id",
            "DELETE FROM claims WHERE claim_id = (SELECT 1)",
            "DELETE FROM claims WHERE claim_id IN (SELECT 1)",
            "DELETE FROM claims WHERE claim_id = ANY (ARRAY(SELECT claim_id FROM claims))",
            "DELETE FROM claims WHERE claim_id <= 1",
            "DELETE FROM claims WHERE claim_id BETWEEN 1 AND 1",
            "DELETE FROM claims WHERE (claim_id = 1) IS NOT NULL",
            "DELETE FROM claims WHERE claim_id = 1 AND false OR true",
            "DELETE FROM messages WHERE message_id = 1",
            "DELETE FROM encounters WHERE encounter_id = 1",
            "DELETE FROM claims USING patients p WHERE p.patient_id = 1",
            "DELETE FROM claims USING patients p WHERE claim_id = 1",
            "DELETE FROM claims c WHERE claims.claim_id = 1",
            "INSERT INTO claims SELECT * FROM claims",
            "INSERT INTO claims VALUES ((SELECT max(claim_id) FROM claims))",
            "MERGE INTO claims c USING (SELECT 1 AS i) s ON c.claim_id = s.i"
            " WHEN MATCHED THEN DELETE",
            "WITH x AS (DELETE FROM messages) DELETE FROM claims WHERE claim_id = 1",
        ],
    )
    def test_anything_else_is_bulk(self, sql):
        """A tautology is not looked for: nothing but a key counts."""
        told = classify(sql)
        assert told.kind is Class.WRITE
        assert not told.bounded
        assert told.needs_approval

    @pytest.mark.parametrize("call", ["pg_read_file('x')", "their_own(1)", "public.lower('x')"])
    def test_a_write_that_calls_what_it_must_not_is_unsafe(self, call):
        """However few rows it names."""
        for sql in (
            f"UPDATE claims SET memo = {call} WHERE claim_id = 1",
            f"INSERT INTO claims (claim_id) VALUES ({call})",
            f"WITH x AS (DELETE FROM claims RETURNING {call}) SELECT * FROM x",
            f"SELECT {call} FROM claims FOR UPDATE",
        ):
            assert classify(sql).kind is Class.UNSAFE
