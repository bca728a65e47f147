"""The doorman and a real PostgreSQL: what one lets pass the other can run, and reads the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_gov.engines.postgres.functions import FUNCTIONS
from jupyter_gov.errors import GovError
from jupyter_gov.sql.binds import numbered
from jupyter_gov.sql.gate import read
from tests.support.gateway import ROOT

CASES = ROOT / "tests" / "cases" / "postgres"
PASSES = [json.loads(line) for line in (CASES / "gate_passes.jsonl").read_text().splitlines()]

SLEEP = "pg_sleep("
"""As a plan shows the call."""
_QUOTED = re.compile("""'(?:[^']|'')*'|[\"](?:[^\"]|[\"]{2})*[\"]""")
FRAGMENTS = [
    "SELECT ", "1", "sex", "x", ", ", ", pg_sleep(0) ", " pg_sleep(0)", " FROM patients ",
    " FROM claims ", " JOIN claims c ON true ", " WHERE true ", "/*", "*/", "--", "\n", "\r", " ",
    "'", "''", '"', "[", "]", "`", "(", ")", "\\", "\\'", "$$", "$a$", "x'", "E'", "e'", "N'",
    "U&'", 'U&"', "B'", " AS ", " UNION SELECT ", " WITH x AS (SELECT 1) ", "\t", "\x0b", "\x0c",
    "\xa0", "/*+", "::text", "::", ":", ".", "#", "!", "@", "-", "+", "~", "{", "}", "_0", "1_000",
    " FROM x", " AT TIME ZONE ", " COLLATE ", " OVER () ", "count(*)", "TABLE claims",
    " FROM ROWS FROM (generate_series(1,2)) ", " LATERAL ", " IS ", " IN ", ";", "é",
]  # fmt: skip
HIDING = [
    "/*", "*/", "--", "\n", "\r", "'", "''", '"', "$$", "$a$", "E'", "e'", "\\", "U&'", "B'", " ",
    " '", "/*+", "#", "+", "@", "a", "\x0b", "\xa0", "1",
]  # fmt: skip
_hidden = st.lists(st.sampled_from(HIDING), max_size=4).map("".join)
STATEMENTS = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join),
    st.tuples(_hidden, st.just(", pg_sleep(0) "), _hidden).map("".join),
)


@pytest.fixture(scope="module")
def session(postgres, hospital_template) -> Iterator[psycopg.Connection[Any]]:
    """A database with the cases' hospital."""
    postgres.create("gate", template=hospital_template)
    with postgres.connect("gate") as connection:
        yield connection
    postgres.drop("gate")


class TestOrdinary:
    @pytest.mark.parametrize("case", PASSES, ids=lambda case: case["id"])
    def test_what_passes_runs(self, session, case):
        """So that the list of what must pass is one of real statements."""
        text, names = numbered(case["sql"], "postgres")
        with psycopg.RawCursor(session) as cursor:
            if names:
                cursor.execute(text, ["1"] * len(names))
            else:
                cursor.execute(text)
            assert cursor.description is not None

    def test_every_function_of_the_list_is_the_servers_or_a_newer_ones(self, session):
        """A misspelt name would allow nothing; those of later versions are told apart here."""
        rows = session.execute(
            "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
        ).fetchall()
        grammar = {"coalesce", "greatest", "least", "nullif", "grouping", "trim"}
        grammar |= {"current_time", "current_timestamp", "localtime", "localtimestamp"}
        missing = FUNCTIONS - {name for (name,) in rows} - grammar
        assert len(missing) < 50

    def test_none_of_the_list_acts(self, session):
        """Volatile ones only tell the time or roll dice, and none runs as another."""
        rows = session.execute(
            "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
            " AND proname = ANY(%s) AND (provolatile = 'v' OR prosecdef)",
            [sorted(FUNCTIONS)],
        ).fetchall()
        harmless = {"clock_timestamp", "timeofday", "random", "gen_random_uuid"}
        newer = {"random_normal", "uuidv4", "uuidv7", "array_sample", "array_shuffle"}
        assert {name for (name,) in rows} <= harmless | newer


class TestReadTheSame:
    @settings(
        max_examples=1500,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(STATEMENTS)
    def test_no_call_or_table_is_hidden_from_the_gate(self, session, text):
        """
        What the server finds in a statement that passed, the gate has seen.

        Quotes, comments and signs that the two end at different places would hide it.
        """
        for sql in (f"SELECT {text}", f"SELECT 1 {text}", f"SELECT 1 FROM patients {text}"):
            try:
                statement = read(sql, "postgres", FUNCTIONS)
                query, names = numbered(sql, "postgres")
            except GovError:
                continue
            if names:
                continue
            try:
                row = session.execute(
                    "EXPLAIN (VERBOSE, FORMAT JSON) " + query.rstrip().rstrip(";"), prepare=False
                ).fetchone()
            except psycopg.Error:
                continue
            plan = row[0][0]["Plan"]
            assert set(_relations(plan)) <= set(statement.relations)
            assert not any(SLEEP in _QUOTED.sub("", said) for said in _texts(plan))


def _relations(plan: dict[str, Any]) -> Iterator[str]:
    if "Relation Name" in plan:
        yield plan["Relation Name"]
    for below in plan.get("Plans", ()):
        yield from _relations(below)


def _texts(plan: Any) -> Iterator[str]:
    """Every expression in a plan."""
    if isinstance(plan, str):
        yield plan
    elif isinstance(plan, dict):
        for key, below in plan.items():
            if key not in ("Alias", "Relation Name"):  # names, without quotes
                yield from _texts(below)
    elif isinstance(plan, list):
        for below in plan:
            yield from _texts(below)
