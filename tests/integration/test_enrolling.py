"""Enrolling: a one-use secret becomes a registered key, once, for whoever holds the key."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jupyter_gov.wire.messages import Enrol, encode
from tests.support.signed import Hand
from tests.support.waiting import until

NAMES = count()
UNBELIEVED = (401, "unauthenticated")
REFUSED = (401, "enrolment_refused")
MALFORMED_REQUEST = (400, "bad_request")


@pytest.fixture
def slot(site):
    """A slot nobody enrolled in yet: id, secret, and a fresh key's hand."""
    slot_id, secret = site.server.open_slot(f"enrols-{next(NAMES)}")
    return slot_id, secret, Hand(site.gateway.url, Ed25519PrivateKey.generate(), slot_id)


def body(hand: Hand, slot_id: str, secret: str) -> bytes:
    public = base64.b64encode(hand.key.public_key().public_bytes_raw()).decode()
    return encode(Enrol(slot_id=slot_id, secret=secret, public_key=public))


class TestEnrolling:
    def test_once(self, site, slot):
        """The second time is refused, recorded, and shown to the kernel's person."""
        slot_id, secret, hand = slot
        assert hand.send("POST", "/enrol", body(hand, slot_id, secret)).status == 200
        thief = Hand(hand.url, Ed25519PrivateKey.generate(), slot_id)
        answer = thief.send("POST", "/enrol", body(thief, slot_id, secret))
        assert answer.refusal == REFUSED
        until(
            lambda: site.gateway.recorded("kernel.enrolment_refused", kernel=slot_id),
            "the second enrolment in the record",
        )
        notices = json.loads(hand.send("GET", "/session").body)["notices"]
        assert "tried 1 time(s) to use this kernel's enrolment secret again" in notices[0]
        assert thief.send("GET", "/session").refusal == UNBELIEVED

    def test_in_a_slot_nobody_opened(self, slot):
        """An id that was made up."""
        _, secret, hand = slot
        hand.key_id = "K-0000000000000000"
        answer = hand.send("POST", "/enrol", body(hand, hand.key_id, secret))
        assert answer.refusal == REFUSED

    def test_with_another_secret(self, slot):
        """Guessing uses nothing up: the right secret still opens the slot."""
        slot_id, secret, hand = slot
        answer = hand.send("POST", "/enrol", body(hand, slot_id, "x" * len(secret)))
        assert answer.refusal == REFUSED
        assert hand.send("POST", "/enrol", body(hand, slot_id, secret)).status == 200

    def test_with_a_key_one_does_not_hold(self, slot):
        """The request is signed with the key it registers, or not believed."""
        slot_id, secret, hand = slot
        own = body(hand, slot_id, secret)
        thief = Hand(hand.url, Ed25519PrivateKey.generate(), slot_id)
        assert thief.send("POST", "/enrol", own).refusal == UNBELIEVED

    def test_in_another_slots_name(self, site, slot):
        """The signature and the body must mean the same slot."""
        slot_id, secret, hand = slot
        other, _ = site.server.open_slot(f"enrols-{next(NAMES)}")
        hand.key_id = other
        answer = hand.send("POST", "/enrol", body(hand, slot_id, secret))
        assert answer.refusal == MALFORMED_REQUEST

    def test_many_at_once_are_one(self, slot):
        """Whoever comes first has the slot; the others are noticed."""
        slot_id, secret, first = slot
        hands = [Hand(first.url, Ed25519PrivateKey.generate(), slot_id) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(lambda h: h.send("POST", "/enrol", body(h, slot_id, secret)), hands)
            )
        assert sorted(answer.status for answer in answers) == [200] + [401] * 7
        (winner,) = [h for h, answer in zip(hands, answers, strict=True) if answer.status == 200]
        notices = json.loads(winner.send("GET", "/session").body)["notices"]
        assert "tried 7 time(s)" in notices[0]
