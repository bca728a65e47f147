"""What one statement may take of time, memory and temporary files, and how it is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_gov.engines.sqlite.engine import SqliteExecution
from jupyter_gov.engines.sqlite.functions import MAX_VALUE
from jupyter_gov.engines.sqlite.limits import SHAPES, Allowance, resident
from jupyter_gov.errors import GovError, QueryFailed
from jupyter_gov.sql import gate
from tests.support.gateway import ROOT
from tests.support.wall import TODAY, Wall, hospital, hospital_policy, wall

FOREVER = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT max(n) FROM c"
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT n FROM c"
NUMBERS = (
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n < {0}) SELECT n FROM c"
)
SORT = (
    "SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY k) AS r FROM"
    f" (SELECT printf('%0200d', -n) AS k FROM ({NUMBERS})))"
)


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    path = hospital(tmp_path_factory.mktemp("limits") / "hospital.db")
    treatments, tags = hospital_policy()
    with wall(path, tags, treatments) as made:
        yield made


def started(ward: Wall, sql: str, *, seconds: float = 30) -> SqliteExecution:
    return ward.engine.start(
        gate.read(sql, "sqlite"), {}, profile=ward.profile, tables=ward.tables,
        seals=ward.seals, today=TODAY, deadline=time.monotonic() + seconds,
    )  # fmt: skip


class TestTime:
    @pytest.mark.parametrize("sql", [FOREVER, SORT.format(10**9)], ids=["count", "sort"])
    def test_the_deadline_stops_what_gives_no_row(self, ward, sql):
        """By SQLite's own clock of steps, within a moment."""
        seen = ward.ask(sql, seconds=0.5)
        assert isinstance(seen.error, QueryFailed)
        assert seen.error.message == "the statement was stopped"
        assert seen.seconds < 3

    def test_the_deadline_stops_an_endless_answer(self, ward):
        """Between two batches as well as within one."""
        execution = started(ward, ENDLESS, seconds=0.5)
        with closing(execution), pytest.raises(QueryFailed, match="stopped"):
            for _ in execution.batches():
                pass


class TestCancel:
    def test_it_stops_a_statement_from_another_thread(self, ward):
        """As a kernel's interrupt, or the end of a grant, does."""
        with closing(started(ward, FOREVER)) as execution:
            timer = threading.Timer(0.2, execution.cancel)
            timer.start()
            began = time.monotonic()
            with pytest.raises(QueryFailed, match="stopped"):
                list(execution.batches())
            assert time.monotonic() - began < 3
            timer.join()

    def test_it_stops_a_statement_that_has_not_begun(self, ward):
        """A cancel between the start and the first step is not lost."""
        with closing(started(ward, FOREVER)) as execution:
            execution.cancel()
            with pytest.raises(QueryFailed, match="stopped"):
                list(execution.batches())

    def test_late_it_stops_nobody_else(self, ward):
        """The connection may serve another statement by then, or be closed."""
        execution = started(ward, "SELECT 1")
        list(execution.batches())
        execution.close()
        with closing(started(ward, "SELECT count(*) FROM patients")) as other:
            execution.cancel()
            assert next(other.batches()).to_pydict() == {"count(*)": [30]}
        ward.engine.close()
        execution.cancel()

    def test_an_answer_left_half_read_leaves_no_trace(self, ward):
        """Its generator may end long after its connection serves somebody else."""
        execution = started(ward, ENDLESS)
        left = execution.batches()
        next(left)
        execution.close()
        with closing(started(ward, "SELECT ssn FROM patients WHERE patient_id = 7")) as other:
            rows = other.batches()
            left.close()
            assert next(rows).to_pydict() == {"ssn": ["***-**-2233"]}


class TestReuse:
    @pytest.mark.parametrize(
        "bad",
        [
            "SELECT nothing FROM patients",
            "SELECT json('x') FROM patients",
            "SELECT abs(-9223372036854775808)",
            "SELECT zeroblob(9)",
            "SELECT * FROM unlisted, sqlite_master",
            FOREVER,
        ],
    )
    def test_a_connection_serves_well_after_an_error(self, ward, bad):
        """Nothing of the failed statement is in the next one's reads, reasons or limits."""
        assert isinstance(ward.ask(bad, seconds=0.3, doorman=False).error, GovError)
        seen = ward.ask("SELECT mrn FROM patients WHERE patient_id = 7")
        assert seen.error is None
        assert seen.reads == ("patients.mrn", "patients.patient_id")

    def test_threads_do_not_disturb_each_other(self, ward):
        """Eight at a time, some failing, some cancelled, each with its own answer."""
        faults: list[str] = []

        def work(seed: int) -> None:
            for turn in range(12):
                own = ward.ask(f"SELECT {seed} AS seed, count(*) AS n FROM patients")
                if own.rows != [(seed, 30)]:
                    faults.append(f"{own.rows} {own.error} {own.fault}")
                if (seed + turn) % 3 == 0:
                    bad = ward.ask(f"SELECT abs({seed}, 1)")
                    if bad.error is None:
                        faults.append("no error")
                if (seed + turn) % 4 == 0:
                    with closing(started(ward, FOREVER)) as execution:
                        threading.Timer(0.02, execution.cancel).start()
                        try:
                            list(execution.batches())
                            faults.append("not stopped")
                        except QueryFailed:
                            pass

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []


class TestAllowance:
    def test_memory_beyond_it_stops_the_statement(self):
        """Whatever in this process takes it: it cannot be told apart, and the gateway must live."""
        allowance = Allowance(memory=20_000_000)
        allowance.begin(time.monotonic() + 60)
        assert not allowance.over()
        taken = bytearray(os.urandom(1)) * 400_000_000  # more than earlier tests may give back
        until_over(allowance)
        assert allowance.exceeded == "memory"
        assert resident() > len(taken)
        allowance.end()

    def test_temporary_files_beyond_it_stop_the_statement(self, tmp_path):
        """Only what its own thread writes counts."""
        allowance = Allowance(spill=1_000_000)
        allowance.begin(time.monotonic() + 60)

        def elsewhere() -> None:
            (tmp_path / "other").write_bytes(bytes(3_000_000))

        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
        time.sleep(0.03)
        assert not allowance.over()
        (tmp_path / "own").write_bytes(bytes(3_000_000))
        until_over(allowance)
        assert allowance.exceeded == "disk"
        allowance.end()

    def test_the_next_statement_starts_anew(self):
        """A pooled connection carries no guilt."""
        allowance = Allowance()
        allowance.begin(time.monotonic() - 1)
        assert allowance.over()
        allowance.cancel()
        allowance.end()
        allowance.begin(time.monotonic() + 60)
        assert not allowance.over()
        allowance.end()


def until_over(allowance: Allowance) -> None:
    until = time.monotonic() + 5
    while not allowance.over():
        assert time.monotonic() < until


HOG = """
import sys, resource, time, threading, os
from pathlib import Path
sys.path.insert(0, {root!r})
from jupyter_gov.engines.sqlite.functions import MAX_VALUE
from jupyter_gov.engines.sqlite.limits import confine, temp_store
confine(Path({spill!r}))
assert temp_store() == "file"
from tests.support.wall import hospital, hospital_policy, wall
treatments, tags = hospital_policy()
with wall(hospital(Path({database!r})), tags, treatments) as made:
    made.ask("SELECT 1")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = made.ask({sql!r}, seconds={seconds})
    grew = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    said = seen.error.message if seen.error else f"{{len(seen.data)}} characters"
    print(f"{{grew}}|{{seen.seconds:.1f}}|{{said}}|{{seen.fault}}|"
          f"{{made.ask('SELECT count(*) FROM patients').rows}}")
"""
BIG = f"printf('%.*c', {MAX_VALUE - 1000}, 'x')"
HOGS = {
    **{
        f"one row of {columns} columns": "SELECT "
        + ", ".join([f"printf('%.*c', {length - 1000}, 'x')"] * columns)
        for columns, length in SHAPES
    },
    "large rows between small ones": "SELECT "
    + ", ".join([f"CASE WHEN a.n % 16 > 2 THEN {BIG} END"] * 8)
    + f" FROM ({NUMBERS.format(9000)}) a",
    "one value in many columns": f"SELECT {', '.join('x' * 128)} FROM (SELECT {BIG} AS x LIMIT 1)",
    "many wide rows": f"SELECT {', '.join([BIG] * 20)} FROM claims a, claims b, claims c",
    "small rows, then wide ones": "SELECT "
    + ", ".join([f"CASE WHEN a.n > 5000 THEN {BIG} END"] * 128)
    + f" FROM ({NUMBERS.format(9000)}) a",
    "many aggregates": "SELECT "
    + ", ".join(f"length(group_concat(substr(x, {k})))" for k in range(128))
    + f" FROM (SELECT {BIG} AS x FROM claims LIMIT 1)",
    "a sort of large texts": f"SELECT x FROM (SELECT {BIG} || a.claim_id || b.claim_id AS x"
    " FROM claims a, claims b, claims c) ORDER BY x DESC LIMIT 1",
    "distinct large texts": f"SELECT count(*) FROM (SELECT DISTINCT {BIG} || a.claim_id ||"
    " b.claim_id || c.claim_id AS x FROM claims a, claims b, claims c)",
    "one group of many": "SELECT length(group_concat(a.icd10)) FROM encounters a, encounters b,"
    " encounters c, encounters d, encounters e",
    "a cross join that is sorted": "SELECT a.claim_id FROM claims a, claims b, claims c, claims d"
    " ORDER BY b.memo || c.memo || d.memo",
    "json of everything": f"SELECT json_group_array(json_array({BIG})) FROM claims a, claims b",
    "in a list": f"SELECT 1 WHERE 'y' IN (SELECT {BIG} || a.claim_id || b.claim_id FROM claims a,"
    " claims b, claims c)",
}


SHORT = ["many wide rows", "small rows, then wide ones", "json of everything"]


class TestHogs:
    def measure(self, folder: Path, sql: str, seconds: float) -> None:
        """In a process of its own, since SQLite's limit is for all of one."""
        spill = folder / "spill"
        spill.mkdir()
        code = HOG.format(
            root=str(ROOT), spill=str(spill), database=str(folder / "a.db"), sql=sql,
            seconds=seconds,
        )  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
        )
        grew, took, said, fault, after = done.stdout.strip().split("|")
        print(f"{grew} MB, {took} s: {said}")
        assert fault == "None"
        assert int(grew) < 2_600
        assert float(took) < seconds + 15
        assert after == "[(30,)]"
        assert not list(spill.iterdir())

    @pytest.mark.parametrize("name", SHORT)
    def test_no_statement_takes_the_gateways_memory(self, tmp_path, name):
        """It ends by an error, and the gateway answers the next one."""
        self.measure(tmp_path, HOGS[name], 1.5)

    @pytest.mark.soak
    @pytest.mark.parametrize("name", HOGS)
    def test_no_statement_ever_takes_it(self, tmp_path, name):
        """All of them, for longer."""
        self.measure(tmp_path, HOGS[name], 20)


class TestSpill:
    def test_a_large_sort_goes_to_the_folder_it_was_told(self, tmp_path):
        """And its file has no name, so that nothing is left of it."""
        spill = tmp_path / "spill"
        spill.mkdir()
        code = HOG.format(
            root=str(ROOT), spill=str(spill), database=str(tmp_path / "a.db"),
            sql=SORT.format(300_000), seconds=60,
        ) + WATCH.format(spill=str(spill))  # fmt: skip
        code = code.replace("    seen = made.ask(", "    watch.start()\n    seen = made.ask(")
        code = WATCH_FIRST.format(spill=str(spill)) + code
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
        )
        report, spilled = done.stdout.strip().splitlines()
        assert report.split("|")[2].endswith("characters")
        assert int(report.split("|")[0]) < 150
        assert "(deleted)" in spilled
        assert not list(spill.iterdir())


WATCH_FIRST = """
import glob, os, threading, time
found, over = set(), threading.Event()
def look():
    while not over.is_set():
        for link in glob.glob("/proc/self/fd/*"):
            try:
                name = os.readlink(link)
            except OSError:
                continue
            if name.startswith({spill!r}):
                found.add(name)
        time.sleep(0.01)
watch = threading.Thread(target=look)
"""
WATCH = """
over.set()
watch.join()
print(sorted(found))
"""
