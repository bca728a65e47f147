"""Kernel slots: a secret works once, a signature once, and a clock may be a minute off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jupyter_gov.errors import EnrolmentRefused, Unauthenticated
from jupyter_gov.identity.enrolment import Enrolment, NonceMemory
from jupyter_gov.identity.model import SEPARATE
from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import Enrol, OpenSlot
from tests.unit.given import NINE, server

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
URL = "http://127.0.0.1:8899/api/v1/session"


@pytest.fixture
def enrolment(store, clock):
    """With one enrolled notebook server."""
    store.add_server(server(public_key=PUBLIC))
    return Enrolment(store, clock)


def open_slot(enrolment, kernel_id="kernel-1", **claims):
    return enrolment.open_slot(server(), OpenSlot(kernel_id=kernel_id, **claims))


def enrol(enrolment, slot, *, secret="", key=PUBLIC):
    asked = Enrol(slot_id=slot.slot_id, secret=secret or slot.secret, public_key="")
    return enrolment.enrol(asked, key, address="127.0.0.1", isolation=SEPARATE)


def claim_of(headers):
    return signing.read_claim(headers)


def verify(enrolment, claim, key=PUBLIC):
    enrolment.verify(
        claim, key, method="GET", authority="127.0.0.1:8899", target="/api/v1/session", body=b""
    )


def signed(key_id, at):
    return claim_of(signing.sign(KEY, key_id, "GET", URL, b"", now=at.timestamp()))


class TestEnrolling:
    def test_the_secret_is_exchanged_for_a_registration(self, enrolment, store):
        """From then on the slot has a key, and what the gateway measured about it."""
        slot = open_slot(enrolment, notebook="a.ipynb", user="someone")
        enrol(enrolment, slot)
        kept = store.kernel(slot.slot_id)
        assert kept.public_key == PUBLIC
        assert (kept.client_address, kept.isolation) == ("127.0.0.1", SEPARATE)
        assert (kept.claimed_notebook, kept.claimed_user) == ("a.ipynb", "someone")
        assert enrolment.kernel_of(signed(slot.slot_id, NINE)) == kept

    def test_it_works_once_and_the_second_attempt_is_counted(self, enrolment, store):
        """A copy of the secret found later opens nothing, and is noticed."""
        slot = open_slot(enrolment)
        enrol(enrolment, slot)
        for _ in range(2):
            with pytest.raises(EnrolmentRefused, match="used before"):
                enrol(enrolment, slot, key=b"thief's key".ljust(32))
        kept = store.kernel(slot.slot_id)
        assert kept.public_key == PUBLIC
        assert kept.second_enrolments == 2

    def test_side_by_side_one_wins(self, enrolment, store):
        """Whoever is first; never both."""
        slot = open_slot(enrolment)

        def attempt(number):
            try:
                enrol(enrolment, slot, key=bytes([number]) * 32)
            except EnrolmentRefused:
                return 0
            return number

        with ThreadPoolExecutor(8) as pool:
            winners = [number for number in pool.map(attempt, range(1, 9)) if number]
        assert len(winners) == 1
        assert store.kernel(slot.slot_id).public_key == bytes(winners) * 32
        assert store.kernel(slot.slot_id).second_enrolments == 7

    @pytest.mark.parametrize("secret", ["wrong", "\N{PILE OF POO}"])
    def test_a_wrong_secret_is_not_known(self, enrolment, store, secret):
        """It does not spend the slot."""
        slot = open_slot(enrolment)
        with pytest.raises(EnrolmentRefused, match="not known"):
            enrol(enrolment, slot, secret=secret)
        enrol(enrolment, slot)
        assert store.kernel(slot.slot_id).second_enrolments == 0

    def test_a_slot_that_is_not_there(self, enrolment):
        """Answers as a wrong secret does."""
        with pytest.raises(EnrolmentRefused, match="not known"):
            enrolment.enrol(
                Enrol(slot_id="K-none", secret="s", public_key=""), PUBLIC, address="",
                isolation=SEPARATE,
            )  # fmt: skip

    def test_the_secret_is_not_kept(self, enrolment, store):
        """Only its hash is: who reads the store cannot enrol."""
        slot = open_slot(enrolment)
        assert slot.secret.encode() not in repr(store.kernel(slot.slot_id)).encode()
        assert len(slot.secret) >= 43  # 256 bits

    def test_claims_are_cut_to_a_length(self, enrolment, store):
        """They come from the untrusted server and are only shown."""
        slot = open_slot(enrolment, notebook="n" * 10_000)
        assert len(store.kernel(slot.slot_id).claimed_notebook) == 300


class TestRestartAndShutdown:
    def test_a_restart_revokes_the_earlier_key(self, enrolment, store):
        """The old process, should it live on, is nobody."""
        first = open_slot(enrolment)
        enrol(enrolment, first)
        second = open_slot(enrolment)
        assert store.kernel(second.slot_id).generation == 2
        with pytest.raises(Unauthenticated, match="not enrolled"):
            enrolment.kernel_of(signed(first.slot_id, NINE))

    def test_a_secret_that_was_not_used_dies_with_the_restart(self, enrolment):
        """An old environment opens nothing."""
        first = open_slot(enrolment)
        open_slot(enrolment)
        with pytest.raises(EnrolmentRefused):
            enrol(enrolment, first)

    def test_shutdown_revokes(self, enrolment):
        """And leaves other kernels alone."""
        ended, other = open_slot(enrolment, "kernel-1"), open_slot(enrolment, "kernel-2")
        enrol(enrolment, ended)
        enrol(enrolment, other)
        enrolment.close_slot(server(), "kernel-1")
        with pytest.raises(Unauthenticated):
            enrolment.kernel_of(signed(ended.slot_id, NINE))
        assert enrolment.kernel_of(signed(other.slot_id, NINE)).kernel_id == "kernel-2"

    def test_a_slot_without_a_key_signs_nothing(self, enrolment):
        """Before it has enrolled, a kernel is nobody."""
        slot = open_slot(enrolment)
        with pytest.raises(Unauthenticated):
            enrolment.kernel_of(signed(slot.slot_id, NINE))

    def test_an_unknown_server(self, enrolment):
        """Says which command enrols one."""
        assert enrolment.server_of(signed("N-1", NINE)).server_id == "N-1"
        with pytest.raises(Unauthenticated) as refused:
            enrolment.server_of(signed("N-2", NINE))
        assert "jupyter gov enroll" in refused.value.hint


class TestFreshness:
    def test_a_request_is_good_once(self, enrolment):
        """Sent again, it is refused; signed again, it is another request."""
        claim = signed("K-1", NINE)
        verify(enrolment, claim)
        with pytest.raises(Unauthenticated, match="sent before"):
            verify(enrolment, claim)
        verify(enrolment, signed("K-1", NINE))

    def test_a_forgery_does_not_spend_the_nonce(self, enrolment):
        """Otherwise a stranger could make a kernel's own request fail."""
        claim = signed("K-1", NINE)
        with pytest.raises(Unauthenticated, match="does not match"):
            enrolment.verify(
                claim, PUBLIC, method="DELETE", authority="127.0.0.1:8899",
                target="/api/v1/session", body=b"",
            )  # fmt: skip
        verify(enrolment, claim)

    @pytest.mark.parametrize(
        ("off", "believed"), [(-61, False), (-60, True), (0, True), (60, True), (61, False)]
    )
    def test_clocks_may_be_a_minute_apart(self, enrolment, clock, off, believed):
        """And no more."""
        clock.forward(hours=1)
        at = clock()
        claim = signed("K-1", at)
        clock.forward(seconds=-off)
        if believed:
            verify(enrolment, claim)
        else:
            with pytest.raises(Unauthenticated, match="too far"):
                verify(enrolment, claim)

    def test_as_long_as_a_timestamp_is_good_its_nonce_is_remembered(self, enrolment, clock):
        """Also one from a clock that runs a minute ahead, over the sweeps of the memory."""
        clock.forward(hours=1)
        ahead = clock.now.replace(minute=1)
        claim = signed("K-1", ahead)
        verify(enrolment, claim)
        for _ in range(119):
            clock.forward(seconds=1)
            verify(enrolment, signed("K-1", clock()))
            with pytest.raises(Unauthenticated):
                verify(enrolment, claim)

    def test_what_was_sent_before_a_restart_of_the_gateway_is_not_taken_again(self, store, clock):
        """Its memory is gone, so it believes only what was signed since."""
        clock.forward(hours=1)
        claim = signed("K-1", clock())
        verify(Enrolment(store, clock), claim)
        clock.forward(seconds=2)
        restarted = Enrolment(store, clock)
        with pytest.raises(Unauthenticated, match="before this gateway started"):
            verify(restarted, claim)
        verify(restarted, signed("K-1", clock()))


class TestNonceMemory:
    def test_two_kernels_may_choose_the_same_nonce(self):
        """It belongs to its key."""
        memory = NonceMemory()
        assert memory.spend("K-1", "n", now=0)
        assert memory.spend("K-2", "n", now=0)
        assert not memory.spend("K-1", "n", now=0)

    def test_it_forgets_what_could_not_be_sent_any_more(self):
        """So that it does not grow for ever."""
        memory = NonceMemory()
        for second in range(1000):
            memory.spend("K-1", str(second), now=second)
        assert len(memory._seen) <= 3 * signing.MAX_SKEW_SECONDS + 1

    def test_side_by_side_one_is_the_first(self):
        """Checking and remembering are one step."""
        memory = NonceMemory()
        with ThreadPoolExecutor(8) as pool:
            firsts = list(pool.map(lambda _: memory.spend("K", "n", now=0), range(200)))
        assert sum(firsts) == 1
