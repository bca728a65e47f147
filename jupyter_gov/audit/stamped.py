"""Every record says how far the gateway was from whom it governs, also where no kernel acted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from jupyter_gov.audit.events import Event
from jupyter_gov.audit.ports import AuditLog, Leaf


class StampedLog:
    """
    An AuditLog that stamps events without an isolation class with the gateway's own.

    A kernel's records carry what was measured of that kernel's connection; this is for the rest:
    starts and stops, sign-ins, refused strangers, the configuration.
    """

    def __init__(self, log: AuditLog, isolation: str) -> None:
        self._log = log
        self._isolation = isolation

    def append(self, event: Event, *, reserved: bool = False) -> str:
        if not event.actor.isolation:
            event = replace(event, actor=replace(event.actor, isolation=self._isolation))
        return self._log.append(event, reserved=reserved)

    def open_intents(self) -> list[Event]:
        return self._log.open_intents()

    def crashed(self) -> bool:
        return self._log.crashed()

    def ran_under(self, grants: Collection[str]) -> dict[str, tuple[int, int]]:
        return self._log.ran_under(grants)

    def leaves(self, *, after: int = -1) -> Iterator[Leaf]:
        return self._log.leaves(after=after)

    def close(self) -> None:
        self._log.close()
