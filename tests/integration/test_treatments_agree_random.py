"""Values that nobody thought of: PostgreSQL and Python make the same of them, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.agreement import HOSTILE, Agreement, differences, prepare
from tests.support.postgres import Server


@pytest.fixture(scope="module")
def agreement(postgres: Server) -> Iterator[Agreement]:
    """A database with keys."""
    made = prepare(postgres, "treatments_random")
    yield made
    made.session.close()
    postgres.drop("treatments_random")


signs = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
dates = st.dates()
identifiers = st.from_regex(r"\A[0-9A-Za-zé -]{0,16}\Z")
moments = st.from_regex(
    r"\A[0-9]{4}-[0-1][0-9]-[0-3][0-9]([ T][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,9})?)?"
    r"( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?)?\Z"
)
zips = st.from_regex(r"\A ?[0-9]{4,6}(-?[0-9]{3,5})? ?\Z")
texts = st.text(signs, max_size=40) | identifiers | moments | zips
decimals = (
    st.decimals(allow_nan=False)
    | st.just(Decimal("NaN"))
    | st.decimals(min_value=-(10**12), max_value=10**12, places=3, allow_nan=False)
)
VALUES: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], Any]]] = {
    "text": (texts, str),
    "bigint": (st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200), int),
    "integer": (st.integers(-(2**31), 2**31 - 1), int),
    "numeric": (decimals.filter(lambda d: not d.is_finite() or abs(d.adjusted()) < 9000), str),
    "double precision": (st.floats() | st.integers(-(10**6), 10**6).map(lambda n: n / 8), repr),
    "date": (dates, date.isoformat),
    "timestamp without time zone": (st.datetimes(), datetime.isoformat),
    "timestamp with time zone": (st.datetimes(timezones=st.just(UTC)), datetime.isoformat),
    "bytea": (st.binary(max_size=50), bytes),
}
"""Type → how values are drawn, and how PostgreSQL is given them."""


def _agree(agreement: Agreement, declared: str, data: Any) -> None:
    drawn, spelled = VALUES[declared]
    values = data.draw(st.lists(drawn, min_size=1, max_size=60))
    pairs = [(spelled(value), value) for value in values]
    under = data.draw(st.sampled_from([None, *HOSTILE]))
    assert differences(agreement, declared, pairs, under) == []


@pytest.mark.parametrize("declared", VALUES)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value(agreement, declared, data):
    """Under every treatment, in any session."""
    _agree(agreement, declared, data)


@pytest.mark.soak
@pytest.mark.parametrize("declared", VALUES)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value_at_length(agreement, declared, data):
    """The long form."""
    _agree(agreement, declared, data)
