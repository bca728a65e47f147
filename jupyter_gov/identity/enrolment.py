"""
Kernel slots: how a kernel comes to hold a key of its own.

The notebook server opens a slot and gets a secret that works once.  The kernel makes a key pair,
exchanges the secret for a registration of its public half, and signs every request from then on.
A copy of the secret found later, in an environment or a core file, opens nothing and is noticed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import replace
from datetime import datetime

from jupyter_gov.errors import BadRequest, EnrolmentRefused, Next, Unauthenticated
from jupyter_gov.identity.model import Kernel, Server
from jupyter_gov.identity.ports import Clock, IdentityStore
from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import Enrol, OpenSlot, Slot

_RESTART = Next("restart_kernel", magic="restart the kernel")
_CLAIM_LENGTH = 300
KERNEL_ID = r"[A-Za-z0-9_.-]{1,80}"


def fingerprint(secret: str) -> bytes:
    """SHA-256 of a random secret: what is kept in its place."""
    return hashlib.sha256(secret.encode()).digest()


class NonceMemory:
    """Remembers each (key, nonce) for as long as its timestamp would still be accepted."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        self._next_sweep = 0.0

    def spend(self, key_id: str, nonce: str, *, now: float) -> bool:
        """True the first time."""
        with self._lock:
            if now >= self._next_sweep:
                self._seen = {k: until for k, until in self._seen.items() if until > now}
                self._next_sweep = now + signing.MAX_SKEW_SECONDS
            if (key_id, nonce) in self._seen:
                return False
            self._seen[key_id, nonce] = now + 2 * signing.MAX_SKEW_SECONDS
            return True


class Enrolment:
    """Servers open slots, kernels enrol into them, both sign their requests."""

    def __init__(self, store: IdentityStore, clock: Clock, *, after: int = 0) -> None:
        self._store = store
        self._clock = clock
        self._nonces = NonceMemory()
        self.serves_from = int(clock().timestamp()) + after
        """
        Seconds since the epoch: what was signed before may have been sent to the gateway that
        served before, whose memory of it is gone.  Timestamps are whole seconds: where another
        gateway served a moment ago, pass *after* 1 and wait so long.
        """

    def open_slot(self, server: Server, asked: OpenSlot) -> Slot:
        """
        A fresh slot for that kernel.  Keys of its earlier starts stop working now.

        Raises BadRequest for what is no kernel's id.
        """
        if not re.fullmatch(KERNEL_ID, asked.kernel_id):
            raise BadRequest("a kernel id is 1 to 80 letters, digits, _ . or -")
        slot_id = "K-" + secrets.token_hex(8)
        secret = secrets.token_urlsafe(32)
        self._store.open_kernel(
            Kernel(
                slot_id=slot_id,
                server_id=server.server_id,
                kernel_id=asked.kernel_id,
                generation=self._store.last_generation(server.server_id, asked.kernel_id) + 1,
                opened_at=self._clock(),
                secret_hash=fingerprint(secret),
                claimed_notebook=asked.notebook[:_CLAIM_LENGTH],
                claimed_user=asked.user[:_CLAIM_LENGTH],
            )
        )
        return Slot(slot_id=slot_id, secret=secret)

    def knock(self, slot_id: str) -> None:
        """Raises EnrolmentRefused for a slot that nobody opened: before anything is measured."""
        if self._store.kernel(slot_id) is None:
            raise _unknown_secret()

    def enrol(self, asked: Enrol, public_key: bytes, *, address: str, isolation: str) -> Kernel:
        """
        Exchange the one-use secret for the registration of *public_key*.

        The caller has checked that the request is signed by that key.  Raises EnrolmentRefused.
        """
        kernel = self._store.kernel(asked.slot_id)
        if kernel is None or not hmac.compare_digest(kernel.secret_hash, fingerprint(asked.secret)):
            raise _unknown_secret()
        enrolled = self._store.enrol_kernel(
            kernel.slot_id, public_key=public_key, client_address=address, isolation=isolation
        )
        if not enrolled:
            self._store.count_second_enrolment(kernel.slot_id)
            raise EnrolmentRefused(
                "this kernel's enrolment secret was used before, or its kernel has been shut down",
                hint="If this kernel did not use it, something else did: restart the kernel.",
                next=_RESTART,
            )
        return replace(kernel, public_key=public_key, client_address=address, isolation=isolation)

    def verify(
        self,
        claim: signing.Claim,
        key: bytes,
        *,
        method: str,
        authority: str,
        target: str,
        body: bytes,
    ) -> None:
        """Signature, freshness, and first use.  Raises Unauthenticated."""
        now = self._clock().timestamp()
        if abs(now - claim.created) > signing.MAX_SKEW_SECONDS:
            raise Unauthenticated(
                "the request's timestamp is too far from the gateway's clock",
                hint="Set the clocks of both machines (NTP).",
            )
        if claim.created < self.serves_from:
            # The memory of what was sent before went with the gateway that received it.
            raise Unauthenticated(
                "the request was signed before this gateway started",
                hint="Send it again; if that does not help, set the clocks of both machines (NTP).",
            )
        signing.verify(claim, key, method=method, authority=authority, target=target, body=body)
        if not self._nonces.spend(claim.key_id, claim.nonce, now=now):
            raise Unauthenticated("this very request was sent before")

    def kernel_of(self, claim: signing.Claim) -> Kernel:
        """The enrolled kernel a claim names.  Raises Unauthenticated."""
        kernel = self._store.kernel(claim.key_id)
        if kernel is None or kernel.public_key is None or kernel.revoked_at is not None:
            raise Unauthenticated("this kernel is not enrolled", next=_RESTART)
        return kernel

    def server_of(self, claim: signing.Claim) -> Server:
        """The enrolled server a claim names.  Raises Unauthenticated."""
        server = self._store.server(claim.key_id)
        if server is None:
            raise Unauthenticated(
                "this notebook server is not enrolled", hint="Run: jupyter gov enroll"
            )
        return server

    def close_slot(self, server: Server, kernel_id: str) -> datetime:
        """Revoke the kernel's key: it was shut down."""
        at = self._clock()
        self._store.revoke_kernel(server.server_id, kernel_id, at=at)
        return at


def _unknown_secret() -> EnrolmentRefused:
    return EnrolmentRefused("this enrolment secret is not known", next=_RESTART)
