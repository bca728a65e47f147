"""Volumes that are full or read-only, and state folders that are taken."""

from __future__ import annotations

import signal
import time

import pytest

from jupyter_gov.errors import AuditUnavailable, GatewayUnreachable, NotAttached, Unavailable
from tests.conftest import populate
from tests.support.gateway import running
from tests.support.streams import ENDLESS, Stream, numbers
from tests.support.volume import small_volume
from tests.support.waiting import until

FLOWING = ENDLESS.replace("count(*) AS n", "n")


@pytest.fixture
def audit_volume(tmp_path):
    """A small volume for the record alone."""
    (tmp_path / "state").mkdir(mode=0o700)
    with small_volume(tmp_path / "state" / "audit", 8) as volume:
        yield volume


@pytest.fixture
def state_volume(tmp_path):
    """A small volume for everything the gateway keeps."""
    with small_volume(tmp_path / "state", 16) as volume:
        yield volume


def site_on(make_site, state_dir):
    return running(make_site(state_dir=state_dir))


class TestAFullAuditVolume:
    def test_nothing_runs_that_cannot_be_recorded(self, make_site, audit_volume):
        """Refused before it runs, with the fix; what ran is closed; freeing space is enough."""
        with site_on(make_site, audit_volume.path.parent) as gateway:
            site = populate(gateway)
            kernel = site.analyst()
            con = kernel.connect("clinic")
            con.query("SELECT 1")
            flowing, computing = Stream(kernel, FLOWING), Stream(kernel, numbers(300_000))
            records = [flowing.head.record, computing.head.record]
            before = len(gateway.recorded())
            audit_volume.fill()

            for _ in range(3):
                with pytest.raises(AuditUnavailable) as refused:
                    con.query("SELECT full_name FROM patients")
                assert "the audit volume is full, so nothing was run" in refused.value.message
                assert "Free space on the gateway's state volume" in refused.value.hint
                assert refused.value.retryable
            assert len(gateway.recorded()) == before, "an intent, an outcome or a refusal"

            assert computing.finish().trailer.rows == 300_000
            kernel.logout()
            with pytest.raises(Exception, match="signed out"):
                flowing.finish()
            results = [gateway.outcome(record)["says"]["result"] for record in records]
            assert results == ["session_over", "completed"]
            assert gateway.recorded("session.ended")

            audit_volume.free()
            again = site.analyst().connect("clinic").query("SELECT 1")
            assert gateway.outcome(again.attrs["gov"]["record"])
            assert gateway.here("audit", "verify").returncode == 0

    def test_people_are_told_as_well(self, make_site, audit_volume):
        """A sign-in that cannot be recorded does not happen."""
        with site_on(make_site, audit_volume.path.parent) as gateway:
            site = populate(gateway)
            kernel = site.kernel()
            code = kernel.code()
            audit_volume.fill()
            with pytest.raises(Exception, match="audit volume is full"):
                site.people["ana"].attach(code, purpose="quality")
            audit_volume.free()
            site.people["ana"].attach(code, purpose="quality")

    def test_a_crash_on_it_is_closed_from_the_reserve(self, make_site, audit_volume):
        """Killed and started again without space: what ran is closed, and it does not serve."""
        gateway = make_site(state_dir=audit_volume.path.parent)
        with running(gateway):
            stream = Stream(populate(gateway).analyst(), FLOWING)
            record = stream.head.record
            audit_volume.fill()
            gateway.stop(signal.SIGKILL)
            stream.close()
            done = gateway.cli("gateway", "--port", str(gateway.port), check=False)
            assert done.returncode == 2
            assert "the audit volume is full" in done.stderr
            assert gateway.outcome(record)["says"]["result"] == "interrupted"
            audit_volume.free()
            gateway.start()


class TestAFullStateVolume:
    def test_what_ends_something_is_still_written(self, make_site, state_volume):
        """Signing out, giving back and shutting down find room; nothing new does."""
        with site_on(make_site, state_volume.path) as gateway:
            site = populate(gateway)
            kernels = [site.server.kernel(f"k{n}").attached(site.people["ana"]) for n in range(3)]
            for kernel in kernels:
                kernel.connect("clinic").query("SELECT 1")
            (grant,) = kernels[0].grants()
            state_volume.fill()
            with pytest.raises(Unavailable):
                kernels[0].connect("clinic").query("SELECT 1")
            assert kernels[0].give_back(grant.grant).state == "over"
            kernels[1].logout()
            site.server.close_slot("k2")
            with pytest.raises(NotAttached):
                kernels[1].connections()
            ended = {r["says"]["why"] for r in gateway.recorded("session.ended")}
            assert ended == {"signed out in the kernel", "its kernel was shut down"}
            with pytest.raises(Unavailable):
                kernels[1].code()
            state_volume.free()
            kernels[1].attached(site.people["ana"])
            assert gateway.here("audit", "verify").returncode == 0

    def test_a_gateway_does_not_start_on_a_read_only_one(self, make_site, state_volume):
        """Exit code 2, and what the folder needs."""
        gateway = make_site(state_dir=state_volume.path)
        with running(gateway):
            pass
        state_volume.remount("ro")
        done = gateway.cli("gateway", "--port", str(gateway.port), check=False)
        assert done.returncode == 2
        assert "c.GovGateway.state_dir: " in done.stderr
        assert "cannot be used (Read-only file system)" in done.stderr


class TestAFolderThatIsTaken:
    def test_a_second_gateway_is_refused(self, make_site):
        """It would close what the first one runs; the first one does not notice."""
        with running(make_site()) as gateway:
            stream = Stream(populate(gateway).analyst(), FLOWING)
            record = stream.head.record
            second = make_site(state_dir=gateway.state_dir)
            done = second.cli("gateway", "--port", str(second.port), check=False)
            assert done.returncode == 2
            assert "another gateway uses" in done.stderr
            assert not gateway.recorded("outcome", of=record)
            stream.close()

    def test_a_port_that_is_taken_is_named(self, make_site):
        """Before anything is recorded."""
        with running(make_site()) as gateway:
            second = make_site()
            done = second.cli("gateway", "--port", str(gateway.port), check=False)
            assert done.returncode == 2
            assert f"cannot listen on 127.0.0.1:{gateway.port}" in done.stderr
            assert not second.recorded()


class TestAnOrderlyEnd:
    def test_everything_is_closed_before_it_stops(self, make_site):
        """Told to stop: kernels learn why, outcomes are recorded, and the last record says it."""
        with running(make_site()) as gateway:
            kernel = populate(gateway).analyst()
            flowing, other = Stream(kernel, FLOWING), Stream(kernel, FLOWING)
            records = [flowing.head.record, other.head.record]
            process = gateway.process
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            with pytest.raises(Unavailable) as over:
                flowing.finish()
            assert "the gateway is shutting down: SIGTERM" in over.value.message
            assert over.value.retryable
            until(lambda: process.poll() is not None, "its end")
            print(f"stopped in {time.monotonic() - began:.2f} s")
            assert process.returncode == 0
            log = gateway.recorded()
            assert [gateway.outcome(r)["says"]["result"] for r in records] == ["unavailable"] * 2
            assert (log[-1]["kind"], log[-1]["says"]["why"]) == ("gateway.stopped", "SIGTERM")
            other.close()
            with pytest.raises(GatewayUnreachable):
                kernel.whoami()
            gateway.start()
            assert gateway.recorded("gateway.started")[-1]["says"]["interrupted_before"] == 0
            assert kernel.connect("clinic").query("SELECT 1").attrs["gov"]["principal"] == "ana"
