"""From a fresh kernel to its first frame: what a person waits for, their own typing apart."""

from __future__ import annotations

import time

from tests.benchmarks.ground import Ground, percentile

KERNELS = 20


def run(ground: Ground) -> None:
    """Start a process, import, enrol, attach (confirmed at once), ask; seconds."""
    seconds = []
    with ground.gateway() as bench:
        for number in range(KERNELS):
            began = time.perf_counter()
            with bench.worker("governed", f"fresh-{number}") as worker:
                answer = worker.ask("SELECT id, mrn, ssn, born, zip FROM people LIMIT 100")
                seconds.append(time.perf_counter() - began)
            assert answer["rows"] == 100
    print(
        f"  fresh kernel to first frame: p50 {percentile(seconds, 50):.2f} s,"
        f" p95 {percentile(seconds, 95):.2f} s over {KERNELS} kernels"
    )
