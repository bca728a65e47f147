"""
Every attack of the case files on a real PostgreSQL, with and without the doorman.

Without it the database's privileges stand alone: no raw value may come back either way.  Oracles
compare two statements; what they can still tell is counted apart, in the closing test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

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


@pytest.mark.parametrize("doorman", [True, False], ids=["gate", "no-gate"])
@pytest.mark.parametrize("attack", VALUES, ids=lambda a: a["id"])
def test_no_raw_value_comes_back(wall: Wall, attack: dict[str, Any], doorman: bool) -> None:
    """Not in rows, names, errors, trailers or faults."""
    seen = [wall.ask(sql, doorman=doorman, seconds=5) for sql in statements(attack)]
    text = "\n".join(each.everything for each in seen)
    leaks = attack["leaks"]
    if isinstance(leaks, dict):
        assert not all(value in text for value in leaks["all"]), text[:500]
    else:
        for value in [leaks] if isinstance(leaks, str) else leaks:
            assert value not in text
    assert [each.fault for each in seen if each.fault] == []
