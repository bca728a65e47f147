"""Admission: what one kernel, one person and everybody together may do at a time."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from jupyter_gov.broker.limits import _REMEMBERED, Limits, Rates
from jupyter_gov.errors import Busy

RATES = Rates(per_kernel=2, per_principal=3, everyone=5, per_second=10)


class Steady:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def steady():
    return Steady()


@pytest.fixture
def limits(steady):
    return Limits(RATES, steady)


def asked(limits, key, times):
    """How many of so many requests are let in."""
    let_in = 0
    for _ in range(times):
        try:
            limits.pace(key)
        except Busy:
            continue
        let_in += 1
    return let_in


class TestPace:
    def test_a_burst_and_then_the_rate(self, limits, steady):
        """Three seconds' worth at once, then ten a second."""
        assert asked(limits, "K-1", 100) == 30
        steady.now += 1
        assert asked(limits, "K-1", 100) == 10
        steady.now += 3600
        assert asked(limits, "K-1", 100) == 30

    def test_a_claim_uses_nothing_up(self, limits, steady):
        """Who only claims a key is let in while it has room, and takes none of its rate."""
        for _ in range(1000):
            limits.room("K-1")
        assert asked(limits, "K-1", 100) == 30
        with pytest.raises(Busy):
            limits.room("K-1")
        limits.room("K-2")
        steady.now += 1
        limits.room("K-1")

    def test_knocking_does_not_put_it_off(self, limits, steady):
        """A kernel that asks faster than the rate still gets the rate."""
        asked(limits, "K-1", 100)
        let_in = 0
        for _ in range(1000):
            steady.now += 0.01
            let_in += asked(limits, "K-1", 1)
        assert 98 <= let_in <= 100

    def test_each_kernel_has_its_own(self, limits):
        """One in a loop holds up nobody else."""
        asked(limits, "K-1", 100)
        assert asked(limits, "K-2", 1) == 1

    def test_what_is_remembered_is_bounded(self, limits):
        """Strangers may invent as many ids as they like."""
        for number in range(_REMEMBERED + 500):
            limits.pace(f"K-{number}")
        assert len(limits._buckets) == _REMEMBERED

    def test_a_slow_rate_lets_one_in(self, steady):
        """One every five seconds is a rate too."""
        slow = Limits(Rates(per_second=0.2), steady)
        assert asked(slow, "K-1", 5) == 1
        steady.now += 5
        assert asked(slow, "K-1", 5) == 1

    def test_a_large_request_costs_more(self, limits):
        """Six of five, and then there is none left; one that costs more than all takes all."""
        for _ in range(6):
            limits.pace("K-1", 5)
        with pytest.raises(Busy):
            limits.pace("K-1")
        limits.pace("K-2", 1000)
        with pytest.raises(Busy):
            limits.pace("K-2")

    def test_a_claim_takes_nothing(self, limits, steady):
        """Whoever cannot sign with a key must not use up its rate."""
        for _ in range(100):
            limits.room("K-1")
        assert asked(limits, "K-1", 100) == 30
        with pytest.raises(Busy):
            limits.room("K-1")
        steady.now += 0.15
        limits.room("K-1")
        assert asked(limits, "K-1", 1) == 1

    def test_the_rate_is_told(self, limits):
        """So that a loop can be written to keep to it."""
        asked(limits, "K-1", 30)
        with pytest.raises(Busy) as refused:
            limits.pace("K-1")
        assert "10 times a second" in refused.value.hint
        assert refused.value.retryable


class TestAtTheSameTime:
    @pytest.mark.parametrize(
        ("held", "refused"),
        [
            ([("K-1", "ana")] * 2, ("K-1", "ana")),
            ([("K-1", "ana"), ("K-2", "ana"), ("K-3", "ana")], ("K-4", "ana")),
            ([(f"K-{i}", f"p{i}") for i in range(5)], ("K-9", "p9")),
        ],
        ids=["kernel", "principal", "everyone"],
    )
    def test_as_many_as_may(self, limits, held, refused):
        """And one more when one has ended."""
        with ExitStack() as running:
            for who in held:
                running.enter_context(limits.hold(*who))
            with pytest.raises(Busy), limits.hold(*refused):
                pass
        with limits.hold(*refused):
            pass

    def test_a_refused_one_counts_nowhere(self, limits):
        """Otherwise refusals would use the limits up."""
        with limits.hold("K-1", "ana"), limits.hold("K-1", "ana"):
            for _ in range(10):
                with pytest.raises(Busy), limits.hold("K-1", "ana"):
                    pass
            with limits.hold("K-2", "ana"):
                pass
        assert limits._running == {}

    def test_one_that_failed_is_over(self, limits):
        """However it ended."""
        for _ in range(10):
            with pytest.raises(ZeroDivisionError), limits.hold("K-1", "ana"):
                raise ZeroDivisionError
        assert limits._running == {}
