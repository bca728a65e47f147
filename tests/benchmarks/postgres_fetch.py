"""PostgreSQL to Arrow alone, by both drivers, against `pandas.read_sql`: time, CPU and memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import pandas as pd
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict

from jupyter_gov.engines.postgres.fetch import Fetch
from jupyter_gov.engines.postgres.session import Session
from tests.benchmarks.ground import Ground, median
from tests.support.postgres import server

DATABASE = "fetch"
TABLE = """
CREATE TABLE large AS
SELECT g AS id, (g % 1000)::int AS n, g * 1.5::float8 AS risk, (g % 100000 / 100.0)::numeric(10,2)
    AS amount, g % 2 = 0 AS flag, 'MRN' || lpad(g::text, 8, '0') AS mrn, md5(g::text) AS name,
    date '1930-01-01' + (g % 30000)::int AS born, timestamptz '2020-01-01' + g * interval '1 s'
    AS seen, CASE WHEN g % 3 <> 0 THEN 'note ' || g % 1000 END AS note
FROM generate_series(1, {rows}) AS g
"""
STATEMENT = "SELECT * FROM large"


def by(driver: str) -> Callable[[str], int]:
    """Every batch read and dropped, as a stream passes them on."""

    def read(conninfo: str) -> int:
        session = Session(conninfo)
        session.begin(600)
        fetch = Fetch(session, STATEMENT, driver=driver)
        rows = sum(batch.num_rows for batch in fetch.batches())
        session.end()
        session.close()
        return rows

    return read


def by_pandas(conninfo: str) -> int:
    parts = conninfo_to_dict(conninfo)
    url = sqlalchemy.URL.create(
        "postgresql+psycopg", str(parts["user"]), str(parts["password"]), str(parts["host"]),
        int(str(parts["port"])), str(parts["dbname"]),
    )  # fmt: skip
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        return len(pd.read_sql(sqlalchemy.text(STATEMENT), connection))


WAYS = {"adbc": by("adbc"), "psycopg": by("psycopg"), "pandas.read_sql": by_pandas}


def run(ground: Ground) -> None:
    """Each run in a process of its own, so that a peak is its own; in turns."""
    with server() as made:
        made.create(DATABASE)
        with made.connect(DATABASE) as connection:
            connection.execute(TABLE.format(rows=ground.rows))
            connection.execute("VACUUM ANALYZE large")
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(ground.pairs):
            for way, answers in found.items():
                command = [sys.executable, "-m", __name__, way, made.conninfo(DATABASE)]
                answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                assert answer["rows"] == ground.rows
                answers.append(answer)
    base = median([answer["seconds"] for answer in found["pandas.read_sql"]])
    for way, answers in found.items():
        seconds, cpu, peak = (
            median([answer[key] for answer in answers]) for key in ("seconds", "cpu", "peak")
        )
        print(
            f"  {way:<16} {seconds:6.2f} s ({seconds / base:.2f}), CPU {cpu:5.2f} s,"
            f" peak +{peak:,.0f} MB"
        )


def _main() -> None:
    way, conninfo = sys.argv[1:]
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, spent = time.perf_counter(), time.process_time()
    rows = WAYS[way](conninfo)
    answer = {
        "rows": rows,
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - spent,
        "peak": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    _main()
