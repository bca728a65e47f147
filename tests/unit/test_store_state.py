"""Governance state: what is put in comes out, each step is whole, and ends are final."""

from __future__ import annotations

import stat
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from jupyter_gov.errors import Unavailable
from jupyter_gov.identity.model import AttachRequest
from jupyter_gov.store import tables
from jupyter_gov.store.database import open_state
from jupyter_gov.store.remembered import Remembered
from jupyter_gov.store.reserve import Reserve
from jupyter_gov.store.state import State
from tests.unit.given import ANA, NINE, RUI, grant, kernel, server, session


def request(**changed):
    return replace(
        AttachRequest(
            request_id="A-1",
            code_hash=b"c" * 32,
            server_id="N-1",
            kernel_id="kernel-1",
            generation=1,
            suggested_agent="",
            opened_at=NINE,
            expires_at=NINE + timedelta(minutes=10),
        ),
        **changed,
    )


@pytest.fixture
def other(store):
    """Makes what another process would see: the same file, with nothing remembered."""
    opened = []

    def look():
        opened.append(open_state(Path(store._engine.url.database)))
        return State(opened[-1])

    yield look
    for engine in opened:
        engine.dispose()


class TestTheSchema:
    def test_migrations_make_the_tables(self, migrated):
        """What a new version's tables say is what the migrations lead to, indexes included."""
        engine = create_engine(f"sqlite:///{migrated}")
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            difference = compare_metadata(context, tables.metadata)
        engine.dispose()
        assert difference == []

    @pytest.mark.parametrize("table", tables.metadata.tables.values(), ids=lambda t: t.name)
    def test_columns_that_must_be_filled_are(self, migrated, table):
        """`compare_metadata` looks at neither nullability nor keys on SQLite."""
        engine = create_engine(f"sqlite:///{migrated}")
        found = inspect(engine)
        columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        keys = found.get_pk_constraint(table.name)["constrained_columns"]
        indexes = {i["name"]: i["unique"] for i in found.get_indexes(table.name)}
        engine.dispose()
        assert columns == {c.name: bool(c.nullable) for c in table.columns}
        assert keys == [c.name for c in table.primary_key]
        assert indexes == {i.name: int(i.unique) for i in table.indexes}

    def test_opening_twice_changes_nothing(self, tmp_path):
        """Migrations run once; the file is its owner's alone, and committed means on disk."""
        path = tmp_path / "s.sqlite"
        for _ in range(2):
            engine = open_state(path)
            with engine.connect() as connection:
                assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
                assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
            engine.dispose()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


class TestThereAndBack:
    def test_a_server(self, store):
        """With and without an owner."""
        for made in (server(owner="ana", managed=True), server(server_id="N-2")):
            store.add_server(made)
            assert store.server(made.server_id) == made
        assert store.server("N-none") is None

    def test_a_kernel(self, store):
        """Until it has enrolled it has no key."""
        store.open_kernel(kernel())
        assert store.kernel("K-1") == kernel()
        assert store.enrol_kernel(
            "K-1", public_key=b"p", client_address="::1", isolation="separate"
        )
        assert store.kernel("K-1") == kernel(
            public_key=b"p", client_address="::1", isolation="separate"
        )
        assert store.kernel("K-none") is None

    @pytest.mark.parametrize("principal", [ANA, ANA.agent("recon")])
    def test_a_session(self, store, principal):
        """Of a person and of an agent."""
        made = session(principal=principal)
        store.start_session(made)
        assert store.session("S-1") == store.session_of("N-1", "kernel-1") == made
        assert store.session("S-none") is None

    def test_a_request(self, store):
        """Found by the hash of its code while it waits."""
        store.add_request(request())
        assert store.request("A-1") == store.pending_request(b"c" * 32) == request()
        assert store.pending_request(b"d" * 32) is None

    @pytest.mark.parametrize("budget", [None, 2**40])
    def test_a_grant(self, store, budget):
        """Odd table names, limits and counts included."""
        made = grant(max_rows=budget, max_queries=budget, tables=frozenset({'a"b', "é\n", "c"}))
        store.add_grant(made)
        assert store.grant("G-1") == made
        assert store.grants_of("S-1") == store.open_grants() == [made]
        assert store.grant("G-none") is None

    def test_no_field_is_forgotten(self):
        """A new field of a model needs a column."""
        for model, table in (
            (server(), tables.server),
            (kernel(), tables.kernel),
            (request(), tables.attach_request),
            (grant(), tables.grant),
        ):
            assert {f.name for f in fields(model)} == {c.name for c in table.columns}


class TestKernels:
    def test_generations_count_up_and_one_is_current(self, store):
        """Opening a slot revokes every earlier one of the same kernel."""
        assert store.last_generation("N-1", "kernel-1") == 0
        store.open_kernel(kernel())
        later = kernel(slot_id="K-2", generation=2, opened_at=NINE + timedelta(hours=1))
        store.open_kernel(later)
        assert store.last_generation("N-1", "kernel-1") == 2
        assert store.current_kernel("N-1", "kernel-1") == later
        assert store.kernel("K-1").revoked_at == later.opened_at

    def test_the_same_id_on_another_server_is_another_kernel(self, store):
        """Servers choose the ids."""
        store.open_kernel(kernel())
        store.open_kernel(kernel(slot_id="K-2", server_id="N-2"))
        assert store.current_kernel("N-1", "kernel-1").slot_id == "K-1"
        store.revoke_kernel("N-2", "kernel-1", at=NINE)
        assert store.current_kernel("N-2", "kernel-1") is None
        assert store.current_kernel("N-1", "kernel-1") is not None

    def test_a_revoked_slot_does_not_enrol(self, store):
        """Nor does one that has."""
        store.open_kernel(kernel())
        enrol = {"public_key": b"p", "client_address": "", "isolation": "separate"}
        assert store.enrol_kernel("K-1", **enrol)
        assert not store.enrol_kernel("K-1", **{**enrol, "public_key": b"q"})
        store.open_kernel(kernel(slot_id="K-2", generation=2))
        store.revoke_kernel("N-1", "kernel-1", at=NINE)
        assert not store.enrol_kernel("K-2", **enrol)
        assert store.kernel("K-1").public_key == b"p"

    def test_a_removed_server_takes_its_kernels_with_it(self, store):
        """In one transaction; others keep theirs."""
        store.add_server(server())
        store.add_server(server(server_id="N-2"))
        store.open_kernel(kernel())
        store.open_kernel(kernel(slot_id="K-2", server_id="N-2"))
        assert store.remove_server("N-1", at=NINE)
        assert not store.remove_server("N-1", at=NINE)
        assert store.kernel("K-1").revoked_at == NINE
        assert store.kernel("K-2").revoked_at is None


class TestSessions:
    def test_what_is_limited_is_on_disk_before_it_is_given(self, store, other):
        """Another process, after a crash, goes on from there."""
        store.add_grant(grant(max_queries=2, max_rows=10))
        assert store.spend("G-1")
        assert store.take_rows("G-1", 7) == 7
        assert other().take_rows("G-1", 7) == 3
        assert other().spend("G-1")
        assert not other().spend("G-1")

    def test_what_is_not_limited_waits_for_nobody(self, store, other):
        """It counts at once, and is written when there is time; the end writes it too."""
        store.add_grant(grant())
        store.add_grant(grant(grant_id="G-2", max_queries=9))
        for grant_id in ("G-1", "G-2"):
            assert store.spend(grant_id)
            assert store.take_rows(grant_id, 5) == 5
        known = [(g.queries, g.rows) for g in store.grants_of("S-1")]
        assert known == [(1, 5), (1, 5)]
        assert [(g.queries, g.rows) for g in other().grants_of("S-1")] == [(0, 0), (1, 0)]
        assert store.settle()
        assert [(g.queries, g.rows) for g in other().grants_of("S-1")] == known
        store.spend("G-1")
        store.end_grant("G-1", at=NINE, why="revoked")
        assert other().grant("G-1").queries == store.grant("G-1").queries == 2
        store.take_rows("G-1", 5)  # of a statement that the end cuts in this moment
        assert store.settle()
        assert other().grant("G-1").rows == store.grant("G-1").rows == 10

    def test_counts_survive_threads_that_settle_and_end(self, store, other):
        """However it is interleaved, nothing is counted twice or lost."""
        store.add_grant(grant())

        def work(number):
            store.spend("G-1")
            store.take_rows("G-1", 3)
            if number % 5 == 0:
                store.settle()
            if number == 150:
                store.end_grant("G-1", at=NINE, why="revoked")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(200)))
        assert store.settle()
        ended = store.grant("G-1")
        assert ended.rows == 600
        assert 150 <= ended.queries <= 200
        assert other().grant("G-1") == ended
        assert store._used == {}

    def test_without_room_it_stays_counted(self, migrated, tmp_path):
        """And is written when there is room again."""
        path, full = tmp_path / "full.sqlite", tmp_path / "full.reserve"
        path.write_bytes(migrated.read_bytes())
        engine = open_state(path)
        store = State(engine, Reserve(full, 8192))
        store.add_grant(grant())
        full.unlink()
        full.mkdir()
        assert store.spend("G-1")
        assert not store.settle()
        assert store.grant("G-1").queries == 1
        full.rmdir()
        assert store.settle()
        assert State(engine).grant("G-1").queries == 1
        engine.dispose()

    def test_what_a_crash_took_is_counted_again(self, store, other):
        """Never less than was known, and only what the grant does not limit."""
        store.add_grant(grant(max_rows=100))
        store.take_rows("G-1", 30)
        again = other()
        again.recount("G-1", queries=4, rows=10**6)
        again.recount("G-1", queries=3, rows=0)
        again.recount("G-none", queries=3, rows=0)
        assert again.settle()
        assert (other().grant("G-1").queries, other().grant("G-1").rows) == (4, 30)

    def test_an_end_is_final(self, store):
        """The first reason stays."""
        store.start_session(session())
        assert store.end_session("S-1", at=NINE, why="signed out")
        assert not store.end_session("S-1", at=NINE + timedelta(hours=1), why="idle")
        kept = store.session("S-1")
        assert (kept.ended_at, kept.ended_why) == (NINE, "signed out")
        assert store.session_of("N-1", "kernel-1") is None
        assert store.last_session("N-1", "kernel-1") == kept

    def test_a_persons_sessions_are_those_they_answer_for(self, store):
        """Their agents' among them, newest first, without those that ended."""
        for number, principal in enumerate([ANA, ANA.agent("recon"), RUI, ANA]):
            store.start_session(
                session(
                    session_id=f"S-{number}", principal=principal, kernel_id=f"k{number}",
                    started_at=NINE + timedelta(minutes=number),
                )
            )  # fmt: skip
        store.end_session("S-3", at=NINE, why="")
        assert [s.session_id for s in store.sessions(person="ana")] == ["S-1", "S-0"]
        assert [s.session_id for s in store.sessions()] == ["S-2", "S-1", "S-0"]


class TestRequests:
    def test_decided_once(self, store):
        """Whatever is decided second does nothing."""
        store.add_request(request())
        assert store.decide_request("A-1", "refused", at=NINE)
        assert not store.decide_request("A-1", "confirmed", at=NINE)
        assert store.request("A-1").state == "refused"
        assert store.last_refusal("N-1", "kernel-1") == NINE

    def test_the_last_refusal_counts(self, store):
        """Not the first, and no confirmation."""
        for number, state in enumerate(["refused", "refused", "confirmed"]):
            name = f"A-{number}"
            store.add_request(request(request_id=name))
            store.decide_request(name, state, at=NINE + timedelta(minutes=number))
        assert store.last_refusal("N-1", "kernel-1") == NINE + timedelta(minutes=1)
        assert store.last_refusal("N-1", "kernel-2") is None

    def test_tries_run_out(self, store):
        """At none left it has expired, and a decided one stays decided."""
        store.add_request(request())
        assert [store.spend_try("A-1") for _ in range(6)] == [4, 3, 2, 1, 0, 0]
        assert store.request("A-1").state == "expired"
        store.add_request(request(request_id="A-2", tries_left=1))
        store.decide_request("A-2", "confirmed", at=NINE)
        store.spend_try("A-2")
        assert store.request("A-2").state == "confirmed"


class TestBudgets:
    def test_statements_are_counted_until_none_is_left(self, store):
        """Side by side as well: never one too many."""
        store.add_grant(grant(max_queries=25))
        with ThreadPoolExecutor(8) as pool:
            spent = list(pool.map(lambda _: store.spend("G-1"), range(60)))
        assert sum(spent) == 25
        assert store.grant("G-1").queries == 25

    def test_rows_are_taken_until_none_is_left(self, store):
        """Together the statements never send more than the budget."""
        store.add_grant(grant(max_rows=1000))
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda _: store.take_rows("G-1", 70), range(30)))
        assert sum(taken) == 1000
        assert sorted(set(taken)) == [0, 20, 70]
        assert store.grant("G-1").rows == 1000

    def test_without_a_budget_all_are_given_and_counted(self, store):
        """The record tells how many."""
        store.add_grant(grant())
        assert store.take_rows("G-1", 10**7) == 10**7
        assert store.take_rows("G-none", 5) == 0
        assert store.grant("G-1").rows == 10**7

    def test_under_a_grant_that_ended_nothing_starts(self, store):
        """But rows that were sent count."""
        store.add_grant(grant())
        store.end_grant("G-1", at=NINE, why="revoked")
        assert not store.spend("G-1")
        assert store.take_rows("G-1", 7) == 7
        assert (store.grant("G-1").queries, store.grant("G-1").rows) == (0, 7)

    def test_an_end_is_final(self, store):
        """Marked for good: a clock set back cannot revive it."""
        store.add_grant(grant())
        assert store.end_grant("G-1", at=NINE, why="revoked")
        assert not store.end_grant("G-1", at=NINE, why="its time was over")
        assert store.grant("G-1").state(NINE) == "over"
        assert store.grant("G-1").ended_why == "revoked"
        assert store.open_grants() == []

    def test_grants_are_told_oldest_first(self, store):
        """As they were opened."""
        for hours in (3, 1, 2):
            store.add_grant(grant(grant_id=f"G-{hours}", start=NINE + timedelta(hours=hours)))
        assert [g.grant_id for g in store.grants_of("S-1")] == ["G-1", "G-2", "G-3"]


class TestWhatIsRemembered:
    def test_a_change_is_seen_at_once(self, store):
        """Each end, restart and revocation, however often the question was asked before."""

        def seen():
            slot, attached = store.kernel("K-1"), store.session_of("N-1", "kernel-1")
            held = store.grants_of("S-1")
            return (
                slot is not None and slot.revoked_at is None,
                attached is not None,
                [g.ended_at is None for g in held],
                store.server("N-1") is not None,
            )

        store.add_server(server())
        assert seen() == (False, False, [], True)
        store.open_kernel(kernel(slot_id="K-1"))
        store.start_session(session())
        store.add_grant(grant())
        assert seen() == (True, True, [True], True)
        store.end_grant("G-1", at=NINE, why="revoked")
        assert seen() == (True, True, [False], True)
        store.end_session("S-1", at=NINE, why="signed out")
        assert seen() == (True, False, [False], True)
        store.remove_server("N-1", at=NINE)
        assert seen() == (False, False, [False], False)

    def test_a_server_that_another_process_enrols(self, store, other):
        """`jupyter gov enroll` beside a running gateway: what was not found is asked again."""
        assert store.server("N-9") is None
        other().add_server(server(server_id="N-9"))
        assert store.server("N-9") is not None

    def test_what_was_read_while_it_changed_is_not_kept(self):
        """The reader may have it; the next one is told of the change."""
        recent = Remembered()

        def read():
            recent.forget(["other"])  # somebody commits in this moment
            return "old"

        assert recent.get("key", read) == "old"
        assert recent.get("key", lambda: "new") == "new"
        assert recent.get("key", lambda: "newer") == "new"

    def test_an_end_is_seen_by_whoever_asks_after_it(self, store):
        """With readers that never stop asking."""
        store.add_grant(grant())
        over = threading.Event()
        late = []

        def ask():
            while True:
                before = over.is_set()
                state = store.grants_of("S-1")[0].ended_at
                if before:
                    late.append(state)
                    return

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask) for _ in range(4)]
            store.end_grant("G-1", at=NINE, why="revoked")
            over.set()
            for each in asking:
                each.result(10)
        assert late == [NINE] * 4


class TestAVolumeThatFails:
    def test_without_room_nothing_is_given_but_ends_are_written(self, migrated, tmp_path):
        """The reserve is held for what takes something away."""
        path = tmp_path / "full.sqlite"
        path.write_bytes(migrated.read_bytes())
        engine = open_state(path)
        full = tmp_path / "full.reserve"
        store = State(engine, Reserve(full, 8192))
        assert full.stat().st_size == 8192
        store.add_grant(grant())
        full.unlink()
        full.mkdir()  # where the reserve cannot be made there is no room
        with pytest.raises(Unavailable, match="full"):
            store.add_grant(grant(grant_id="G-2"))
        assert store.end_grant("G-1", at=NINE, why="revoked")
        full.rmdir()
        store.add_grant(grant(grant_id="G-2"))
        engine.dispose()

    def test_a_lost_database_is_an_outage_not_a_crash(self, store):
        """In our words, with the engine's own name for the fault and none of its text."""
        with store._engine.begin() as connection:
            connection.execute(text("ALTER TABLE grant_ RENAME TO away"))
        with pytest.raises(Unavailable) as failed:
            store.open_grants()
        assert "SELECT" not in str(failed.value)
        with pytest.raises(Unavailable):
            store.end_grant("G-1", at=NINE, why="")

    def test_the_reserve_gives_its_room_back(self, tmp_path):
        """Held again when there is room again; a smaller one is filled up."""
        reserve = Reserve(tmp_path / "r", 8192)
        assert reserve.hold()
        assert reserve.hold()
        reserve.release()
        reserve.release()
        assert not (tmp_path / "r").exists()
        (tmp_path / "r").write_bytes(b"short")
        assert reserve.hold()
        assert (tmp_path / "r").stat().st_size == 8192


def test_no_connection_is_left_open(migrated, tmp_path):
    """Reading and writing hand theirs back."""
    path = tmp_path / "s.sqlite"
    path.write_bytes(migrated.read_bytes())
    engine = open_state(path)
    store = State(engine)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(4):
            store.add_grant(grant(grant_id=f"G-{number}"))
            store.open_grants()
        assert engine.pool.checkedout() == 0
    engine.dispose()
