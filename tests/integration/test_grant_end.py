"""What a grant's end does, to the instant, to a statement that runs and a stream that flows."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from jupyter_gov.errors import GrantOver
from jupyter_gov.wire.times import from_utc
from tests.support.streams import ENDLESS, Stream, numbers

LATE = 1.0
"""Seconds: generous, for a machine that does other things.  Measured: a few milliseconds."""
APART = 0.05
"""Seconds: a wall clock that is set back by a little is ahead of the gateway's, which never is."""


@pytest.fixture
def brief(site):
    """A kernel whose grant lasts two seconds, and the grant's end."""
    kernel = site.analyst()
    return kernel, from_utc(kernel.request("clinic", duration="2s").end)


def lateness(end: datetime, at: datetime) -> float:
    """Seconds from the end until *at*: never early, and hardly late."""
    late = (at - end).total_seconds()
    print(f"{1000 * late:.0f} ms after the end")
    assert -APART <= late < LATE
    return late


class TestARunningStatement:
    def test_it_is_cancelled_and_its_stream_cut(self, site, brief):
        """The kernel learns why, and the engine has stopped: both at once with the end."""
        kernel, end = brief
        with pytest.raises(GrantOver) as over:
            kernel.connect("clinic").query(ENDLESS)
        lateness(end, datetime.now(UTC))
        assert "its time was over" in over.value.message
        assert over.value.next.magic == "%gov request clinic --for 30m"
        outcome = site.gateway.outcome(over.value.record)
        assert outcome["says"]["result"] == "grant_over"
        lateness(end, from_utc(outcome["at"]))
        cpu = psutil.Process(site.gateway.process.pid).cpu_percent(0.3)
        assert cpu < 60, "the engine computes on"

    def test_a_stream_that_flows_is_cut(self, site, brief):
        """Nothing is delivered after the end; what was delivered before it is no frame."""
        kernel, end = brief
        with pytest.raises(GrantOver) as over:
            kernel.connect("clinic").query(numbers(10**12))
        lateness(end, datetime.now(UTC))
        says = site.gateway.outcome(over.value.record)["says"]
        assert says["result"] == "grant_over"
        assert says["rows"] > 100_000

    def test_a_stream_nobody_reads_is_cut(self, site, brief):
        """A stalled reader keeps nothing open beyond the end, and is told when it reads again."""
        kernel, end = brief
        stream = Stream(kernel, numbers(10**12))
        record = stream.head.record
        time.sleep(max((end - datetime.now(UTC)).total_seconds(), 0))
        deadline = time.monotonic() + LATE
        while not site.gateway.recorded("outcome", of=record):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        lateness(end, from_utc(site.gateway.outcome(record)["at"]))
        with pytest.raises(GrantOver):
            stream.finish()


class TestTheInstant:
    def test_at_the_end_it_is_over(self, brief):
        """Half-open: statements are let in until the end, and none begins at it."""
        kernel, end = brief
        con = kernel.connect("clinic")
        con.query("SELECT 1")
        time.sleep(max((end - datetime.now(UTC)).total_seconds() - 0.3, 0))
        sent = last = datetime.now(UTC)
        with pytest.raises(GrantOver):
            while True:
                last, sent = sent, datetime.now(UTC)
                con.query("SELECT 1")
                time.sleep(0.015)  # a kernel may ask only so often
        assert last < end <= datetime.now(UTC) + timedelta(seconds=APART)

    def test_the_end_is_recorded(self, site, brief):
        """Without anybody asking: the gateway watches the clock."""
        kernel, end = brief
        (grant,) = kernel.grants()
        deadline = time.monotonic() + 5
        while not (ended := site.gateway.recorded("grant.ended", grant=grant.grant)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert ended[0]["says"]["why"] == "its time was over"
        lateness(end, from_utc(ended[0]["at"]))

    def test_others_go_on(self, site, brief):
        """The end of one grant touches nobody else's statement."""
        kernel, _ = brief
        other = Stream(site.analyst(), numbers(10**12))
        record = other.head.record
        reader = threading.Thread(target=lambda: [other.answer.read(65536) for _ in range(50)])
        reader.start()
        with pytest.raises(GrantOver):
            kernel.connect("clinic").query(ENDLESS)
        reader.join()
        assert not site.gateway.recorded("outcome", of=record)
        other.close()
