"""Attaching and detaching kernels: what a decision on the gateway's page sets in motion."""

from __future__ import annotations

from jupyter_gov.audit.events import Actor, Event
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.broker.caller import of_kernel
from jupyter_gov.broker.end import Ender, Target, actor_of
from jupyter_gov.errors import DecisionRefused
from jupyter_gov.identity.attachment import Attachment, Choice
from jupyter_gov.identity.model import AttachRequest, Kernel, Principal, Session
from jupyter_gov.identity.ports import Clock, IdentityStore
from jupyter_gov.wire.times import utc


class AttachDesk:
    """Opens codes for kernels and carries out what people decide."""

    def __init__(
        self,
        attachment: Attachment,
        store: IdentityStore,
        log: AuditLog,
        ender: Ender,
        clock: Clock,
    ) -> None:
        self.attachment = attachment
        self._store = store
        self._log = log
        self._ender = ender
        self._clock = clock

    def open_code(self, kernel: Kernel, *, agent: str) -> tuple[AttachRequest, str]:
        """A code for the kernel to show; recorded without the code."""
        request, code = self.attachment.open_code(kernel, agent=agent)
        self._log.append(
            Event(
                kind="attach.opened",
                at=self._clock(),
                actor=of_kernel(kernel),
                says={"request": request.request_id, "until": utc(request.expires_at)},
            )
        )
        return request, code

    def decide(self, request: AttachRequest, person: Principal, choice: Choice) -> Session | None:
        """
        Carry out a confirmation or a refusal.

        A crash after the record and before the session leaves a used code and no attachment.
        """
        kernel = self.attachment.kernel_of(request)
        session = self.attachment.decide(request, person, choice)
        who = Actor(
            principal=f"{person.issuer}|{person.subject}",
            kernel=kernel.slot_id,
            server=kernel.server_id,
            isolation=kernel.isolation,
        )
        if session is None:
            self._log.append(
                Event(
                    kind="attach.refused",
                    at=self._clock(),
                    actor=who,
                    says={"request": request.request_id},
                )
            )
            return None
        self._log.append(
            Event(
                kind="attach.confirmed",
                at=self._clock(),
                actor=actor_of(session, slot=kernel.slot_id, isolation=kernel.isolation),
                says={
                    "request": request.request_id,
                    "confirmed_by": who.principal,
                    "purpose": session.purpose,
                    "until": utc(session.ends_at),
                    "kernel_started": utc(kernel.opened_at),
                    "client_address": kernel.client_address,
                    "claimed_notebook": kernel.claimed_notebook,
                    "claimed_user": kernel.claimed_user,
                },
            )
        )
        earlier = self._store.session_of(kernel.server_id, kernel.kernel_id)
        if earlier is not None:
            self._ender.end(Target("session", earlier.session_id), "the kernel was attached anew")
        self._store.start_session(session)
        self._ender.touch(session)
        return session

    def end_own(self, person: Principal, session_id: str, reason: str) -> None:
        """End a session that this person answers for.  Raises DecisionRefused."""
        session = self._store.session(session_id)
        if session is None or session.principal.person != person.subject:
            raise DecisionRefused("you have no such session")
        self._ender.end(Target("session", session_id), reason)
