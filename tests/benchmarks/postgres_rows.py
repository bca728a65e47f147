"""
A large PostgreSQL result into the DataFrame of a real kernel, against `pandas.read_sql`.

Direct is SQLAlchemy with psycopg on the bare tables; governed, four of ten columns are treated, or
three where one of them is free text.
"""

from __future__ import annotations

import psutil

from tests.benchmarks.ground import Ground, compared, median
from tests.benchmarks.million_rows import watched
from tests.benchmarks.postgres_ground import PostgresBench, postgres_bench

STATEMENTS = {
    "pseudonym, partial, year, zip3": "SELECT * FROM people",
    "two pseudonyms, sealed notes": "SELECT * FROM notes",
}


def run(ground: Ground) -> None:
    """In pairs, each run in a fresh kernel, so that peaks are its own."""
    with postgres_bench(ground.folder / "rows", ground.rows, notes=ground.rows) as bench:
        for name, sql in STATEMENTS.items():
            _compare(bench, ground, name, sql)


def _compare(bench: PostgresBench, ground: Ground, name: str, sql: str) -> None:
    sides: dict[str, list[dict[str, float]]] = {"governed": [], "direct": []}
    grown, busy = [], []
    gateway = psutil.Process(bench.gateway_pid)
    for _ in range(ground.pairs):
        for side, found in sides.items():
            with bench.kernel(side) as kernel, watched(gateway.pid) as memory:
                before, spent = gateway.memory_info().rss / 1e6, gateway.cpu_times()
                answer = kernel.measured(f'frame = con.query("{sql}")')
            assert answer["rows"] == ground.rows
            found.append(answer)
            if side == "governed":
                after = gateway.cpu_times()
                busy.append(after.user + after.system - spent.user - spent.system)
                grown.append(max(memory) - before)
    for what, unit, key in (
        ("wall", "s", "seconds"), ("CPU of the kernel", "s", "cpu"),
        ("peak of the kernel", "MB", "peak"),
    ):  # fmt: skip
        ours, theirs = ([answer[key] for answer in found] for found in sides.values())
        compared(f"{name}: {what}", unit, ours, theirs)
    print(
        f"  {name}: the gateway took {median(busy):.2f} s of CPU"
        f" and grew by {max(grown):.0f} MB at the most",
        flush=True,
    )
