"""
Every case of `tests/cases/grants.jsonl`: played here, or listed with the reason why not yet.

A new case in the file fails until it has a place in one of the two.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jupyter_gov.access.decide import Need, choose
from jupyter_gov.access.model import Action
from jupyter_gov.audit.verify import verify
from jupyter_gov.broker.end import Target
from jupyter_gov.broker.record import recover
from jupyter_gov.errors import (
    AuditUnavailable,
    BadRequest,
    GrantNotStarted,
    GrantOver,
    NoGrant,
    OutOfScope,
    SessionOver,
    StatementRefused,
    Unauthenticated,
)
from jupyter_gov.store.audit_log import read_leaves
from jupyter_gov.wire.messages import RequestGrant
from tests.unit.given import NINE, eligibility, grant, hospital, profile
from tests.unit.hospital import DownLog, Hospital, Taker, rows

FILE = Path(__file__).parents[1] / "cases" / "grants.jsonl"
CASES = {case["id"]: case for case in map(json.loads, FILE.read_text().splitlines())}

LATER = {
    "GR-004": "no result is stored: there is no handle to read again",
    "GR-013": "SQLite has no clock of its own; comes with the PostgreSQL engine",
    "GR-015": "one gateway per state folder; replicas come with the shared store",
    "GR-023": "there is no action but read; comes with writes",
    "GR-024": "there are no blocks, only what an eligibility withholds; comes with the policy",
    "GR-032": "of the SQLite engine: tests/integration/test_sqlite_wall.py",
    "GR-033": "approvals",
    "GR-036": "approvals",
    "GR-038": "approvals",
    "GR-039": "approvals of writes",
    "GR-041": "approvals of writes",
    "GR-042": "approvals",
    "GR-043": "approvals",
    "GR-045": "approvals",
    "GR-047": "a kernel has one principal; who sent a cell is not known to it (threat model)",
    "GR-050": "grants are of tables; columns are withheld by their tags",
    "GR-051": "of the SQLite engine: tests/integration/test_sqlite_wall.py",
    "GR-054": "aggregate-only grants and minimum group sizes",
}
"""Cases for later work, or played elsewhere, each with where or why."""

PLAYED: dict[str, Callable[[Hospital], None]] = {}


def case(identity: str) -> Callable[[Callable[[Hospital], None]], Callable[[Hospital], None]]:
    def note(play: Callable[[Hospital], None]) -> Callable[[Hospital], None]:
        PLAYED[identity] = play
        return play

    return note


def until_ten(gov: Hospital, **changed: object):
    """Ana, attached at nine, with the cases' grant G: encounters and claims, 09:00 to 10:00."""
    caller = gov.attach()
    gov.store.add_grant(grant(session_id=caller.session.session_id, **changed))
    return caller


def need(*tables: str, named: str = "") -> Need:
    return Need(
        connection="hospital", tables=frozenset(tables), action=Action.READ, named=named
    )  # fmt: skip


@case("GR-003")
def expires_in_the_middle_of_a_stream(gov: Hospital) -> None:
    caller, sink = until_ten(gov), Taker()
    gov.engine.answer = [rows(1, 2), rows(3), rows(4)]
    gov.engine.before = lambda: gov.clock.forward(minutes=30)
    with pytest.raises(GrantOver) as over:
        gov.answer(caller, sink=sink)
    assert "ended while the statement ran" in over.value.message
    assert gov.engine.executions[0].closed
    (outcome,) = gov.recorded("outcome")
    assert (outcome.says["result"], outcome.says["rows"]) == ("grant_over", 3)
    assert outcome.says["bytes_sent"] > 0  # what was sent stays sent


@case("GR-006")
def queued_past_the_end(gov: Hospital) -> None:
    caller = until_ten(gov)
    gov.clock.forward(minutes=59, seconds=30)
    waiting = gov.sign(caller, gov.query("SELECT payer FROM claims"))
    gov.clock.forward(seconds=50)
    with pytest.raises(GrantOver):
        gov.flow.run(waiting, Taker())
    assert gov.engine.started == []


@case("GR-007")
def retry_past_the_end(gov: Hospital) -> None:
    caller = until_ten(gov)
    gov.clock.forward(minutes=59, seconds=40)
    sent = gov.sign(caller, gov.query("SELECT payer FROM claims"))
    gov.flow.run(sent, Taker())
    gov.clock.forward(seconds=30)
    with pytest.raises(Unauthenticated, match="sent before"):
        gov.flow.run(sent, Taker())
    with pytest.raises(GrantOver):
        gov.ask(caller)
    assert len(gov.engine.started) == 1


@case("GR-008")
def not_yet_valid(gov: Hospital) -> None:
    caller = until_ten(gov, start=NINE + timedelta(minutes=10))
    with pytest.raises(GrantNotStarted) as early:
        gov.ask(caller)
    assert "claims" not in str(early.value)


@case("GR-009")
def no_window(gov: Hospital) -> None:
    caller = gov.attach()
    for duration in ("0m", "-30m"):
        with pytest.raises(BadRequest):
            gov.desk.request(
                gov.policy, caller, RequestGrant(connection="hospital", duration=duration)
            )
    for length in (timedelta(), -timedelta(hours=1)):
        with pytest.raises(SessionOver):
            gov.desk.open(gov.policy, caller, eligibility(), length, note="")
    assert gov.store.open_grants() == []


@case("GR-011")
def the_clients_clock_does_not_count(gov: Hospital) -> None:
    caller = until_ten(gov)
    gov.clock.forward(minutes=30)
    slow = gov.sign(caller, gov.query("SELECT 1"))
    gov.clock.forward(hours=2)
    with pytest.raises(Unauthenticated, match="clock"):
        gov.flow.run(slow, Taker())
    with pytest.raises(GrantOver):
        gov.ask(caller)


@case("GR-012")
def the_clock_set_back(gov: Hospital) -> None:
    caller = until_ten(gov)
    gov.clock.forward(hours=1, seconds=5)
    gov.ender.end_what_is_over()
    gov.clock.forward(seconds=-15)  # as no ForwardClock would
    with pytest.raises(GrantOver):
        gov.ask(caller)


@case("GR-017")
def renewed_before_its_end(gov: Hospital) -> None:
    caller = until_ten(gov)
    gov.clock.forward(minutes=50)
    fresh = gov.desk.request(
        gov.policy, caller, RequestGrant(connection="hospital", duration="70m")
    )
    gov.clock.forward(minutes=25)
    assert gov.ask(caller).shape == (3, 1)
    assert [event.grant for event in gov.recorded("intent")] == [fresh.grant_id]


@case("GR-019")
def renewed_too_late(gov: Hospital) -> None:
    ten = NINE + timedelta(hours=1)
    renewed = grant(
        grant_id="G-2", start=ten + timedelta(milliseconds=1), end=ten + timedelta(hours=1)
    )
    with pytest.raises(GrantNotStarted):
        choose(need("claims"), [grant(), renewed], [], {}, at=ten)
    assert choose(need("claims"), [grant(), renewed], [], {}, at=renewed.start) == renewed


@case("GR-021")
def two_grants_one_join(gov: Hospital) -> None:
    caller = until_ten(gov, grant_id="G-1", tables=frozenset({"encounters"}))
    gov.store.add_grant(
        grant(grant_id="G-2", tables=frozenset({"claims"}), session_id=caller.session.session_id)
    )
    with pytest.raises(OutOfScope):
        gov.ask(caller, "SELECT 1 FROM encounters JOIN claims ON 1")
    assert gov.engine.started == []


@case("GR-022")
def grants_on_two_connections(gov: Hospital) -> None:
    caller = until_ten(gov, grant_id="G-1", connection="research")
    gov.policy = replace(gov.policy, eligibilities={})
    with pytest.raises(NoGrant):
        gov.ask(caller)


@case("GR-026")
def revoked_in_the_middle_of_a_stream(gov: Hospital) -> None:
    caller = until_ten(gov)
    gov.engine.answer = [rows(1), rows(2)]
    gov.engine.before = lambda: gov.ender.end(Target("grant", "G-1"), "revoked by an admin")
    with pytest.raises(GrantOver, match="revoked by an admin"):
        gov.ask(caller)
    assert gov.engine.executions[0].cancelled
    assert [e.says["result"] for e in gov.recorded("outcome")] == ["grant_over"]


@case("GR-028")
def the_group_was_left(gov: Hospital) -> None:
    caller = until_ten(gov)
    gov.ask(caller)
    gov.policy = replace(gov.policy, groups={"ana": frozenset()})
    with pytest.raises(GrantOver, match="no longer covers you"):
        gov.ask(caller)


@case("GR-031")
def no_decision_is_cached(gov: Hospital) -> None:
    caller = until_ten(gov)
    gov.ask(caller)
    gov.ender.end(Target("grant", "G-1"), "revoked")
    with pytest.raises(GrantOver):
        gov.ask(caller)


@case("GR-044")
def several_statements_reach_nobody(gov: Hospital) -> None:
    caller = until_ten(gov)
    with pytest.raises(StatementRefused):
        gov.ask(caller, "UPDATE claims SET payer = 1; DELETE FROM messages")
    assert gov.engine.started == []


@case("GR-046")
def a_stolen_grant_id(gov: Hospital) -> None:
    until_ten(gov)
    thief = gov.attach(kernel_id="kernel-2")
    with pytest.raises(NoGrant, match="holds no grant of that name"):
        gov.ask(thief, grant="G-1")


@case("GR-049")
def another_database_under_the_name(gov: Hospital) -> None:
    caller = until_ten(gov)
    gov.policy = replace(
        gov.policy, connections={"hospital": hospital(url="sqlite:////srv/primary.db")}
    )
    with pytest.raises(GrantOver, match="another database stands under"):
        gov.ask(caller)


@case("GR-052")
def names_are_the_databases(gov: Hospital) -> None:
    caller = until_ten(gov, tables=frozenset({"claims"}))
    for name in ("CLAIMS", '"claims"', "main.Claims", "[claims]"):
        gov.ask(caller, f"SELECT payer FROM {name}")
    assert {tuple(e.says["relations"]) for e in gov.recorded("intent")} == {("claims",)}


@case("GR-055")
def the_log_is_down(gov: Hospital) -> None:
    caller = until_ten(gov)
    for refused in ("intent", "refusal"):
        gov.writes_to(DownLog(gov.log, AuditUnavailable("down"), refused))
        with pytest.raises(AuditUnavailable):
            gov.ask(caller, "SELECT payer FROM claims" if refused == "intent" else "DROP TABLE x")
    assert gov.engine.started == []


@case("GR-056")
def a_denied_attempt_is_recorded(gov: Hospital) -> None:
    caller = until_ten(gov)
    with pytest.raises(OutOfScope) as denied:
        gov.ask(caller, "SELECT * FROM payroll WHERE name = 'Zebulon'")
    (refusal,) = gov.recorded("refusal")
    assert refusal.record == denied.value.record
    assert refusal.actor.principal == "evaluation|ana"
    assert refusal.says["code"] == "out_of_scope"
    assert refusal.says["sql"] == "SELECT * FROM _1 WHERE _2 = ?"


@case("GR-057")
def no_phi_in_the_log_itself(gov: Hospital) -> None:
    caller = until_ten(gov)
    sql = "SELECT payer FROM claims WHERE patient = '123-45-6789' -- for Zebulon"
    gov.ask(caller, f"{sql}\nOR :x = payer", binds={"x": "Quartermain"}, note="Zebulon's own wish")
    gov.engine.fault = ValueError("row: Zebulon, 123-45-6789")
    with pytest.raises(Exception, match="failed while running"):
        gov.ask(caller, sql)
    bodies = b"".join(leaf.body for leaf in gov.log.leaves())
    for secret in (b"123-45-6789", b"Zebulon", b"Quartermain"):
        assert secret not in bodies
    intent = gov.recorded("intent")[0]
    opened = gov.audit_key.open(intent.record, intent.says["sealed"])
    assert opened["sql"].startswith(sql)
    assert opened["binds"]["x"] == "Quartermain"


@case("GR-058")
def a_crash_before_the_outcome(gov: Hospital) -> None:
    class Killed(BaseException):
        """The process is gone; nothing after it runs."""

    caller = until_ten(gov)
    gov.engine.fault = Killed()  # type: ignore[assignment]
    gov.writes_to(DownLog(gov.log, Killed(), "outcome"))  # type: ignore[arg-type]
    with pytest.raises(Killed):
        gov.ask(caller)
    (intent,) = gov.recorded("intent")
    assert recover(gov.log, gov.store, gov.clock) == 1
    assert recover(gov.log, gov.store, gov.clock) == 0
    (outcome,) = gov.recorded("outcome")
    assert (outcome.of, outcome.says["result"]) == (intent.record, "interrupted")


@case("GR-059")
def tampering_shows(gov: Hospital) -> None:
    caller = until_ten(gov)
    for _ in range(3):
        gov.ask(caller)
    with closing(sqlite3.connect(gov.log.path)) as thief:
        thief.execute("DROP TRIGGER leaf_is_not_removed")
        thief.execute("DELETE FROM leaf WHERE seq = 2")
        thief.commit()
    assert verify(read_leaves(gov.log.path)).problems[0].startswith("record 2: missing")


@pytest.fixture
def gov(store, log, clock):
    """The cases' hospital: analysts may ask for encounters and claims."""
    return Hospital(store, log, clock)


@pytest.mark.parametrize("identity", sorted(PLAYED))
def test_a_case_of_the_file(gov, identity):
    """As its `expected` says."""
    PLAYED[identity](gov)


def test_every_case_has_a_place():
    """Played or waiting with a reason, never both and never neither."""
    assert not PLAYED.keys() & LATER.keys()
    assert PLAYED.keys() | LATER.keys() == CASES.keys()


def test_what_runs_runs_under_the_profile_of_its_grant(gov):
    """What the engine is told: the profile, the grant's tables, the day, the time left."""
    caller = until_ten(gov)
    gov.ask(caller)
    (under,) = gov.engine.started
    assert under["profile"] == profile()
    assert under["tables"] == {"encounters", "claims"}
    assert under["today"] == NINE.date()
