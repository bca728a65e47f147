"""The ground both sides stand on: one SQLite file, a gateway over it, workers in processes."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jupyter_gov.wire.handover import SECRET, SLOT, URL
from tests.support.gateway import (
    ROOT,
    GatewayProcess,
    StubServer,
    find_code,
    free_port,
    running,
)

CONFIG = """
c = get_config()
c.GovGateway.state_dir = {state!r}
c.GovGateway.requests_per_second = 10_000.0
c.GovConnections.connections = {{"bench": {{"url": "sqlite:///{database}"}}}}
c.GovConnections.tags = {{"bench": {{"people": {{
    "id": "plain", "mrn": "mrn", "ssn": "ssn", "born": "birth_date", "zip": "zip",
    "sex": "plain", "score": "plain", "visits": "plain", "seen_at": "plain", "city": "plain",
}}}}}}
c.GovMasking.treatments = {{
    "plain": "clear", "mrn": "pseudonym", "ssn": "partial", "birth_date": "year", "zip": "zip3",
}}
c.GovAccess.purposes = {{"bench": "Measuring"}}
c.GovAccess.eligibilities = {{"bench": {{
    "who": ["ana"], "connection": "bench", "tables": ["people"], "default_duration": "2h",
}}}}
c.GovIdentity.evaluation_identities = {{"ana": {{}}}}
"""

TABLE = """
CREATE TABLE people (
    id INTEGER PRIMARY KEY, mrn TEXT, ssn TEXT, born TEXT, zip TEXT,
    sex TEXT, score REAL, visits INTEGER, seen_at TEXT, city TEXT
);
INSERT INTO people
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
SELECT i, printf('MRN%08d', i), printf('9%02d-%02d-%04d', i % 100, i % 97, i % 9973),
    date('1930-01-01', printf('+%d days', i * 7 % 33000)), printf('%05d', i * 31 % 99999),
    CASE i % 2 WHEN 0 THEN 'female' ELSE 'male' END, (i % 1000) / 7.0, i % 40,
    datetime('2023-01-01', printf('+%d minutes', i)), printf('City %d', i % 500)
FROM n;
"""


@dataclass
class Ground:
    """What a benchmark is given."""

    folder: Path
    rows: int
    pairs: int

    @cached_property
    def database(self) -> Path:
        """The file, made once."""
        path = self.folder / "bench.db"
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.executescript(TABLE.format(rows=self.rows))
        return path

    @contextlib.contextmanager
    def gateway(self) -> Iterator[Bench]:
        """A gateway over the file, for the length of a benchmark."""
        folder = self.folder / f"gateway-{free_port()}"
        folder.mkdir()
        config = folder / "config.py"
        state = str(folder / "state")
        config.write_text(CONFIG.format(state=state, database=self.database))
        config.chmod(0o600)
        process = GatewayProcess(config=config, state_dir=folder / "state", port=free_port())
        with running(process):
            yield Bench(self, process, StubServer(process.enroll(folder / "server.json")))


@dataclass
class Bench:
    """A running gateway, and workers beside it."""

    ground: Ground
    process: GatewayProcess
    server: StubServer

    @contextlib.contextmanager
    def worker(self, side: str, kernel_id: str) -> Iterator[Worker]:
        """A process that asks, ``governed`` or ``direct``; the governed one is attached to ana."""
        env = {**os.environ, "BENCH_DATABASE": str(self.ground.database)}
        if side == "governed":
            slot, secret = self.server.open_slot(kernel_id)
            env |= {URL: self.process.url, SLOT: slot, SECRET: secret}
        started = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.worker", side], env=env, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        worker = Worker(started)
        try:
            if side == "governed":
                ana = self.process.person("ana", self.process.passwords()["ana"])
                ana.attach(find_code(worker.line()), purpose="bench")
                worker.line()  # attached
            yield worker
        finally:
            assert started.stdin is not None
            started.stdin.close()
            started.wait(60)
            assert started.stdout is not None
            started.stdout.close()


@dataclass
class Worker:
    """The other end of `worker.py`."""

    process: subprocess.Popen[str]

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the worker ended")
        return line

    def ask(self, sql: str, times: int = 1) -> dict[str, Any]:
        """Run *sql* so many times; seconds of each, peak resident MB, rows."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"sql": sql, "times": times}) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.line()))


def percentile(values: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(-(-percent * len(ordered) // 100) - 1, 0)]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def compared(what: str, unit: str, governed: Sequence[float], direct: Sequence[float]) -> None:
    """Print the medians of both sides and their ratio."""
    ours, theirs = statistics.median(governed), statistics.median(direct)
    print(
        f"  {what:<34} governed {ours:10.2f} {unit:<3} direct {theirs:10.2f} {unit:<3}"
        f" ratio {ours / theirs:7.2f}",
        flush=True,
    )
