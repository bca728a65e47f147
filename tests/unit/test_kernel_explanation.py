"""An explanation as it is shown: what it says, and that untrusted names are only text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_gov.errors import OutOfScope, Position, UnknownName
from jupyter_gov.kernel.explanation import Explanation
from jupyter_gov.wire.messages import (
    ColumnView,
    GrantView,
    PrincipalView,
    TableView,
    decode,
    encode,
    encode_error,
)

ANA = PrincipalView(kind="person", name="ana", issuer="evaluation")
GRANT = GrantView(
    grant="G-1", connection="clinic", eligibility="analysts", tables=("patients",),
    actions=("read",), start="", end="", seconds_left=600, state="active",
)  # fmt: skip


def column(name, treatment="clear", enforcement="clear"):
    return ColumnView(
        name=name, tag="t", treatment=treatment, type="TEXT", treated_type="TEXT",
        enforcement=enforcement,
    )  # fmt: skip


def told(**more):
    said = {"decision": "allow", "rule": "because", "connection": "clinic", "principal": ANA}
    return decode(Explanation, encode(Explanation(**{**said, **more})))


class TestAsText:
    def test_a_decision_with_its_columns(self):
        """One line for each fact and for each column, aligned."""
        tables = (
            TableView(name="patients", kind="table", columns=(
                column("mrn", "pseudonym", "engine-treated"), column("sex"))),
            TableView(name="claims", kind="table"),
        )  # fmt: skip
        shown = repr(told(
            grant=GRANT, eligibility="analysts", kind="read", risk="low",
            relations=("patients", "claims"), binds=("zip",), tables=tables, record="R-1",
            purpose="Quality",
        ))  # fmt: skip
        assert shown.split("\n") == [
            "decision: allowed",
            "rule: because",
            "as: ana, for: Quality",
            "grant: G-1 (analysts), 10 min left",
            "statement: read, risk low",
            "relations: patients, claims",
            "parameters: :zip",
            "record: R-1",
            "reads: as follows",
            "  patients.mrn  pseudonym (engine-treated)",
            "  patients.sex  clear (clear)",
            "  claims        no column of it",
        ]

    def test_a_scanned_column_says_what_its_detector_can_do(self):
        """The whole sentence, where there is one."""
        notes = replace(column("notes", "seal", "scanned"), guarantee="scanned by x: PERSON 0.8")
        table = TableView(name="t", kind="table", columns=(notes,))
        assert "t.notes  seal (scanned by x: PERSON 0.8)" in repr(told(tables=(table,)))

    def test_what_is_not_known_for_sure(self):
        """Is said as that."""
        tables = (TableView(name="t", kind="table", columns=(column("a"),)),)
        assert "at most the following" in repr(told(tables=tables, exact=False))

    def test_a_refusal_points_into_the_statement(self):
        """As the error itself would be shown."""
        error = OutOfScope(
            "claims is not for you", hint="Ask.", near=("clams",),
            position=Position(line=2, column=6, offset=14),
        )  # fmt: skip
        shown = repr(told(decision="deny", refusal=encode_error(error)).of("SELECT 1\nFROM claims"))
        assert "code: out_of_scope\n    FROM claims\n         ^\n" in shown
        assert "did you mean: clams" in shown
        assert "hint: Ask." in shown

    def test_the_error_can_be_raised(self):
        """It is the one that running the statement raises."""
        error = told(refusal=encode_error(UnknownName("no such", near=("x",)))).error
        assert (type(error), error.near) == (UnknownName, ("x",))
        assert told().error is None


NASTY = "\x1b]0;x\x07<img src=x onerror=alert(1)>\u202e&amp;"


class TestUntrusted:
    @pytest.fixture
    def nasty(self):
        """Everything a database or a statement can name."""
        error = OutOfScope(NASTY, hint=NASTY, near=(NASTY,), position=Position(1, 1, 0))
        tables = (TableView(name=NASTY, kind="table", columns=(column(NASTY, NASTY, NASTY),)),)
        return told(
            decision=NASTY, rule=NASTY, purpose=NASTY, relations=(NASTY,), binds=(NASTY,),
            kind=NASTY, risk=NASTY, tables=tables, record=NASTY, refusal=encode_error(error),
            eligibility=NASTY, opens_for=NASTY,
        ).of(NASTY)  # fmt: skip

    def test_a_terminal_obeys_none_of_it(self, nasty):
        """Control and direction characters are shown, not obeyed."""
        assert all(c.isprintable() or c == "\n" for c in repr(nasty))

    def test_a_page_takes_none_of_it_for_markup(self, nasty):
        """Nor for an entity."""
        shown = nasty._repr_html_()
        assert "<img" not in shown
        assert "&lt;img" in shown
        assert "&amp;amp;" in shown
        assert "\x1b" not in shown
