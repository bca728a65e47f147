"""The ground for PostgreSQL: a server with a large table, its wall, and a gateway before it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_gov.wire.handover import SECRET, SLOT, URL
from tests.benchmarks.kernels import RealKernel, real_kernel
from tests.support.gateway import GatewayProcess, StubKernel, StubServer, find_code, free_port
from tests.support.gateway import running as running_gateway
from tests.support.postgres import OWNER, Server, server

DATABASE = "bench"
LOGIN = "gov_gateway"
PASSWORD = "gateway-secret"

TABLE = """
CREATE EXTENSION pgcrypto;
CREATE TABLE people (
    id bigint PRIMARY KEY, mrn text, ssn text, born date, zip text,
    sex text, amount numeric(10, 2), visits integer, seen_at timestamptz, city text
);
INSERT INTO people
SELECT i, 'MRN' || lpad(i::text, 8, '0'),
    format('9%s-%s-%s', lpad((i % 100)::text, 2, '0'), lpad((i % 97)::text, 2, '0'),
           lpad((i % 9973)::text, 4, '0')),
    date '1930-01-01' + (i * 7 % 33000)::integer, lpad((i * 31 % 99999)::text, 5, '0'),
    CASE i % 2 WHEN 0 THEN 'female' ELSE 'male' END, (i % 100000) / 7.0, i % 40,
    timestamptz '2023-01-01 00:00Z' + i * interval '1 minute', 'City ' || i % 500
FROM generate_series(1, {rows}) AS i;
CREATE TABLE notes (
    id bigint PRIMARY KEY, mrn text, account text, born date, zip text,
    sex text, amount numeric(10, 2), visits integer, seen_at timestamptz, note text
);
INSERT INTO notes
SELECT id, mrn, 'A' || lpad((id * 17 % 999983)::text, 8, '0'), born, zip, sex, amount, visits,
    seen_at, 'Seen in ' || city || ' on ' || (id % ({rows} / 20)) || ' for a control of '
    || 'blood pressure and weight. Medication unchanged. Next visit in three months.'
FROM people WHERE id <= {notes};
VACUUM ANALYZE
"""
"""In `notes`, 5 of 100 notes are different ones."""

CONFIG = """
c = get_config()
c.GovGateway.state_dir = {state!r}
c.GovGateway.requests_per_second = 10_000.0
c.GovConnections.connections = {{"bench": {{
    "url": {url!r}, "secret": "env:TEST_GATEWAY_PASSWORD", "max_rows": 100_000_000,
    "max_bytes": 100_000_000_000,
}}}}
c.GovConnections.tags = {{"bench": {{
    "people": {{
        "id": "plain", "mrn": "mrn", "ssn": "ssn", "born": "birth_date", "zip": "zip",
        "sex": "plain", "amount": "plain", "visits": "plain", "seen_at": "plain", "city": "plain",
    }},
    "notes": {{
        "id": "plain", "mrn": "mrn", "account": "account", "born": "plain", "zip": "plain",
        "sex": "plain", "amount": "plain", "visits": "plain", "seen_at": "plain", "note": "note",
    }},
}}}}
c.GovMasking.treatments = {{
    "plain": "clear", "mrn": "pseudonym", "account": "pseudonym", "ssn": "partial",
    "birth_date": "year", "zip": "zip3", "note": "seal",
}}
c.GovAccess.purposes = {{"bench": "Measuring"}}
c.GovAccess.eligibilities = {{"bench": {{
    "who": ["ana"], "connection": "bench", "tables": ["people", "notes"],
    "default_duration": "2h",
}}}}
c.GovIdentity.evaluation_identities = {{"ana": {{}}}}
"""

_GOVERNED = """
import jupyter_gov as gov
gov.login()
con = gov.connect("bench")
"""
_DIRECT = """
import os
import pandas as pd
from sqlalchemy import create_engine, text
connection = create_engine(os.environ["BENCH_DATABASE"]).connect()
class con:
    query = staticmethod(lambda sql: pd.read_sql(text(sql), connection))
"""
_WARM = 'frame = con.query("SELECT id, mrn, born, amount, seen_at FROM people LIMIT 100")'


@dataclass
class PostgresBench:
    """A running gateway over the table, and real kernels on both sides."""

    server: Server
    process: GatewayProcess
    enrolled: StubServer
    _count: int = 0

    @property
    def gateway_pid(self) -> int:
        assert self.process.process is not None
        return self.process.process.pid

    def _next(self, name: str) -> str:
        self._count += 1
        return re.sub(r"\W+", "-", f"{name} {self._count}")

    @contextlib.contextmanager
    def kernel(self, side: str) -> Iterator[RealKernel]:
        """
        A fresh kernel in which `con.query` asks: ``governed`` or ``direct``.

        It has asked before, so that imports, grants and logins are not in what is measured.
        """
        if side == "direct":
            url = self.server.url(DATABASE).replace("postgresql:", "postgresql+psycopg:")
            secret = f"//{OWNER}:{self.server.password}@"
            with real_kernel({"BENCH_DATABASE": url.replace("//", secret)}) as kernel:
                kernel.run(_DIRECT + _WARM)
                yield kernel
            return
        slot, secret = self.enrolled.open_slot(self._next(side))
        with real_kernel({URL: self.process.url, SLOT: slot, SECRET: secret}) as kernel:
            cell = kernel.begin(_GOVERNED)
            ana = self.process.person("ana", self.process.passwords()["ana"])
            ana.attach(find_code(kernel.printed(cell, until="type the code")), purpose="bench")
            kernel.printed(cell)
            kernel.run(_WARM)
            yield kernel

    def stub(self) -> StubKernel:
        """The same client in this process, attached to ana."""
        ana = self.process.person("ana", self.process.passwords()["ana"])
        return self.enrolled.kernel(self._next("stub")).attached(ana, purpose="bench")


@contextlib.contextmanager
def postgres_bench(folder: Path, rows: int, *, notes: int = 0) -> Iterator[PostgresBench]:
    """A fresh server with so many rows, provisioned as an admin does it, and a gateway."""
    folder.mkdir()
    with server(log_statement="none", log_min_duration_statement="-1") as made:
        made.create(DATABASE)
        with made.connect(DATABASE) as dba:
            for statement in TABLE.format(rows=rows, notes=notes).split(";\n"):
                dba.execute(statement.encode())
        url = made.url(DATABASE).replace("//", f"//{LOGIN}@")
        config = folder / "config.py"
        config.write_text(CONFIG.format(state=str(folder / "state"), url=url))
        config.chmod(0o600)
        process = GatewayProcess(
            config=config, state_dir=folder / "state", port=free_port(),
            env={"TEST_GATEWAY_PASSWORD": PASSWORD, "TEST_DBA_PASSWORD": made.password},
        )  # fmt: skip
        done = process.here(
            "provision", "bench", "--dba-url", f"postgresql://{OWNER}@/{DATABASE}",
            "--dba-secret", "env:TEST_DBA_PASSWORD",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        with running_gateway(process):
            yield PostgresBench(made, process, StubServer(process.enroll(folder / "server.json")))
