"""Codes and confirmations: what a person must do, and everything that must not work."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from jupyter_gov.errors import BadRequest, Busy, DecisionRefused
from jupyter_gov.identity.attachment import AGENT_NAME, ALPHABET, Attachment, Choice
from jupyter_gov.identity.model import Lifetimes
from tests.unit.given import ANA, RUI, kernel, server

LIFETIMES = Lifetimes()


@pytest.fixture
def attachment(store, clock):
    """One server, nobody's, with one kernel in its first start."""
    store.add_server(server())
    store.open_kernel(kernel())
    return Attachment(store, clock, LIFETIMES, b"c" * 32)


def choice(**changed):
    return replace(
        Choice(decision="confirm", purpose="quality", lasts=timedelta(hours=8)), **changed
    )


def confirmed(attachment, store, person=ANA, *, of=None, **chosen):
    """A code, typed and confirmed as `broker.attach` does it; the new session."""
    _, code = attachment.open_code(of or kernel(), agent="")
    session = attachment.decide(attachment.find(person.subject, code), person, choice(**chosen))
    for earlier in store.sessions():
        store.end_session(earlier.session_id, at=session.started_at, why="attached anew")
    store.start_session(session)
    return session


class TestTheCode:
    def test_what_is_shown(self, attachment):
        """Eight consonants in two groups; no word appears and nothing looks alike."""
        request, code = attachment.open_code(kernel(), agent="recon")
        assert re.fullmatch(rf"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", code)
        assert not set(ALPHABET) & set("AEIOUY0123456789")
        assert request.suggested_agent == "recon"

    def test_only_its_keyed_hash_is_kept(self, attachment, store):
        """Who reads the store cannot type it, nor find it by trying all codes."""
        request, code = attachment.open_code(kernel(), agent="")
        other = Attachment(store, lambda: request.opened_at, LIFETIMES, b"d" * 32)
        assert code not in repr(store.request(request.request_id))
        with pytest.raises(DecisionRefused):
            other.find("ana", code)

    @pytest.mark.parametrize(
        "typed", [str.lower, lambda c: c.replace("-", ""), lambda c: f" {c[:4]} {c[5:]} "]
    )
    def test_how_it_is_typed_does_not_matter(self, attachment, typed):
        """Case, hyphen and spaces are people's business."""
        request, code = attachment.open_code(kernel(), agent="")
        assert attachment.find("ana", typed(code)).request_id == request.request_id

    def test_one_is_open_at_a_time(self, attachment):
        """A new one makes the earlier one of the same kernel worthless."""
        first, code = attachment.open_code(kernel(), agent="")
        attachment.open_code(kernel(), agent="")
        assert attachment.state(kernel(), first.request_id) == "expired"
        with pytest.raises(DecisionRefused):
            attachment.find("ana", code)

    def test_another_kernels_code_is_left_alone(self, attachment, store):
        """One at a time *per kernel*."""
        store.open_kernel(kernel(slot_id="K-2", kernel_id="kernel-2"))
        _, code = attachment.open_code(kernel(), agent="")
        attachment.open_code(kernel(slot_id="K-2", kernel_id="kernel-2"), agent="")
        assert attachment.find("ana", code).kernel_id == "kernel-1"

    @pytest.mark.parametrize(
        ("seconds", "good"), [(599.999, True), (600, False)], ids=["before", "at ten minutes"]
    )
    def test_it_lives_ten_minutes(self, attachment, clock, seconds, good):
        """Half-open, as everything is."""
        request, code = attachment.open_code(kernel(), agent="")
        clock.forward(seconds=seconds)
        assert attachment.state(kernel(), request.request_id) == ("pending" if good else "expired")
        if good:
            assert attachment.decide(attachment.find("ana", code), ANA, choice())
        else:
            with pytest.raises(DecisionRefused):
                attachment.find("ana", code)
            with pytest.raises(DecisionRefused, match="used or has expired"):
                attachment.decide(request, ANA, choice())

    def test_a_kernel_sees_its_own_requests_only(self, attachment):
        """Ids are no secret."""
        request, _ = attachment.open_code(kernel(), agent="")
        with pytest.raises(BadRequest):
            attachment.state(kernel(kernel_id="kernel-2"), request.request_id)
        with pytest.raises(BadRequest):
            attachment.state(kernel(), "A-none")


class TestUsedOnce:
    def test_a_confirmed_code_is_used(self, attachment):
        """Typing it again finds nothing; deciding it again is refused."""
        request, code = attachment.open_code(kernel(), agent="")
        found = attachment.find("ana", code)
        assert attachment.decide(found, ANA, choice()).principal == ANA
        assert attachment.state(kernel(), request.request_id) == "confirmed"
        with pytest.raises(DecisionRefused):
            attachment.find("ana", code)
        with pytest.raises(DecisionRefused, match="used"):
            attachment.decide(found, RUI, choice())

    def test_side_by_side_one_confirmation_counts(self, attachment):
        """Two windows, one session."""
        _, code = attachment.open_code(kernel(), agent="")
        found = attachment.find("ana", code)

        def attempt(_):
            try:
                return attachment.decide(found, ANA, choice())
            except DecisionRefused:
                return None

        with ThreadPoolExecutor(8) as pool:
            sessions = [session for session in pool.map(attempt, range(8)) if session]
        assert len(sessions) == 1

    def test_a_mistake_in_the_form_does_not_use_it(self, attachment):
        """The person corrects it and sends it again."""
        _, code = attachment.open_code(kernel(), agent="")
        found = attachment.find("ana", code)
        with pytest.raises(BadRequest, match="purpose"):
            attachment.decide(found, ANA, choice(purpose="  \n"))
        with pytest.raises(BadRequest, match="agent's name"):
            attachment.decide(found, ANA, choice(agent="a/agents/b"))
        assert attachment.decide(found, ANA, choice())


class TestWrongCodes:
    def test_after_five_there_is_a_pause(self, attachment, clock):
        """As long as a code lives, so that guessing never gets anywhere."""
        _, code = attachment.open_code(kernel(), agent="")
        for _ in range(5):
            with pytest.raises(DecisionRefused, match="no kernel is showing"):
                attachment.find("ana", "BBBB-BBBB")
        with pytest.raises(Busy):
            attachment.find("ana", code)
        assert attachment.find("rui", code)  # others are not kept out by it
        clock.forward(minutes=10)
        _, code = attachment.open_code(kernel(), agent="")
        assert attachment.find("ana", code)

    @pytest.mark.parametrize("code", ["", "-", "ÄÖÜ", "1234-5678", "B" * 10_000])
    def test_what_is_no_code(self, attachment, code):
        """Is a wrong one."""
        with pytest.raises(DecisionRefused):
            attachment.find("ana", code)


class TestRefusing:
    def test_a_refusal_is_final_and_followed_by_a_pause(self, attachment, clock):
        """So that a kernel in a loop cannot wear its person down."""
        request, code = attachment.open_code(kernel(), agent="")
        found = attachment.find("ana", code)
        assert attachment.decide(found, ANA, choice(decision="refuse", purpose="")) is None
        assert attachment.state(kernel(), request.request_id) == "refused"
        with pytest.raises(DecisionRefused):
            attachment.decide(found, ANA, choice())
        clock.forward(seconds=59)
        with pytest.raises(Busy, match="try again in 2 s"):
            attachment.open_code(kernel(), agent="")
        clock.forward(seconds=1)
        assert attachment.open_code(kernel(), agent="")

    def test_the_pause_is_that_kernels_alone(self, attachment):
        """Another kernel of the same server is not held up."""
        _, code = attachment.open_code(kernel(), agent="")
        attachment.decide(attachment.find("ana", code), ANA, choice(decision="refuse"))
        assert attachment.open_code(kernel(slot_id="K-2", kernel_id="kernel-2"), agent="")

    def test_the_pause_survives_a_restart_of_the_kernel(self, attachment, store):
        """A restart is in the hands of whoever was refused."""
        _, code = attachment.open_code(kernel(), agent="")
        attachment.decide(attachment.find("ana", code), ANA, choice(decision="refuse"))
        again = kernel(slot_id="K-2", generation=2)
        store.open_kernel(again)
        with pytest.raises(Busy):
            attachment.open_code(again, agent="")


class TestWhoMayDecide:
    @pytest.fixture
    def owned(self, store, clock):
        store.add_server(server(owner="ana"))
        store.open_kernel(kernel())
        return Attachment(store, clock, LIFETIMES, b"c" * 32)

    @pytest.mark.parametrize("decision", ["confirm", "refuse"])
    def test_only_the_owner_where_they_are_known(self, owned, decision):
        """Somebody else may neither take the kernel nor turn it away."""
        _, code = owned.open_code(kernel(), agent="")
        found = owned.find("rui", code)
        with pytest.raises(DecisionRefused, match="somebody else"):
            owned.decide(found, RUI, choice(decision=decision))
        assert owned.decide(found, ANA, choice()).principal == ANA

    def test_five_strangers_use_the_code_up(self, owned):
        """Somebody is trying: better a new code."""
        request, code = owned.open_code(kernel(), agent="")
        found = owned.find("ana", code)
        for _ in range(5):
            with pytest.raises(DecisionRefused):
                owned.check_person(found, RUI)
        assert owned.state(kernel(), request.request_id) == "expired"
        with pytest.raises(DecisionRefused):
            owned.find("ana", code)
        with pytest.raises(DecisionRefused):
            owned.decide(found, ANA, choice())

    def test_a_server_that_was_taken_back(self, store, clock, attachment):
        """Its kernels are confirmed by nobody any more."""
        request, _ = attachment.open_code(kernel(), agent="")
        with pytest.raises(DecisionRefused):
            attachment.check_person(replace(request, server_id="N-none"), ANA)

    def test_the_kernel_must_still_be_the_one_that_asked(self, attachment, store):
        """Restarted or gone in between, it is another one."""
        _, code = attachment.open_code(kernel(), agent="")
        found = attachment.find("ana", code)
        store.open_kernel(kernel(slot_id="K-2", generation=2))
        with pytest.raises(DecisionRefused, match="restarted"):
            attachment.decide(found, ANA, choice())


class TestTheSession:
    def test_as_me(self, attachment, clock):
        """One principal, a purpose, an absolute end."""
        _, code = attachment.open_code(kernel(), agent="recon")
        session = attachment.decide(
            attachment.find("ana", code), ANA, choice(purpose=" 30-day\n review ")
        )
        assert session.principal == ANA  # the kernel's suggestion decides nothing
        assert session.purpose == "30-day review"
        assert session.ends_at == clock() + timedelta(hours=8)
        assert (session.kernel_id, session.generation) == ("kernel-1", 1)

    def test_as_an_agent_of_mine(self, attachment, store):
        """A principal of its own, for which the person answers."""
        session = confirmed(attachment, store, agent="recon")
        assert session.principal.subject == "ana/agents/recon"
        assert session.principal.person == "ana"
        assert session.principal.is_agent

    def test_no_longer_than_the_admin_allows(self, attachment, store, clock):
        """Whatever the person chose."""
        session = confirmed(attachment, store, lasts=timedelta(days=30))
        assert session.ends_at == clock() + LIFETIMES.session_max

    def test_a_long_purpose_is_cut(self, attachment, store):
        """It stands in every record."""
        assert len(confirmed(attachment, store, purpose="x" * 5000).purpose) == 200


class TestBecomingAnAgentAndBack:
    def test_back_takes_a_restart(self, attachment, store, clock):
        """The kernel's memory is the agent's until it is gone."""
        confirmed(attachment, store)
        clock.forward(minutes=1)
        confirmed(attachment, store, agent="recon")
        clock.forward(minutes=1)
        with pytest.raises(DecisionRefused, match="memory is the agent's"):
            confirmed(attachment, store)
        with pytest.raises(DecisionRefused):
            confirmed(attachment, store, RUI)
        again = kernel(slot_id="K-2", generation=2)
        store.open_kernel(again)
        assert confirmed(attachment, store, of=again).principal == ANA

    def test_ending_the_agents_session_changes_nothing_of_it(self, attachment, store, clock):
        """Signing out does not clear the memory."""
        agent = confirmed(attachment, store, agent="recon")
        store.end_session(agent.session_id, at=clock(), why="signed out")
        with pytest.raises(DecisionRefused, match="memory"):
            confirmed(attachment, store)

    def test_somebody_else_takes_a_restart_too(self, attachment, store, clock):
        """What is in the kernel's memory is the first one's, agent or not."""
        confirmed(attachment, store)
        clock.forward(minutes=1)
        for chosen in ({}, {"agent": "recon"}):
            with pytest.raises(DecisionRefused, match="its memory is theirs"):
                confirmed(attachment, store, RUI, **chosen)
        again = kernel(slot_id="K-2", generation=2)
        store.open_kernel(again)
        assert confirmed(attachment, store, RUI, of=again).principal == RUI

    def test_from_one_agent_to_another_takes_none(self, attachment, store, clock):
        """Neither may do more for it."""
        confirmed(attachment, store, agent="recon")
        clock.forward(minutes=1)
        assert confirmed(attachment, store, agent="coder").principal.name == "coder"

    def test_a_restart_keeps_the_attachment(self, attachment, store):
        """So that *Restart & Run All* asks nothing."""
        session = confirmed(attachment, store)
        store.open_kernel(kernel(slot_id="K-2", generation=2))
        assert store.session_of("N-1", "kernel-1") == session


class TestAgentNames:
    @pytest.mark.parametrize("name", ["recon", "r", "Cohort builder 2", "a.b_c-d", "x" * 40])
    def test_taken(self, name):
        """One to forty plain signs."""
        assert AGENT_NAME.fullmatch(name)

    @hypothesis_given(st.text(max_size=60))
    def test_a_name_that_is_taken_stays_inside_its_subject(self, name):
        """No slash, no control sign, no edge of blanks: `person/agents/name` reads one way."""
        if AGENT_NAME.fullmatch(name):
            assert name == name.strip()
            assert name.isascii()
            assert name.isprintable()
            assert not set(name) & set("/|<>&'\"\\")
            assert ANA.agent(name).name == name
