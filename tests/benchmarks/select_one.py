"""A governed `SELECT 1` against SQLAlchemy directly: the price of a command."""

from __future__ import annotations

from tests.benchmarks.ground import Ground, compared, percentile

TIMES = 200


def run(ground: Ground) -> None:
    """Warm, in pairs; milliseconds at the median and at the 99th percentile."""
    ours: list[list[float]] = []
    theirs: list[list[float]] = []
    with (
        ground.gateway() as bench,
        bench.worker("governed", "one") as governed,
        bench.worker("direct", "two") as direct,
    ):
        for _ in range(ground.pairs):
            for worker, runs in ((governed, ours), (direct, theirs)):
                answer = worker.ask("SELECT 1 AS one", TIMES)
                runs.append([second * 1e3 for second in answer["seconds"]])
    for percent in (50, 99):
        compared(
            f"SELECT 1, p{percent}", "ms",
            [percentile(r, percent) for r in ours], [percentile(r, percent) for r in theirs],
        )  # fmt: skip
