"""
A database behind the wall, in this process: gate, grant's tables, engine, frame, Arrow, DataFrame.

Everything a kernel would get is kept as text in `Seen.everything`, so that a test can look for
what must not be in it.
"""

from __future__ import annotations

import json
import sqlite3
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from jupyter_gov.access.decide import Need, choose
from jupyter_gov.access.model import Action, Eligibility
from jupyter_gov.broker.ports import Execution
from jupyter_gov.connections.model import ConnectionSpec, Tags
from jupyter_gov.engines.sqlite.engine import SqliteEngine
from jupyter_gov.errors import GovError
from jupyter_gov.kernel.frame import Answer, DtypeBackend, to_pandas
from jupyter_gov.masking.frame import FrameCounts, mask_batch
from jupyter_gov.masking.model import ColumnPolicy, Profile, Treatment
from jupyter_gov.masking.treatments import Seals
from jupyter_gov.sql import gate
from jupyter_gov.wire.messages import (
    Bind,
    GrantView,
    Head,
    PrincipalView,
    Trailer,
    TreatedColumn,
    decode_bind,
    encode,
    encode_bind,
    encode_error,
)
from jupyter_gov.wire.times import parse_duration
from tests.support.gateway import ROOT
from tests.support.keys import KEYS

CASES = ROOT / "tests" / "cases" / "sqlite"
TODAY = date(2026, 1, 15)
SECONDS = 20.0

_GRANT = GrantView(
    grant="G-1", connection="hospital", eligibility="e", tables=(), actions=("read",),
    start="", end="", seconds_left=1, state="active",
)  # fmt: skip
_HEAD = Head(
    record="R-1",
    principal=PrincipalView(kind="person", name="ana", issuer="evaluation"),
    grant=_GRANT,
    purpose="quality",
    isolation="separate",
    opened_grant=False,
)


def cases(name: str) -> list[dict[str, Any]]:
    """The lines of a case file."""
    lines = (CASES / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def hospital(path: Path) -> Path:
    """Make the database of schema.sql."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((CASES / "schema.sql").read_text(encoding="utf-8"))
    return path


def hospital_policy() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Treatments by tag, and tags, of policy.toml."""
    policy = tomllib.loads((CASES / "policy.toml").read_text(encoding="utf-8"))
    return policy["treatments"], policy["tags"]


@dataclass
class Seen:
    """What the kernel got."""

    frame: pd.DataFrame | None = None
    error: GovError | None = None
    trailer: str = ""
    reads: tuple[str, ...] = ()
    sealed: int = 0
    mismatched: int = 0
    seconds: float = 0.0
    fault: BaseException | None = None
    """An exception outside the error tree: a defect, whatever the statement was."""

    @property
    def columns(self) -> list[str]:
        return [] if self.frame is None else list(map(str, self.frame.columns))

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        if self.frame is None:
            return []
        columns = [self.frame.iloc[:, i].tolist() for i in range(self.frame.shape[1])]
        return [tuple(None if _absent(v) else v for v in row) for row in zip(*columns, strict=True)]

    @property
    def values(self) -> str:
        """The cells, as text."""
        return "\n".join(_text(value) for row in self.rows for value in row)

    @property
    def data(self) -> str:
        """Names and cells, as text."""
        names = [] if self.frame is None else map(str, self.frame.columns)
        return "\n".join([*names, self.values])

    @property
    def said(self) -> str:
        """The error with its hint, near matches and place, as it is sent and as it is shown."""
        if self.error is None:
            return ""
        return json.dumps(encode_error(self.error), ensure_ascii=False) + f"\n{self.error}"

    @property
    def everything(self) -> str:
        """All of it: data, trailer, error, and an exception outside the tree if there was one."""
        fault = repr(self.fault) if self.fault else ""
        return "\n".join([self.data, self.trailer, self.said, fault])


def _absent(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


@dataclass
class Wall:
    """One engine and one grant."""

    engine: SqliteEngine
    profile: Profile
    tables: frozenset[str]
    seals: Seals = field(default_factory=lambda: Seals(bytes(range(64))))

    def ask(
        self,
        sql: str,
        binds: Mapping[str, object] | None = None,
        *,
        doorman: bool = True,
        seconds: float = SECONDS,
        dtype_backend: DtypeBackend = "numpy",
    ) -> Seen:
        """Run one statement; without the *doorman* it goes straight to the engine."""
        seen = Seen()
        began = time.monotonic()
        try:
            self._run(seen, sql, dict(binds or {}), doorman, began + seconds, dtype_backend)
        except GovError as error:
            seen.error = error
        except Exception as fault:
            seen.fault = fault
        seen.seconds = time.monotonic() - began
        return seen

    def _run(
        self,
        seen: Seen,
        sql: str,
        given: dict[str, object],
        doorman: bool,
        deadline: float,
        dtype_backend: DtypeBackend,
    ) -> None:
        binds: dict[str, Bind] = {n: decode_bind(n, encode_bind(n, v)) for n, v in given.items()}
        if doorman:
            statement = gate.read(sql, "sqlite")
            self._decide(statement)
        else:
            statement = gate.Statement(
                text=sql, action="read", relations=(), binds=tuple(binds), sources=None,
                tree=_tree(sql),
            )  # fmt: skip
        execution = self.engine.start(
            statement, binds, profile=self.profile, tables=self.tables,
            seals=self.seals, today=TODAY, deadline=deadline,
        )  # fmt: skip
        collect(execution, seen, dtype_backend)

    def _decide(self, statement: gate.Statement) -> None:
        catalog = self.engine.catalog()
        offer = Eligibility(
            name="e", who=("ana",), connection="hospital", tables=tuple(self.tables),
            default_duration=parse_duration("1h"),
        )  # fmt: skip
        tables = frozenset(catalog.resolve(name) or name for name in statement.relations)
        need = Need(connection="hospital", tables=tables, action=Action(statement.action))
        choose(need, [], [offer], {}, at=None)  # type: ignore[arg-type]


def collect(execution: Execution, seen: Seen, dtype_backend: DtypeBackend = "numpy") -> None:
    """Run it to its end, and keep what a kernel would get of it."""
    counts = FrameCounts()
    segments: list[list[pa.RecordBatch]] = []
    try:
        for batch in execution.batches():
            masked = mask_batch(batch, execution.expected(execution.names), counts)
            if segments and segments[-1][0].schema.equals(masked.schema, check_metadata=True):
                segments[-1].append(masked)
            else:
                segments.append([masked])
    finally:
        trailer = Trailer(
            rows=sum(b.num_rows for segment in segments for b in segment),
            cut=False,
            treated=tuple(
                TreatedColumn(column=column, treatment=str(treatment))
                for column, treatment in sorted(execution.treated.items())
            ),
            withheld_cells=counts.sealed + counts.mismatched,
        )
        seen.trailer, seen.reads = encode(trailer).decode(), execution.reads
        seen.sealed, seen.mismatched = counts.sealed, counts.mismatched
        execution.close()
    tables = [pa.Table.from_batches(segment) for segment in segments]
    seen.frame = to_pandas(Answer(head=_HEAD, tables=tables, trailer=trailer), dtype_backend)


@contextmanager
def wall(
    path: Path,
    tags: Tags,
    treatments: Mapping[str, str],
    *,
    tables: frozenset[str] | None = None,
    untagged: str = "withhold",
) -> Iterator[Wall]:
    """A wall before that file; all its tables unless *tables* says which."""
    spec = ConnectionSpec(name="hospital", url=f"sqlite:///{path}", tags=tags)
    engine = SqliteEngine(spec, path, KEYS)
    profile = Profile(
        connection="hospital",
        by_tag={tag: policy(name, tag) for tag, name in treatments.items()},
        untagged=policy(untagged, "untagged"),
        tags=tags,
    )
    try:
        covered = frozenset(engine.catalog().tables) if tables is None else tables
        yield Wall(engine, profile, covered)
    finally:
        engine.close()


def _tree(sql: str) -> exp.Expr | None:
    try:
        return sqlglot.parse_one(sql, dialect="sqlite")
    except (SqlglotError, RecursionError, IndexError):
        return None


def policy(treatment: str, tag: str) -> ColumnPolicy:
    """A treatment by its name; where it needs more, the usual."""
    plain = ColumnPolicy(Treatment(treatment), tag if treatment == "pseudonym" else "")
    usual = {
        Treatment.BUCKET: replace(plain, width=Decimal(10)),
        Treatment.ROUND: replace(plain, to=Decimal(5)),
        Treatment.FPE: replace(plain, domain=tag, alphabet="alnum"),
        Treatment.SURROGATE: replace(plain, domain=tag),
    }
    return usual.get(plain.treatment, plain)


def bare(path: Path, sql: str, binds: Mapping[str, object] | None = None) -> Seen:
    """The same statement on the bare file, as it would be without us."""
    seen = Seen()
    began = time.monotonic()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        try:
            cursor = connection.execute(sql, dict(binds or {}))
            names = [part[0] for part in cursor.description or ()]
            rows = cursor.fetchmany(100_000)
            frame = (
                pd.DataFrame(dict(enumerate(zip(*rows, strict=True))))
                if rows
                else pd.DataFrame(columns=range(len(names)))
            )
            frame = frame.astype(object)
            frame.columns = pd.Index(names)
            seen.frame = frame
        except (sqlite3.Error, sqlite3.Warning) as error:
            seen.trailer = str(error)
    seen.seconds = time.monotonic() - began
    return seen
