"""What the rest needs of the log."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from jupyter_gov.audit.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One row of the log."""

    seq: int
    """0, 1, 2 … without gaps."""
    record: str
    kind: str
    of: str
    body: bytes
    leaf: bytes


class AuditLog(Protocol):
    """
    Append-only.  Safe to call from concurrent queries.

    A record is durable once its method returns, and never changes after.
    """

    def append(self, event: Event, *, reserved: bool = False) -> str:
        """
        Write *event*; returns its record id.

        *reserved* events (ends, outcomes, revocations) may use the headroom kept for them, so
        that a full disk cannot hide how something ended.  Raises AuditUnavailable; a caller about
        to run something must then not run it.
        """

    def open_intents(self) -> list[Event]:
        """Intents without an outcome: what a crash left behind."""

    def crashed(self) -> bool:
        """Whether the gateway that served last did not end in order."""

    def ran_under(self, grants: Collection[str]) -> dict[str, tuple[int, int]]:
        """Grant → statements that were about to run under it, and the rows they sent."""

    def leaves(self, *, after: int = -1) -> Iterator[Leaf]:
        """Every row with a seq above *after*, in order."""

    def close(self) -> None:
        """Wait for what was appended; nothing can be appended after."""
