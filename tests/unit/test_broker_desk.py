"""The grant desk: what is opened by itself, what is asked for, and what ends what was held."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyter_gov.access.decide import Need
from jupyter_gov.access.model import Action, Agents
from jupyter_gov.broker.desk import MAX_NOTE, GrantDesk
from jupyter_gov.broker.views import grant_view
from jupyter_gov.errors import (
    AuditUnavailable,
    BadRequest,
    GrantOver,
    NoGrant,
    OutOfScope,
    SessionOver,
)
from jupyter_gov.wire.messages import RequestGrant
from tests.unit.given import ANA, NINE, RUI, eligibility, grant, profile
from tests.unit.hospital import DownLog, Hospital

CLAIMS = Need(connection="hospital", tables=frozenset({"claims"}), action=Action.READ)


@pytest.fixture
def gov(store, log, clock):
    return Hospital(
        store, log, clock,
        eligibility(),
        eligibility(name="billing", tables=("claims",), max_duration=timedelta(hours=1),
                    max_rows=500, max_queries=9),
        eligibility(name="agents", agents=Agents.ONLY, tables=("claims",)),
    )  # fmt: skip


def request(gov, caller, **asked):
    return gov.desk.request(gov.policy, caller, RequestGrant(connection="hospital", **asked))


class TestOpeningByItself:
    def test_the_narrowest_default_grant_at_the_first_statement(self, gov):
        """Of those that cover it; the second statement runs under the same one."""
        caller = gov.attach()
        made, opened = gov.desk.settle(gov.policy, caller, CLAIMS)
        assert (made.eligibility, opened) == ("billing", True)
        assert (made.start, made.end) == (NINE, NINE + timedelta(minutes=30))
        assert (made.max_rows, made.max_queries) == (500, 9)
        assert made.principal == "evaluation|ana"
        assert gov.store.grant(made.grant_id) == made
        assert gov.desk.settle(gov.policy, caller, CLAIMS) == (made, False)

    def test_it_is_recorded_before_it_is_given(self, gov, store, log, clock):
        """If it cannot be, there is none."""
        caller = gov.attach()
        down = DownLog(log, AuditUnavailable("down"))
        desk = GrantDesk(store, down, gov.audit_key, gov.ender, clock)
        with pytest.raises(AuditUnavailable):
            desk.settle(gov.policy, caller, CLAIMS)
        assert store.open_grants() == []
        made, _ = gov.desk.settle(gov.policy, caller, CLAIMS)
        (event,) = gov.recorded("grant.opened")
        assert event.grant == made.grant_id
        assert event.says["tables"] == ["claims"]
        assert event.says["end"] == "2026-03-02T09:30:00.000000Z"

    def test_side_by_side_one_is_opened(self, gov):
        """Eight statements, one grant, one record."""
        caller = gov.attach()
        with ThreadPoolExecutor(8) as pool:
            settled = list(
                pool.map(lambda _: gov.desk.settle(gov.policy, caller, CLAIMS), range(8))
            )
        assert len({made.grant_id for made, _ in settled}) == 1
        assert sum(opened for _, opened in settled) == 1
        assert len(gov.recorded("grant.opened")) == 1

    def test_once_in_a_session(self, gov, clock):
        """What is over is asked for; in the next session it opens again."""
        caller = gov.attach()
        wide = replace(CLAIMS, tables=frozenset({"encounters"}))
        gov.desk.settle(gov.policy, caller, wide)
        clock.forward(minutes=30)
        with pytest.raises(GrantOver):
            gov.desk.settle(gov.policy, caller, wide)
        again = gov.attach(kernel_id="kernel-2")
        assert gov.desk.settle(gov.policy, again, wide)[1]

    def test_it_never_outlives_the_session(self, gov):
        """However long the eligibility would give."""
        caller = gov.attach(ends_at=NINE + timedelta(minutes=5))
        assert gov.desk.settle(gov.policy, caller, CLAIMS)[0].end == NINE + timedelta(minutes=5)
        over = gov.attach(kernel_id="kernel-2", ends_at=NINE + timedelta(minutes=5))
        with pytest.raises(SessionOver):
            gov.clock.forward(minutes=5)
            gov.desk.open(gov.policy, over, eligibility(), timedelta(hours=1), note="")

    def test_it_keeps_its_preset_and_agreement(self, gov):
        """In the store, in the record, and in what its holder sees."""
        given = eligibility(preset="limited_data_set", data_use_agreement="DUA-1")
        gov.policy = replace(gov.policy, eligibilities={"analysts": given})
        made, _ = gov.desk.settle(gov.policy, gov.attach(), CLAIMS)
        (recorded,) = gov.recorded("grant.opened")
        for said in (gov.store.grant(made.grant_id), grant_view(made, NINE)):
            assert (said.preset, said.data_use_agreement) == ("limited_data_set", "DUA-1")
        assert recorded.says["preset"] == "limited_data_set"
        assert recorded.says["data_use_agreement"] == "DUA-1"


class TestAsking:
    def test_for_the_default_time_or_ones_own(self, gov):
        """Each request is a grant of its own, with its own end."""
        caller = gov.attach()
        one, other = request(gov, caller), request(gov, caller, duration="45m")
        assert one.grant_id != other.grant_id
        assert [g.end - g.start for g in (one, other)] == [
            timedelta(minutes=30), timedelta(minutes=45)
        ]  # fmt: skip
        assert {g.eligibility for g in (one, other)} == {"billing"}

    def test_for_a_named_eligibility(self, gov):
        """If it is one's own."""
        caller = gov.attach()
        assert request(gov, caller, eligibility="analysts").tables == {"encounters", "claims"}
        for name in ("agents", "none"):
            with pytest.raises(NoGrant):
                request(gov, caller, eligibility=name)

    def test_longer_than_allowed(self, gov):
        """Says how long is, ready to type."""
        with pytest.raises(OutOfScope, match="at most 1h at a time") as refused:
            request(gov, gov.attach(), duration="61m")
        assert refused.value.next.magic == "%gov request hospital --for 1h"
        assert request(gov, gov.attach(kernel_id="kernel-2"), duration="1h")

    def test_a_stranger_does_not_learn_what_there_is(self, gov):
        """A connection one may not use answers as one that is not there."""
        rui = gov.attach(RUI)
        said = set()
        for name in ("hospital", "none"):
            with pytest.raises(NoGrant) as refused:
                gov.desk.request(gov.policy, rui, RequestGrant(connection=name))
            said.add(str(refused.value))
            with pytest.raises(NoGrant) as refused:
                gov.desk.any(gov.policy, rui, name)
            said.add(str(refused.value))
        assert len(said) == 1

    def test_the_note_is_sealed(self, gov):
        """It may name a patient."""
        request(gov, gov.attach(), note="for Zebulon")
        (event,) = gov.recorded("grant.opened")
        assert "Zebulon" not in str(event)
        opened = gov.audit_key.open(event.record, event.says["sealed"])
        assert opened["binds"] == {"--note": "for Zebulon"}

    def test_a_note_has_a_length(self, gov):
        """It is no letter."""
        caller = gov.attach()
        assert request(gov, caller, note="x" * MAX_NOTE)
        with pytest.raises(BadRequest):
            request(gov, caller, note="x" * (MAX_NOTE + 1))

    def test_a_refusal_is_recorded(self, gov):
        """With the rule; the connection only if the asker may know of it."""
        caller = gov.attach()
        gov.desk.refused(caller, "hospital", OutOfScope("too long"))
        gov.desk.refused(caller, "hospital", NoGrant("no"))
        assert [(e.connection, e.says["code"]) for e in gov.recorded("grant.refused")] == [
            ("hospital", "out_of_scope"), ("", "no_grant")
        ]  # fmt: skip


class TestAgents:
    def test_an_agent_gets_what_is_meant_for_agents(self, gov):
        """And nothing of its person's own."""
        agent = gov.attach(ANA.agent("recon"))
        made, _ = gov.desk.settle(gov.policy, agent, CLAIMS)
        assert made.eligibility == "agents"
        assert made.principal == "evaluation|ana/agents/recon"
        with pytest.raises(NoGrant):
            request(gov, agent, eligibility="analysts")

    def test_the_agent_of_a_stranger_is_one(self, gov):
        """Its person must match."""
        with pytest.raises(NoGrant):
            gov.desk.any(gov.policy, gov.attach(RUI.agent("recon")), "hospital")

    def test_a_persons_grant_is_not_the_agents(self, gov):
        """Each session holds its own."""
        person = gov.attach()
        gov.desk.settle(gov.policy, person, CLAIMS)
        agent = gov.attach(ANA.agent("recon"), kernel_id="kernel-2")
        assert gov.desk.held(gov.policy, agent) == []


class TestAChangedConfiguration:
    """What it no longer supports ends when it is next looked at."""

    def held(self, gov, **changed):
        caller = gov.attach()
        gov.store.add_grant(grant(session_id=caller.session.session_id))
        assert gov.desk.held(gov.policy, caller)[0].ended_at is None
        gov.policy = replace(gov.policy, **changed)
        (after,) = gov.desk.held(gov.policy, caller)
        return after

    def test_a_treatment(self, gov):
        """Another profile under the same name."""
        other = profile(by_tag={})
        ended = self.held(gov, profiles=dict.fromkeys(gov.policy.profiles, other))
        assert ended.ended_why == "the treatment of its columns changed"
        assert [e.grant for e in gov.recorded("grant.ended")] == ["G-1"]

    def test_an_eligibility_that_is_gone(self, gov):
        """Or covers somebody else now."""
        assert "no longer covers you" in self.held(gov, eligibilities={}).ended_why

    def test_another_data_use_agreement(self, gov):
        """Also after a start, when nobody knows any more what was configured before."""
        agreed = eligibility(data_use_agreement="DUA-2")
        ended = self.held(gov, eligibilities={"analysts": agreed})
        assert ended.ended_why == "the data use agreement of analysts changed"

    def test_nothing_ends_without_a_change(self, gov):
        """An edit that changes nothing keeps every grant."""
        assert self.held(gov, digest="another").ended_at is None

    def test_a_former_holder_still_reaches_the_refusal(self, gov):
        """They are told that it is over, not that there is nothing."""
        self.held(gov, eligibilities={})
        caller = gov.doorkeeper.attached(gov.store.current_kernel("N-1", "kernel-1"))
        gov.desk.any(gov.policy, caller, "hospital")
        with pytest.raises(GrantOver):
            gov.desk.settle(gov.policy, caller, CLAIMS)
