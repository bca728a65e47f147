"""What identity needs from the outside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from jupyter_gov.identity.model import AttachRequest, Kernel, Server, Session

Clock = Callable[[], datetime]
"""The gateway's clock: aware UTC, never going back (see `store.clock`)."""


class IdentityStore(Protocol):
    """
    Where servers, kernels, codes and sessions are kept.

    Each method is one transaction, safe from any thread; a crash leaves it done or not done.
    """

    def add_server(self, server: Server) -> None: ...

    def server(self, server_id: str) -> Server | None: ...

    def remove_server(self, server_id: str, *, at: datetime) -> bool:
        """Forget it and revoke its kernels, in one transaction; False if it was not known."""

    def open_kernel(self, kernel: Kernel) -> None:
        """Add a slot and revoke every earlier one of the same kernel, in one transaction."""

    def kernel(self, slot_id: str) -> Kernel | None: ...

    def current_kernel(self, server_id: str, kernel_id: str) -> Kernel | None:
        """The slot of that kernel that is not revoked."""

    def last_kernel(self, server_id: str, kernel_id: str) -> Kernel | None:
        """The newest slot of that kernel, revoked or not: for what is recorded of its end."""

    def last_generation(self, server_id: str, kernel_id: str) -> int:
        """0 if the kernel was never seen."""

    def enrol_kernel(
        self, slot_id: str, *, public_key: bytes, client_address: str, isolation: str
    ) -> bool:
        """Set the key if none is set and the slot is not revoked; False otherwise.  Atomic."""

    def count_second_enrolment(self, slot_id: str) -> None: ...

    def revoke_kernel(self, server_id: str, kernel_id: str, *, at: datetime) -> None: ...

    def add_request(self, request: AttachRequest) -> None:
        """Add a code and expire every pending one of the same kernel, in one transaction."""

    def request(self, request_id: str) -> AttachRequest | None: ...

    def pending_request(self, code_hash: bytes) -> AttachRequest | None: ...

    def last_refusal(self, server_id: str, kernel_id: str) -> datetime | None: ...

    def spend_try(self, request_id: str) -> int:
        """Take one try; returns what is left.  At 0 the code has expired."""

    def decide_request(self, request_id: str, state: str, *, at: datetime) -> bool:
        """pending → *state*; False if it was decided before.  Atomic."""

    def start_session(self, session: Session) -> None: ...

    def session_of(self, server_id: str, kernel_id: str) -> Session | None:
        """The kernel's session that has not been ended."""

    def session(self, session_id: str) -> Session | None: ...

    def last_session(self, server_id: str, kernel_id: str) -> Session | None: ...

    def sessions(self, *, person: str | None = None) -> list[Session]:
        """Sessions not ended, newest first."""

    def continue_session(self, session_id: str, *, generation: int) -> bool:
        """It goes on in that start of its kernel; False if it has ended.  Atomic."""

    def served_others(self, session: Session) -> bool:
        """
        Whether another principal acts on that session's server, or has since it began.

        Also one whose session has ended, as long as its kernel runs.
        """

    def see_session(self, session_id: str, *, at: datetime) -> None:
        """It was used then: what counts as idle is known over a restart."""

    def end_session(self, session_id: str, *, at: datetime, why: str) -> bool:
        """False if it had ended already."""
