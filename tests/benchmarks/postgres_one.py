"""A governed `SELECT 1` on PostgreSQL against SQLAlchemy: warm, and the first of a grant."""

from __future__ import annotations

import json
import statistics

from tests.benchmarks.ground import Ground, compared, percentile
from tests.benchmarks.kernels import RealKernel
from tests.benchmarks.postgres_ground import postgres_bench

TIMES = 200
_TIMED = """
import json, time
_took = []
for _ in range({times}):
    _began = time.perf_counter()
    con.query("SELECT 1 AS one")
    _took.append(1e3 * (time.perf_counter() - _began))
print(json.dumps(_took))
"""
_COLD = """
for _grant in [g for g in gov.grants() if g.state == "active"]:
    gov.give_back(_grant.grant)
gov.request("bench", duration="10m")
"""


def _ask(kernel: RealKernel, times: int) -> list[float]:
    return list(json.loads(kernel.run(_TIMED.format(times=times)).splitlines()[-1]))


def run(ground: Ground) -> None:
    """In pairs; milliseconds at the median and at the 99th percentile."""
    ours: list[list[float]] = []
    theirs: list[list[float]] = []
    cold: list[float] = []
    with (
        postgres_bench(ground.folder / "one", 1_000) as bench,
        bench.kernel("governed") as governed,
        bench.kernel("direct") as direct,
    ):
        for kernel in (governed, direct):
            _ask(kernel, 20)
        for _ in range(ground.pairs):
            ours.append(_ask(governed, TIMES))
            theirs.append(_ask(direct, TIMES))
        for _ in range(4 * ground.pairs):
            governed.run(_COLD)
            cold += _ask(governed, 1)
    for percent in (50, 99):
        ends = [percentile(r, percent) for r in ours], [percentile(r, percent) for r in theirs]
        compared(f"SELECT 1, p{percent}", "ms", *ends)
        more = statistics.median(ends[0]) - statistics.median(ends[1])
        print(f"  governed minus direct, p{percent}: {more:.2f} ms", flush=True)
    print(
        f"  the first statement of a grant, with its role and login:"
        f" p50 {percentile(cold, 50):.0f} ms, the slowest of {len(cold)} {max(cold):.0f} ms",
        flush=True,
    )
