"""`%%govsql` as an analyst types it."""

from __future__ import annotations

import json
import re

import pytest


class TestFrame:
    def test_the_first_statement_opens_the_default_grant_in_one_line(self, deployment, kernel):
        """Said once, with its time; the next statement runs under it silently."""
        kernel.attach(deployment.people["ana"])
        first = kernel.run("%%govsql clinic\nSELECT count(*) AS n FROM patients")
        lines = first.stdout.splitlines()
        assert len(lines) == 1
        assert re.fullmatch(r"grant G-[0-9a-f]+ on clinic opened for (29|30) min", lines[0])
        assert kernel.run("%%govsql clinic\nSELECT 1 AS one").stdout == ""

    def test_a_quiet_line_stands_under_the_frame(self, analyst):
        """Who, time left, rows, what was treated, the record, the isolation: in that order."""
        cell = "%%govsql clinic\nSELECT mrn, sex FROM patients LIMIT 5"
        table, line = analyst.run(cell).shown
        assert "<table" in table["text/html"]
        gov = analyst.value("_.attrs['gov']")
        text = line["text/plain"]
        assert re.fullmatch(
            rf"ana · clinic \d+ min left · 5 rows · treated: patients\.mrn pseudonym"
            rf" · record {gov['record']} · {re.escape(gov['isolation'])}",
            text,
        ), text
        assert text in line["text/html"]

    def test_assigned_it_shows_only_the_line(self, analyst):
        """NAME << takes the frame, with its attributes, instead of showing it."""
        result = analyst.run("%%govsql cases << clinic\nSELECT sex, count(*) AS n FROM patients "
                             "GROUP BY sex")  # fmt: skip
        (line,) = result.shown
        assert line["text/plain"].startswith("ana · clinic")
        assert analyst.value("int(cases.n.sum())") == 500
        assert analyst.value("cases.attrs['gov']['record']") in line["text/plain"]

    def test_a_limit_cuts_and_says_so(self, analyst):
        """--limit: loud in the line and in the attributes."""
        result = analyst.run("%%govsql clinic --limit 3\nSELECT sex FROM patients")
        assert "CUT at 3 rows: this is not the whole answer" in result.text
        assert analyst.value("[len(_), _.attrs['gov']['cut']]") == [3, True]

    def test_a_note_is_sealed_into_the_record(self, deployment, analyst):
        """--note: readable with the audit key only."""
        analyst.run('%%govsql clinic --note "for the board, 3 May"\nSELECT 1 AS one')
        record = analyst.value("_.attrs['gov']['record']")
        intent = next(r for r in deployment.records("intent") if r["record"] == record)
        assert "board" not in json.dumps(intent)
        opened = json.loads(deployment.gateway.cli("audit", "show", record).stdout)
        assert "for the board, 3 May" in json.dumps(opened["says"]["opened"])

    def test_arrow_dtypes_on_request(self, analyst):
        """--arrow: the frame keeps Arrow's types."""
        analyst.run("%%govsql clinic --arrow\nSELECT count(*) AS n FROM patients")
        assert analyst.value("str(_.dtypes['n'])") == "int64[pyarrow]"


class TestBinds:
    def test_names_come_from_the_namespace_as_values(self, analyst):
        """A hostile text is compared, not run; and its name in a string is no parameter."""
        analyst.run("wanted = \"F' OR '1'='1\"; floor = 0")
        analyst.run("%%govsql clinic\nSELECT ':floor' AS text, count(*) AS n FROM patients"
                    " WHERE sex = :wanted AND patient_id > :floor")  # fmt: skip
        assert analyst.value("[_.text[0], int(_.n[0])]") == [":floor", 0]

    def test_a_missing_name_says_which(self, analyst):
        """Before anything is sent."""
        error = analyst.fail("%%govsql clinic\nSELECT :nowhere AS x").error
        assert "BindMissing: the statement uses :nowhere, but there is no variable nowhere" in error


class TestExplain:
    @pytest.mark.parametrize(
        "cell",
        [
            "%gov explain clinic SELECT mrn FROM patients WHERE state = 'OR' AND zip = :zip",
            "%%govsql clinic --explain\nSELECT mrn\nFROM patients\nWHERE zip = :zip",
        ],
        ids=["line", "cell"],
    )
    def test_it_is_shown_and_not_run(self, deployment, analyst, cell):
        """As a table in a browser and as text; no frame, and an `explained` record."""
        before = len(deployment.records("intent"))
        (shown,) = analyst.run(cell).shown
        assert "patients.mrn" in shown["text/plain"]
        assert "pseudonym" in shown["text/plain"]
        assert "<table" in shown["text/html"]
        (record,) = re.findall(r"R-[0-9a-f]{16}", shown["text/plain"])
        assert deployment.records("explained")[-1]["record"] == record
        assert len(deployment.records("intent")) == before


class TestErrors:
    @pytest.mark.parametrize(
        ("statement", "code", "shown"),
        [
            (
                "SELECT sex,\n       patint_id\nFROM patients",
                "UnknownName",
                "           patint_id\n           ^",
            ),
            ("SELECT sex\nFROM patients\nWHERE ORDER", "", "    WHERE ORDER\n          ^"),
            (
                "SELECT 1;\nDROP TABLE patients",
                "StatementRefused",
                "    SELECT 1;\n            ^",
            ),
            (
                "SELECT\tpatint_id FROM patients",
                "",
                "    SELECT\tpatint_id FROM patients\n          \t^",
            ),
        ],
        ids=["unknown-column", "syntax", "second-statement", "after-a-tab"],
    )
    def test_a_caret_points_into_the_users_own_sql(self, analyst, statement, code, shown):
        """The line as typed, and the place in it."""
        error = analyst.fail(f"%%govsql clinic\n{statement}").error
        assert code in error
        assert shown in error, error
        assert "Traceback" not in error

    def test_near_names_come_from_the_grant(self, analyst):
        """Did you mean: only what the grant shows."""
        error = analyst.fail("%%govsql clinic\nSELECT patint_id FROM patients").error
        assert "Did you mean: patient_id" in error
        assert re.search(r"\[unknown_name, record R-[0-9a-f]{16}\]", error)
