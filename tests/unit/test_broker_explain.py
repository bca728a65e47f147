"""Explaining: the steps of a query up to the decision, and what may not follow them."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from jupyter_gov.access.model import Agents
from jupyter_gov.broker.end import Target
from jupyter_gov.errors import (
    AuditUnavailable,
    Busy,
    DatabaseUnavailable,
    EngineRefused,
    NotAttached,
    QueryFailed,
)
from jupyter_gov.identity.model import Principal
from tests.unit.given import ANA, eligibility
from tests.unit.hospital import DownLog, Hospital

SQL = "SELECT payer FROM claims"


@pytest.fixture
def gov(store, log, clock):
    return Hospital(store, log, clock)


@pytest.fixture
def caller(gov):
    return gov.attach()


class TestNothingFollows:
    def test_the_engine_is_not_started(self, gov, caller):
        """And no grant is opened, by the first question or by many."""
        for _ in range(3):
            assert gov.explain(caller, SQL).decision == "open"
        assert gov.engine.started == []
        assert gov.store.grants_of(caller.session.session_id) == []
        assert {event.kind for event in gov.recorded()} == {"explained"}

    def test_a_budget_is_not_spent(self, store, log, clock):
        """Explained under a grant with one statement left, it still has one."""
        gov = Hospital(store, log, clock, eligibility(max_queries=2))
        caller = gov.attach()
        gov.ask(caller)
        for _ in range(3):
            assert gov.explain(caller, SQL).decision == "allow"
        gov.ask(caller)
        assert gov.explain(caller, SQL).refusal["code"] == "budget_spent"

    def test_what_is_told_was_recorded_before(self, gov, caller):
        """A log that cannot be written: nothing is told."""
        gov.writes_to(DownLog(gov.log, AuditUnavailable("down"), "explained"))
        with pytest.raises(AuditUnavailable):
            gov.explain(caller, SQL)


class TestTheNarrowest:
    def test_is_named_as_a_query_takes_it(self, store, log, clock):
        """Of two that cover it; and the query then runs under that one."""
        wide = eligibility(name="wide")
        narrow = replace(wide, name="narrow", tables=("claims",))
        gov = Hospital(store, log, clock, wide, narrow)
        caller = gov.attach()
        assert gov.explain(caller, SQL).eligibility == "narrow"
        gov.ask(caller)
        told = gov.explain(caller, SQL)
        assert told.grant.eligibility == told.eligibility == "narrow"

    def test_an_agents_own(self, store, log, clock):
        """Eligibilities for people are not an agent's."""
        people = eligibility(name="people")
        agents = replace(people, name="agents", agents=Agents.ONLY)
        gov = Hospital(store, log, clock, people, agents)
        agent = Principal(issuer=ANA.issuer, subject=ANA.subject).agent("recon")
        assert gov.explain(gov.attach(agent), SQL).eligibility == "agents"


class TestWhatIsRaised:
    def test_a_database_that_is_away(self, gov, caller):
        """Nobody's fault that asks: raised, and recorded as a refusal to explain."""
        gov.engine.fault = DatabaseUnavailable("away")
        with pytest.raises(DatabaseUnavailable):
            gov.explain(caller, SQL)
        (event,) = gov.recorded("refusal")
        assert (event.says["asked"], event.says["code"]) == ("explain", "database_unavailable")

    def test_a_fault_of_ours(self, gov, caller):
        """Without its own words, which may hold values."""
        gov.engine.fault = RuntimeError("900-11-2233")
        with pytest.raises(QueryFailed) as failed:
            gov.explain(caller, SQL)
        assert "900-11" not in str(failed.value)

    def test_a_refusal_of_the_engine_is_an_answer(self, gov, caller):
        """As one of the policy is."""
        gov.engine.fault = EngineRefused("not that function")
        told = gov.explain(caller, SQL)
        assert (told.decision, told.rule) == ("deny", "not that function")
        assert told.refusal["record"] == told.record

    def test_too_many_at_once(self, gov, caller):
        """It counts as a running statement does: parsing costs."""
        with contextlib.ExitStack() as running:
            for _ in range(4):
                running.enter_context(gov.limits.hold(caller.kernel.slot_id, "ana"))
            with pytest.raises(Busy):
                gov.explain(caller, SQL)
        assert gov.recorded() == []

    def test_nobody_is_attached(self, gov, caller):
        """There is nobody to explain it to."""
        gov.ender.end(Target("session", caller.session.session_id), "signed out")
        with pytest.raises(NotAttached):
            gov.explain(caller, SQL)
        assert gov.recorded("refusal")[-1].says["asked"] == "explain"
