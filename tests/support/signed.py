"""Requests to the API as nobody sends them: made by hand, signed by hand, sent as they are."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import API
from tests.support.gateway import StubKernel


@dataclass
class Answered:
    """Status and body of an answer."""

    status: int
    body: bytes
    headers: Any

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.body)["error"]

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.error["code"]


@dataclass
class Hand:
    """Signs with one key in the name of one id."""

    url: str
    key: Ed25519PrivateKey
    key_id: str
    http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=30.0)
    )

    @classmethod
    def of(cls, kernel: StubKernel) -> Hand:
        """The key of a kernel."""
        return cls(kernel.http.url, kernel.http._key, kernel.http._key_id)

    def signature(
        self, method: str, path: str, body: bytes = b"", *, ago: float = 0.0
    ) -> dict[str, str]:
        """Headers that sign that request, as if so many seconds ago."""
        url = f"{self.url}{API}{path}"
        return signing.sign(self.key, self.key_id, method, url, body, now=time.time() - ago)

    def send(self, method: str, path: str, body: bytes = b"", headers: Any = None) -> Answered:
        """Send as it is; *headers* None: signed properly."""
        if headers is None:
            headers = self.signature(method, path, body)
        answer = self.http.request(
            method, f"{self.url}{API}{path}", body=body, headers=headers, redirect=False
        )
        return Answered(answer.status, answer.data, answer.headers)
