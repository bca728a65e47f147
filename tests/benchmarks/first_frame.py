"""From a fresh kernel to its first frame: what a person waits for, their own typing apart."""

from __future__ import annotations

import time

from tests.benchmarks.ground import Ground, percentile
from tests.conftest import example
from tests.support.deployment import managed
from tests.support.users import myself

KERNELS = 20
FIRST = "%%govsql clinic\nSELECT patient_id, mrn, ssn, birth_date, zip FROM patients LIMIT 100"


def run(ground: Ground) -> None:
    """
    Real kernels of a real JupyterLab with its managed gateway, one after the other.

    Timed: start the kernel, `%load_ext`, `%gov login` (its code confirmed at once), one statement.
    """
    clinic = ground.folder / "clinic.db"
    example("clinic").generate(clinic, patients=5_000)
    home = ground.folder / "home"
    home.mkdir(mode=0o700)
    seconds, again = [], []
    with managed(myself(home), clinic) as site:
        for _ in range(KERNELS):
            began = time.perf_counter()
            with site.kernel() as kernel:
                kernel.attach(site.people["ana"])
                kernel.run(FIRST)
                first = time.perf_counter()
                seconds.append(first - began)
                kernel.run(FIRST)
                again.append(time.perf_counter() - first)
    for what, found in (("fresh kernel to first frame", seconds), ("the next frame", again)):
        p50, p95 = percentile(found, 50), percentile(found, 95)
        print(f"  {what}: p50 {p50:.2f} s, p95 {p95:.2f} s over {KERNELS} kernels", flush=True)
