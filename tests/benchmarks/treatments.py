"""What each treatment costs: the engine alone, four columns of one treatment, rows a second."""

from __future__ import annotations

import time
from contextlib import closing

from jupyter_gov.masking.model import Treatment
from jupyter_gov.sql import gate
from tests.benchmarks.ground import Ground
from tests.support.wall import TODAY, Wall, wall

FITTING = {
    Treatment.PARTIAL: "ssn",
    Treatment.YEAR: "born",
    Treatment.AGE: "born",
    Treatment.ZIP3: "zip",
}
"""The column a treatment is made for; the others are tried on one in which all rows differ."""
ALONE = [t for t in Treatment if t not in (Treatment.DATE_SHIFT, Treatment.PATHS)]
"""Those that need no other column and no paths."""
MIXED = {"mrn": "pseudonym", "ssn": "partial", "born": "year", "zip": "zip3"}


def speed(made: Wall, sql: str) -> float:
    """Rows a second, from the start to the last batch."""
    began = time.perf_counter()
    execution = made.engine.start(
        gate.read(sql, "sqlite"), {}, profile=made.profile, tables=made.tables,
        seals=made.seals, today=TODAY, deadline=time.monotonic() + 3_600,
    )  # fmt: skip
    with closing(execution):
        rows = sum(batch.num_rows for batch in execution.batches())
    return rows / (time.perf_counter() - began)


def run(ground: Ground) -> None:
    """The best of three runs each."""
    cases = {str(t): {FITTING.get(t, "mrn"): str(t)} for t in ALONE} | {"four kinds": MIXED}
    for name, treated in cases.items():
        columns = list(treated) * (4 // len(treated))
        tags = {"people": {column: column for column in treated}}
        with wall(ground.database, tags, treated) as made:
            best = max(speed(made, f"SELECT {', '.join(columns)} FROM people") for _ in range(3))
        print(f"  {name:<12} {best:>12,.0f} rows/s")
