"""Strangers who knock without end: they fill no log, and keep nobody out."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

from tests.conftest import populate
from tests.support.gateway import ROOT, running
from tests.support.signed import Hand

SECONDS = 2.5
KNOCKERS = 2


@pytest.fixture
def site(make_site):
    with running(make_site()) as gateway:
        yield populate(gateway)


def latencies(con, seconds: float) -> list[float]:
    """Of `SELECT 1` asked ten times a second, in milliseconds, sorted."""
    until, took = time.monotonic() + seconds, []
    while time.monotonic() < until:
        began = time.perf_counter()
        con.query("SELECT 1")
        took.append(1000 * (time.perf_counter() - began))
        time.sleep(0.1)
    return sorted(took)


def shown(took: list[float]) -> str:
    return f"p50 {took[len(took) // 2]:.0f} p99 {took[int(len(took) * 0.99)]:.0f} ms"


class TestAFlood:
    def test_of_requests_nobody_signed(self, site):
        """Signed kernels are served meanwhile, and the record counts instead of repeating."""
        kernel = site.analyst()
        con = kernel.connect("clinic")
        con.query("SELECT 1")
        alone = latencies(con, 1.0)
        command = [sys.executable, "-m", "tests.support.flood", site.gateway.url, str(SECONDS)]
        command.append(Hand.of(kernel).key_id)  # in this very kernel's name
        knockers = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for _ in range(KNOCKERS)
        ]
        beside = latencies(con, SECONDS)
        sent = sum(int(knocker.communicate(timeout=60)[0]) for knocker in knockers)
        print(f"{sent / SECONDS:.0f} knocks a second; alone {shown(alone)}, beside {shown(beside)}")
        assert sent > 300
        assert beside[len(beside) // 2] < 500
        site.gateway.stop()
        refused = site.gateway.recorded("request.refused")
        assert len(refused) < 130
        counted = [r["says"] for r in refused]
        left_out = sum(s.get("left_out", 0) + s.get("left_out_before", 0) for s in counted)
        named = sum("left_out" not in s for s in counted)
        assert named + left_out == sent

    def test_of_connections_nobody_uses(self, site):
        """Open connections that say nothing keep nobody out."""
        con = site.analyst().connect("clinic")
        idle = [socket.create_connection(("127.0.0.1", site.gateway.port)) for _ in range(400)]
        try:
            con.query("SELECT 1")
            con._http()._pool.clear()
            con.query("SELECT 1")
        finally:
            for connection in idle:
                connection.close()


class TestAKernelThatKnocks:
    def test_faster_than_its_rate_is_told(self, site):
        """Refused as busy, for a moment; nobody else is, and nothing of it is run."""
        kernel, other = site.analyst(), site.analyst()
        hand = Hand.of(kernel)
        statuses = [hand.send("GET", "/session").status for _ in range(120)]
        busy = [status for status in statuses if status == 429]
        assert set(statuses) == {200, 429}
        assert len(busy) > 20
        answer = hand.send("GET", "/session")
        if answer.status == 429:
            assert answer.error["code"] == "busy"
            assert "20 times a second on average" in answer.error["hint"]
        other.whoami()
        time.sleep(0.5)
        assert hand.send("GET", "/session").status == 200
