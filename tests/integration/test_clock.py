"""What time ends stays ended: over a restart of the gateway, and when nobody asks."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from jupyter_gov.errors import GrantOver, NotAttached
from jupyter_gov.wire.times import from_utc
from tests.conftest import populate
from tests.support.gateway import running
from tests.support.signed import Hand
from tests.support.streams import Stream, numbers
from tests.support.waiting import until

IDLE = 3.0


@pytest.fixture(scope="module")
def site(make_site):
    """A gateway that is stopped and started."""
    with running(make_site()) as gateway:
        yield populate(gateway)


@pytest.fixture(scope="module")
def hasty(make_site):
    """One whose sessions are idle soon."""
    with running(make_site(f"c.GovIdentity.session_idle = '{int(IDLE)}s'")) as gateway:
        yield populate(gateway)


def signed_in(site):
    """ana, signed in: a restart of the gateway has signed her out."""
    site.people["ana"].sign_in()
    return site.people["ana"]


@pytest.fixture
def ana(site):
    return signed_in(site)


@pytest.fixture
def idler(hasty):
    """A kernel that does nothing from now on."""
    return hasty.kernel().attached(signed_in(hasty))


def wait_for(instant: datetime) -> None:
    time.sleep(max((instant - datetime.now(UTC)).total_seconds(), 0))


def ended(site, kind: str, **fields: object) -> dict:
    return until(lambda: site.gateway.recorded(kind, **fields), f"{kind} {fields}")[0]


class TestAGrant:
    def test_a_restart_after_its_end_does_not_revive_it(self, site, ana):
        """It ended while the gateway was down: marked and recorded at the start."""
        kernel = site.kernel().attached(ana)
        grant = kernel.request("clinic", duration="1s")
        site.gateway.stop()
        wait_for(from_utc(grant.end))
        site.gateway.start()
        record = ended(site, "grant.ended", grant=grant.grant)
        assert record["says"]["why"] == "its time was over"
        with pytest.raises(GrantOver):
            kernel.connect("clinic").query("SELECT 1")

    def test_a_restart_before_its_end_keeps_it(self, site, ana):
        """With the same end: an absolute time, not a countdown."""
        kernel = site.kernel().attached(ana)
        grant = kernel.request("clinic", duration="30m")
        site.gateway.stop()
        site.gateway.start()
        (kept,) = kernel.grants()
        assert (kept.grant, kept.end, kept.state) == (grant.grant, grant.end, "active")


class TestASession:
    def test_it_ends_at_its_end(self, site, ana):
        """However busy: recorded, the next call is refused with why."""
        kernel = site.kernel()
        ana.decide(ana.look(kernel.code()), purpose="quality", lasts="2s")
        session, end = kernel.whoami().session, from_utc(kernel.whoami().ends_at)
        con = kernel.connect("clinic")
        while datetime.now(UTC) < end:
            with_grant = kernel.grants()
            time.sleep(0.2)
        assert with_grant == ()
        with pytest.raises(NotAttached, match="its time was over"):
            con.query("SELECT 1")
        record = ended(site, "session.ended", session=session)
        assert record["says"]["why"] == "its time was over"
        assert 0 <= (from_utc(record["at"]) - end).total_seconds() < 1

    def test_one_that_is_not_used_ends_sooner(self, hasty, idler):
        """Nobody asks anything for a while; its grants end with it."""
        idler.connect("clinic").query("SELECT 1")
        session = idler.whoami().session
        record = ended(hasty, "session.ended", session=session)
        assert record["says"]["why"] == "it was idle too long"
        assert hasty.gateway.recorded("grant.ended", session=session)
        with pytest.raises(NotAttached, match="it was idle too long"):
            idler.connections()

    def test_use_keeps_it(self, idler):
        """Each call puts the end off."""
        until_then = time.monotonic() + 1.4 * IDLE
        while time.monotonic() < until_then:
            idler.connections()
            time.sleep(IDLE / 4)
        assert idler.whoami().attached

    def test_a_statement_that_runs_keeps_it(self, idler):
        """Waiting for an answer is not idle."""
        stream = Stream(idler, numbers(10**12))
        stream.head  # noqa: B018
        time.sleep(1.3 * IDLE)
        assert idler.whoami().attached
        stream.close()

    def test_a_restart_does_not_put_idleness_off(self, hasty, idler):
        """Idle while the gateway was down is idle too."""
        session = idler.whoami().session
        hasty.gateway.stop()
        time.sleep(IDLE)
        hasty.gateway.start()
        assert hasty.gateway.recorded("session.ended", session=session)
        with pytest.raises(NotAttached):
            idler.connections()


class TestAReplay:
    def test_over_a_restart(self, site, ana):
        """The memory of what was sent goes with the process, and with it what was signed before."""
        hand = Hand.of(site.kernel())
        headers = hand.signature("GET", "/session")
        assert hand.send("GET", "/session", headers=headers).status == 200
        site.gateway.stop()
        site.gateway.start()
        answer = hand.send("GET", "/session", headers=headers)
        assert answer.refusal == (401, "unauthenticated")
        assert "signed before this gateway started" in answer.error["message"]
        assert hand.send("GET", "/session").status == 200
