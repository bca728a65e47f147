"""What unit tests start from: a clock that is set, and one of each model with plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from jupyter_gov.access.model import Action, Eligibility, Grant
from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.identity.model import Kernel, Principal, Server, Session
from jupyter_gov.masking.model import ColumnPolicy, Profile, Treatment

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ANA = Principal(issuer="evaluation", subject="ana")
RUI = Principal(issuer="evaluation", subject="rui")


@dataclass
class SetClock:
    """A clock that stands until it is moved."""

    now: datetime = NINE

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **lasts: float) -> None:
        self.now += timedelta(**lasts)


def server(**changed: object) -> Server:
    return replace(
        Server(server_id="N-1", name="ward 3", owner=None, public_key=b"k" * 32),
        **changed,  # type: ignore[arg-type]
    )


def kernel(**changed: object) -> Kernel:
    return replace(
        Kernel(
            slot_id="K-1",
            server_id="N-1",
            kernel_id="kernel-1",
            generation=1,
            opened_at=NINE,
            secret_hash=b"h" * 32,
            claimed_notebook="a.ipynb",
            claimed_user="someone",
        ),
        **changed,  # type: ignore[arg-type]
    )


def session(**changed: object) -> Session:
    return replace(
        Session(
            session_id="S-1",
            server_id="N-1",
            kernel_id="kernel-1",
            generation=1,
            principal=ANA,
            purpose="quality",
            started_at=NINE,
            ends_at=NINE + timedelta(hours=8),
        ),
        **changed,  # type: ignore[arg-type]
    )


def grant(**changed: object) -> Grant:
    """Encounters and claims, to read, from nine to ten."""
    return replace(
        Grant(
            grant_id="G-1",
            principal="evaluation|ana",
            session_id="S-1",
            connection="hospital",
            fingerprint=hospital().fingerprint(),
            eligibility="analysts",
            profile=profile().profile_id,
            tables=frozenset({"encounters", "claims"}),
            actions=frozenset({Action.READ}),
            start=NINE,
            end=NINE + timedelta(hours=1),
        ),
        **changed,  # type: ignore[arg-type]
    )


def eligibility(**changed: object) -> Eligibility:
    return replace(
        Eligibility(
            name="analysts",
            who=("group:analysts",),
            connection="hospital",
            tables=("encounters", "claims"),
            default_duration=timedelta(minutes=30),
            max_duration=timedelta(hours=4),
        ),
        **changed,  # type: ignore[arg-type]
    )


def hospital(**changed: object) -> ConnectionSpec:
    return replace(
        ConnectionSpec(name="hospital", url="sqlite:////srv/hospital.db"),
        **changed,  # type: ignore[arg-type]
    )


def profile(**changed: object) -> Profile:
    return replace(
        Profile(
            connection="hospital",
            by_tag={
                "name": ColumnPolicy(Treatment.WITHHOLD),
                "mrn": ColumnPolicy(Treatment.PSEUDONYM, "mrn"),
                "code": ColumnPolicy(Treatment.CLEAR),
            },
            untagged=ColumnPolicy(Treatment.WITHHOLD),
            tags={
                "encounters": {"patient": "mrn", "code": "code"},
                "claims": {"patient": "mrn", "payer": "code"},
            },
        ),
        **changed,  # type: ignore[arg-type]
    )
