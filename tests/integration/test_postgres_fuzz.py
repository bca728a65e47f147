"""
Statements nobody wrote, against PostgreSQL, with the gate and without.

Looks for raw values in everything the user can see: rows, names, errors, plans, what is said of
the columns, and what the gateway writes to its own log.  Seeded: a find can be made again.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from psycopg import sql as pg

from jupyter_gov.errors import DatabaseUnavailable
from tests.support.canaries import Canaries
from tests.support.postgres import CASES, Server
from tests.support.postgres_language import POSTGRES
from tests.support.postgres_wall import Wall, hospital, walls
from tests.support.sql_mutation import Mutator

SHORT = 400
LONG_SECONDS = 900
SLOWEST = 60.0
SEAL = re.compile(r"⟦gov:[A-Za-z0-9_=-]{9}|\\u27e6gov:", re.IGNORECASE)
SOURCES = (
    "masking_bypass.jsonl", "legit.jsonl", "postgres/more_bypass.jsonl",
    "postgres/gate_passes.jsonl",
)  # fmt: skip
TREATMENTS = [{}, {"ssn": "partial", "name": "pseudonym", "email": "seal", "birth_date": "age"}]


@pytest.fixture(scope="module", params=TREATMENTS, ids=["file", "other"])
def wall(
    request: pytest.FixtureRequest, postgres: Server, hospital_template: str
) -> Iterator[Wall]:
    profile, tags, schemas = hospital(request.param)
    with walls(postgres, hospital_template, {"one": profile}, tags, schemas) as made:
        yield made["one"]


@pytest.fixture(scope="module")
def canaries(wall: Wall, postgres: Server) -> Canaries:
    """Every raw value of a treated column; what `partial` shows on purpose is not among them."""
    clear: list[str] = []
    treated: list[str] = []
    with postgres.connect(wall.database) as dba:
        for table, columns in wall.profile.tags.items():
            schema, _, name = table.rpartition(".")
            for column, tag in columns.items():
                rows = dba.execute(
                    pg.SQL("SELECT {}::text FROM {}").format(
                        pg.Identifier(column), pg.Identifier(schema or "public", name)
                    )
                )
                values = [value for (value,) in rows if value is not None]
                plain = str(wall.profile.policy(tag).treatment) == "clear"
                (clear if plain else treated).extend(values)
    names = [*wall.profile.tags, *(c for own in wall.profile.tags.values() for c in own)]
    names.append("routine")  # a word of the notes, and of PostgreSQL's own catalogs
    return Canaries.unlike(clear, treated, names)


@pytest.fixture(scope="module")
def corpus(canaries: Canaries) -> list[str]:
    """The case files' statements, with the raw values in them replaced by others."""
    found = []
    for name in SOURCES:
        for line in (CASES / name).read_text(encoding="utf-8").splitlines():
            said = json.loads(line)["sql"]
            for sql in [said] if isinstance(said, str) else said:
                for value in canaries.seen_in(sql):
                    sql = re.sub(re.escape(value), "nobody", sql, flags=re.IGNORECASE)
                found.append(sql)
    return found


def attack(
    wall: Wall, canaries: Canaries, logged: pytest.LogCaptureFixture, sql: str, *, doorman: bool
) -> str:
    """Run one; returns what became of it."""
    logged.clear()
    seen = wall.ask(sql, {"p": "7", "d": "7"}, doorman=doorman, seconds=1.0)
    assert seen.fault is None, f"{seen.fault!r}: {sql!r}"
    everything = f"{seen.everything}\n{logged.text}"
    assert canaries.seen_in(everything, but_for=sql) == [], sql
    assert SEAL.search(everything.replace(sql, "")) is None, sql
    assert seen.mismatched == 0, sql
    assert seen.seconds < SLOWEST, sql
    assert not isinstance(seen.error, DatabaseUnavailable), sql
    return seen.error.code if seen.error else "rows" if seen.rows else "no rows"


class TestFuzz:
    def test_no_statement_made_by_chance_shows_a_raw_value(self, wall, canaries, corpus, caplog):
        """A few hundred, with the gate and without; some must reach the data, or it is idle."""
        caplog.set_level(logging.DEBUG)
        source = Mutator(corpus, seed=2026, language=POSTGRES)
        became = Counter(
            attack(wall, canaries, caplog, sql, doorman=doorman)
            for sql in (source.statement() for _ in range(SHORT))
            for doorman in (True, False)
        )
        assert became["rows"] > SHORT // 10
        assert len(became) > 5

    @pytest.mark.soak
    @pytest.mark.timeout(LONG_SECONDS + 300)
    def test_no_statement_made_by_chance_ever_does(self, wall, canaries, corpus, caplog):
        """Many more, from a new seed each time, which is printed."""
        caplog.set_level(logging.INFO)
        seed = time.time_ns()
        print("seed", seed)
        source = Mutator(corpus, seed, POSTGRES)
        became: Counter[str] = Counter()
        until = time.monotonic() + LONG_SECONDS
        while time.monotonic() < until:
            sql = source.statement()
            for doorman in (True, False):
                became[attack(wall, canaries, caplog, sql, doorman=doorman)] += 1
        print(dict(became))
        assert became["rows"] > 1_000
