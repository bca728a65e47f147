"""
The broker over a small hospital: real store, log, keys and signatures; the database is a port.

`Hospital.ask` sends one statement as a kernel would and gives back the frame, or raises.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jupyter_gov.access.model import Eligibility
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.audit.sealing import AuditKey
from jupyter_gov.broker.caller import Caller, Doorkeeper, SignedRequest
from jupyter_gov.broker.desk import GrantDesk
from jupyter_gov.broker.end import Ender
from jupyter_gov.broker.explain import ExplainFlow
from jupyter_gov.broker.intake import Intake
from jupyter_gov.broker.limits import Limits, Rates
from jupyter_gov.broker.ports import Policy
from jupyter_gov.broker.query import QueryFlow
from jupyter_gov.broker.record import Recorder
from jupyter_gov.broker.running import Running
from jupyter_gov.connections.model import Catalog, Column, Table
from jupyter_gov.identity.enrolment import Enrolment
from jupyter_gov.identity.model import SEPARATE, Principal
from jupyter_gov.kernel.frame import Answer, read_answer, to_pandas
from jupyter_gov.masking.model import Treatment
from jupyter_gov.masking.treatments import Opener, Seals
from jupyter_gov.sql.reading import Reads, check_columns, reads_of
from jupyter_gov.store.audit_log import read_event
from jupyter_gov.store.state import State
from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import Explanation, Query, encode
from tests.unit.given import ANA, SetClock, eligibility, hospital, kernel, profile, session

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
AUTHORITY = "127.0.0.1:8899"
TARGET = "/api/v1/queries"


def rows(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(values, pa.int64())})


def nothing() -> None:
    """Between two batches nothing happens, unless a test says what."""


@dataclass
class PlainExecution:
    """Gives the engine's batches; *before* runs before each of them but the first."""

    answer: list[pa.RecordBatch]
    before: Callable[[], None] = nothing
    names: list[str] = field(default_factory=lambda: ["n"])
    role: str = ""
    reads: tuple[str, ...] = ("claims.payer",)
    treated: Mapping[str, Treatment] = field(default_factory=dict)
    opener: Opener = field(default_factory=lambda: Seals(bytes(64)))
    cancelled: bool = False
    closed: bool = False

    def batches(self) -> Generator[pa.RecordBatch]:
        for number, batch in enumerate(self.answer):
            if number:
                self.before()
            yield batch

    def expected(self, names: list[str]) -> list[Treatment | None]:
        return [None] * len(names)

    def cancel(self) -> None:
        self.cancelled = True

    def close(self) -> None:
        self.closed = True


@dataclass
class PlainEngine:
    """A database whose tables exist and whose answers a test chooses."""

    answer: list[pa.RecordBatch] = field(default_factory=lambda: [rows(1, 2, 3)])
    before: Callable[[], None] = nothing
    fault: Exception | None = None
    started: list[dict[str, Any]] = field(default_factory=list)
    executions: list[PlainExecution] = field(default_factory=list)
    dialect: str = "sqlite"
    functions: frozenset[str] = frozenset({"count"})

    def catalog(self) -> Catalog:
        return Catalog(
            version="1",
            tables={
                name: Table(
                    name=name,
                    kind="table",
                    columns=tuple(
                        Column(name=column, type="TEXT", tag=tag) for column, tag in columns.items()
                    ),
                )
                for name, columns in profile().tags.items()
            },
        )

    def start(self, statement: Any, binds: Any, **under: Any) -> PlainExecution:
        self.started.append({"sql": statement.text, "binds": binds, **under})
        if self.fault is not None:
            raise self.fault
        self.executions.append(PlainExecution(self.answer, self.before))
        return self.executions[-1]

    def reads(self, statement: Any, **under: Any) -> Reads:
        if self.fault is not None:
            raise self.fault
        check_columns(statement, self.catalog(), self.dialect)
        return reads_of(statement, self.catalog(), self.dialect)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Taker:
    """A kernel that takes everything at once; *at_write* runs with each chunk."""

    at_write: Callable[[], None] = nothing
    body: bytes = b""
    abandoned: bool = False

    @property
    def sent(self) -> int:
        return len(self.body)

    def write(self, data: bytes) -> None:
        self.body += data
        self.at_write()

    def drain(self) -> None:
        """Everything was taken."""

    def end(self) -> None:
        """Nothing more comes."""

    def abandon(self) -> None:
        self.abandoned = True


class Hospital:
    """Everything between a signed request and the database."""

    def __init__(
        self, store: State, log: AuditLog, clock: SetClock, *eligibilities: Eligibility
    ) -> None:
        self.store, self.log, self.clock = store, log, clock
        self.engine = PlainEngine()
        self.running = Running()
        self.limits = Limits(Rates())
        self.ender = Ender(store, store, log, self.running, clock, timedelta(hours=2))
        self.enrolment = Enrolment(store, clock)
        self.doorkeeper = Doorkeeper(self.enrolment, store, self.ender, clock)
        self.audit_key = AuditKey(bytes(32))
        self.desk = GrantDesk(store, log, self.audit_key, self.ender, clock)
        self.policy = Policy(
            digest="p",
            connections={"hospital": hospital()},
            engines={"hospital": self.engine},
            eligibilities={e.name: e for e in eligibilities or (eligibility(),)},
            profiles={e.name: profile() for e in eligibilities or (eligibility(),)},
            purposes={},
            groups={"ana": frozenset({"analysts"}), "rui": frozenset()},
        )
        record = Recorder(log, self.audit_key, clock)
        self.intake = Intake(self.doorkeeper, self.desk, self.limits, record, lambda: self.policy)
        self.flow = QueryFlow(
            self.intake, self.desk, store, log, record, self.running, clock,
            lambda _: Seals(bytes(64)),
        )  # fmt: skip
        self.explanations = ExplainFlow(self.intake, self.desk, log, record, clock)
        self._ids = itertools.count(1)

    def attach(self, who: Principal = ANA, *, kernel_id: str = "kernel-1", **more: Any) -> Caller:
        """An enrolled kernel attached to *who*."""
        number = next(self._ids)
        made = kernel(
            slot_id=f"K-{number}", kernel_id=kernel_id, generation=number, opened_at=self.clock()
        )
        self.store.open_kernel(made)
        self.store.enrol_kernel(
            made.slot_id, public_key=PUBLIC, client_address="127.0.0.1", isolation=SEPARATE
        )
        began = session(
            session_id=f"S-{number}", kernel_id=kernel_id, generation=number, principal=who,
            started_at=self.clock(), ends_at=self.clock() + timedelta(hours=8),
        )  # fmt: skip
        self.store.start_session(replace(began, **more))
        return self.doorkeeper.attached(self.store.kernel(made.slot_id))

    def sign(self, caller: Caller, query: Query) -> SignedRequest:
        """What that kernel sends now, by the gateway's clock."""
        body = encode(query)
        headers = signing.sign(
            KEY, caller.kernel.slot_id, "POST", f"http://{AUTHORITY}{TARGET}", body,
            now=self.clock().timestamp(),
        )  # fmt: skip
        return SignedRequest(
            method="POST", authority=AUTHORITY, target=TARGET, body=body,
            claim=signing.read_claim(headers), address="127.0.0.1",
        )  # fmt: skip

    def query(self, sql: str, **more: Any) -> Query:
        return replace(
            Query(query_id=f"query-{next(self._ids):04}", connection="hospital", sql=sql), **more
        )

    def writes_to(self, log: DownLog) -> None:
        """From here the flow's records go there."""
        self.flow._log = self.flow._record._log = self.explanations._log = log

    def answer(
        self, caller: Caller, sql: str = "SELECT payer FROM claims", *,
        sink: Taker | None = None, **more: Any,
    ) -> Answer:  # fmt: skip
        """Run one statement and read what the kernel got.  Raises what it would raise there."""
        sink = sink or Taker()
        self.flow.run(self.sign(caller, self.query(sql, **more)), sink)
        return read_answer(io.BytesIO(sink.body))  # type: ignore[arg-type]

    def explain(self, caller: Caller, sql: str, **more: Any) -> Explanation:
        """What that kernel is told of a statement."""
        return self.explanations.explain(self.sign(caller, self.query(sql, **more)))

    def ask(self, caller: Caller, sql: str = "SELECT payer FROM claims", **more: Any) -> Any:
        frame: pd.DataFrame = to_pandas(self.answer(caller, sql, **more))
        return frame

    def recorded(self, kind: str = "") -> list[Any]:
        """Events of the log, oldest first."""
        events = [read_event(leaf.body) for leaf in self.log.leaves()]
        return [event for event in events if not kind or event.kind == kind]


class DownLog:
    """An audit log that cannot be written; *when* says which events it still takes."""

    def __init__(self, log: AuditLog, error: Exception, *refused: str) -> None:
        self._log, self._error, self._refused = log, error, refused

    def append(self, event: Any, *, reserved: bool = False) -> str:
        if not self._refused or event.kind in self._refused:
            raise self._error
        return self._log.append(event, reserved=reserved)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)
