"""A large result into a DataFrame against `pandas.read_sql`: time, and memory of both sides."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.benchmarks.ground import Ground, compared

STATEMENTS = {
    "clear columns": "SELECT id, sex, score, visits, seen_at, city FROM people",
    "four treated, six clear": "SELECT * FROM people",
}


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """The memory of a process while the block runs, in MB, about 50 times a second."""
    seen: list[float] = []
    over = threading.Event()
    process = psutil.Process(pid)

    def watch() -> None:
        while not over.wait(0.02):
            seen.append(process.memory_info().rss / 1e6)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def run(ground: Ground) -> None:
    """In pairs, each run in a fresh process, so that peaks are its own."""
    with ground.gateway() as bench:
        assert bench.process.process is not None
        pid = bench.process.process.pid
        for name, sql in STATEMENTS.items():
            seconds: dict[str, list[float]] = {"governed": [], "direct": []}
            peaks: dict[str, list[float]] = {"governed": [], "direct": []}
            grown: list[float] = []
            for pair in range(ground.pairs):
                for side in seconds:
                    kernel_id = re.sub(r"\W+", "-", f"{name} {pair}")
                    with bench.worker(side, kernel_id) as worker, watched(pid) as memory:
                        before = psutil.Process(pid).memory_info().rss / 1e6
                        answer = worker.ask(sql)
                    assert answer["rows"] == ground.rows
                    seconds[side].append(answer["seconds"][0])
                    peaks[side].append(answer["peak"])
                    if side == "governed":
                        grown.append(max(memory) - before)
            compared(f"{name}: wall", "s", seconds["governed"], seconds["direct"])
            compared(f"{name}: peak of the asker", "MB", peaks["governed"], peaks["direct"])
            print(f"  {name}: the gateway grew by {max(grown):.0f} MB at the most", flush=True)
