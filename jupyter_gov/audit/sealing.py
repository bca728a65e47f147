"""Statements sealed under the audit key: recorded for ever, readable only with the key."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class AuditKey:
    """AES-256-GCM; the key's id goes into each record, so that keys can be changed."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self.key_id = hashlib.sha256(b"audit key id" + key).hexdigest()[:16]

    def seal(self, record: str, sql: str, binds: Mapping[str, Any]) -> dict[str, str]:
        """The statement as it is kept: bound to *record*, so that it can't be moved to another."""
        nonce = secrets.token_bytes(12)
        plain = json.dumps({"sql": sql, "binds": dict(binds)}, ensure_ascii=False)
        sealed = nonce + self._aead.encrypt(
            nonce, plain.encode("utf-8", "surrogatepass"), record.encode()
        )
        return {"key": self.key_id, "bytes": base64.b64encode(sealed).decode()}

    def open(self, record: str, sealed: Mapping[str, str]) -> dict[str, Any]:
        """The statement and its binds.  Raises InvalidTag if it was altered or moved."""
        data = base64.b64decode(sealed["bytes"])
        plain = self._aead.decrypt(data[:12], data[12:], record.encode())
        opened = json.loads(plain.decode("utf-8", "surrogatepass"))
        return {"sql": opened["sql"], "binds": opened["binds"]}
