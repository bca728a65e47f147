"""
Every attack of the case files on a real PostgreSQL, with and without the doorman.

Without it the database's privileges stand alone: no raw value may come back either way.  Oracles
compare two statements; what they can still tell is counted apart, in the closing test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.cases.run_attacks import judge_attack
from tests.support.postgres import CASES, Server
from tests.support.postgres_wall import Wall, hospital, walls

FILES = ("masking_bypass.jsonl", "postgres/more_bypass.jsonl")
ATTACKS = [
    json.loads(line)
    for name in FILES
    if (CASES / name).exists()
    for line in (CASES / name).read_text(encoding="utf-8").splitlines()
]
VALUES = [a for a in ATTACKS if not isinstance(a["leaks"], dict) or "all" in a["leaks"]]
ORACLES = [a for a in ATTACKS if isinstance(a["leaks"], dict) and "oracle" in a["leaks"]]


@pytest.fixture(scope="module")
def wall(postgres: Server, hospital_template: str) -> Iterator[Wall]:
    """The hospital under the file's own policy."""
    profile, tags, schemas = hospital()
    with walls(postgres, hospital_template, {"file": profile}, tags, schemas) as made:
        yield made["file"]


def statements(attack: dict[str, Any]) -> list[str]:
    sql = attack["sql"]
    return [sql] if isinstance(sql, str) else sql


def leaked(attack: dict[str, Any], text: str) -> bool:
    """Whether what the attack is after is in a text."""
    leaks = attack["leaks"]
    if isinstance(leaks, dict):
        return all(value in text for value in leaks["all"])
    return any(value in text for value in ([leaks] if isinstance(leaks, str) else leaks))


def test_our_own_attacks_succeed_on_the_bare_database(
    postgres: Server, hospital_template: str
) -> None:
    """As the hospital's owner each brings its value back: one that never could proves nothing."""
    postgres.create("bare", hospital_template)
    harmless = []
    with postgres.connect("bare") as owner:
        owner.execute("SET ROLE hospital_owner")
        for attack in VALUES:
            if not attack["id"].startswith("PB-"):
                continue
            try:
                cursor = owner.execute(attack["sql"])
                rows = cursor.fetchall() if cursor.description else []
                text = "\n".join(str(value) for row in rows for value in row)
            except psycopg.Error as error:
                text = str(error)
            if not leaked(attack, text):
                harmless.append(attack["id"])
    postgres.drop("bare")
    assert harmless == []


@pytest.mark.parametrize("doorman", [True, False], ids=["gate", "no-gate"])
@pytest.mark.parametrize("attack", VALUES, ids=lambda a: a["id"])
def test_no_raw_value_comes_back(wall: Wall, attack: dict[str, Any], doorman: bool) -> None:
    """Not in rows, names, errors, trailers or faults."""
    seen = [wall.ask(sql, doorman=doorman, seconds=5) for sql in statements(attack)]
    text = "\n".join(each.everything for each in seen)
    assert not leaked(attack, text.replace(statements(attack)[-1], "")), text[:500]
    assert [each.fault for each in seen if each.fault] == []


STILL_TELLS = {
    "MB-191": "the two differ in the name PostgreSQL gives a column; both values are NULL",
    "MB-217": "the rank of the pseudonyms, which is not that of the values",
    "MB-239": "a character of the pseudonym's own",
}
"""Where the two answers differ, and what that tells: nothing of a value."""


@pytest.mark.parametrize("doorman", [True, False], ids=["gate", "no-gate"])
def test_what_two_statements_can_still_tell_apart_is_known(wall: Wall, doorman: bool) -> None:
    """Each oracle of the case files compares a guess with its control."""

    def execute(sql: str) -> tuple[list[str], list[tuple[Any, ...]], str | None]:
        seen = wall.ask(sql, doorman=doorman, seconds=10)
        return seen.columns, seen.rows, str(seen.error or seen.fault or "") or None

    told = {
        attack["id"]: detail
        for attack in ORACLES
        for leak, _, detail in [judge_attack(attack, lambda: execute)]
        if leak
    }
    assert told.keys() <= STILL_TELLS.keys(), told


@pytest.mark.timeout(60)
def test_a_copy_that_no_gate_stopped_ends_at_once(wall: Wall) -> None:
    """Its results never end by themselves; the fuzzer found it.  The next statement is served."""
    seen = wall.ask("COPY (SELECT ssn FROM patients) TO STDOUT", doorman=False)
    assert seen.error is not None
    assert wall.ask("SELECT 1 AS one").rows == [(1,)]
