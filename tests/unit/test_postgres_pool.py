"""Sessions of grants: how many, whose turn, and what an end does to them."""

from __future__ import annotations

import threading
import time

import pytest

from jupyter_gov.engines.postgres.pool import PER_GRANT, Lease, Pool
from jupyter_gov.engines.postgres.roles import Minted
from jupyter_gov.errors import Busy, GrantOver


class FakeSession:
    """Stands at the port: counts what becomes of it."""

    made = 0

    def __init__(self, conninfo: str) -> None:
        FakeSession.made += 1
        self.conninfo = conninfo
        self.cancelled = self.closed = 0

    def cancel(self) -> None:
        self.cancelled += 1

    def close(self) -> None:
        self.closed += 1


def lease(grant_id: str) -> Lease:
    return Lease(
        grant_id, Minted(suffix="0" * 16, name="r", password="p", seal_key=bytes(64)), grant_id
    )


@pytest.fixture
def pool() -> Pool:
    """Three sessions in all."""
    return Pool(3, FakeSession)


def soon() -> float:
    return time.monotonic() + 0.2


def waiting(pool: Pool, of: Lease, into: list[object]) -> threading.Thread:
    def take() -> None:
        try:
            into.append(pool.take(of, time.monotonic() + 5))
        except Exception as error:
            into.append(error)

    thread = threading.Thread(target=take)
    thread.start()
    time.sleep(0.05)
    return thread


class TestTaking:
    """A session for a statement."""

    def test_one_that_is_idle_is_used_again(self, pool):
        """Of the same grant only."""
        one, other = lease("G-1"), lease("G-2")
        pool.add(one)
        pool.add(other)
        first = pool.take(one, soon())
        pool.give_back(one, first, sound=True)
        assert pool.take(one, soon()) is first
        assert pool.take(other, soon()).conninfo == "G-2"

    def test_a_grant_has_few(self, pool):
        """The role's own limit in the database is no error of the analyst's."""
        one = lease("G-1")
        pool.add(one)
        for _ in range(PER_GRANT):
            pool.take(one, soon())
        with pytest.raises(Busy):
            pool.take(one, soon())

    def test_an_idle_one_makes_room_for_another_grant(self, pool):
        """The one that was idle for longest is closed."""
        leases = [lease(f"G-{n}") for n in range(4)]
        sessions = []
        for each in leases[:3]:
            pool.add(each)
            sessions.append(pool.take(each, soon()))
        for each, session in zip(leases, sessions, strict=False):
            pool.give_back(each, session, sound=True)
        pool.add(leases[3])
        pool.take(leases[3], soon())
        assert [session.closed for session in sessions] == [1, 0, 0]

    def test_who_asked_first_is_served_first(self, pool):
        """However many ask."""
        leases = [lease(f"G-{n}") for n in range(6)]
        for each in leases:
            pool.add(each)
        taken = [pool.take(each, soon()) for each in leases[:3]]
        order: list[object] = []
        threads = [waiting(pool, each, order) for each in leases[3:]]
        for each, session in zip(leases, taken, strict=False):
            pool.give_back(each, session, sound=False)
            time.sleep(0.05)
        for thread in threads:
            thread.join(5)
        assert [session.conninfo for session in order] == ["G-3", "G-4", "G-5"]

    def test_one_that_is_not_sound_is_closed(self, pool):
        """And never given out again."""
        one = lease("G-1")
        pool.add(one)
        session = pool.take(one, soon())
        pool.give_back(one, session, sound=False)
        assert session.closed == 1
        assert pool.take(one, soon()) is not session


class TestEnding:
    """A grant is over."""

    def test_cancels_what_runs_and_closes_what_is_idle(self, pool):
        """What ran is closed when it comes back."""
        one = lease("G-1")
        pool.add(one)
        busy, idle = pool.take(one, soon()), pool.take(one, soon())
        pool.give_back(one, idle, sound=True)
        assert pool.end("G-1") is one
        assert (busy.cancelled, idle.closed) == (1, 1)
        pool.give_back(one, busy, sound=True)
        assert busy.closed == 1
        assert pool.end("G-1") is None

    def test_wakes_who_waits_for_one(self, pool):
        """Who then is told why."""
        one = lease("G-1")
        pool.add(one)
        for _ in range(PER_GRANT):
            pool.take(one, soon())
        got: list[object] = []
        thread = waiting(pool, one, got)
        pool.end("G-1")
        thread.join(5)
        assert isinstance(got[0], GrantOver)

    def test_idle_ones_are_closed_after_a_while(self, pool):
        """So that a database is not held open by nobody."""
        one = lease("G-1")
        pool.add(one)
        session = pool.take(one, soon())
        pool.give_back(one, session, sound=True)
        pool.close_idle(time.monotonic() - 60)
        assert session.closed == 0
        pool.close_idle(time.monotonic() + 1)
        assert session.closed == 1
