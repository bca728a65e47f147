"""An attachment over a restart of its kernel: it goes on, unless somebody else could be meant."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jupyter_gov.broker.continuity import SHARED, Continuity
from jupyter_gov.errors import DecisionRefused, NotAttached
from jupyter_gov.identity.attachment import Attachment, Choice
from jupyter_gov.identity.model import Lifetimes
from jupyter_gov.wire.messages import OpenSlot
from tests.unit.given import ANA, RUI, server
from tests.unit.hospital import Hospital


@pytest.fixture
def gov(store, log, clock):
    store.add_server(server())
    return Hospital(store, log, clock)


@pytest.fixture
def continuity(gov):
    return Continuity(gov.store, gov.log, gov.ender, gov.clock)


def restarted(gov, kernel_id="kernel-1"):
    """The kernel's next start, as its server opened it."""
    slot = gov.enrolment.open_slot(server(), OpenSlot(kernel_id=kernel_id))
    return gov.store.kernel(slot.slot_id)


def confirm(gov, kernel, person=ANA, agent=""):
    """A person types that kernel's code."""
    desk = Attachment(gov.store, gov.clock, Lifetimes(), bytes(32))
    _, code = desk.open_code(kernel, agent="")
    choice = Choice(decision="confirm", purpose="quality", agent=agent, lasts=timedelta(hours=1))
    return desk.decide(desk.find(person.subject, code), person, choice)


class TestARestart:
    def test_keeps_the_attachment_and_is_recorded(self, gov, continuity):
        """*Restart & Run All* asks nothing; the record says from where it went on."""
        before = gov.attach()
        again = restarted(gov)
        continuity.carry_over(again)
        after = gov.doorkeeper.attached(again)
        assert after.session.session_id == before.session.session_id
        (said,) = gov.recorded("session.continued")
        assert said.actor.kernel == again.slot_id
        assert said.actor.session == before.session.session_id

    def test_may_come_again_and_again(self, gov, continuity):
        """Each time in the newest start alone."""
        gov.attach()
        first = restarted(gov)
        continuity.carry_over(first)
        second = restarted(gov)
        continuity.carry_over(second)
        assert gov.doorkeeper.attached(second)
        with pytest.raises(NotAttached):
            gov.doorkeeper.attached(first)

    def test_of_a_session_that_is_over_starts_nothing(self, gov, continuity):
        """Time goes on while a kernel restarts."""
        gov.attach()
        gov.clock.forward(hours=9)
        again = restarted(gov)
        continuity.carry_over(again)
        with pytest.raises(NotAttached, match="its time was over"):
            gov.doorkeeper.attached(again)


class TestAServerThatServesOthers:
    @pytest.mark.parametrize("other", [RUI, ANA.agent("recon")], ids=["a-person", "my-own-agent"])
    def test_a_restart_asks_again(self, gov, continuity, other):
        """Whoever acts beside it may hold the server's credential and open a slot in its name."""
        gov.attach()
        gov.attach(other, kernel_id="kernel-2")
        again = restarted(gov)
        continuity.carry_over(again)
        with pytest.raises(NotAttached, match=SHARED):
            gov.doorkeeper.attached(again)
        assert gov.recorded("session.continued") == []

    def test_also_when_the_other_has_signed_out(self, gov, continuity):
        """Its kernel still runs, and so does what it started."""
        agent = gov.attach(ANA.agent("recon"), kernel_id="kernel-2")
        gov.store.end_session(agent.session.session_id, at=gov.clock(), why="signed out")
        gov.clock.forward(minutes=1)
        gov.attach()
        again = restarted(gov)
        continuity.carry_over(again)
        with pytest.raises(NotAttached):
            gov.doorkeeper.attached(again)

    def test_not_when_the_other_was_gone_before(self, gov, continuity):
        """Signed out and shut down before this session began."""
        agent = gov.attach(ANA.agent("recon"), kernel_id="kernel-2")
        gov.store.end_session(agent.session.session_id, at=gov.clock(), why="signed out")
        gov.store.revoke_kernel("N-1", "kernel-2", at=gov.clock())
        gov.clock.forward(minutes=1)
        gov.attach()
        again = restarted(gov)
        continuity.carry_over(again)
        assert gov.doorkeeper.attached(again)

    def test_another_kernel_of_the_same_person_is_no_other(self, gov, continuity):
        """Two notebooks of one morning."""
        gov.attach()
        gov.attach(kernel_id="kernel-2")
        again = restarted(gov)
        continuity.carry_over(again)
        assert gov.doorkeeper.attached(again)


class TestAnAgentsMemory:
    def test_goes_on_with_its_session(self, gov, continuity):
        """After a restart that its session came over, the agent's is the memory again."""
        gov.attach(ANA.agent("recon"))
        again = restarted(gov)
        continuity.carry_over(again)
        with pytest.raises(DecisionRefused, match="memory is the agent's"):
            confirm(gov, again)

    def test_is_gone_after_the_next_restart(self, gov, continuity):
        """One that nobody took over: it may be the person's."""
        gov.attach(ANA.agent("recon"))
        continuity.carry_over(restarted(gov))
        fresh = restarted(gov)
        assert confirm(gov, fresh).principal == ANA


class TestSomebodyElsesMemory:
    def test_is_not_handed_on(self, gov):
        """Another person takes a fresh start of the kernel."""
        caller = gov.attach()
        with pytest.raises(DecisionRefused, match="its memory is theirs"):
            confirm(gov, caller.kernel, RUI)
        assert confirm(gov, restarted(gov), RUI).principal == RUI


class TestTwoConfirmationsAtOnce:
    def test_one_session_stays(self, gov):
        """A kernel has exactly one principal at a time, whatever races."""
        caller = gov.attach()
        with pytest.raises(DecisionRefused, match="another confirmation"):
            gov.store.start_session(caller.session)
