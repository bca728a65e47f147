"""What strangers try is recorded, and neither fills the log nor hides."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_gov.audit.events import Actor, Event
from jupyter_gov.gateway.attempts import PER_MINUTE, Attempts
from jupyter_gov.store.audit_log import SqliteAuditLog, read_event
from tests.unit.given import NINE


class Desk:
    """Attempts over a real log, on a clock that is set by hand."""

    def __init__(self, folder):
        self.log = SqliteAuditLog(folder / "log.sqlite")
        self.seconds = 0.0
        self.pool = ThreadPoolExecutor(1)
        self.attempts = Attempts(self.log, lambda: NINE, self.pool, lambda: self.seconds)

    def note(self, kind="request.refused", principal="", times=1):
        for _ in range(times):
            self.attempts.note(
                Event(kind=kind, at=NINE, actor=Actor(principal=principal), says={"why": "no"})
            )

    def recorded(self, kind):
        self.pool.submit(lambda: None).result()
        events = [read_event(leaf.body) for leaf in self.log.leaves()]
        return [event for event in events if event.kind == kind]


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.pool.shutdown()
    made.log.close()


class TestAFlood:
    def test_is_cut_off_and_counted(self, desk):
        """Beyond the quota of a minute there is one record, which says how many are missing."""
        desk.note(times=PER_MINUTE + 40)
        assert len(desk.recorded("request.refused")) == PER_MINUTE
        desk.seconds = 61.0
        desk.attempts.sum_up()
        (*_, last) = desk.recorded("request.refused")
        assert last.says["left_out"] == 40

    def test_hides_nothing_of_another_kind(self, desk):
        """Noise on the API leaves a forged decision in the record."""
        desk.note(times=10 * PER_MINUTE)
        desk.note("decision.refused")
        assert len(desk.recorded("decision.refused")) == 1

    def test_of_strangers_hides_nothing_of_known_persons(self, desk):
        """What a signed-in person's browser tried is counted by itself."""
        desk.note("decision.refused", times=10 * PER_MINUTE)
        desk.note("decision.refused", principal="evaluation|ana")
        who = [event.actor.principal for event in desk.recorded("decision.refused")]
        assert who.count("evaluation|ana") == 1

    def test_that_is_over_is_told_with_the_next_record(self, desk):
        """So that a reader sees the gap where it was."""
        desk.note(times=PER_MINUTE + 3)
        desk.seconds = 61.0
        desk.note()
        (*_, last) = desk.recorded("request.refused")
        assert last.says["left_out_before"] == 3

    def test_still_running_at_a_stop_is_told_then(self, desk):
        """Nothing is forgotten with the process."""
        desk.note(times=PER_MINUTE + 5)
        desk.recorded("request.refused")
        desk.attempts.sum_up(everything=True)
        (*_, last) = desk.recorded("request.refused")
        assert last.says["left_out"] == 5

    def test_that_is_over_and_told_is_told_once(self, desk):
        """A number is not recorded again and again."""
        desk.note(times=PER_MINUTE + 5)
        desk.attempts.sum_up(everything=True)
        desk.attempts.sum_up(everything=True)
        assert sum("left_out" in e.says for e in desk.recorded("request.refused")) == 1
