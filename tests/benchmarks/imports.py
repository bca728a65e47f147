"""What `%load_ext jupyter_gov` adds to `import pandas`."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.ground import Ground, compared

CODE = """
import time
began = time.perf_counter()
import pandas
{more}
print(time.perf_counter() - began)
"""


def _seconds(more: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(more=more)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def run(ground: Ground) -> None:
    """In fresh interpreters, IPython imported already, as in a kernel."""
    ours, theirs = [], []
    for _ in range(ground.pairs + 1):
        ours.append(_seconds("import jupyter_gov.kernel.magics"))
        theirs.append(_seconds("import IPython.core.magic, IPython.display"))
    compared("load_ext, seconds", "s", ours[1:], theirs[1:])
    added = sorted(a - b for a, b in zip(ours[1:], theirs[1:], strict=True))
    print(f"  added: {added[len(added) // 2]:.3f} s at the median")
