"""A grant's budget of rows and statements holds exactly, also for statements side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jupyter_gov.errors import BudgetSpent, GovError, ResultCut
from tests.conftest import populate
from tests.support.gateway import running
from tests.support.streams import numbers

LAB = """
for name in ("rows", "statements", "free"):
    c.GovConnections.connections[name] = dict(c.GovConnections.connections["clinic"])
    c.GovAccess.eligibilities[name] = {
        "who": ["group:analysts"], "connection": name, "tables": ["patients"],
    }
c.GovAccess.eligibilities["rows"]["max_rows"] = 50_000
c.GovAccess.eligibilities["statements"]["max_queries"] = 10
c.GovGateway.requests_per_second = 200.0
"""
AT_ONCE = 4
"""As many statements as one kernel may run at the same time."""


@pytest.fixture(scope="module")
def site(make_site):
    """A gateway with a connection for each kind of budget."""
    with running(make_site(LAB)) as gateway:
        yield populate(gateway)


@pytest.fixture
def analyst(site):
    return site.analyst()


def side_by_side(count: int, ask: Callable[[], Any]) -> list[Any]:
    """Answers or errors of so many calls, as many at once as are let in."""

    def one(_: int) -> Any:
        try:
            return ask()
        except GovError as refusal:
            return refusal

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(count)))


class TestRows:
    def test_side_by_side_they_are_shared(self, site, analyst):
        """Twelve statements of 9,000 rows share 50,000: to the row, and not one more."""
        con = analyst.connect("rows")
        frames = side_by_side(12, lambda: con.query(numbers(9_000), on_limit="truncate"))
        got = [frame for frame in frames if not isinstance(frame, GovError)]
        assert sum(len(frame) for frame in got) == 50_000
        assert {type(e) for e in frames if isinstance(e, GovError)} <= {BudgetSpent}
        assert {f.attrs["gov"]["cut_by"] for f in got if f.attrs["gov"]["cut"]} == {"budget"}
        with pytest.raises(BudgetSpent):
            con.query("SELECT 1")
        (grant,) = {frame.attrs["gov"]["grant"] for frame in got}
        assert analyst.give_back(grant).state == "over"
        (ended,) = site.gateway.recorded("grant.ended", grant=grant)
        assert ended["says"]["rows"] == 50_000

    def test_the_very_last_row_is_not_a_cut(self, analyst):
        """A result that uses the budget up is whole; the next statement finds nothing left."""
        con = analyst.connect("rows")
        assert len(con.query(numbers(50_000))) == 50_000
        assert con.budget().grant == ""
        with pytest.raises(BudgetSpent) as spent:
            con.query("SELECT 1")
        assert "has no rows left" in spent.value.message
        assert spent.value.next.action == "request_grant"
        assert spent.value.record

    def test_one_row_more_is_a_cut(self, analyst):
        """Cut at the budget, and said so: not the connection's limit, not the user's."""
        with pytest.raises(ResultCut, match="the grant had 50,000 rows left"):
            analyst.connect("rows").query(numbers(50_001))

    def test_what_is_left_is_told(self, analyst):
        """`con.budget()` counts down."""
        con = analyst.connect("rows")
        con.query(numbers(20_000))
        left = con.budget()
        assert (left.rows_left, left.statements_left) == (30_000, None)
        assert left.rows_per_statement == 5_000_000
        assert 1700 < left.seconds_left <= 1800

    def test_a_new_grant_has_its_own(self, analyst):
        """The budget is of one grant; asking for another is possible, and recorded."""
        con = analyst.connect("rows")
        con.query(numbers(50_000))
        fresh = analyst.request("rows")
        assert con.query("SELECT 1").attrs["gov"]["grant"] == fresh.grant


class TestStatements:
    def test_side_by_side_they_are_shared(self, analyst):
        """Thirty statements on a grant of ten: ten run."""
        con = analyst.connect("statements")
        answers = side_by_side(30, lambda: con.query("SELECT 1"))
        refused = [answer for answer in answers if isinstance(answer, GovError)]
        assert len(answers) - len(refused) == 10
        assert {type(error) for error in refused} == {BudgetSpent}
        assert all("has no statements left" in error.message for error in refused)
        assert all(error.record for error in refused)

    def test_a_refused_statement_costs_nothing(self, analyst):
        """What did not run does not count."""
        con = analyst.connect("statements")
        with pytest.raises(GovError):
            con.query("DROP TABLE patients")
        con.query("SELECT 1")
        assert con.budget().statements_left == 9


class TestTheFirstStatements:
    def test_side_by_side_they_open_one_grant(self, analyst):
        """Not one each, which would multiply every budget."""
        con = analyst.connect("free")
        frames = side_by_side(AT_ONCE, lambda: con.query("SELECT 1"))
        assert len({frame.attrs["gov"]["grant"] for frame in frames}) == 1
        assert sum(frame.attrs["gov"]["grant_opened"] for frame in frames) == 1
        assert len(analyst.grants()) == 1
