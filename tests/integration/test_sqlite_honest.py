"""
An analyst's ordinary SQL over the demo clinic, under the demo's own policy.

Of each line of the case file: `same`, every column as the bare database gives it; `same_columns`,
those; `expect`, these rows; `matches`, every value of that column; `masked`, none as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from jupyter_gov.bootstrap.check import check
from jupyter_gov.engines.sqlite.engine import SqliteEngine
from jupyter_gov.gateway.config import GatewayConfig
from jupyter_gov.wire.messages import decode_bind
from tests.conftest import demo_config
from tests.support.keys import KEYS
from tests.support.wall import Seen, Wall, bare, cases

HONEST = cases("more_legit.jsonl")


@pytest.fixture(scope="module")
def clinic(clinic_db, tmp_path_factory) -> Iterator[Wall]:
    """The demo clinic as its analysts see it."""
    folder = tmp_path_factory.mktemp("honest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLINIC_DB", str(clinic_db))
        patch.setenv("JUPYTER_GOV_STATE", str(folder / "state"))
        checked = check(GatewayConfig([demo_config(folder)]).settings())
    engine = SqliteEngine(checked.connections["clinic"], clinic_db, KEYS)
    tables = frozenset(checked.eligibilities["analysts"].tables)
    yield Wall(engine, checked.profiles["analysts"], tables)
    engine.close()


def binds_of(case: dict[str, Any]) -> dict[str, Any]:
    return {name: decode_bind(name, value) for name, value in case.get("binds", {}).items()}


def column(seen: Seen, name: str) -> list[Any]:
    """The first column of that name."""
    position = list(seen.frame.columns).index(name)
    return [row[position] for row in seen.rows]


class TestHonestQueries:
    @pytest.mark.parametrize("case", HONEST, ids=lambda case: case["id"])
    def test_it_gives_what_the_analyst_asked_for(self, clinic, clinic_db, case):
        """A false denial is a defect of the product."""
        seen = clinic.ask(case["sql"], binds_of(case))
        assert seen.fault is None
        assert seen.error is None, str(seen.error)
        assert seen.mismatched == 0
        if "expect" in case:
            assert [list(row) for row in seen.rows] == case["expect"]
        for name, shape in case.get("matches", {}).items():
            values = column(seen, name)
            assert values
            assert all(re.match(shape, value) for value in values)
        if case.keys() & {"same", "same_columns", "masked"}:
            self.compare(case, seen, bare(clinic_db, case["sql"], plain_binds(case)))

    def compare(self, case: dict[str, Any], seen: Seen, truth: Seen) -> None:
        assert truth.frame is not None, truth.trailer
        assert list(seen.frame.columns) == list(truth.frame.columns)
        assert len(seen.frame) == len(truth.frame)
        if case.get("same"):
            assert seen.rows == truth.rows
        for name in case.get("same_columns", ()):
            assert column(seen, name) == column(truth, name)
        for name in case.get("masked", ()):
            pairs = zip(column(seen, name), column(truth, name), strict=True)
            assert all(ours is None or ours != theirs for ours, theirs in pairs)


def plain_binds(case: dict[str, Any]) -> dict[str, Any]:
    """For the bare database, which takes numbers for decimals and texts for times."""
    plain = {}
    for name, value in binds_of(case).items():
        if isinstance(value, Decimal):
            value = float(value)
        elif hasattr(value, "isoformat"):
            value = value.isoformat(" ") if hasattr(value, "date") else value.isoformat()
        plain[name] = value
    return plain


class TestBinds:
    @pytest.mark.parametrize("value", [2**63, -(2**63) - 1], ids=["above", "below"])
    def test_a_whole_number_of_more_than_64_bits_is_refused(self, clinic, value):
        """SQLite has none; the driver would fail with a text of its own."""
        assert clinic.ask("SELECT :x AS x", {"x": value}).error.code == "bind_missing"

    @pytest.mark.parametrize("value", ["\ud800", Decimal("sNaN")], ids=["half a letter", "sNaN"])
    def test_what_sqlite_cannot_take_is_said_with_its_place(self, clinic, value):
        """Half a letter, and a number that signals."""
        seen = clinic.ask("SELECT 1 WHERE 1 = :x", {"x": value})
        assert seen.error.code == "bind_missing"
        assert seen.error.position.offset == 20

    def test_a_missing_value_is_said_with_its_place(self, clinic):
        """Before the database is asked."""
        seen = clinic.ask("SELECT :a,\n :b", {"a": 1})
        assert seen.error.code == "bind_missing"
        assert (seen.error.position.line, seen.error.position.column) == (2, 3)

    def test_a_value_the_statement_does_not_name_is_no_harm(self, clinic):
        """As with other drivers."""
        assert clinic.ask("SELECT :a AS a", {"a": 1, "b": 2}).rows == [(1,)]


class TestViewsAlone:
    @pytest.fixture
    def reports(self, clinic) -> Wall:
        """A grant on the views and on none of the tables that they read."""
        return Wall(clinic.engine, clinic.profile, frozenset({"v_readmissions"}))

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT count(*) FROM v_readmissions",
            "SELECT * FROM v_readmissions",
            "SELECT department, sum(readmitted) FROM main.v_readmissions GROUP BY 1",
            "WITH v AS (SELECT * FROM v_readmissions) SELECT count(*) FROM v",
        ],
    )
    def test_a_view_is_enough(self, reports, clinic_db, sql):
        """What a view shows may be granted without its tables."""
        seen = reports.ask(sql)
        assert seen.error is None, str(seen.error)
        assert seen.rows == bare(clinic_db, sql).rows

    def test_its_tables_stay_out_of_reach(self, reports):
        """With the doorman and without."""
        for doorman in (True, False):
            for sql in ("SELECT department FROM encounters", "SELECT count(*) FROM encounters"):
                assert reports.ask(sql, doorman=doorman).error is not None
