"""
A process that asks: through the gateway with the kernel's own client, or SQLAlchemy directly.

Reads one JSON line a task (sql, times) on standard input, answers with seconds of each run, the
peak of resident memory above what the imports took, and the rows of the last result.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd


def governed() -> Callable[[str], pd.DataFrame]:
    """The kernel API; shows a code on standard output first."""
    import jupyter_gov as gov

    gov.login()
    return gov.connect("bench").query


def direct() -> Callable[[str], pd.DataFrame]:
    """What an analyst does today."""
    from sqlalchemy import create_engine, text

    engine = create_engine(f"sqlite:///{os.environ['BENCH_DATABASE']}")

    def ask(sql: str) -> pd.DataFrame:
        with engine.connect() as connection:
            return pd.read_sql(text(sql), connection)

    return ask


def resident() -> float:
    """Megabytes of memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    """Serve until standard input ends."""
    ask = governed() if sys.argv[1] == "governed" else direct()
    ask("SELECT 1 AS one")
    before = resident()
    for line in sys.stdin:
        task = json.loads(line)
        seconds = []
        for _ in range(task["times"]):
            began = time.perf_counter()
            frame = ask(task["sql"])
            seconds.append(time.perf_counter() - began)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        answer = {"seconds": seconds, "peak": peak - before, "rows": len(frame)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
