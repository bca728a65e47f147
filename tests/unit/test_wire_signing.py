"""Signed requests, checked against another implementation of RFC 9421 and against every change."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from http_message_signatures import (
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    algorithms,
)
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.errors import Unauthenticated
from jupyter_gov.wire import signing

NOW = 1_772_442_000.0
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

paths = st.from_regex(r"(/[A-Za-z0-9_.~-]{1,12}){1,4}", fullmatch=True)
queries = st.one_of(
    st.just(""), st.from_regex(r"\?([a-z]{1,5}=[A-Za-z0-9_.~-]{0,8}&?){1,3}", fullmatch=True)
)
bodies = st.binary(max_size=200)
methods = st.sampled_from(["GET", "POST", "DELETE"])


@dataclass(frozen=True)
class Sent:
    """A signed request, as it arrives."""

    method: str
    authority: str
    target: str
    body: bytes
    headers: dict[str, str]

    def believed(self, public_key: bytes = PUBLIC) -> bool:
        try:
            claim = signing.read_claim(self.headers)
            signing.verify(
                claim, public_key, method=self.method, authority=self.authority,
                target=self.target, body=self.body,
            )  # fmt: skip
        except Unauthenticated:
            return False
        return True


def send(method: str, url: str, body: bytes, key_id: str = "K-1") -> Sent:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = signing.sign(KEY, key_id, method, url, body, now=NOW)
    return Sent(method, parts.netloc, target, body, headers)


@dataclass
class Message:
    """A request as the other implementation wants to see it."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class OneKey(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> Any:
        assert key_id == "K-1"
        return KEY.public_key()


def other_verifier() -> HTTPMessageVerifier:
    return HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=OneKey())


class TestAgainstAnotherImplementation:
    @given(method=methods, path=paths, query=queries, body=bodies)
    def test_it_verifies_what_is_signed_here(self, method, path, query, body):
        """http-message-signatures believes every request of ours, its digest included."""
        url = f"http://127.0.0.1:8899{path}{query}"
        headers = signing.sign(KEY, "K-1", method, url, body, now=NOW)
        (result,) = other_verifier().verify(
            Message(method, url, headers, body), max_age=None, body=body
        )
        assert result.parameters["keyid"] == "K-1"
        assert result.parameters["created"] == int(NOW)
        assert set(result.covered_components) == {
            '"@method"', '"@authority"', '"@path"', '"@query"', '"content-digest"',
            '"@signature-params"',
        }  # fmt: skip

    def test_it_refuses_what_was_changed(self):
        """So its belief above means something."""
        url = "http://127.0.0.1:8899/api/v1/queries"
        headers = signing.sign(KEY, "K-1", "POST", url, b"{}", now=NOW)
        with pytest.raises(InvalidSignature):
            other_verifier().verify(
                Message("DELETE", url, headers, b"{}"), max_age=None, body=b"{}"
            )


class TestEveryChangeIsRefused:
    @given(method=methods, path=paths, query=queries, body=bodies)
    def test_the_untouched_request_is_believed(self, method, path, query, body):
        """Otherwise refusing would be no merit."""
        assert send(method, f"http://gov.example:8899{path}{query}", body).believed()

    @given(other=methods)
    def test_method(self, other):
        """A signed GET is no DELETE."""
        sent = send("PUT", "http://h/api", b"")
        assert not replace(sent, method=other).believed()

    @given(other=st.from_regex(r"[a-z0-9.-]{1,20}(:[0-9]{1,5})?", fullmatch=True))
    def test_authority(self, other):
        """A request to one gateway is none to another, nor to another port."""
        sent = send("GET", "http://gov.example:8899/api", b"")
        assert replace(sent, authority=other).believed() is (other == "gov.example:8899")

    def test_authority_is_compared_without_case(self):
        """Host names have none."""
        assert replace(send("GET", "http://h/api", b""), authority="H").believed()

    @given(path=paths, other=paths)
    def test_path(self, path, other):
        """What is asked for is signed."""
        sent = send("GET", f"http://h{path}", b"")
        assert replace(sent, target=other).believed() is (path == other)

    @given(query=queries, other=queries)
    def test_query(self, query, other):
        """Also behind the question mark; an empty query is no query."""
        sent = send("GET", f"http://h/api{query}", b"")
        assert replace(sent, target=f"/api{other}").believed() is (query == other)

    @given(body=bodies, other=bodies)
    def test_body(self, body, other):
        """The digest is computed from what arrived, whatever the header says."""
        sent = send("POST", "http://h/api", body)
        assert replace(sent, body=other).believed() is (body == other)

    @given(data=st.data())
    def test_a_changed_byte_anywhere_in_the_headers(self, data):
        """Key id, nonce, timestamp, algorithm, components, signature: all of it counts."""
        sent = send("POST", "http://h/api", b"x")
        name = data.draw(st.sampled_from(["Signature-Input", "Signature"]))
        text = sent.headers[name]
        index = data.draw(st.integers(0, len(text) - 1))
        new = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
        changed = text[:index] + new + text[index + 1 :]
        headers = {**sent.headers, name: changed}
        assert replace(sent, headers=headers).believed() is (changed == text)

    def test_another_spelling_of_the_same_signature(self):
        """Base64 leaves four bits of its last sign unused; they must be 0."""
        sent = send("GET", "http://h/api", b"")
        text = sent.headers["Signature"]
        other = chr(ord(text[-4]) + 1)
        changed = f"{text[:-4]}{other}==:"
        assert base64.b64decode(changed[5:-1]) == base64.b64decode(text[5:-1])
        assert not replace(sent, headers={**sent.headers, "Signature": changed}).believed()

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (f"created={int(NOW)}", f"created={int(NOW) + 1}"),
            ('keyid="K-1"', 'keyid="K-2"'),
            ('nonce="', 'nonce="x'),
            (';alg="ed25519"', ""),
            ('"@query" ', ""),
            ('"content-digest"', '"content-digest" "date"'),
        ],
        ids=["created", "keyid", "nonce", "no alg", "fewer components", "more components"],
    )
    def test_parameters(self, old, new):
        """The signature covers its own parameters, and only our one form is read."""
        sent = send("GET", "http://h/api", b"")
        given_ = sent.headers["Signature-Input"]
        assert old in given_
        headers = {**sent.headers, "Signature-Input": given_.replace(old, new)}
        assert not replace(sent, headers=headers).believed()

    def test_another_key(self):
        """Only the registered half of the pair opens it."""
        other = Ed25519PrivateKey.generate().public_key()
        raw = other.public_bytes(Encoding.Raw, PublicFormat.Raw)
        assert not send("GET", "http://h/api", b"").believed(raw)

    @pytest.mark.parametrize("key", [b"", b"k" * 31, b"\xff" * 32, bytes(32)])
    def test_what_is_no_key_believes_nothing(self, key):
        """A damaged or degenerate key refuses instead of failing."""
        assert not send("GET", "http://h/api", b"").believed(key)


class TestReadingTheClaim:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Signature-Input": "", "Signature": ""},
            {"Signature": "gov=:AAAA:"},
            {"Signature-Input": 'gov=("@method");created=1'},
        ],
        ids=["none", "empty", "no input", "other components"],
    )
    def test_anything_but_our_one_form_is_unsigned(self, headers):
        """There is nothing to negotiate."""
        with pytest.raises(Unauthenticated, match="not signed"):
            signing.read_claim(headers)

    def test_two_signatures_are_refused(self):
        """Which one would count?"""
        sent = send("GET", "http://h/api", b"")
        doubled = {name: f"{value}, {value}" for name, value in sent.headers.items()}
        with pytest.raises(Unauthenticated):
            signing.read_claim(doubled)

    @given(st.text(max_size=300))
    def test_no_header_breaks_it(self, text):
        """Strangers write headers."""
        with pytest.raises(Unauthenticated):
            signing.read_claim({"Signature-Input": text, "Signature": text})

    def test_each_signature_has_its_own_nonce(self):
        """The same request signed twice is two requests."""
        nonces = {
            signing.read_claim(send("GET", "http://h/api", b"").headers).nonce for _ in range(50)
        }
        assert len(nonces) == 50

    def test_the_key_is_not_in_the_headers(self):
        """A signature tells nothing that would sign another request."""
        shown = " ".join(send("GET", "http://h/api", b"").headers.values())
        assert base64.b64encode(bytes(range(32))).decode() not in shown
