"""Who is calling: from the signature to the session, and what is said to whoever has none."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyter_gov.broker.caller import SignedRequest
from jupyter_gov.broker.end import Target
from jupyter_gov.errors import BadRequest, EnrolmentRefused, NotAttached, Unauthenticated
from jupyter_gov.identity.model import SEPARATE
from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import Enrol, OpenSlot, Query, encode
from tests.unit.given import ANA, NINE, server
from tests.unit.hospital import AUTHORITY, KEY, PUBLIC, TARGET, Hospital


@pytest.fixture
def gov(store, log, clock):
    store.add_server(server(public_key=PUBLIC))
    return Hospital(store, log, clock)


def signed(gov, key_id, body, target=TARGET):
    headers = signing.sign(
        KEY, key_id, "POST", f"http://{AUTHORITY}{target}", body, now=gov.clock().timestamp()
    )
    return SignedRequest(
        method="POST", authority=AUTHORITY, target=target, body=body,
        claim=signing.read_claim(headers), address="10.0.0.9",
    )  # fmt: skip


class TestAKernel:
    def test_it_is_known_by_its_signature(self, gov):
        """The kernel, its session and principal, for the record."""
        caller = gov.attach(ANA.agent("recon"))
        request = gov.sign(caller, Query(query_id="q-1234567", connection="c", sql=""))
        found = gov.doorkeeper.attached(gov.doorkeeper.kernel(request))
        assert found == caller
        actor = found.actor
        assert (actor.principal, actor.on_behalf_of) == ("evaluation|ana/agents/recon", "ana")
        assert (actor.session, actor.kernel, actor.server) == (
            caller.session.session_id, caller.kernel.slot_id, "N-1"
        )  # fmt: skip
        assert actor.isolation == SEPARATE

    @pytest.mark.parametrize(
        "changed",
        [{"method": "GET"}, {"authority": "h"}, {"target": "/"}, {"body": b"{}"}],
        ids=lambda changed: next(iter(changed)),
    )
    def test_a_changed_request_is_nobodys(self, gov, changed):
        """Each part of it is checked."""
        request = gov.sign(gov.attach(), Query(query_id="q-1234567", connection="c", sql=""))
        with pytest.raises(Unauthenticated):
            gov.doorkeeper.kernel(replace(request, **changed))

    def test_a_server_is_no_kernel_and_a_kernel_no_server(self, gov):
        """Each opens its own doors."""
        caller = gov.attach()
        assert gov.doorkeeper.server(signed(gov, "N-1", b"")).server_id == "N-1"
        with pytest.raises(Unauthenticated):
            gov.doorkeeper.server(signed(gov, caller.kernel.slot_id, b""))
        with pytest.raises(Unauthenticated):
            gov.doorkeeper.kernel(signed(gov, "N-1", b""))


class TestEnrolling:
    def enrol(self, gov, *, slot="", key=PUBLIC, encoded=""):
        made = gov.enrolment.open_slot(server(), OpenSlot(kernel_id="kernel-9"))
        body = encode(
            Enrol(
                slot_id=made.slot_id,
                secret=made.secret,
                public_key=encoded or base64.b64encode(key).decode(),
            )
        )
        request = signed(gov, slot or made.slot_id, body)
        return gov.doorkeeper.enrol(request, isolation=SEPARATE)

    def test_with_the_key_it_registers(self, gov):
        """And from the address it was seen at."""
        kernel = self.enrol(gov)
        assert (kernel.public_key, kernel.client_address) == (PUBLIC, "10.0.0.9")

    def test_with_somebody_elses_key(self, gov):
        """It must hold the private half."""
        with pytest.raises(Unauthenticated):
            self.enrol(gov, key=bytes(range(32)))

    @pytest.mark.parametrize("encoded", ["!", "AAA", "é"])
    def test_with_what_is_no_key(self, gov, encoded):
        """A mistake of the client, and no fault of ours."""
        with pytest.raises(BadRequest):
            self.enrol(gov, encoded=encoded)

    def test_in_another_slots_name(self, gov):
        """The signature must name the slot that enrols."""
        with pytest.raises(BadRequest, match="another slot"):
            self.enrol(gov, slot="K-other")

    def test_the_secret_is_spent_by_a_valid_request_only(self, gov):
        """A forged one leaves it for the kernel."""
        made = gov.enrolment.open_slot(server(), OpenSlot(kernel_id="kernel-9"))
        body = encode(
            Enrol(slot_id=made.slot_id, secret="wrong",
                  public_key=base64.b64encode(PUBLIC).decode())
        )  # fmt: skip
        with pytest.raises(EnrolmentRefused):
            gov.doorkeeper.enrol(signed(gov, made.slot_id, body), isolation=SEPARATE)
        good = body.replace(b"wrong", made.secret.encode())
        assert gov.doorkeeper.enrol(signed(gov, made.slot_id, good), isolation=SEPARATE)


class TestAnUnattachedKernel:
    def test_is_told_the_one_command(self, gov):
        """And how its last attachment ended."""
        caller = gov.attach()
        gov.ender.end(Target("session", caller.session.session_id), "signed out")
        with pytest.raises(NotAttached, match="signed out") as refused:
            gov.doorkeeper.attached(caller.kernel)
        assert refused.value.hint == "Run: %gov login"
        assert refused.value.next.action == "login"
        assert refused.value.next.call == "gov.login()"

    def test_at_the_end_of_its_session(self, gov, clock):
        """Found out by whoever comes first, and recorded."""
        caller = gov.attach(ends_at=NINE + timedelta(minutes=1))
        clock.forward(seconds=59)
        gov.doorkeeper.attached(caller.kernel)
        clock.forward(seconds=1)
        with pytest.raises(NotAttached, match="its time was over"):
            gov.doorkeeper.attached(caller.kernel)
        assert len(gov.recorded("session.ended")) == 1

    def test_a_restart_has_it_only_when_it_was_carried_over(self, gov):
        """Another slot of the same kernel is not the same session by itself."""
        gov.attach()
        again = gov.enrolment.open_slot(server(), OpenSlot(kernel_id="kernel-1"))
        with pytest.raises(NotAttached):
            gov.doorkeeper.attached(gov.store.kernel(again.slot_id))

    def test_another_kernel_has_none_of_it(self, gov):
        """A session is one kernel's."""
        gov.attach()
        other = gov.enrolment.open_slot(server(), OpenSlot(kernel_id="kernel-2"))
        with pytest.raises(NotAttached):
            gov.doorkeeper.attached(gov.store.kernel(other.slot_id))
