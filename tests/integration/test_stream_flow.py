"""Back-pressure: memory stays flat, and nobody waits for somebody else's reader."""

from __future__ import annotations

import contextlib
import threading
import time

import psutil
import pytest

from jupyter_gov.errors import GovError
from tests.conftest import populate
from tests.support.gateway import running
from tests.support.streams import ENDLESS, Stream, numbers
from tests.support.waiting import until

MEGABYTE = 1024 * 1024
FLAT = 128 * MEGABYTE
"""How much the gateway may grow while results many times as large pass through it."""
ROOMY = """
c.GovGateway.requests_per_second = 1000.0
c.GovConnections.connections["clinic"] |= {"max_rows": 20_000_000, "max_bytes": 20_000_000_000}
"""
WIDE = "n, printf('%600s', n) AS wide"


@pytest.fixture(scope="module")
def site(make_site):
    """A gateway whose memory and pace are measured."""
    with running(make_site(ROOMY)) as gateway:
        yield populate(gateway)


@pytest.fixture(scope="module")
def analyst(site):
    kernel = site.analyst()
    kernel.connect("clinic").query(numbers(20_000, WIDE))  # libraries are loaded by now
    return kernel


class Growth:
    """How much more memory a process holds at its height than at the beginning."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.bytes = 0

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self.bytes = max(self.bytes, self._process.memory_info().rss - self._before)

    def __enter__(self) -> Growth:
        self._before = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        print(f"grew by {self.bytes / MEGABYTE:.0f} MB")


@pytest.fixture
def growth(site, analyst):
    return Growth(site.gateway.process.pid)


def read_away(stream: Stream) -> int:
    """Read to the end and keep nothing; returns how many bytes came."""
    total = 0
    while data := stream.answer.read(MEGABYTE):
        total += len(data)
    stream.close()
    return total


class TestMemory:
    @pytest.mark.parametrize(
        "rows",
        [
            300_000,
            pytest.param(2_000_000, marks=pytest.mark.soak),
            pytest.param(10_000_000, marks=pytest.mark.soak),
        ],
    )
    def test_it_stays_flat_however_long_the_result(self, site, analyst, growth, rows):
        """Six hundred bytes a row, most of them on the way at any moment nowhere."""
        with growth:
            began = time.monotonic()
            total = read_away(Stream(analyst, numbers(rows, WIDE)))
            print(f"{total / MEGABYTE:.0f} MB in {time.monotonic() - began:.1f} s")
        assert total > 600 * rows
        assert growth.bytes < FLAT
        assert site.gateway.recorded("outcome")[-1]["says"]["rows"] == rows

    def test_masked_rows_are_no_different(self, analyst, growth):
        """The same through the projections of real tables."""
        sql = "SELECT a.* FROM encounters a, (SELECT 1 FROM patients LIMIT 60)"
        with growth:
            assert read_away(Stream(analyst, sql)) > 20 * MEGABYTE
        assert growth.bytes < FLAT

    def test_large_cells_come_in_small_batches(self, analyst, growth):
        """Hundreds of rows of a megabyte are not taken a thousand at a time."""
        with growth:
            total = read_away(Stream(analyst, numbers(300, "printf('%1000000s', n) AS wide")))
        assert total > 300 * 1_000_000
        assert growth.bytes < FLAT

    def test_a_reader_that_stops_stops_the_database(self, site, analyst, growth):
        """An endless result nobody reads is made to the first few batches, and waits."""
        with growth:
            stream = Stream(analyst, numbers(10**12, WIDE))
            stream.head  # noqa: B018
            process = psutil.Process(site.gateway.process.pid)
            until(lambda: process.cpu_percent(0.2) < 20, "a gateway that rests")
        assert growth.bytes < FLAT
        stream.close()

    def test_a_sort_larger_than_memory_spills(self, site, analyst, growth):
        """A statement's own working set does not take the gateway's memory either."""
        rows = numbers(2_000_000, "printf('%060d', -n) AS k")
        with growth:
            stream = Stream(analyst, f"SELECT k FROM ({rows}) ORDER BY k", limit=10)
            assert stream.finish().trailer.rows == 10
        assert growth.bytes < FLAT
        assert (site.gateway.state_dir / "spill").is_dir()


def latencies(site, count: int = 40) -> tuple[float, float]:
    """Median and 99th percentile of `SELECT 1`, in milliseconds."""
    con = site.analyst().connect("clinic")
    con.query("SELECT 1")
    took = []
    for _ in range(count):
        began = time.perf_counter()
        con.query("SELECT 1")
        took.append(1000 * (time.perf_counter() - began))
    took.sort()
    return took[count // 2], took[int(count * 0.99)]


@pytest.fixture(scope="module")
def alone(site):
    """How long it takes when nothing else runs."""
    return latencies(site)


class TestManyStatements:
    @pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.soak)])
    def test_nothing_of_them_stays(self, site, analyst, growth, count):
        """One after another, of every kind: memory and open files are as before."""
        process = psutil.Process(site.gateway.process.pid)
        con = analyst.connect("clinic")
        kinds = ["SELECT 1", "SELECT mrn, zip FROM patients", "SELECT nmae FROM patients", "SELEC"]
        files = process.num_fds()
        with growth:
            for number in range(count):
                with contextlib.suppress(GovError):
                    con.query(kinds[number % len(kinds)])
        assert growth.bytes < FLAT / 2
        assert process.num_fds() <= files + 10


class TestNeighbours:
    def compare(self, site, alone: tuple[float, float], beside: str) -> None:
        """Beside others it may take longer, since they share two cores; but nobody waits."""
        median, worst = latencies(site)
        print(f"alone p50 {alone[0]:.1f} p99 {alone[1]:.1f} ms;"
              f" beside {beside} p50 {median:.1f} p99 {worst:.1f} ms")  # fmt: skip
        assert median < 5 * alone[0] + 50
        assert worst < 2_000

    def test_a_stalled_reader_holds_only_its_own_stream(self, site, analyst, alone):
        """Four streams that nobody reads, of one kernel: others do not notice."""
        streams = [Stream(analyst, numbers(10**12, WIDE)) for _ in range(4)]
        for stream in streams:
            stream.head  # noqa: B018
        self.compare(site, alone, "four stalled streams")
        for stream in streams:
            stream.close()

    def test_a_long_computation_delays_nobody(self, site, alone):
        """Nor does a statement that computes for hours."""
        other = Stream(site.analyst(), ENDLESS.replace("count(*) AS n", "n"))
        other.head  # noqa: B018
        computing = site.analyst()
        thread = threading.Thread(target=self.ask, args=(computing,))
        thread.start()
        self.compare(site, alone, "a computation")
        computing.logout()
        thread.join()
        other.close()

    def ask(self, kernel) -> None:
        with pytest.raises(Exception, match="signed out"):
            kernel.connect("clinic").query(ENDLESS)

    def test_a_fast_reader_is_not_held_up(self, site, analyst, alone):
        """Beside a stream that flows as fast as it can."""
        stream = Stream(analyst, numbers(10**12, WIDE))
        stop = threading.Event()

        def drink() -> None:
            while not stop.is_set():
                stream.answer.read(MEGABYTE)

        thread = threading.Thread(target=drink)
        thread.start()
        self.compare(site, alone, "a fast stream")
        stop.set()
        thread.join()
        stream.close()
