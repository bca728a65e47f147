"""Ten times the rows: the gateway's memory does not follow, whether the reader is fast or slow."""

from __future__ import annotations

import time

import psutil

from jupyter_gov.kernel.http import GatewayHttp
from jupyter_gov.wire.messages import Query, encode
from tests.benchmarks.ground import Ground
from tests.benchmarks.million_rows import watched
from tests.benchmarks.postgres_ground import postgres_bench

_PIECE = 1 << 20


def run(ground: Ground) -> None:
    """A tenth, and all of them, taken by a reader that throws them away."""
    rows = 10 * ground.rows
    with postgres_bench(ground.folder / "flat", rows) as bench:
        http = bench.stub().http
        _take(http, 1_000)
        gateway = psutil.Process(bench.gateway_pid)
        for limit in (rows // 10, rows):
            began, before = time.perf_counter(), gateway.memory_info().rss / 1e6
            with watched(gateway.pid) as memory:
                size = _take(http, limit)
            print(
                f"  {limit:>12,} rows, {size / 1e6:,.0f} MB in {time.perf_counter() - began:.1f} s:"
                f" the gateway grew by {max(memory) - before:.0f} MB at the most,"
                f" to {max(memory):.0f} MB",
                flush=True,
            )


def _take(http: GatewayHttp, limit: int) -> int:
    """Read an answer to its end; returns its bytes."""
    query = Query(
        query_id=f"flat-{limit:010d}", connection="bench", sql="SELECT * FROM people", limit=limit
    )
    answer, size = http.open("POST", "/queries", encode(query)), 0
    while piece := answer.read(_PIECE):
        size += len(piece)
    answer.release_conn()
    return size
