"""What the broker needs of an engine, of the way out, and of the configuration in force."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

import pyarrow as pa

from jupyter_gov.access.model import Eligibility
from jupyter_gov.connections.model import Catalog, ConnectionSpec
from jupyter_gov.masking.detection.detector import Detector
from jupyter_gov.masking.model import Profile, Treatment
from jupyter_gov.masking.treatments import Opener, Seals
from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.reading import Reads
from jupyter_gov.wire.messages import Bind


class Execution(Protocol):
    """One statement in one database.  `close` must be called, `cancel` may be, from any thread."""

    names: list[str]

    def batches(self) -> Generator[pa.RecordBatch]:
        """
        At least one batch; each is bounded in bytes, but for a single row.

        Raises errors of the tree, in words that carry no data.  Close it before `close`.
        """

    role: str
    """The database's own name for whom it ran as; empty where it knows no roles."""

    @property
    def reads(self) -> tuple[str, ...]: ...

    @property
    def treated(self) -> Mapping[str, Treatment]: ...

    @property
    def opener(self) -> Opener:
        """Opens the seals that this statement's projections made."""

    def expected(self, names: list[str]) -> list[Treatment | None]: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


class Engine(Protocol):
    """A database under governance.  Safe from many threads."""

    dialect: str

    @property
    def functions(self) -> frozenset[str]:
        """Lower-case names of those a statement may call."""

    def catalog(self) -> Catalog: ...

    def start(
        self,
        statement: Statement,
        binds: Mapping[str, Bind],
        *,
        profile: Profile,
        tables: frozenset[str],
        seals: Seals,
        today: date,
        deadline: float,
        grant_id: str,
        ends_at: datetime,
    ) -> Execution:
        """
        Make ready to run under that profile on those tables only, until *ends_at* at most.

        Args:
            deadline: of `time.monotonic`; the database stops by itself then.
        """

    def reads(self, statement: Statement, *, profile: Profile, tables: frozenset[str]) -> Reads:
        """
        What it would read under that profile, without running it and before there is a grant.

        Raises what running it would raise, as far as that can be told: UnknownName,
        EngineRefused, QueryFailed; DatabaseUnavailable.
        """

    def sweep(self) -> int:
        """
        End what a crashed gateway left in the database.

        Returns how many roles.  Raises DatabaseUnavailable.
        """

    def notes(self) -> tuple[str, ...]:
        """What the admin should know of the database.  Raises DatabaseUnavailable."""

    def end_grant(self, grant_id: str) -> None:
        """Leave nothing in the database that a grant's statements ran with.  Never raises."""

    def close(self) -> None: ...


class Sink(Protocol):
    """The way out to one kernel, with back-pressure: `write` returns when there is room."""

    sent: int
    """Bytes that were handed to the network."""

    def write(self, data: bytes) -> None:
        """Raises Cancelled when the kernel has gone."""

    def drain(self) -> None:
        """Wait until everything written was taken.  Raises Cancelled when the kernel has gone."""

    def end(self) -> None:
        """Nothing more will be written: who reads need not wait for the thread to be done."""

    def abandon(self) -> None:
        """Wake whoever waits in `write` or `drain`; nothing more will be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The configuration in force.  Replaced whole, never changed."""

    digest: str
    connections: Mapping[str, ConnectionSpec]
    engines: Mapping[str, Engine]
    eligibilities: Mapping[str, Eligibility]
    profiles: Mapping[str, Profile]
    """By the eligibility's name."""
    purposes: Mapping[str, str]
    groups: Mapping[str, frozenset[str]]
    """Subject → groups."""
    detectors: Mapping[str, Detector] = field(default_factory=dict)
    """What scans free text, by name; those of the configuration, started."""

    def of_person(self, connection: str, person: str, *, agent: bool) -> list[Eligibility]:
        """What that person, or their agent, may ask for on a connection."""
        groups = self.groups.get(person, frozenset())
        return [
            e
            for e in self.eligibilities.values()
            if e.connection == connection and e.fits(person, groups, agent=agent)
        ]

    def clear_columns(self) -> dict[str, int]:
        """Profile id → columns it shows as they are."""
        return {p.profile_id: p.clear_columns() for p in self.profiles.values()}
