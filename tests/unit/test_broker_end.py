"""The one verb that ends things: in the store, in the database, in the stream, in the record."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from jupyter_gov.broker.end import Ender, Target
from jupyter_gov.broker.running import Run, Running
from jupyter_gov.errors import (
    AuditUnavailable,
    Cancelled,
    GrantOver,
    NotAttached,
    SessionOver,
    Unavailable,
)
from tests.unit.given import NINE, grant
from tests.unit.hospital import DownLog, Hospital, PlainExecution, Taker


@pytest.fixture
def gov(store, log, clock):
    return Hospital(store, log, clock)


def running_one(gov: Hospital, caller: Any, grant_id: str, query_id: str = "q-1") -> Run:
    """A statement that runs now."""
    run = Run(
        query_id=query_id, record="R", session_id=caller.session.session_id, grant_id=grant_id,
        connection="hospital", slot_id=caller.kernel.slot_id, ends_at=NINE + timedelta(hours=1),
        began_at=NINE, stops_at=NINE + timedelta(minutes=5), sink=Taker(),
    )  # fmt: skip
    run.started(PlainExecution([]))
    gov.running.add(run)
    return run


def is_cut(run: Run) -> bool:
    """In the database and in the stream."""
    assert isinstance(run.execution, PlainExecution)
    assert isinstance(run.sink, Taker)
    assert run.execution.cancelled == run.sink.abandoned == (run.ended is not None)
    return run.ended is not None


@pytest.fixture
def busy(gov):
    """Two kernels of ana's, each with two grants and a statement under each."""
    made = {}
    for kernel_id in ("kernel-1", "kernel-2"):
        caller = gov.attach(kernel_id=kernel_id)
        for number in (1, 2):
            name = f"G-{kernel_id}-{number}"
            gov.store.add_grant(grant(grant_id=name, session_id=caller.session.session_id))
            made[name] = running_one(gov, caller, name, f"q-{name}")
    return made


def cut_of(busy: dict[str, Run]) -> set[str]:
    return {name.removeprefix("G-kernel-") for name, run in busy.items() if is_cut(run)}


class TestEnding:
    def test_a_grant(self, gov, busy):
        """Its statement is cut, its end recorded; nothing else is touched."""
        assert gov.ender.end(Target("grant", "G-kernel-1-1"), "given back by its holder")
        assert cut_of(busy) == {"1-1"}
        why = busy["G-kernel-1-1"].ended
        assert isinstance(why, GrantOver)
        assert "given back by its holder" in why.message
        (event,) = gov.recorded("grant.ended")
        assert (event.grant, event.says["why"]) == ("G-kernel-1-1", "given back by its holder")
        assert event.actor.principal == "evaluation|ana"

    def test_it_ends_once(self, gov, busy):
        """And one that never was ends nothing."""
        assert gov.ender.end(Target("grant", "G-kernel-1-1"), "one")
        assert not gov.ender.end(Target("grant", "G-kernel-1-1"), "two")
        assert not gov.ender.end(Target("grant", "G-none"), "three")
        assert len(gov.recorded("grant.ended")) == 1
        assert "one" in busy["G-kernel-1-1"].ended.message

    def test_a_session_ends_all_of_it(self, gov, busy):
        """Grants, statements, and the kernel is nobody's again."""
        session = busy["G-kernel-2-1"].session_id
        assert gov.ender.end(Target("session", session), "signed out")
        assert cut_of(busy) == {"2-1", "2-2"}
        assert isinstance(busy["G-kernel-2-1"].ended, SessionOver)
        assert [e.kind for e in gov.recorded()] == ["grant.ended", "grant.ended", "session.ended"]
        assert {g.grant_id for g in gov.store.open_grants()} == {"G-kernel-1-1", "G-kernel-1-2"}
        kernel = gov.store.current_kernel("N-1", "kernel-2")
        with pytest.raises(NotAttached, match="signed out"):
            gov.doorkeeper.attached(kernel)

    def test_a_kernel_ends_its_statements_and_keeps_its_session(self, gov, busy):
        """It may restart."""
        assert gov.ender.end(Target("kernel", busy["G-kernel-1-1"].slot_id), "it was restarted")
        assert cut_of(busy) == {"1-1", "1-2"}
        assert len(gov.store.sessions()) == 2

    def test_a_statement_of_its_own_kernel(self, gov, busy):
        """Another kernel that learns its id cannot cancel it."""
        target = busy["G-kernel-1-1"]
        thief = busy["G-kernel-2-1"].slot_id
        assert not gov.ender.end(Target("statement", target.query_id, thief), "mine now")
        assert cut_of(busy) == set()
        assert gov.ender.end(Target("statement", target.query_id, target.slot_id), "interrupted")
        assert cut_of(busy) == {"1-1"}
        assert isinstance(target.ended, Cancelled)

    def test_everything(self, gov, busy):
        """At a shutdown; what comes later is ended before it begins."""
        assert gov.ender.end(Target("everything"), "SIGTERM")
        assert len(cut_of(busy)) == 4
        late = running_one(gov, gov.attach(kernel_id="kernel-3"), "G-3")
        assert isinstance(late.ended, Unavailable)
        assert is_cut(late)


class TestWhenTheRecordCannotBeWritten:
    @pytest.fixture
    def deaf(self, gov, clock):
        """An ender whose log is down."""
        down = DownLog(gov.log, AuditUnavailable("down"))
        return Ender(gov.store, gov.store, down, gov.running, clock, timedelta(hours=2))

    def test_what_runs_is_cut_all_the_same(self, gov, busy, deaf):
        """All of the session's grants end, and then the trouble is told."""
        session = busy["G-kernel-1-1"].session_id
        with pytest.raises(AuditUnavailable):
            deaf.end(Target("session", session), "revoked")
        assert cut_of(busy) == {"1-1", "1-2"}
        assert {g.grant_id for g in gov.store.open_grants()} == {"G-kernel-2-1", "G-kernel-2-2"}

    def test_time_still_ends_everything(self, gov, busy, deaf, clock):
        """Not one a tick."""
        clock.forward(hours=1)
        with pytest.raises(AuditUnavailable):
            deaf.end_what_is_over()
        assert len(cut_of(busy)) == 4
        assert gov.store.open_grants() == []


class TestTime:
    def test_the_next_instant_is_told(self, gov, clock):
        """The earliest of all ends; none while there is nothing to end."""
        assert gov.ender.end_what_is_over() is None
        caller = gov.attach()
        gov.store.add_grant(grant(session_id=caller.session.session_id))
        assert gov.ender.end_what_is_over() == NINE + timedelta(hours=1)

    def test_a_grant_ends_at_its_end(self, gov, clock):
        """Not a microsecond before."""
        caller = gov.attach()
        gov.store.add_grant(grant(session_id=caller.session.session_id))
        clock.now = NINE + timedelta(hours=1) - timedelta(microseconds=1)
        gov.ender.end_what_is_over()
        assert len(gov.store.open_grants()) == 1
        clock.forward(microseconds=1)
        gov.ender.end_what_is_over()
        assert gov.store.open_grants() == []
        assert [e.says["why"] for e in gov.recorded("grant.ended")] == ["its time was over"]

    def test_a_session_ends_at_its_end_however_busy(self, gov, clock):
        """The absolute one."""
        caller = gov.attach()
        running_one(gov, caller, "G-1")
        for _ in range(9):
            clock.forward(hours=1)
            gov.ender.touch(caller.session)
            gov.ender.end_what_is_over()
        assert gov.store.sessions() == []
        assert [e.says["why"] for e in gov.recorded("session.ended")] == ["its time was over"]

    def test_one_that_is_not_used_ends_sooner(self, gov, clock):
        """After two hours here; a statement that runs is use."""
        caller = gov.attach()
        run = running_one(gov, caller, "G-1")
        clock.forward(hours=3)
        gov.ender.end_what_is_over()
        assert len(gov.store.sessions()) == 1
        gov.running.remove(run)
        gov.ender.end_what_is_over()
        assert [e.says["why"] for e in gov.recorded("session.ended")] == ["it was idle too long"]

    def test_use_puts_idleness_off(self, gov, clock):
        """Two hours from the last time."""
        caller = gov.attach()
        for _ in range(3):
            clock.forward(hours=1, minutes=59)
            gov.doorkeeper.attached(caller.kernel)
            gov.ender.end_what_is_over()
        assert len(gov.store.sessions()) == 1
        clock.forward(hours=2)
        gov.ender.end_what_is_over()
        assert gov.store.sessions() == []

    def test_a_restart_of_the_gateway_does_not_put_it_off(self, gov, clock, log):
        """When a session was last used is kept, to the minute."""
        caller = gov.attach()
        clock.forward(hours=1)
        gov.doorkeeper.attached(caller.kernel)
        clock.forward(minutes=119)
        fresh = Ender(gov.store, gov.store, log, Running(), clock, timedelta(hours=2))
        fresh.end_what_is_over()
        assert len(gov.store.sessions()) == 1
        clock.forward(minutes=1)
        fresh.end_what_is_over()
        assert gov.store.sessions() == []


class TestARun:
    def test_ended_before_the_database_was_ready(self, gov):
        """It is cancelled as soon as it is."""
        run = Run(
            query_id="q", record="R", session_id="S", grant_id="G", connection="c", slot_id="K",
            ends_at=NINE, began_at=NINE, stops_at=NINE, sink=Taker(),
        )  # fmt: skip
        run.end(Cancelled("early"))
        execution = PlainExecution([])
        run.started(execution)
        assert execution.cancelled

    def test_the_first_reason_stays(self, gov):
        """Whoever comes second changes nothing."""
        run = running_one(gov, gov.attach(), "G-1")
        run.end(Cancelled("first"))
        run.end(GrantOver("second"))
        assert run.ended.message == "first"

    def test_the_list_may_change_while_it_is_walked(self, gov):
        """Statements come and go on other threads."""
        caller = gov.attach()
        stop = threading.Event()

        def churn():
            while not stop.is_set():
                gov.running.remove(running_one(gov, caller, "G-1"))

        thread = threading.Thread(target=churn)
        thread.start()
        for _ in range(300):
            assert all(run.slot_id == caller.kernel.slot_id for run in gov.running)
        stop.set()
        thread.join()
        assert list(gov.running) == []
