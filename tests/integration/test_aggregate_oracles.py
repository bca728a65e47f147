"""
Below the least size of a group a database looks empty, whatever is asked and however it fails.

Statements made at random, hostile parts among them, run over three people and over nobody: what
passes must bring the same from both, rows and errors alike.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_gov.engines.postgres.functions import FUNCTIONS
from jupyter_gov.errors import GovError
from jupyter_gov.sql.aggregate import grouped
from jupyter_gov.sql.gate import read

Run = Callable[[str], tuple[str, object]]

SUBJECTS = {"patients": "patient_id", "visits": "patient_id"}
TABLES = """
CREATE TABLE patients (patient_id integer, state text, risk integer, note text, born date);
CREATE TABLE visits (visit_id integer, patient_id integer, started timestamp, cost numeric);
"""
PEOPLE = """
INSERT INTO patients VALUES (1, 'AK', 7, 'ab', '1931-02-28'), (2, 'AK', 0, '12x', '1990-01-01'),
  (3, 'WA', NULL, NULL, NULL);
INSERT INTO visits VALUES (1, 1, '2024-01-01', 10), (2, 1, '2024-01-02', 0),
  (3, 2, '2024-01-03', NULL), (4, 1, '2024-02-01', 5), (5, 1, '2024-02-02', 5);
"""
COLUMNS = ["state", "risk", "note", "born", "p.state", "p.risk", "patient_id", "p.patient_id"]
KEYS = [
    *COLUMNS, "1", "2", "lower(state)", "coalesce(note, '?')", "risk / 7", "1 / risk", "p",
    "date_trunc('month', born)", "extract(hour from born)", "left(note, 1)", "note::date",
    "CAST(note AS date)", "strftime('%Y', born)", "substr(note, 1, 2)", "substring(note, 1, -1)",
    "CASE WHEN risk = 7 THEN 1 END", "rowid", "to_char(born, 'YYYY')", "risk % 2",
]  # fmt: skip
OUTPUTS = [
    *KEYS, "count(*)", "count(risk)", "count(DISTINCT note)", "sum(risk)", "avg(risk)", "max(note)",
    "min(p.state)", "stddev(risk)", "sum(risk) / count(risk)", "1 / (count(*) - 3)",
    "sum(CASE WHEN risk = 7 THEN 1 ELSE 0 END)", "count(*) FILTER (WHERE risk = 7)", "'x'",
    "string_agg(note, ',')", "group_concat(note)", "array_agg(note)", "count(*) OVER ()",
    "sum(1 / risk)", "(SELECT max(note) FROM patients)", "count(p)", "sum(patient_id)", "p.*", "*",
]  # fmt: skip
CONDITIONS = [
    "state = 'AK'", "risk = 7", "risk > 3", "note LIKE 'a%'", "note LIKE 'a\\'",
    "born < '1950-01-01'",
    "patient_id = 1", "p.patient_id <> 1", "1 / risk = 1", "1 / (risk - 7) = 1", "note::int = 1",
    "CAST(note AS integer) = 1", "risk IN (7, 0)", "risk IN (SELECT 7)", "risk BETWEEN 1 AND 9",
    "date_trunc('month', born) = '1931-02-01'", "date_trunc('nonsense', born) = '1931-02-01'",
    "extract(hour from born) = 0", "substring(note, 1, -1) = 'a'", "left(note, 1) = 'a'",
    "sqrt(risk - 8) = 1", "note ~ '('", "note GLOB '*'", "rowid = 1", "NOT (state = 'WA')",
    "(state = 'AK' OR risk IS NULL)", "EXISTS (SELECT 1 FROM visits)", "abs(risk) = 7",
    "risk = v.cost", "p.patient_id = v.patient_id", "v.cost > 0", "1 = 1", "NULL", "true",
    "p.note = v.started", "coalesce(note, 'x') = 'x'", "note IS NOT NULL", "power(risk, 99999) > 1",
]  # fmt: skip
HAVINGS = ["count(*) > 0", "max(risk) = 7", "1 / (count(*) - 3) > 0", "avg(risk) > 1",
           "state = 'AK'",
           "count(*) < 99 OR 1 = 1", "sum(risk) = 7"]  # fmt: skip
FROMS = [
    "patients p", "patients p", "patients p JOIN visits v ON v.patient_id = p.patient_id",
    "patients p LEFT JOIN visits v USING (patient_id)", "patients p, visits v",
    "patients p JOIN visits v ON v.patient_id = p.patient_id AND v.cost > 0",
    "patients p JOIN visits v ON 1 / v.cost > 0", "(SELECT * FROM patients) p",
    "patients p NATURAL JOIN visits v", "patients p CROSS JOIN visits v",
]  # fmt: skip
TAILS = ["", "", "ORDER BY 1", "ORDER BY count(*) DESC", "ORDER BY max(note)", "LIMIT 1",
         "LIMIT (SELECT risk FROM patients LIMIT 1)", "ORDER BY 1 / (count(*) - 3)"]  # fmt: skip


def mostly(ordinary: list[str], every: list[str]) -> st.SearchStrategy[str]:
    """So that a hostile part often stands alone among ordinary ones, and reaches the database."""
    return st.one_of(st.sampled_from(ordinary), st.sampled_from(ordinary), st.sampled_from(every))


@st.composite
def statements(draw: st.DrawFn) -> str:
    """One SELECT; its keys are among its outputs."""
    keys = draw(st.lists(mostly(["state", "p.risk", "lower(note)"], KEYS), max_size=2))
    counts = ["count(*)", "count(risk)", "sum(risk)", "avg(p.risk)"]
    outputs = [*keys, *draw(st.lists(mostly(counts, OUTPUTS), min_size=1, max_size=2))]
    simple = ["state = 'AK'", "risk > 3", "note IS NOT NULL"]
    conditions = draw(st.lists(mostly(simple, CONDITIONS), max_size=2))
    having = draw(mostly([""], HAVINGS))
    return " ".join([
        "SELECT", ", ".join(outputs), "FROM", draw(mostly(["patients p"], FROMS)),
        "WHERE " + " AND ".join(conditions) if conditions else "",
        "GROUP BY " + ", ".join(keys) if keys else "",
        f"HAVING {having}" if having else "",
        draw(mostly([""], TAILS)),
    ])  # fmt: skip


SETTINGS = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def looks_empty(sql: str, dialect: str, few: Run, nobody: Run) -> bool:
    """Whether the statement passed; fails where the two databases can be told apart."""
    try:
        text = grouped(read(sql, dialect, FUNCTIONS), SUBJECTS, 4, FUNCTIONS).statement.text
    except GovError:
        return False
    assert few(text) == nobody(text), text
    return True


@pytest.fixture(scope="module")
def files() -> Iterator[tuple[Run, Run]]:
    """SQLite with three people, and with nobody."""
    with closing(sqlite3.connect(":memory:")) as few, closing(sqlite3.connect(":memory:")) as none:
        for connection in (few, none):
            connection.executescript(TABLES)
        few.executescript(PEOPLE)

        def runs(connection: sqlite3.Connection) -> Run:
            def run(sql: str) -> tuple[str, object]:
                try:
                    return "rows", connection.execute(sql).fetchall()
                except sqlite3.Error as error:
                    return "error", str(error)

            return run

        yield runs(few), runs(none)


@pytest.fixture(scope="module")
def databases(postgres) -> Iterator[tuple[Run, Run]]:
    """PostgreSQL with three people, and with nobody."""
    postgres.create("oracles")
    with postgres.connect("oracles") as connection:
        for schema, rows in (("few", PEOPLE), ("nobody", "")):
            connection.execute(
                f"CREATE SCHEMA {schema}; SET search_path = {schema}; {TABLES}{rows}"
            )

        def runs(schema: str) -> Run:
            def run(sql: str) -> tuple[str, Any]:
                connection.execute(f"SET search_path = {schema}")
                try:
                    return "rows", connection.execute(sql, prepare=False).fetchall()
                except psycopg.Error as error:
                    return "error", error.sqlstate

            return run

        yield runs("few"), runs("nobody")
    postgres.drop("oracles")


class TestFewAreNobody:
    @SETTINGS
    @given(statements())
    def test_in_sqlite(self, files, sql):
        """No row, no error, no difference."""
        looks_empty(sql, "sqlite", *files)

    @SETTINGS
    @given(statements())
    def test_in_postgresql(self, databases, sql):
        """Whose functions fail for a value, a unit or a length."""
        looks_empty(sql, "postgres", *databases)

    def test_what_passes_is_not_nothing(self, databases, files):
        """The parts that may be asked do pass, and find enough people where there are."""
        sql = (
            "SELECT lower(state), count(*), sum(risk) FROM patients p WHERE risk IN (7, 0)"
            " AND NOT (state = 'WA') GROUP BY lower(state) HAVING count(*) > 0 ORDER BY 1"
        )
        assert looks_empty(sql, "postgres", *databases)
        assert looks_empty(sql, "sqlite", *files)
        text = grouped(read(sql, "sqlite"), SUBJECTS, 2).statement.text
        assert files[0](text) == ("rows", [("ak", 2, 7)])
