"""The log on SQLite: durable, without gaps, and never waited for in vain."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jupyter_gov.audit.events import Actor, Event, canonical
from jupyter_gov.audit.merkle import leaf_hash
from jupyter_gov.audit.stamped import StampedLog
from jupyter_gov.audit.verify import verify
from jupyter_gov.errors import AuditUnavailable
from jupyter_gov.store.audit_log import SqliteAuditLog, read_event
from tests.unit.given import NINE


def event(kind: str = "signin.failed", **more: Any) -> Event:
    return Event(kind=kind, at=NINE, **more)


def all_of(log: SqliteAuditLog) -> list[Any]:
    return list(log.leaves())


def in_time(work: Callable[[], Any]) -> Any:
    """Run *work* in a thread; an append that waits for ever fails instead of hanging the run."""
    result: list[Any] = []

    def run() -> None:
        try:
            result.append(work())
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert result, "still waiting for the writer"
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


class TestAppending:
    def test_a_record_is_there_when_append_returns(self, log):
        """For any other reader of the file, with its canonical bytes and their hash."""
        written = event("intent", says={"sql": "SELECT ?"}, actor=Actor(principal="evaluation|ana"))
        assert log.append(written) == written.record
        with closing(sqlite3.connect(log.path)) as other:
            rows = other.execute("SELECT seq, record, kind, body, leaf FROM leaf").fetchall()
        body = canonical(written)
        assert rows == [(0, written.record, "intent", body, leaf_hash(body))]
        assert read_event(body) == written

    def test_only_its_owner_may_read_the_file(self, log):
        """Mode 0600, the reserve included."""
        modes = {stat.S_IMODE(path.stat().st_mode) for path in log.path.parent.glob("log.*")}
        assert modes == {0o600}

    def test_from_many_threads_there_is_no_gap(self, log):
        """Each record once, numbered 0, 1, 2 … as one log."""
        with ThreadPoolExecutor(16) as pool:
            records = list(pool.map(lambda _: log.append(event()), range(400)))
        leaves = all_of(log)
        assert [leaf.seq for leaf in leaves] == list(range(400))
        assert {leaf.record for leaf in leaves} == set(records)
        assert verify(leaves).whole

    def test_one_thread_sees_its_own_order(self, log):
        """An outcome never stands before its intent."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: self.pair(log), range(50)))
        report = verify(all_of(log))
        assert report.whole
        assert report.unclosed == ()

    @staticmethod
    def pair(log):
        log.append(event("outcome", of=log.append(event("intent"))))

    def test_it_goes_on_where_it_was(self, tmp_path):
        """Over a restart."""
        for count in (1, 2):
            log = SqliteAuditLog(tmp_path / "again.sqlite")
            log.append(event())
            assert [leaf.seq for leaf in all_of(log)] == list(range(count))
            log.close()

    def test_nothing_is_changed_or_removed_by_accident(self, log):
        """Triggers hold whoever opens the file with good intentions."""
        log.append(event())
        with closing(sqlite3.connect(log.path)) as other:
            for sql in ("UPDATE leaf SET kind = 'intent'", "DELETE FROM leaf"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    other.execute(sql)

    def test_reading_from_a_place_on(self, log):
        """So that a reader need not begin anew."""
        for _ in range(3):
            log.append(event())
        assert [leaf.seq for leaf in log.leaves(after=1)] == [2]


class TestOpenIntents:
    def test_what_a_crash_left(self, log):
        """Intents without an outcome, as they were written."""
        closed, left = event("intent"), event("intent", grant="G-1", says={"n": 1})
        log.append(closed)
        log.append(left)
        log.append(event("outcome", of=closed.record))
        assert log.open_intents() == [left]


class TestAfterACrash:
    def test_it_is_known(self, log):
        """The last gateway started and did not stop, whatever a command line recorded since."""
        assert not log.crashed()
        log.append(event("gateway.started"))
        log.append(event("server.enrolled"))
        assert log.crashed()
        log.append(event("gateway.stopped"))
        log.append(event("server.enrolled"))
        assert not log.crashed()

    def test_what_ran_under_a_grant(self, log):
        """Statements by their intents, rows by their outcomes; other grants stay out of it."""
        for grant, rows in (("G-1", 5), ("G-2", 7), ("G-1", 8)):
            intent = event("intent", grant=grant, says={"sql": "under G-9"})
            log.append(intent)
            log.append(event("outcome", grant=grant, of=intent.record, says={"rows": rows}))
        log.append(event("intent", grant="G-1"))  # cut off by the crash
        log.append(event("outcome", grant="G-1", says={"result": "interrupted"}))
        assert log.ran_under(["G-1", "G-9"]) == {"G-1": (3, 13), "G-9": (0, 0)}
        assert log.ran_under([]) == {}


class Circular(dict):  # type: ignore[type-arg]
    def __init__(self) -> None:
        super().__init__(me=self)


class Hostile(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise LookupError("secret value")


UNWRITABLE = [
    {"x": 1.5}, {"x": object()}, {"x": b"bytes"}, {"x": {1, "a"}}, Circular(), Hostile(x=1),
    {"x": NINE},
]  # fmt: skip


class TestWhatCannotBeWritten:
    @pytest.mark.parametrize(
        "says",
        UNWRITABLE,
        ids=["float", "object", "bytes", "mixed set", "circular", "hostile", "datetime"],
    )
    @pytest.mark.parametrize("reserved", [False, True])
    def test_it_raises_and_writes_nothing(self, log, says, reserved):
        """And what follows is written as if nothing had been."""
        with pytest.raises(AuditUnavailable) as refused:
            in_time(lambda: log.append(event(says=says), reserved=reserved))
        assert "secret value" not in str(refused.value)
        assert all_of(log) == []
        log.append(event())
        assert [leaf.seq for leaf in all_of(log)] == [0]

    def test_the_same_record_twice(self, log):
        """A name is one record's."""
        twice = event()
        log.append(twice)
        with pytest.raises(AuditUnavailable):
            in_time(lambda: log.append(twice))
        assert len(all_of(log)) == 1

    def test_one_bad_event_spoils_nobody_elses_batch(self, log):
        """Whoever was written with it gets through."""
        first = event()
        log.append(first)

        def attempt(number):
            try:
                # Every third repeats a record id, which the database refuses.
                log.append(first if number % 3 == 0 else event())
            except AuditUnavailable:
                return False
            return True

        with ThreadPoolExecutor(16) as pool:
            done = list(pool.map(attempt, range(200)))
        assert done == [number % 3 != 0 for number in range(200)]
        assert len(all_of(log)) == 1 + sum(done)
        assert verify(all_of(log)).whole


class Faulty(SqliteAuditLog):
    """A log whose writer meets something that nobody thought of."""

    faults = 0

    def _connect(self) -> sqlite3.Connection:
        if self.faults:
            type(self).faults -= 1
            raise MemoryError
        return super()._connect()


class TestAWriterThatFails:
    def test_nobody_waits_for_ever(self, tmp_path, monkeypatch):
        """Whoever waits is told that nothing was written, and the writer goes on."""
        log = Faulty(tmp_path / "faulty.sqlite")
        monkeypatch.setattr(Faulty, "faults", 2)
        for _ in range(2):
            with pytest.raises(AuditUnavailable):
                in_time(lambda: log.append(event("intent")))
        in_time(lambda: log.append(event()))
        assert len(all_of(log)) == 1
        in_time(log.close)

    def test_a_log_that_was_damaged_while_it_runs(self, log):
        """Appends fail closed, and work again once it is whole."""
        log.append(event())
        with closing(sqlite3.connect(log.path)) as other:
            other.execute("ALTER TABLE leaf RENAME TO away")
            for _ in range(2):
                with pytest.raises(AuditUnavailable):
                    in_time(lambda: log.append(event()))
            other.execute("ALTER TABLE away RENAME TO leaf")
        in_time(lambda: log.append(event()))
        assert [leaf.seq for leaf in all_of(log)] == [0, 1]

    def test_an_end_is_tried_again(self, log):
        """What has happened already is not lost to a moment's want of something."""
        log.append(event())
        with closing(sqlite3.connect(log.path)) as other, ThreadPoolExecutor(1) as pool:
            other.execute("ALTER TABLE leaf RENAME TO away")
            waiting = pool.submit(log.append, event("grant.ended"), reserved=True)
            time.sleep(0.1)
            other.execute("ALTER TABLE away RENAME TO leaf")
            waiting.result(10)
        assert [leaf.kind for leaf in all_of(log)][-1] == "grant.ended"

    def test_after_closing_nothing_is_taken(self, tmp_path):
        """What was appended before is there; what comes later is refused, not kept waiting."""
        log = SqliteAuditLog(tmp_path / "closed.sqlite")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: log.append(event()), range(40)))
        log.close()
        assert len(all_of(log)) == 40
        with pytest.raises(AuditUnavailable, match="shutting down"):
            in_time(lambda: log.append(event(), reserved=True))
        in_time(log.close)  # again, harmlessly


class Small(SqliteAuditLog):
    """On a volume that is full at so many pages; a real SQLITE_FULL of a real database."""

    pages = 1_000_000

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        connection.execute(f"PRAGMA max_page_count = {self.pages}")
        return connection


class TestAFullVolume:
    def test_it_says_so_and_recovers(self, tmp_path, monkeypatch):
        """Nothing is half written, and with room again all is well."""
        log = Small(tmp_path / "small.sqlite")
        log.append(event())
        log.close()
        monkeypatch.setattr(Small, "pages", 12)
        log = Small(tmp_path / "small.sqlite")
        big = {"text": "x" * 200_000}
        for reserved in (False, True):
            with pytest.raises(AuditUnavailable, match="full"):
                in_time(lambda: log.append(event(says=big), reserved=reserved))  # noqa: B023
        log.close()
        monkeypatch.setattr(Small, "pages", 1_000_000)
        log = Small(tmp_path / "small.sqlite")
        log.append(event(says=big))
        assert [leaf.seq for leaf in all_of(log)] == [0, 1]
        assert verify(all_of(log)).whole
        log.close()

    def test_without_the_reserve_only_ends_are_written(self, tmp_path):
        """Statements are refused as long as the space cannot be held back."""
        log = SqliteAuditLog(tmp_path / "log2.sqlite")
        reserve = tmp_path / "log2.reserve"
        reserve.unlink()
        reserve.mkdir()  # what cannot be made into the reserve stands for a full volume
        with pytest.raises(AuditUnavailable, match="full"):
            in_time(lambda: log.append(event("intent")))
        in_time(lambda: log.append(event("grant.ended"), reserved=True))
        reserve.rmdir()
        in_time(lambda: log.append(event("intent")))
        assert [leaf.kind for leaf in all_of(log)] == ["grant.ended", "intent"]
        log.close()


class TestTheStamp:
    def test_records_without_a_class_get_the_gateways_own(self, log):
        """And a kernel's keeps what was measured of it."""
        stamped = StampedLog(log, "separate")
        stamped.append(event())
        stamped.append(event(actor=Actor(isolation="same-user: evaluation")))
        said = [json.loads(leaf.body)["isolation"] for leaf in stamped.leaves()]
        assert said == ["separate", "same-user: evaluation"]


def test_a_copy_without_the_gateway_is_read(log, tmp_path: Path):
    """What an auditor gets is the file."""
    log.append(event())
    log.close()
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(log.path.read_bytes())
    again = SqliteAuditLog(copy)
    assert len(all_of(again)) == 1
    again.close()
