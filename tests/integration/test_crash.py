"""The gateway killed under load: what was promised is in the record after the restart."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from jupyter_gov.errors import GatewayUnreachable, GovError
from jupyter_gov.wire.messages import Query, encode
from jupyter_gov.wire.times import from_utc
from tests.conftest import Site, populate
from tests.support.gateway import running
from tests.support.load import Load
from tests.support.streams import ENDLESS, Stream
from tests.support.waiting import until

SHORT, LONG = 3, 100


@pytest.fixture
def site(make_site):
    """A gateway of this test's own, to be killed."""
    with running(make_site("c.GovGateway.requests_per_second = 200.0")) as gateway:
        yield populate(gateway)


def kill(site: Site) -> None:
    site.gateway.stop(signal.SIGKILL)


def check_record(site: Site, load: Load) -> None:
    """Nothing is open, nothing that somebody was told of is missing, nothing was altered."""
    records = site.gateway.recorded()
    outcomes = {r["of"]: r["says"]["result"] for r in records if r["kind"] == "outcome"}
    known = {r["record"] for r in records}
    intents = {r["record"] for r in records if r["kind"] == "intent"}
    assert intents == outcomes.keys()
    assert load.told - {""} <= known
    assert {outcomes[record] for record in load.completed} <= {"completed"}
    done = site.gateway.here("audit", "verify")
    assert done.returncode == 0, done.stdout
    assert "has no outcome yet" not in done.stdout
    with contextlib.closing(sqlite3.connect(site.gateway.state_dir / "state.sqlite")) as state:
        counted = dict(state.execute("SELECT grant_id, queries FROM grant_"))
    assert counted.keys() <= {r["grant"] for r in records if r["kind"] == "grant.opened"}
    ran = Counter(r["grant"] for r in records if r["kind"] == "intent")
    assert counted == {grant: ran[grant] for grant in counted}


def kill_under_load(site: Site, kernels: list, seconds: float) -> Load:
    """Ask, kill, start again; returns what the kernels were told."""
    with Load(kernels) as load:
        time.sleep(seconds)
        kill(site)
    site.gateway.start()
    return load


def crash(site: Site, times: int) -> int:
    """So many crashes at random moments; returns how many statements they interrupted."""
    chance = random.Random(times)
    kernels = [site.analyst() for _ in range(3)]
    for _ in range(times):
        check_record(site, kill_under_load(site, kernels, chance.uniform(0.1, 0.8)))
    return len(site.gateway.recorded("outcome", result="interrupted"))


class TestACrash:
    def test_a_running_statement_is_interrupted_and_said_to_be(self, site):
        """Killed in the middle of a computation and of a stream: both closed at the restart."""
        kernel = site.analyst()
        stream = Stream(kernel, ENDLESS.replace("count(*) AS n", "n"))
        record = stream.head.record
        kill(site)
        with pytest.raises(GovError):
            stream.finish()
        with pytest.raises(GatewayUnreachable):
            kernel.whoami()
        site.gateway.start()
        outcome = site.gateway.outcome(record)
        assert outcome["says"]["result"] == "interrupted"
        assert outcome["principal"] == "evaluation|ana"
        started = site.gateway.recorded("gateway.started")[-1]
        assert started["says"]["interrupted_before"] == 1
        assert kernel.connect("clinic").query("SELECT 1").attrs["gov"]["record"] != record

    def test_under_load(self, site):
        """A few crashes at random moments, and after each the record is whole."""
        crash(site, SHORT)

    @pytest.mark.soak
    def test_under_load_a_hundred_times(self, site):
        """The same, often enough to meet every moment."""
        print(f"{crash(site, LONG)} statements interrupted in {LONG} crashes")

    def test_a_socket_left_behind_is_no_hindrance(self, site):
        """The admin's door opens again after a crash."""
        kill(site)
        assert (site.gateway.state_dir / "admin.sock").exists()
        site.gateway.start()
        assert site.gateway.here("config", "reload").returncode == 0


class TestTheKernelGone:
    def test_in_mid_stream(self, site):
        """The connection breaks: the database stops, and the outcome is `cancelled`."""
        kernel = site.analyst()
        stream = Stream(kernel, ENDLESS.replace("count(*) AS n", "n"))
        record = stream.head.record
        broken = datetime.now(UTC)
        stream.close()
        until(lambda: site.gateway.recorded("outcome", of=record), "its outcome")
        late = (from_utc(site.gateway.outcome(record)["at"]) - broken).total_seconds()
        print(f"{1000 * late:.0f} ms from the break to the outcome")
        assert late < 1
        says = site.gateway.outcome(record)["says"]
        assert says["result"] == "cancelled"
        assert 0 < says["bytes_sent"] <= says["bytes_produced"]

    def test_before_the_first_row(self, site):
        """A computation whose kernel is gone does not go on."""
        kernel = site.analyst()
        query = Query(query_id="brief-statement", connection="clinic", sql=ENDLESS)
        with pytest.raises(GovError):
            kernel.http.open("POST", "/queries", encode(query), read_seconds=0.5)
        until(lambda: site.gateway.recorded("outcome", result="cancelled"), "its outcome")
        (intent,) = site.gateway.recorded("intent")
        assert site.gateway.outcome(intent["record"])["says"]["result"] == "cancelled"
