"""
HTTP message signatures: how a kernel or a server proves who it is on every request.

RFC 9421 with one fixed set of covered components and Ed25519, and RFC 9530 for the body's digest.
The private key is made where it is used and never sent.  A signature is good for one request: the
gateway remembers each nonce for as long as its timestamp is acceptable.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jupyter_gov.errors import Unauthenticated

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

COVERED = '("@method" "@authority" "@path" "@query" "content-digest")'
MAX_SKEW_SECONDS = 60
"""How far a request's timestamp may be from the gateway's clock, and how long nonces are kept."""

_INPUT = re.compile(
    r"gov="
    + re.escape(COVERED)
    + r';created=(\d{1,12});nonce="([A-Za-z0-9_-]{16,64})";keyid="([A-Za-z0-9:_-]{1,80})"'
    + r';alg="ed25519"'
)
_SIGNATURE = re.compile(r"gov=:([A-Za-z0-9+/]{85}[AQgw]==):")  # one spelling for each signature


@dataclass(frozen=True, slots=True)
class Claim:
    """What the headers of a signed request say, before anything is believed."""

    key_id: str
    created: int
    nonce: str
    signature: bytes
    parameters: str


def content_digest(body: bytes) -> str:
    """RFC 9530 ``Content-Digest`` of *body*."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def _base(method: str, authority: str, target: str, digest: str, parameters: str) -> bytes:
    path, _, query = target.partition("?")
    return (
        f'"@method": {method}\n'
        f'"@authority": {authority.lower()}\n'
        f'"@path": {path or "/"}\n'
        f'"@query": ?{query}\n'
        f'"content-digest": {digest}\n'
        f'"@signature-params": {parameters}'
    ).encode()


def sign(
    key: Ed25519PrivateKey, key_id: str, method: str, url: str, body: bytes, *, now: float
) -> dict[str, str]:
    """Headers that sign this one request; *now* is seconds since the epoch."""
    nonce = secrets.token_urlsafe(18)
    parameters = f'{COVERED};created={int(now)};nonce="{nonce}";keyid="{key_id}";alg="ed25519"'
    digest = content_digest(body)
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}"
    signature = key.sign(_base(method, parts.netloc, target, digest, parameters))
    return {
        "Content-Digest": digest,
        "Signature-Input": f"gov={parameters}",
        "Signature": f"gov=:{base64.b64encode(signature).decode()}:",
    }


def read_claim(headers: Mapping[str, str]) -> Claim:
    """Parse the signature headers.  Raises Unauthenticated for anything but our one form."""
    found = _INPUT.fullmatch(headers.get("Signature-Input", ""))
    signature = _SIGNATURE.fullmatch(headers.get("Signature", ""))
    if found is None or signature is None:
        raise Unauthenticated("the request is not signed")
    return Claim(
        key_id=found[3],
        created=int(found[1]),
        nonce=found[2],
        signature=base64.b64decode(signature[1]),
        parameters=headers["Signature-Input"].removeprefix("gov="),
    )


def verify(
    claim: Claim, public_key: bytes, *, method: str, authority: str, target: str, body: bytes
) -> None:
    """
    Check that *public_key* (32 raw bytes) signed exactly this request.

    Raises Unauthenticated.  Freshness and replay are the caller's: they need a clock and a memory.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    base = _base(method, authority, target, content_digest(body), claim.parameters)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(claim.signature, base)
    except (InvalidSignature, ValueError):
        raise Unauthenticated("the request's signature does not match") from None
