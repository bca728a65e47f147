"""The API takes what is signed, fresh and new, and says no to the rest in its own words."""

from __future__ import annotations

import contextlib
import json

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jupyter_gov.errors import BadRequest
from jupyter_gov.wire.messages import MAX_BODY
from tests.conftest import populate
from tests.support.gateway import ROOT, running
from tests.support.signed import Hand
from tests.support.waiting import until

MALFORMED = [
    json.loads(line) for line in (ROOT / "tests/cases/api/malformed.jsonl").read_text().splitlines()
]
QUERY = b'{"query_id": "abcdefgh", "connection": "clinic", "sql": "SELECT 1"}'
UNSIGNED: dict[str, str] = {}
UNBELIEVED = (401, "unauthenticated")
MALFORMED_REQUEST = (400, "bad_request")


@pytest.fixture(scope="module")
def site(make_site):
    """A gateway whose refusals are counted."""
    with running(make_site("c.GovGateway.requests_per_second = 500.0")) as gateway:
        yield populate(gateway)


@pytest.fixture
def kernel(site):
    return site.analyst()


@pytest.fixture
def hand(kernel):
    """A kernel's own key, in a free hand."""
    return Hand.of(kernel)


@pytest.fixture
def server_hand(site):
    """The notebook server's key."""
    credential = site.server.credential
    return Hand(credential.url, credential.key, credential.server_id)


@pytest.fixture
def refused(site):
    """Waits for a record of that kind that says so."""

    def find(kind: str, **fields: object) -> dict:
        return until(lambda: site.gateway.recorded(kind, **fields), f"{kind} {fields}")[0]

    return find


class TestASignature:
    def test_the_right_one(self, hand):
        """Signed, fresh and new: answered."""
        assert hand.send("GET", "/session").status == 200

    def test_none(self, hand, refused):
        """Refused and recorded, with the address and what was asked for."""
        answer = hand.send("GET", "/session", headers=UNSIGNED)
        assert answer.refusal == UNBELIEVED
        record = refused("request.refused", why="the request is not signed")
        assert record["says"]["path"] == "/api/v1/session"
        assert record["says"]["address"] == "127.0.0.1"

    def test_of_another_key(self, hand, refused):
        """A key that nobody registered, in a kernel's name; the record says in whose."""
        hand.key = Ed25519PrivateKey.generate()
        answer = hand.send("GET", "/session")
        assert answer.refusal == UNBELIEVED
        record = refused("request.refused", kernel=hand.key_id)
        assert record["says"]["why"] == "the request's signature does not match"

    def test_of_another_kernel(self, site, hand):
        """A registered key in another kernel's name."""
        hand.key_id = Hand.of(site.analyst()).key_id
        assert hand.send("GET", "/session").refusal == UNBELIEVED

    def test_twice(self, hand, refused):
        """The very request, sent again: refused, also if the first did nothing."""
        headers = hand.signature("GET", "/session")
        assert hand.send("GET", "/session", headers=headers).status == 200
        answer = hand.send("GET", "/session", headers=headers)
        assert answer.refusal == UNBELIEVED
        assert refused(
            "request.refused", kernel=hand.key_id, why="this very request was sent before"
        )

    @pytest.mark.parametrize(
        ("ago", "status"), [(62, 401), (-62, 401), (-45, 200)], ids=["old", "early", "near"]
    )
    def test_of_another_time(self, hand, ago, status):
        """A minute either way is let pass, for clocks that differ."""
        answer = hand.send("GET", "/session", headers=hand.signature("GET", "/session", ago=ago))
        assert answer.status == status

    @pytest.mark.parametrize(
        ("signed", "sent"),
        [
            (("POST", "/queries", QUERY), ("POST", "/queries", QUERY.replace(b"1", b"2"))),
            (("POST", "/queries", QUERY), ("POST", "/queries", b"")),
            (("GET", "/session", b""), ("DELETE", "/session", b"")),
            (("GET", "/session", b""), ("GET", "/grants", b"")),
            (("GET", "/session", b""), ("GET", "/session?as=admin", b"")),
        ],
        ids=["body", "no-body", "method", "path", "query-string"],
    )
    def test_of_another_request(self, site, hand, signed, sent):
        """What is not exactly what was signed is not believed, and does nothing."""
        before = len(site.gateway.recorded("intent"))
        answer = hand.send(*sent, headers=hand.signature(*signed))
        assert answer.refusal == UNBELIEVED
        assert len(site.gateway.recorded("intent")) == before
        assert hand.send("GET", "/session").status == 200

    def test_for_another_host(self, hand):
        """A request to one gateway is of no use at another."""
        headers = hand.signature("GET", "/session") | {"Host": "gov.example.org"}
        assert hand.send("GET", "/session", headers=headers).refusal == UNBELIEVED

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text.replace("ed25519", "hmac-sha256"),
            lambda text: text.replace('"content-digest"', ""),
            lambda text: text.replace("gov=", "sig1="),
            lambda text: text.replace(";created=", ";created=-"),
            lambda text: text + ";tag=x",
            lambda text: "",
        ],
        ids=["algorithm", "coverage", "label", "time", "parameter", "empty"],
    )
    def test_in_another_form(self, hand, change):
        """There is one form of signature; weaker ones are no signature."""
        headers = hand.signature("GET", "/session")
        headers["Signature-Input"] = change(headers["Signature-Input"])
        assert hand.send("GET", "/session", headers=headers).refusal == UNBELIEVED


class TestWhoMayWhat:
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/slots", b'{"kernel_id": "mine"}'),
            ("GET", "/slots/kernel-1", b""),
            ("DELETE", "/slots/kernel-1", b""),
        ],
        ids=["open", "look", "close"],
    )
    def test_a_kernel_is_no_server(self, hand, method, path, body):
        """It can neither open slots nor close another kernel's."""
        answer = hand.send(method, path, body)
        assert answer.refusal == UNBELIEVED
        assert "not enrolled" in answer.error["message"]

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/attach", b'{"agent": ""}'),
            ("GET", "/session", b""),
            ("DELETE", "/session", b""),
            ("GET", "/connections", b""),
            ("GET", "/connections/clinic/tables", b""),
            ("GET", "/connections/clinic/budget", b""),
            ("GET", "/grants", b""),
            ("POST", "/grants", b'{"connection": "clinic"}'),
            ("DELETE", "/grants/G-00", b""),
            ("POST", "/queries", QUERY),
            ("DELETE", "/queries/abcdefgh", b""),
        ],
    )
    def test_a_server_is_no_kernel(self, server_hand, method, path, body):
        """It opens slots for kernels, and reads no data and holds no grant itself."""
        answer = server_hand.send(method, path, body)
        assert answer.refusal == UNBELIEVED
        assert "this kernel is not enrolled" in answer.error["message"]

    def test_a_server_sees_its_own_kernels_only(self, site, kernel):
        """Another server's kernels do not exist for it."""
        other = site.gateway.enroll(site.gateway.config.with_name("other.json"))
        mine = kernel.whoami().kernel_id
        answer = Hand(other.url, other.key, other.server_id).send("GET", f"/slots/{mine}")
        assert answer.refusal == (404, "not_found")

    def test_a_kernel_that_was_shut_down(self, site):
        """Its key opens nothing from that moment on."""
        hand = Hand.of(site.server.kernel("gone").attached(site.people["ana"]))
        site.server.close_slot("gone")
        assert hand.send("GET", "/session").refusal == UNBELIEVED
        assert hand.send("POST", "/queries", QUERY).refusal == UNBELIEVED

    @pytest.mark.parametrize("kernel_id", ["", "../x", "a b", "x" * 81, "a\nb"])
    def test_a_slot_has_a_plain_id(self, server_hand, kernel_id):
        """It stands in addresses and records."""
        answer = server_hand.send("POST", "/slots", json.dumps({"kernel_id": kernel_id}).encode())
        assert answer.refusal == MALFORMED_REQUEST


class TestABody:
    @pytest.mark.parametrize("case", MALFORMED, ids=[case["id"] for case in MALFORMED])
    def test_that_is_no_query(self, site, hand, case):
        """400, in the API's words; nothing runs; recorded by its size and digest, not its text."""
        body = case["body"].replace("…", case.get("fill", "") * case.get("times", 0)).encode()
        before = len(site.gateway.recorded("intent"))
        answer = hand.send("POST", "/queries", body)
        assert answer.refusal == MALFORMED_REQUEST
        (record,) = site.gateway.recorded("refusal", record=answer.error["record"])
        assert record["kernel"] == hand.key_id
        assert record["says"]["bytes"] == len(body)
        assert len(site.gateway.recorded("intent")) == before
        assert hand.send("GET", "/session").status == 200

    @pytest.mark.parametrize("body", [b"\xff\xfe", b"{\x00}", QUERY[:-1] + b', "a": "\xff"}'])
    def test_that_is_no_text(self, hand, body):
        """Bytes that are not UTF-8 are not JSON."""
        assert hand.send("POST", "/queries", body).refusal == MALFORMED_REQUEST

    def test_that_is_too_large(self, hand, kernel):
        """Turned away unread, and the gateway serves on; the client does not even send it."""
        with contextlib.suppress(urllib3.exceptions.ProtocolError):
            assert hand.send("POST", "/queries", b"x" * 2 * MAX_BODY).status in (400, 413)
        assert hand.send("GET", "/session").status == 200
        with pytest.raises(BadRequest) as refused:
            kernel.connect("clinic").query("SELECT :a AS a", a="x" * MAX_BODY)
        assert "a request has at most" in refused.value.message
        assert not refused.value.retryable


class TestAddresses:
    @pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "HEAD", "TRACE", "FOO"])
    def test_other_methods(self, hand, method):
        """Not allowed, and no word of any origin that might be."""
        answer = hand.send(method, "/queries", headers=UNSIGNED)
        assert answer.status in (403, 405)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]

    @pytest.mark.parametrize("path", ["/nothing", "/queries/a/b", "/grants/x", "/", ""])
    def test_other_paths(self, hand, path):
        """There is no such address, said as the API says things, not as a page."""
        assert hand.send("GET", path, headers=UNSIGNED).refusal == (404, "not_found")

    def test_a_page_is_turned_away(self, hand, refused):
        """An Origin header, signed or not: this API is not for pages; recorded."""
        headers = hand.signature("GET", "/session") | {"Origin": "http://127.0.0.1:8888"}
        answer = hand.send("GET", "/session", headers=headers)
        assert answer.refusal == (403, "decision_refused")
        record = refused("decision.refused", origin="http://127.0.0.1:8888")
        assert record["says"]["route"] == "GET /api/v1/session"

    @pytest.mark.parametrize("path", ["/health", "/session", "/nothing"])
    def test_every_answer_is_private(self, hand, path):
        """Not kept, not guessed at."""
        headers = hand.send("GET", path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"

    def test_health_says_little(self, hand):
        """Anybody may ask whether it serves, and learns where people decide."""
        answer = hand.send("GET", "/health", headers=UNSIGNED)
        assert json.loads(answer.body).keys() == {"serving", "page_url"}
