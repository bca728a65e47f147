"""
Attaching a kernel to a principal: a short code, typed by the person on the gateway's own page.

The code travels from the kernel to the person's eyes to the gateway.  No link carries it, so a
hostile page cannot have it confirmed with one click; the person sees what the gateway knows about
the kernel apart from what is only claimed.
"""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from jupyter_gov.errors import BadRequest, Busy, DecisionRefused
from jupyter_gov.identity.model import (
    AttachRequest,
    Kernel,
    Lifetimes,
    Principal,
    Session,
)
from jupyter_gov.identity.ports import Clock, IdentityStore

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628, section 6.1: consonants only, so that no word appears and nothing looks alike."""
CODE_LENGTH = 8
AGENT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,38}[A-Za-z0-9])?")
WRONG_CODES = 5
"""So many wrong codes a person may type before a pause as long as a code's life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the person chose on the page."""

    decision: Literal["confirm", "refuse"]
    purpose: str
    agent: str = ""
    """Empty: as me."""
    lasts: timedelta


class Attachment:
    """Codes, their confirmation, and the sessions that come of it."""

    def __init__(
        self, store: IdentityStore, clock: Clock, lifetimes: Lifetimes, code_key: bytes
    ) -> None:
        self._store = store
        self._clock = clock
        self._lifetimes = lifetimes
        self._code_key = code_key
        self._wrong: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def _hash(self, code: str) -> bytes:
        letters = re.sub(r"[^A-Z]", "", code.upper())
        return hmac.digest(self._code_key, letters.encode(), "sha256")

    def open_code(self, kernel: Kernel, *, agent: str) -> tuple[AttachRequest, str]:
        """
        A code to show in the kernel; an earlier one of the same kernel stops working.

        Raises Busy in the pause after a refusal.
        """
        now = self._clock()
        refused = self._store.last_refusal(kernel.server_id, kernel.kernel_id)
        if refused is not None and now < refused + self._lifetimes.pause_after_refusal:
            left = int((refused + self._lifetimes.pause_after_refusal - now).total_seconds()) + 1
            raise Busy(f"the last request of this kernel was refused; try again in {left} s")
        letters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        request = AttachRequest(
            request_id="A-" + secrets.token_hex(8),
            code_hash=self._hash(letters),
            server_id=kernel.server_id,
            kernel_id=kernel.kernel_id,
            generation=kernel.generation,
            suggested_agent=agent[:40],
            opened_at=now,
            expires_at=now + self._lifetimes.code,
        )
        self._store.add_request(request)
        return request, f"{letters[:4]}-{letters[4:]}"

    def state(self, kernel: Kernel, request_id: str) -> str:
        """What became of this kernel's code."""
        request = self._store.request(request_id)
        own = (kernel.server_id, kernel.kernel_id)  # two servers may use one kernel id
        if request is None or (request.server_id, request.kernel_id) != own:
            raise BadRequest("this kernel has no such request")
        if request.state == "pending" and self._clock() >= request.expires_at:
            return "expired"
        return request.state

    def find(self, person: str, code: str) -> AttachRequest:
        """
        The pending request a typed code names.

        Raises DecisionRefused for a wrong one, Busy after too many of them.
        """
        now = self._clock()
        with self._lock:
            wrong = self._wrong.setdefault(person, deque())
            while wrong and wrong[0] <= now - self._lifetimes.code:
                wrong.popleft()
            if len(wrong) >= WRONG_CODES:
                raise Busy(
                    "too many wrong codes; wait ten minutes and get a new one in the notebook"
                )
            wrong.append(now)  # until it is found right: many at once are many guesses
        request = self._store.pending_request(self._hash(code))
        if request is None or now >= request.expires_at:
            raise DecisionRefused(
                "no kernel is showing this code now",
                hint="Codes work once, for ten minutes; run %gov login again for a new one.",
            )
        with self._lock:
            wrong.remove(now)
        return request

    def kernel_of(self, request: AttachRequest) -> Kernel:
        """The kernel that waits.  Raises DecisionRefused if it is gone or was restarted."""
        kernel = self._store.current_kernel(request.server_id, request.kernel_id)
        if kernel is None or kernel.generation != request.generation:
            raise DecisionRefused("the kernel that showed this code has gone or was restarted")
        return kernel

    def check_person(self, request: AttachRequest, person: Principal) -> None:
        """Where the server's owner is known, only they may decide.  Raises DecisionRefused."""
        server = self._store.server(request.server_id)
        if server is None or (server.owner is not None and server.owner != person.subject):
            self._store.spend_try(request.request_id)
            raise DecisionRefused("this kernel's notebook server belongs to somebody else")

    def decide(self, request: AttachRequest, person: Principal, choice: Choice) -> Session | None:
        """
        Confirm or refuse, once.

        Returns the new session, None for a refusal.  Raises DecisionRefused, BadRequest.  The
        caller ends the kernel's earlier session first, since a kernel has one principal at a time.
        """
        now = self._clock()
        self.check_person(request, person)
        kernel = self.kernel_of(request)
        if now >= request.expires_at or request.state != "pending":
            raise DecisionRefused("this code has been used or has expired")
        if choice.decision == "refuse":
            if not self._store.decide_request(request.request_id, "refused", at=now):
                raise DecisionRefused("this code has been used")
            return None
        if not choice.purpose.strip():
            raise BadRequest("choose a purpose, or write one")
        if choice.agent and not AGENT_NAME.fullmatch(choice.agent):
            raise BadRequest("an agent's name is 1 to 40 letters, digits, spaces, . _ or -")
        self._check_return(kernel, person, choice)
        session = Session(
            session_id="S-" + secrets.token_hex(8),
            server_id=request.server_id,
            kernel_id=request.kernel_id,
            generation=kernel.generation,
            principal=person.agent(choice.agent) if choice.agent else person,
            purpose=" ".join(choice.purpose.split())[:200],
            started_at=now,
            ends_at=now + min(choice.lasts, self._lifetimes.session_max),
        )
        if not self._store.decide_request(request.request_id, "confirmed", at=now):
            raise DecisionRefused("this code has been used")
        return session

    def _check_return(self, kernel: Kernel, person: Principal, choice: Choice) -> None:
        last = self._store.last_session(kernel.server_id, kernel.kernel_id)
        if last is None or kernel.generation > last.generation:
            return
        if last.principal.person != person.subject:
            raise DecisionRefused(
                "this kernel was attached to somebody else, and its memory is theirs",
                hint="Run %gov logout, restart the kernel, then sign in.",
            )
        if last.principal.is_agent and not choice.agent:
            raise DecisionRefused(
                "this kernel acts as an agent, and its memory is the agent's",
                hint="Run %gov logout, restart the kernel, then sign in to be yourself there.",
            )
