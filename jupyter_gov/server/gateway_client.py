"""The server's own, narrow way to the gateway: slots, and their state."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from jupyter_gov.errors import GatewayUnreachable, GovError
from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import (
    API,
    Health,
    OpenSlot,
    SessionView,
    Slot,
    decode,
    decode_error,
    encode,
)

T = TypeVar("T")
_SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class Credential:
    """What opens slots for this server's user, and nothing else."""

    server_id: str
    key: Ed25519PrivateKey
    url: str = ""

    @classmethod
    def read(cls, path: Path) -> Credential:
        """A file written by `jupyter gov enroll`.  Raises OSError, ValueError."""
        data = json.loads(path.read_text())
        return cls(
            server_id=data["server_id"],
            key=Ed25519PrivateKey.from_private_bytes(base64.b64decode(data["private_key"])),
            url=data["url"],
        )

    @property
    def public_key(self) -> str:
        raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()


class GatewayClient:
    """Signed requests in the server's name."""

    def __init__(self, credential: Credential) -> None:
        self.credential = credential

    async def open_slot(self, asked: OpenSlot) -> Slot:
        """A slot for a kernel about to start.  Raises GovError."""
        return decode(Slot, await self._send("POST", "/slots", encode(asked)))

    async def close_slot(self, kernel_id: str) -> None:
        """The kernel was shut down.  Raises GovError."""
        await self._send("DELETE", f"/slots/{kernel_id}")

    async def state(self, kernel_id: str) -> SessionView:
        """Who a kernel is, for the front end.  Raises GovError."""
        return decode(SessionView, await self._send("GET", f"/slots/{kernel_id}"))

    async def health(self) -> Health:
        """Whether the gateway serves, and where its pages are.  Raises GovError."""
        return decode(Health, await self._send("GET", "/health"))

    async def _send(self, method: str, path: str, body: bytes = b"") -> bytes:
        if not self.credential.url:
            raise GatewayUnreachable("the gateway has not started yet")
        url = f"{self.credential.url}{API}{path}"
        headers = signing.sign(
            self.credential.key, self.credential.server_id, method, url, body, now=time.time()
        )
        request = HTTPRequest(
            url,
            method=method,
            body=body if method == "POST" else None,
            headers=headers,
            request_timeout=_SECONDS,
            connect_timeout=_SECONDS,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request)
        except HTTPClientError as problem:
            raise _error(problem) from None
        except OSError as problem:
            raise GatewayUnreachable(
                f"the gateway cannot be reached ({type(problem).__name__})"
            ) from None
        return answer.body


def _error(problem: HTTPClientError) -> GovError:
    if problem.response is not None:
        try:
            return decode_error(json.loads(problem.response.body)["error"])
        except (ValueError, KeyError, TypeError):
            pass
    return GatewayUnreachable(f"the gateway answered with status {problem.code}")
