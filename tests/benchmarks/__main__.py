"""
`make bench`: run the benchmarks, or those that are named.

    python -m tests.benchmarks [--rows N] [--pairs N] [NAME …]
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import (
    first_frame,
    flat,
    imports,
    million_rows,
    notes,
    postgres_fetch,
    postgres_one,
    postgres_rows,
    select_one,
    treatments,
)
from tests.benchmarks.ground import Ground

BENCHMARKS = {
    "imports": imports.run,
    "select_one": select_one.run,
    "million_rows": million_rows.run,
    "first_frame": first_frame.run,
    "treatments": treatments.run,
    "postgres_fetch": postgres_fetch.run,
    "postgres_one": postgres_one.run,
    "postgres_rows": postgres_rows.run,
    "flat": flat.run,
    "notes": notes.run,
}


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the large table")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs to take medians of")
    parser.add_argument("name", nargs="*", choices=[*BENCHMARKS, []], help="default: all")
    asked = parser.parse_args()
    python = platform.python_version()
    print(f"Python {python}, {platform.machine()}, {asked.pairs} pairs, {asked.rows:,} rows")
    with tempfile.TemporaryDirectory(prefix="gov-bench-") as folder:
        ground = Ground(Path(folder), rows=asked.rows, pairs=asked.pairs)
        for name in asked.name or BENCHMARKS:
            print(f"\n{name}", flush=True)
            BENCHMARKS[name](ground)
    return 0


if __name__ == "__main__":
    sys.exit(main())
