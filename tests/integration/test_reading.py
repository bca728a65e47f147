"""What a statement would read: foreseen by the database, and from the text alone."""

from __future__ import annotations

import re

import pytest

from jupyter_gov.errors import GovError, OutOfScope, UnknownName
from jupyter_gov.sql import gate
from jupyter_gov.sql.reading import check_columns, reads_of
from tests.support.wall import cases, hospital, hospital_policy, wall

HONEST = [*cases("legit.jsonl"), *cases("more_legit.jsonl")]
ATTACKS = [*cases("masking_bypass.jsonl"), *cases("more_bypass.jsonl")]
ROW_ID = re.compile(r"\b(rowid|_rowid_|oid)\b", re.IGNORECASE)
QUOTED = {"SM-096"}
"""A column written as a string, which only SQLite takes for its name; as it is with a rowid."""


@pytest.fixture(scope="module")
def walled(tmp_path_factory):
    """The cases' hospital behind its wall."""
    treatments, tags = hospital_policy()
    path = hospital(tmp_path_factory.mktemp("hospital") / "hospital.db")
    with wall(path, tags, treatments) as made:
        yield made


def foreseen(walled, sql):
    """What the database says, or the error with which it refuses to run."""
    statement = gate.read(sql, "sqlite")
    reads = walled.engine.reads(statement, profile=walled.profile, tables=walled.tables)
    return statement, {f"{table}.{column}" for table, column in reads.columns}


class TestByTheDatabase:
    @pytest.mark.parametrize("case", [*HONEST, *ATTACKS], ids=lambda case: case["id"])
    def test_it_reads_what_was_foreseen(self, walled, case):
        """Compiled only, it names the columns that running it reads, or fails with the same."""
        ran = walled.ask(case["sql"], case.get("binds"), seconds=1.0)
        if isinstance(ran.error, OutOfScope):
            return  # decided before the database is asked
        try:
            _, reads = foreseen(walled, case["sql"])
        except GovError as refused:
            assert type(ran.error) is type(refused)
            assert ran.error.message == refused.message
        else:
            if ran.error is None:
                assert reads == set(ran.reads)


class TestFromTheTextAlone:
    @pytest.mark.parametrize("case", [*HONEST, *ATTACKS], ids=lambda case: case["id"])
    def test_no_column_is_missed(self, walled, case):
        """Whatever notation reaches it; and an ordinary statement is not called wrong."""
        try:
            statement, reads = foreseen(walled, case["sql"])
        except GovError:
            return
        if case["id"] in QUOTED or ROW_ID.search(case["sql"]):
            return
        catalog = walled.engine.catalog()
        try:
            check_columns(statement, catalog, "sqlite")
        except UnknownName:
            assert case in ATTACKS
        named = reads_of(statement, catalog, "sqlite")
        bases = {t.name for t in catalog.tables.values() if t.kind == "table"}
        behind_views = any(
            catalog.tables[own].kind == "view"
            for own in filter(None, map(catalog.resolve, statement.relations))
        )
        told = {f"{table}.{column}" for table, column in named.columns}
        own = {r for r in reads if not behind_views or r.partition(".")[0] not in bases}
        assert {r for r in own if not r.endswith(".*")} <= told
