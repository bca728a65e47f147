"""Who may ask for what, and what they were given."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


class Action(enum.StrEnum):
    """What a statement does to data."""

    READ = "read"


class Agents(enum.StrEnum):
    """Whether an eligibility is for agents acting on a person's behalf."""

    NO = "no"
    YES = "yes"
    ONLY = "only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """Who *may ask* for which profile, tables and actions, for how long."""

    name: str
    who: tuple[str, ...]
    """Subjects, or ``group:NAME``."""
    agents: Agents = Agents.NO
    connection: str
    tables: tuple[str, ...]
    actions: frozenset[Action] = frozenset({Action.READ})
    approval: str = "auto"
    default_duration: timedelta = timedelta(minutes=30)
    max_duration: timedelta = timedelta(hours=4)
    clear: frozenset[str] = frozenset()
    """Tags this eligibility shows as they are."""
    treatments: Mapping[str, str] = field(default_factory=dict)
    """tag → treatment, where it differs from the connection-wide one."""
    max_rows: int | None = None
    """Rows under one grant, all statements together; None: not limited."""
    max_queries: int | None = None
    preset: str = ""
    """The rules that its profile is held to; empty: none."""
    data_use_agreement: str = ""
    """Reference of the agreement under which it is given."""
    min_group: int = 0
    """Results are of groups of at least so many people; 0: rows may be seen."""

    def fits(self, person: str, groups: frozenset[str], *, agent: bool) -> bool:
        """Whether this is for that person, or for that person's agent."""
        if agent and self.agents is Agents.NO:
            return False
        if not agent and self.agents is Agents.ONLY:
            return False
        return person in self.who or any(f"group:{group}" in self.who for group in groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A time-boxed permission for one principal, in one session, on one connection."""

    grant_id: str
    principal: str
    session_id: str
    connection: str
    fingerprint: str
    """Of the database itself: another one under the same name is not covered."""
    eligibility: str
    profile: str
    """Id of the profile the holder was given; a config that changes it ends the grant."""
    tables: frozenset[str]
    actions: frozenset[Action]
    start: datetime
    end: datetime
    """Exclusive, aware UTC."""
    max_rows: int | None = None
    max_queries: int | None = None
    rows: int = 0
    queries: int = 0
    ended_at: datetime | None = None
    ended_why: str = ""
    preset: str = ""
    """The rules that the profile was held to when it was given."""
    data_use_agreement: str = ""
    """Reference of the agreement it was given under; another one ends it."""

    def state(self, at: datetime) -> str:
        """``active``, ``not started`` or ``over``.  Half-open: over at the very end."""
        if self.ended_at is not None or at >= self.end:
            return "over"
        return "active" if at >= self.start else "not started"

    def covers(self, tables: frozenset[str], action: Action) -> bool:
        """Whether this one grant, alone, is wide enough."""
        return action in self.actions and tables <= self.tables
