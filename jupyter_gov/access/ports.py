"""What access needs from the outside."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from jupyter_gov.access.model import Grant


class GrantStore(Protocol):
    """Where grants are kept.  Each method is one transaction, safe from any thread."""

    def add_grant(self, grant: Grant) -> None: ...

    def grant(self, grant_id: str) -> Grant | None: ...

    def grants_of(self, session_id: str) -> list[Grant]:
        """Every grant of that session, over or not, oldest first."""

    def open_grants(self) -> list[Grant]:
        """Every grant nobody has marked as ended yet."""

    def spend(self, grant_id: str) -> bool:
        """
        Count a statement that is about to run.

        False, and nothing counted, if the grant has ended or has no statement left.  Atomic, and
        where the grant limits statements, durable.
        """

    def take_rows(self, grant_id: str, wanted: int) -> int:
        """
        Count rows that are about to be sent; returns how many of *wanted* may be.

        Atomic, and durable where the grant limits rows: statements that run at the same time
        never take more than the budget together.
        """

    def settle(self) -> bool:
        """
        Write what was counted without a limit: not needed before the next statement may run.

        False if it cannot be written now; it stays counted, and the next `settle` tries again.
        """

    def recount(self, grant_id: str, *, queries: int, rows: int) -> None:
        """After a crash: at least so many were counted, where the grant sets no limit."""

    def end_grant(self, grant_id: str, *, at: datetime, why: str) -> bool:
        """Mark it as ended for good; False if it was.  A clock set back cannot revive it."""
