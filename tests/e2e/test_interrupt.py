"""Stopping a cell stops the statement in the database."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import psutil
import pytest

from tests.support.waiting import until

ENDLESS = "SELECT count(*) AS n FROM encounters a, encounters b, encounters c, encounters d"
"""Runs for years, and returns nothing before its end."""
STOPPED_WITHIN = 3.0
"""Seconds from the interrupt to the outcome; it takes a few hundredths."""


@pytest.fixture
def running(deployment):
    """Waits for the intent of the endless statement that was started last."""
    before = {r["record"] for r in deployment.records("intent")}

    def find() -> str:
        new = [r for r in deployment.records("intent") if r["record"] not in before]
        return new[-1]["record"] if new else ""

    return lambda: until(find, "the intent")


def seconds_until_stopped(deployment, intent: str, since: datetime) -> float:
    """From *since* to the outcome; afterwards the gateway computes nothing any more."""
    (outcome,) = until(
        lambda: deployment.gateway.recorded("outcome", of=intent), "the outcome of the statement"
    )
    assert outcome["says"]["result"] == "cancelled"
    process = psutil.Process(deployment.gateway_pid)
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(0.5)
    assert sum(process.cpu_times()[:2]) - before < 0.5 * (time.monotonic() - began)
    return (datetime.fromisoformat(outcome["at"]) - since).total_seconds()


class TestInterrupt:
    def test_of_a_cell_cancels_its_statement(
        self, deployment, analyst, running, record_testsuite_property
    ):
        """The stop button: KeyboardInterrupt in the kernel, `cancelled` in the record."""
        cell = analyst.begin(f"%%govsql clinic\n{ENDLESS}")
        intent = running()
        since = datetime.now(UTC)
        analyst.interrupt()
        assert "KeyboardInterrupt" in cell.result().error
        took = seconds_until_stopped(deployment, intent, since)
        record_testsuite_property(f"{deployment.kind}: seconds until the engine stopped", took)
        assert 0 <= took < STOPPED_WITHIN

    def test_of_an_awaited_query_cancels_its_statement(self, deployment, analyst, running):
        """The same for `await con.aquery(…)` at the top of a cell."""
        cell = analyst.begin(
            "import jupyter_gov as gov\n"
            f"await gov.connect('clinic').aquery({ENDLESS!r})"
        )  # fmt: skip
        intent = running()
        since = datetime.now(UTC)
        analyst.interrupt()
        assert cell.result().status == "error"
        assert 0 <= seconds_until_stopped(deployment, intent, since) < STOPPED_WITHIN


class TestCancelledTask:
    def test_of_an_async_query_cancels_its_statement(self, deployment, analyst, running):
        """task.cancel(): the database has stopped when the task has ended."""
        cell = analyst.begin(
            "import asyncio, jupyter_gov as gov\n"
            "async def later():\n"
            f"    task = asyncio.create_task(gov.connect('clinic').aquery({ENDLESS!r}))\n"
            "    await asyncio.sleep(1.0)\n"
            "    task.cancel()\n"
            "    try:\n"
            "        await task\n"
            "    except asyncio.CancelledError:\n"
            "        print('cancelled')\n"
            "await later()"
        )  # fmt: skip
        intent = running()
        result = cell.result()
        assert (result.status, result.stdout.strip()) == ("ok", "cancelled")
        assert deployment.gateway.recorded("outcome", of=intent)
        seconds_until_stopped(deployment, intent, datetime.now(UTC))

    def test_at_once_leaves_nothing_running(self, deployment, analyst):
        """Cancelled before the statement has reached the gateway: it ends all the same."""
        before = len(deployment.records("intent"))
        result = analyst.run(
            "task = asyncio.create_task(gov.connect('clinic').aquery("
            f"{ENDLESS!r}))\n"
            "await asyncio.sleep(0)\n"
            "task.cancel()\n"
            "done, _ = await asyncio.wait({task}, timeout=15)\n"
            "print(len(done), task.cancelled())"
        )
        assert result.stdout.strip() == "1 True"
        begun = [r["record"] for r in deployment.records("intent")[before:]]
        for intent in begun:
            seconds_until_stopped(deployment, intent, datetime.now(UTC))

    def test_the_kernel_is_of_use_afterwards(self, analyst):
        """No connection, slot or thread is stuck."""
        analyst.run("%%govsql clinic\nSELECT count(*) AS n FROM patients")
        assert analyst.value("int(_.n[0])") == 500
