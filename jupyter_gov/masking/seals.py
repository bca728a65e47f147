"""
Opaque, authenticated tokens for values only the gateway may open.

The key is per grant, so that a token can't be replayed elsewhere.  Deterministic, so that DISTINCT
and GROUP BY keep working: equality shows, and the length of a text; that of an identifier only in
steps that few are longer than.  What is sealed is a *kind*, which says what is to become of the
value, and the value: whoever swaps two tokens of one grant swaps whole values, never a value into
another kind.
"""

from __future__ import annotations

import base64
import hmac
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.padding import PKCS7

from jupyter_gov.masking.canonical import Value, canonical, encoded

OPEN, CLOSE = "⟦gov:", "⟧"
PATTERN = "(?i)⟦gov:|⟧"
"""What no cell may carry to the kernel: a token, or a part of one."""

TEXT, BYTES = b"\0", b"\1"
"""What stands between the kind and the value."""

_BLOCK = 16
STEP = 64
"""Bytes: what is sealed of an identifier has a multiple of it, so that names are of one length."""


class Opened(NamedTuple):
    """What was in a token."""

    kind: str
    """``seal:DETECTOR``, ``fpe:SPACE/DOMAIN:ALPHABET`` or ``surrogate:DOMAIN``."""
    text: str


class Opener(Protocol):
    """Opens what an engine sealed under one grant."""

    def open(self, token: str) -> Opened | None:
        """What is in a token; None for what is not one of this grant's tokens, whole."""


def _plain(kind: str, value: Value) -> bytes | None:
    said = canonical(value)
    if said is None:
        return None
    if isinstance(said, bytes):
        plain = kind.encode() + BYTES + base64.b64encode(said)
    else:
        plain = kind.encode() + TEXT + encoded(said)
    return plain + b"\0" * (-len(plain) % STEP) if is_padded(kind) else plain


def is_padded(kind: str) -> bool:
    """Whether a token of that kind hides how long its value is, as far as `STEP` goes."""
    return kind.startswith(("fpe:", "surrogate:"))


def _read(plain: bytes) -> Opened | None:
    """None for sealed bytes as well: nothing here looks into them."""
    kind, mark, text = plain.partition(TEXT)
    if not mark or BYTES in kind:
        return None
    said = kind.decode(errors="replace")
    if is_padded(said):
        text = text.rstrip(b"\0")
    return Opened(said, text.decode(errors="replace"))


def _token(sealed: bytes) -> str:
    return OPEN + base64.urlsafe_b64encode(sealed).decode() + CLOSE


def _sealed(token: str) -> bytes | None:
    """The bytes of a token in its one spelling."""
    if not (token.startswith(OPEN) and token.endswith(CLOSE)):
        return None
    try:
        sealed = base64.urlsafe_b64decode(token[len(OPEN) : -len(CLOSE)])
    except ValueError:
        return None
    return sealed if token == _token(sealed) else None


class Seals:
    """Tokens that the gateway makes itself: AES-SIV (RFC 5297), under 64 bytes of key."""

    OPEN, CLOSE, PATTERN = OPEN, CLOSE, PATTERN

    def __init__(self, key: bytes) -> None:
        self._siv = AESSIV(key)

    def seal(self, value: Value, kind: str = "seal:") -> str | None:
        """The token of a value; NULL stays NULL."""
        plain = _plain(kind, value)
        return None if plain is None else _token(self._siv.encrypt(plain, None))

    def open(self, token: str) -> Opened | None:
        """See `Opener`."""
        sealed = _sealed(token)
        if sealed is None:
            return None
        try:
            return _read(self._siv.decrypt(sealed, None))
        except (InvalidTag, ValueError):
            return None


class EngineSeals:
    """
    Tokens that PostgreSQL makes with pgcrypto, where the value is.

    Of the 64 bytes of key the first half is for HMAC-SHA-256, the other for AES-256.  The first 16
    bytes of the HMAC of the plaintext are the initialisation vector of its encryption (CBC,
    PKCS #7) and stand before it: the same synthetic vector as in RFC 5297, from what pgcrypto has.
    Whoever alters a bit gets another plaintext, which does not have that HMAC.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != 64:
            raise ValueError("the key of an engine's seals has 64 bytes")
        self._mac, self._cipher = key[:32], algorithms.AES(key[32:])

    def seal(self, value: Value, kind: str = "seal:") -> str | None:
        """What the engine would make of a value."""
        plain = _plain(kind, value)
        if plain is None:
            return None
        iv = self._iv(plain)
        padder = PKCS7(8 * _BLOCK).padder()
        padded = padder.update(plain) + padder.finalize()
        encryptor = Cipher(self._cipher, modes.CBC(iv)).encryptor()
        return _token(iv + encryptor.update(padded) + encryptor.finalize())

    def open(self, token: str) -> Opened | None:
        """See `Opener`."""
        sealed = _sealed(token)
        if sealed is None or len(sealed) < 2 * _BLOCK or len(sealed) % _BLOCK:
            return None
        iv, body = sealed[:_BLOCK], sealed[_BLOCK:]
        decryptor = Cipher(self._cipher, modes.CBC(iv)).decryptor()
        padded = decryptor.update(body) + decryptor.finalize()
        unpadder = PKCS7(8 * _BLOCK).unpadder()
        try:
            plain = unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            return None
        return _read(plain) if hmac.compare_digest(self._iv(plain), iv) else None

    def _iv(self, plain: bytes) -> bytes:
        return hmac.digest(self._mac, plain, "sha256")[:_BLOCK]


class Remembering:
    """
    An `Opener` that remembers what another opened lately.

    For one statement, and no longer: the values of one column recur from batch to batch, and equal
    ones have equal tokens.
    """

    MOST = 32_000_000
    """Characters of tokens and texts together."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._known: dict[str, Opened | None] = {}
        self._size = 0

    def open(self, token: str) -> Opened | None:
        """See `Opener`."""
        if token in self._known:
            return self._known[token]
        inside = self._opener.open(token)
        size = len(token) + (0 if inside is None else len(inside.text))
        if self._size + size > self.MOST:
            self._known.clear()
            self._size = 0
        self._known[token] = inside
        self._size += size
        return inside
