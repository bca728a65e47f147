"""Ordinary queries on PostgreSQL keep working, and what is clear comes back as it is."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from tests.cases.run_attacks import norm
from tests.support.postgres import CASES, Server
from tests.support.postgres_wall import Wall, hospital, walls


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8").splitlines()]


QUERIES = lines("legit.jsonl")
EXPECTED = {case["id"]: case for case in lines("legit_expected.jsonl")}


@pytest.fixture(scope="module")
def wall(postgres: Server, hospital_template: str) -> Iterator[Wall]:
    """The hospital under the file's own policy."""
    profile, tags, schemas = hospital()
    with walls(postgres, hospital_template, {"file": profile}, tags, schemas) as made:
        yield made["file"]


def spelled(value: Any) -> Any:
    """As the expected rows spell it, which are psql's."""
    if isinstance(value, str) and value.startswith("{") and '"' in value:
        value = json.loads(value)
    if isinstance(value, dict | list):
        return json.dumps(value)
    if value is pd.NaT:
        return None
    if isinstance(value, pd.Timedelta):
        return str(value).removeprefix("0 days ")
    return value


def shown(rows: list[tuple[Any, ...]], keep: list[int]) -> collections.Counter[tuple[Any, ...]]:
    return collections.Counter(tuple(norm(spelled(row[i])) for i in keep) for row in rows)


@pytest.mark.parametrize("case", QUERIES, ids=lambda c: c["id"])
def test_an_ordinary_query_gives_its_rows(wall: Wall, case: dict[str, Any]) -> None:
    """As many rows, the same names, every clear column as on the bare database, no treated one."""
    seen, expected = wall.ask(case["sql"]), EXPECTED[case["id"]]
    assert seen.fault is None
    assert seen.error is None, str(seen.error)
    names = expected["columns"]
    assert seen.columns == names
    keep = [i for i, name in enumerate(names) if name in case["unmasked"]]
    assert len(seen.rows) == len(expected["rows"])
    assert shown(seen.rows, keep) == shown(list(map(tuple, expected["rows"])), keep)
    for i, name in enumerate(names):
        if name in case["masked"]:
            raw = {row[i] for row in expected["rows"]} - {None}
            assert not raw & {str(row[i]) for row in seen.rows}


PLANS = [
    ("EXPLAIN SELECT * FROM patients WHERE mrn = 'x'", ["Seq Scan on patients"]),
    (
        "EXPLAIN SELECT e.department, count(*) FROM encounters e JOIN patients p"
        " ON p.patient_id = e.patient_id GROUP BY 1",
        ["Aggregate", "Join", "on encounters", "on patients"],
    ),
    ("EXPLAIN WITH x AS MATERIALIZED (SELECT 1 AS one) SELECT * FROM x", ["CTE Scan on x"]),
    ("EXPLAIN SELECT notes, zip, dob FROM patients WHERE patient_id = :id", ["patients"]),
]


@pytest.mark.parametrize(("sql", "shapes"), PLANS, ids=lambda value: str(value)[:40])
def test_a_plan_shows_its_shape_and_nothing_of_the_views(
    wall: Wall, sql: str, shapes: list[str]
) -> None:
    """Joins and scans of what the user named; no key, no function, no condition, no schema."""
    seen = wall.ask(sql, {"id": 7})
    assert seen.error is None
    assert seen.columns == ["QUERY PLAN"]
    text = "\n".join(line for (line,) in seen.rows)
    for shape in shapes:
        assert shape in text
    for secret in ("gov_", "sha256", "Filter", "InitPlan", "pad", "small_area", "Cond", "$"):
        assert secret not in text
