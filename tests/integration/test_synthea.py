"""
Data that nobody here wrote: Synthea's patients, under a policy close to Safe Harbor.

The CSVs are not part of this project.  They are looked for beside it, in `../shared/data/synthea`;
without them these tests are skipped.
"""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import ROOT
from tests.support.wall import Seen, Wall, bare, wall

DATA = ROOT.parent / "shared" / "data" / "synthea"
CASES = ROOT / "tests" / "cases" / "synthea"
QUERIES = [json.loads(line) for line in (CASES / "queries.jsonl").read_text().splitlines()]
POLICY = tomllib.loads((CASES / "policy.toml").read_text())
RAW = ("SSN", "FIRST", "LAST", "MAIDEN", "ADDRESS", "BIRTHDATE", "DRIVERS", "PASSPORT", "Id")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"there is no Synthea data in {DATA}")


def rows_of(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every CSV as a table: numbers where they are numbers, NULL where there is nothing."""
    path = tmp_path_factory.mktemp("synthea") / "synthea.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        for source in sorted(DATA.glob("*.csv")):
            rows = rows_of(source.stem)
            names = list(rows[0])
            columns = ", ".join(f'"{name}" {_type(rows, name)}' for name in names)
            connection.execute(f'CREATE TABLE "{source.stem}" ({columns})')
            marks = ", ".join("?" * len(names))
            connection.executemany(
                f'INSERT INTO "{source.stem}" VALUES ({marks})',
                [[row[name] or None for name in names] for row in rows],
            )
    return path


def _type(rows: list[dict[str, str]], name: str) -> str:
    values = [row[name] for row in rows if row[name]]
    number = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?")
    return "NUMERIC" if values and all(map(number.fullmatch, values)) else "TEXT"


@pytest.fixture(scope="module")
def synthea(file: Path) -> Iterator[Wall]:
    with wall(file, POLICY["tags"], POLICY["treatments"]) as made:
        yield made


@pytest.fixture(scope="module")
def raw() -> set[str]:
    """What identifies the patients, in lower case; ZIP codes are looked at apart."""
    people = rows_of("patients")
    return {row[name].casefold() for row in people for name in RAW if len(row[name]) > 2}


class TestSynthea:
    @pytest.mark.parametrize("case", QUERIES, ids=lambda case: case["id"])
    def test_nothing_of_a_patient_is_in_any_frame(self, synthea, raw, case):
        """No name, number, address, day of birth or identifier of any of them."""
        seen = synthea.ask(case["sql"])
        assert seen.error is None, str(seen.error)
        assert seen.fault is None
        assert len(seen.frame) > 0
        assert seen.mismatched == 0
        folded = seen.everything.casefold()
        assert sorted(value for value in raw if value in folded) == []
        digits = re.sub(r"[^0-9\n]", "", folded)
        numbers = {re.sub(r"\D", "", row["SSN"]) for row in rows_of("patients")}
        assert [number for number in numbers if number in digits] == []

    def test_zip_codes_come_as_areas(self, synthea):
        """Three digits, and never the five."""
        codes = {row["ZIP"] for row in rows_of("patients")}
        shown = {value for (value,) in synthea.ask("SELECT ZIP FROM patients").rows if value}
        assert shown
        assert all(re.fullmatch("[0-9]{3}", value) for value in shown)
        assert shown <= {code[:3] for code in codes} | {"000"}

    @pytest.mark.parametrize(
        "case", [c for c in QUERIES if c.keys() & {"same", "same_columns"}], ids=lambda c: c["id"]
    )
    def test_what_is_clear_is_what_the_bare_database_gives(self, synthea, file, case):
        """Counts, sums and groups, also over joins on pseudonyms."""
        ours, theirs = synthea.ask(case["sql"]), bare(file, case["sql"])
        assert list(ours.frame.columns) == list(theirs.frame.columns)
        names = case.get("same_columns", list(theirs.frame.columns))
        assert [_only(ours, names)] == [_only(theirs, names)]


def _only(seen: Seen, names: list[str]) -> list[list[Any]]:
    keep = [i for i, name in enumerate(seen.frame.columns) if name in names]
    return [[row[i] for i in keep] for row in seen.rows]
