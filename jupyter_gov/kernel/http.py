"""Signed requests to the gateway."""

from __future__ import annotations

import json
import time
from typing import Any, TypeVar

import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jupyter_gov.errors import BadRequest, GatewayUnreachable, GovError, Unavailable
from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import API, MAX_BODY, decode, decode_error

T = TypeVar("T")
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0


class GatewayHttp:
    """One kernel's connection to its gateway.  Safe from many threads."""

    def __init__(self, url: str, key_id: str) -> None:
        self.url = url.rstrip("/")
        self._key_id = key_id
        self._key = Ed25519PrivateKey.generate()
        self._pool = urllib3.PoolManager(
            maxsize=8, retries=False, timeout=urllib3.Timeout(connect=_CONNECT_SECONDS)
        )

    @property
    def public_key(self) -> bytes:
        """32 raw bytes: the half that is registered."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        """What the gateway knows the key by."""
        return self._key_id

    def close(self) -> None:
        """Give the connections back."""
        self._pool.clear()

    def open(
        self, method: str, path: str, body: bytes = b"", *, read_seconds: float | None = None
    ) -> urllib3.BaseHTTPResponse:
        """
        Send a request; the answer's body is still to be read.

        Raises BadRequest, GatewayUnreachable, and the gateway's own error for other statuses.
        """
        if len(body) > MAX_BODY:
            raise BadRequest(
                f"a request has at most {MAX_BODY:,} bytes; this one has {len(body):,}",
                hint="Parameters are for conditions, not for uploading data.",
            )
        url = f"{self.url}{API}{path}"
        headers = signing.sign(self._key, self._key_id, method, url, body, now=time.time())
        headers["Content-Type"] = "application/json"
        try:
            answer = self._pool.request(
                method, url, body=body, headers=headers, preload_content=False,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds),
            )  # fmt: skip
            if answer.status >= 400:
                raise _error(answer.read(), answer.status)
        except urllib3.exceptions.HTTPError as problem:
            raise _unreachable(problem) from None
        return answer

    def call(self, method: str, path: str, kind: type[T], body: bytes = b"") -> T:
        """A request with a JSON answer."""
        try:
            answer = self.open(method, path, body, read_seconds=_ANSWER_SECONDS)
            data = answer.read()
            answer.release_conn()
        except urllib3.exceptions.HTTPError as problem:
            raise _unreachable(problem) from None
        return decode(kind, data)

    def send(self, method: str, path: str) -> None:
        """A request whose answer has no body."""
        answer = self.open(method, path, read_seconds=_ANSWER_SECONDS)
        answer.drain_conn()
        answer.release_conn()


def _error(body: bytes, status: int) -> GovError:
    try:
        data: Any = json.loads(body)
        return decode_error(data["error"])
    except (ValueError, KeyError, TypeError, AttributeError):
        text = f"the gateway answered with status {status} and no reason"
        return BadRequest(text) if 400 <= status < 500 else Unavailable(text)


def _unreachable(problem: Exception) -> GatewayUnreachable:
    return GatewayUnreachable(
        f"the gateway cannot be reached ({type(problem).__name__})",
        hint="It may be restarting; try again in a few seconds. Nothing was run twice.",
    )
