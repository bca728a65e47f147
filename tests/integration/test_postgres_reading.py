"""What is said that a statement reads in PostgreSQL, against PostgreSQL's own analyser."""

from __future__ import annotations

import json

import psycopg
import pytest

from jupyter_gov.errors import GovError
from jupyter_gov.sql import gate
from jupyter_gov.sql.reading import check_columns, reads_of
from tests.support.postgres import CASES
from tests.support.postgres_wall import hospital, walls


def lines(name):
    told = [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8").splitlines()]
    return [case for case in told if isinstance(case["sql"], str)]


STATEMENTS = [
    *lines("legit.jsonl"), *lines("masking_bypass.jsonl"), *lines("postgres/gate_passes.jsonl"),
]  # fmt: skip
DEPENDS = """
SELECT DISTINCT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname,
       a.attname
  FROM pg_depend AS d
  JOIN pg_rewrite AS r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_class AS v ON v.oid = r.ev_class AND v.relname = 'analysed'
  JOIN pg_class AS c ON c.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
 WHERE c.relname <> 'analysed' AND d.refobjsubid > 0"""
"""The columns that the temporary view *analysed* depends on, whatever notation reached them."""


@pytest.fixture(scope="module")
def wall(postgres, hospital_template):
    profile, tags, schemas = hospital()
    with walls(postgres, hospital_template, {"file": profile}, tags, schemas) as made:
        yield made["file"]


@pytest.fixture(scope="module")
def analysed(postgres, hospital_template):
    """From a statement to what PostgreSQL says of it; None if it makes no view."""
    postgres.create("analysed", hospital_template)
    with postgres.connect("analysed") as connection:
        connection.autocommit = True

        def columns(sql):
            connection.execute("DROP VIEW IF EXISTS analysed")
            try:
                connection.execute(f"CREATE TEMP VIEW analysed AS {sql.strip().rstrip(';')}")
            except psycopg.Error:
                return None
            return set(connection.execute(DEPENDS).fetchall())

        yield columns
    postgres.drop("analysed")


class TestReads:
    @pytest.mark.parametrize("case", STATEMENTS, ids=lambda case: case["id"])
    def test_no_column_is_missed(self, wall, analysed, case):
        """Rows as values, notations of functions and attributes, renamed columns: all are named."""
        try:
            statement = gate.read(case["sql"], "postgres", wall.engine.functions)
        except GovError:
            return
        catalog, read = wall.engine.catalog(), analysed(case["sql"])
        if read is None:
            return
        check_columns(statement, catalog, "postgres")  # PostgreSQL found every name
        told = reads_of(statement, catalog, "postgres")
        assert not told.exact
        assert {(t, c) for t, c in read if t in catalog.tables} <= set(told.columns)

    def test_of_ordinary_queries_little_is_said_too_much(self, wall, analysed):
        """Of the columns named for them, nine of ten are read."""
        told, read = set(), set()
        for case in lines("legit.jsonl"):
            statement = gate.read(case["sql"], "postgres", wall.engine.functions)
            columns = analysed(case["sql"])
            if columns is not None:
                named = reads_of(statement, wall.engine.catalog(), "postgres").columns
                told |= {(case["id"], *column) for column in named}
                read |= {(case["id"], *column) for column in columns}
        assert len(told & read) > 0.9 * len(told)

    @pytest.mark.parametrize(
        ("sql", "place"),
        [
            ("SELECT ssnn FROM patients", 7),
            ("SELECT p.ssnn FROM patients p", 7),
            ("SELECT 1 FROM patients JOIN encounters e USING (patient_id) WHERE e.ssnn = 1", 66),
            ("WITH a AS (SELECT ssnn FROM patients) SELECT * FROM a", 18),
        ],
    )
    def test_a_column_that_is_not_there(self, wall, sql, place):
        """Is said with its place and what it may have meant, before there is a role to ask."""
        statement = gate.read(sql, "postgres", wall.engine.functions)
        with pytest.raises(GovError) as refused:
            wall.engine.reads(statement, profile=wall.profile, tables=wall.tables)
        assert refused.value.code == "unknown_name"
        assert refused.value.position.offset == place
        assert "ssn" in refused.value.near
