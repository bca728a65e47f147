"""From a signed request to the kernel that sent it and the session it is attached to."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from jupyter_gov.audit.events import Actor
from jupyter_gov.broker.end import Ender, Target, actor_of
from jupyter_gov.errors import BadRequest, Next, NotAttached
from jupyter_gov.identity.enrolment import Enrolment
from jupyter_gov.identity.model import Kernel, Server, Session
from jupyter_gov.identity.ports import Clock, IdentityStore
from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import Enrol, decode

LOGIN = Next("login", magic="%gov login", call="gov.login()")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request as it came in, nothing of it believed yet."""

    method: str
    authority: str
    target: str
    body: bytes
    claim: signing.Claim
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated kernel with the session it is attached to."""

    kernel: Kernel
    session: Session

    @property
    def actor(self) -> Actor:
        return actor_of(self.session, slot=self.kernel.slot_id, isolation=self.kernel.isolation)


def of_kernel(kernel: Kernel) -> Actor:
    """A kernel that acts for nobody, for the record."""
    return Actor(kernel=kernel.slot_id, server=kernel.server_id, isolation=kernel.isolation)


class Doorkeeper:
    """Authenticates: signature, freshness, first use, slot, session."""

    def __init__(
        self, enrolment: Enrolment, store: IdentityStore, ender: Ender, clock: Clock
    ) -> None:
        self.enrolment = enrolment
        self._store = store
        self._ender = ender
        self._clock = clock

    def _verify(self, request: SignedRequest, key: bytes) -> None:
        self.enrolment.verify(
            request.claim,
            key,
            method=request.method,
            authority=request.authority,
            target=request.target,
            body=request.body,
        )

    def kernel(self, request: SignedRequest) -> Kernel:
        """The kernel that signed.  Raises Unauthenticated."""
        kernel = self.enrolment.kernel_of(request.claim)
        assert kernel.public_key is not None
        self._verify(request, kernel.public_key)
        return kernel

    def server(self, request: SignedRequest) -> Server:
        """The notebook server that signed.  Raises Unauthenticated."""
        server = self.enrolment.server_of(request.claim)
        self._verify(request, server.public_key)
        return server

    def enrol(self, request: SignedRequest, *, isolation: str) -> Kernel:
        """A kernel's first request, signed with the key it registers."""
        asked = decode(Enrol, request.body)
        try:
            key = base64.b64decode(asked.public_key, validate=True)
        except (binascii.Error, ValueError):
            raise BadRequest("the public key is not base64") from None
        if request.claim.key_id != asked.slot_id:
            raise BadRequest("the request is signed in another slot's name")
        self._verify(request, key)
        return self.enrolment.enrol(asked, key, address=request.address, isolation=isolation)

    def attached(self, kernel: Kernel) -> Caller:
        """The kernel's session.  Raises NotAttached with the one command to run."""
        session = self._store.session_of(kernel.server_id, kernel.kernel_id)
        if session is not None and not session.active(self._clock()):
            self._ender.end(Target("session", session.session_id), "its time was over")
            session = None
        if session is not None and not session.in_start(kernel):
            session = None
        if session is None:
            last = self._store.last_session(kernel.server_id, kernel.kernel_id)
            ended = (
                f" (the last attachment ended: {last.ended_why})" if last and last.ended_why else ""
            )
            raise NotAttached(
                f"this kernel is not attached to a person{ended}",
                hint="Run: %gov login",
                next=LOGIN,
            )
        self._ender.touch(session)
        return Caller(kernel=kernel, session=session)
