"""
Statements nobody wrote, against the wall.

Seeded, so that a find can be made again: the assertion names the statement.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.canaries import Canaries
from tests.support.sql_mutation import Mutator
from tests.support.wall import Wall, cases, hospital, hospital_policy, wall

SEAL = re.compile(r"⟦gov:[A-Za-z0-9_=-]{9}|\\u27e6gov:", re.IGNORECASE)
SLOWEST = 10.0
SHORT = 700
LONG_SECONDS = 900
SOURCES = ("masking_bypass.jsonl", "more_bypass.jsonl", "legit.jsonl")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hospital(tmp_path_factory.mktemp("fuzz") / "hospital.db")


@pytest.fixture(scope="module")
def ward(database: Path) -> Iterator[Wall]:
    treatments, tags = hospital_policy()
    with wall(database, tags, treatments) as made:
        made.tables -= {"unlisted", "audit_log"}
        yield made


@pytest.fixture(scope="module")
def canaries(database: Path) -> Canaries:
    treatments, tags = hospital_policy()
    return Canaries.of(database, tags, treatments)


@pytest.fixture(scope="module")
def corpus(canaries: Canaries) -> list[str]:
    """The case files' statements, with the raw values in them replaced by others."""
    found = []
    for name in SOURCES:
        for case in cases(name):
            if case.get("kind") == "resource":
                continue
            sql = case["sql"]
            for value in canaries.seen_in(sql):
                sql = re.sub(re.escape(value), "nobody", sql, flags=re.IGNORECASE)
            found.append(sql)
    return found


def attack(ward: Wall, canaries: Canaries, sql: str, *, doorman: bool) -> str:
    """Run one; returns what became of it."""
    seen = ward.ask(sql, {"p": "7", "id": 7, "t": "t", "a": "a", "s": "s"}, doorman=doorman,
                    seconds=0.5)  # fmt: skip
    assert seen.fault is None, f"{seen.fault!r}: {sql!r}"
    assert canaries.seen_in(seen.everything) == [], sql
    assert SEAL.search(seen.everything.replace(sql, "")) is None, sql
    assert seen.mismatched == 0, sql
    assert seen.seconds < SLOWEST, sql
    return seen.error.code if seen.error else "rows" if seen.rows else "no rows"


class TestFuzz:
    def test_no_statement_made_by_chance_shows_a_raw_value(self, ward, canaries, corpus):
        """A few hundred, with the doorman and without; some must reach the data, or it is idle."""
        source = Mutator(corpus, seed=2026)
        became = Counter(
            attack(ward, canaries, sql, doorman=doorman)
            for sql in (source.statement() for _ in range(SHORT))
            for doorman in (True, False)
        )
        assert became["rows"] > SHORT // 10
        assert len(became) > 5

    @pytest.mark.soak
    @pytest.mark.timeout(LONG_SECONDS + 300)
    def test_no_statement_made_by_chance_ever_does(self, ward, canaries, corpus):
        """Many more, from a new seed each time, which is printed."""
        seed = time.time_ns()
        print("seed", seed)
        source = Mutator(corpus, seed)
        became: Counter[str] = Counter()
        until = time.monotonic() + LONG_SECONDS
        while time.monotonic() < until:
            sql = source.statement()
            for doorman in (True, False):
                became[attack(ward, canaries, sql, doorman=doorman)] += 1
        print(dict(became))
        assert became["rows"] > 1_000
