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

    def spend(self, grant_id: str, *, queries: int, rows: int) -> bool:
        """
        Count what runs under it.

        False, and nothing counted, if it has ended or has no statement left; rows always count,
        since they were sent.  Atomic.
        """

    def take_rows(self, grant_id: str, wanted: int) -> int:
        """
        Count rows that are about to be sent; returns how many of *wanted* may be.

        Atomic: statements that run at the same time never take more than the budget together.
        """

    def end_grant(self, grant_id: str, *, at: datetime, why: str) -> bool:
        """Mark it as ended for good; False if it was.  A clock set back cannot revive it."""
