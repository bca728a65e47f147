"""The gateway's clock: it never goes back, and never stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.store.clock import ForwardClock
from tests.unit.given import NINE


class Machine:
    """A wall clock that anyone may set, and the time that passes."""

    def __init__(self) -> None:
        self.off = timedelta()
        self.passed = 0.0

    def wall(self) -> datetime:
        return NINE + timedelta(seconds=self.passed) + self.off

    def steady(self) -> float:
        return 1000 + self.passed


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def clock(machine):
    return ForwardClock(machine.wall, machine.steady)


class TestForwardClock:
    def test_it_is_the_wall_while_nobody_sets_it(self, machine, clock):
        """To the microsecond."""
        machine.passed = 3600
        assert clock() == NINE + timedelta(hours=1)

    def test_set_forward_it_follows(self, machine, clock):
        """A grant ends at an instant, also if that comes with a jump."""
        machine.off = timedelta(minutes=5)
        assert clock() == NINE + timedelta(minutes=5)

    def test_set_back_it_goes_on(self, machine, clock):
        """A grant over at ten is not revived at 9:59:50, and one until eleven not lengthened."""
        machine.passed = 3605
        assert clock() == NINE + timedelta(seconds=3605)
        machine.off = timedelta(hours=-2)
        assert clock() == NINE + timedelta(seconds=3605)
        machine.passed += 60
        assert clock() == NINE + timedelta(seconds=3665)

    def test_after_a_suspension_it_is_the_wall_again(self, machine, clock):
        """Which counts the time a machine slept, as the steady clock need not."""
        machine.off = timedelta(hours=9)
        assert clock() == NINE + timedelta(hours=9)

    @given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e5, 1e5)), max_size=20))
    def test_whatever_is_done_to_the_wall(self, steps):
        """Never back, and at least as fast as time passes."""
        machine = Machine()
        clock = ForwardClock(machine.wall, machine.steady)
        before = clock()
        for passed, set_by in steps:
            machine.passed += passed
            machine.off += timedelta(seconds=set_by)
            now = clock()
            assert now - before >= timedelta(seconds=passed) - timedelta(microseconds=5)
            assert now >= machine.wall()
            before = now

    def test_it_is_aware_utc(self):
        """The real one."""
        assert ForwardClock()().tzinfo is UTC
