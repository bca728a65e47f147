"""
Every statement of the case files against the wall: what leaks without it does not leak through it.

Each attack runs twice, with the doorman (`sql/gate.py`) and straight at the engine, since either
has to hold alone; and under profiles that use one treatment for everything, beside the ordinary
one.  An oracle answers yes or no without showing a value; those are reported apart.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from jupyter_gov.errors import GovError
from tests.support.canaries import Canaries
from tests.support.wall import Seen, Wall, bare, cases, hospital, hospital_policy, wall

ATTACKS = cases("masking_bypass.jsonl") + cases("more_bypass.jsonl")
LEAKS = [
    c for c in ATTACKS
    if "kind" not in c and isinstance(c["leaks"], list) and c["leaks"] != ["__executed__"]
]  # fmt: skip
ORACLES = [c for c in ATTACKS if "kind" not in c and isinstance(c["leaks"], dict)]
PROVEN = [c for c in ORACLES if c.get("verified_raw_leak", True)]
EXECUTED = ["__executed__"]
FORBIDDEN = [c for c in ATTACKS if c.get("kind") == "forbidden" or c["leaks"] == EXECUTED]
RESOURCES = [c for c in ATTACKS if c.get("kind") == "resource"]
ORDINARY = cases("legit.jsonl")

NOT_GRANTED = {"unlisted", "audit_log"}
ONE_FOR_ALL = ("pseudonym", "partial", "seal", "withhold", "age", "year", "zip3")

SEAL = re.compile(r"⟦gov:[A-Za-z0-9_=-]{9}|\\u27e6gov:", re.IGNORECASE)
"""A token is for the gateway's eyes: withheld in a cell, and never in an error."""

OPEN = {
    "SL-268": "the rank of what the mask leaves on purpose, the last four digits",
}
"""Oracles that answer though no raw value is involved, with the reason."""

ORDINARY_WORDS = {"gov", "ok", "patient", "patients", "full_name", "main", "CREATE", "name"}
"""Signs of the catalog that refusals use as well: the user wrote them, or they are our own."""


def ids(case: dict[str, Any]) -> str:
    return str(case["id"])


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hospital(tmp_path_factory.mktemp("hospital") / "hospital.db")


@pytest.fixture(scope="module")
def walls(database: Path) -> Iterator[dict[str, Wall]]:
    """The ordinary profile, and one for each treatment that a column can have."""
    treatments, tags = hospital_policy()
    with ExitStack() as stack:
        made = {}
        for name in ("ordinary", *ONE_FOR_ALL):
            own = {
                t: v if v == "clear" or name == "ordinary" else name for t, v in treatments.items()
            }
            built = stack.enter_context(wall(database, tags, own))
            built.tables -= NOT_GRANTED
            made[name] = built
        yield made


@pytest.fixture(scope="module")
def canaries(database: Path) -> Canaries:
    treatments, tags = hospital_policy()
    return Canaries.of(database, tags, treatments)


def ways(walls: dict[str, Wall], case: dict[str, Any]) -> Iterator[tuple[str, Seen]]:
    """The case under each profile, with and without the doorman."""
    for (name, each), doorman in itertools.product(walls.items(), (True, False)):
        seen = each.ask(case["sql"], case.get("binds"), doorman=doorman)
        yield f"{name}, {'gate' if doorman else 'engine alone'}", seen


class TestLeaks:
    @pytest.mark.parametrize("case", LEAKS, ids=ids)
    def test_no_raw_value_is_seen(self, walls, canaries, case):
        """Not in rows, names, the trailer or an error with its hint, near matches and place."""
        wrote = case["sql"] + str(case.get("binds", ""))
        for way, seen in ways(walls, case):
            assert seen.fault is None, way
            assert canaries.seen_in(seen.everything, but_for=wrote) == [], way
            assert SEAL.search(seen.everything.replace(case["sql"], "")) is None, way
            signs = set(case["leaks"]) - ORDINARY_WORDS
            told = {t for t in signs if t in seen.values or (len(t) > 3 and t in seen.said)}
            assert told - _said_by_any_text(way, case) == set(), way
            assert seen.mismatched == 0, way

    @pytest.mark.parametrize(
        "case", [c for c in LEAKS if c.get("verified_raw_leak", True)], ids=ids
    )
    def test_it_leaks_without_the_wall(self, database, case):
        """A case that leaks nowhere would prove nothing."""
        seen = bare(database, case["sql"], case.get("binds"))
        leaked = any(text in seen.data + seen.trailer for text in case["leaks"])
        if not leaked and case["category"].startswith("error"):
            pytest.skip(f"SQLite {sqlite3.sqlite_version} does not name the value in an error")
        assert leaked


def _said_by_any_text(way: str, case: dict[str, Any]) -> set[str]:
    """Signs of a text that is there and is so long: a mask is one too, where NULL is not."""
    if case["category"] != "function" or way.startswith(("ordinary", "withhold")):
        return set()
    return {"text", "some", "19"}


class TestOracles:
    @pytest.mark.parametrize("case", ORACLES, ids=ids)
    def test_no_oracle_answers_about_a_raw_value(self, walls, case, record_property):
        """The question and its control get one answer, but for what the mask leaves on purpose."""
        for doorman in (True, False):
            answer, control = (
                walls["ordinary"].ask(sql, case.get("binds"), doorman=doorman)
                for sql in (case["sql"], case["leaks"]["control_sql"])
            )
            assert answer.fault is None
            assert control.fault is None
            told = differs(case, answer, control)
            record_property("oracle", f"{case['id']} {'open' if told else 'closed'}")
            assert told is (case["id"] in OPEN)

    @pytest.mark.parametrize(
        "case", [c for c in PROVEN if c["leaks"]["observable"] != "timing"], ids=ids
    )
    def test_it_answers_without_the_wall(self, database, case):
        """Otherwise the case would prove nothing."""
        answer = bare(database, case["sql"], case.get("binds"))
        control = bare(database, case["leaks"]["control_sql"], case.get("binds"))
        assert differs(case, answer, control)


def differs(case: dict[str, Any], answer: Seen, control: Seen) -> bool:
    """Whether the observable tells the two apart."""
    match case["leaks"]["observable"]:
        case "rows":
            return answer.rows != control.rows or _failed(answer) != _failed(control)
        case "error":
            return _failed(answer) != _failed(control)
        case _:
            return abs(answer.seconds - control.seconds) > 0.5


def _failed(seen: Seen) -> str:
    return seen.error.code if seen.error else str(seen.frame is None)


class TestForbidden:
    @pytest.mark.parametrize("case", FORBIDDEN, ids=ids)
    def test_it_is_refused_by_the_gate_and_by_the_engine(self, walls, canaries, case):
        """Nothing runs, and nothing of the answer is an exception of ours."""
        for way, seen in ways({"ordinary": walls["ordinary"]}, case):
            assert seen.fault is None, way
            assert isinstance(seen.error, GovError), f"{way}: {seen.rows[:3]}"
            assert canaries.seen_in(seen.everything, but_for=case["sql"]) == [], way

    def test_nothing_was_written(self, database):
        """After all of them the file is as it was made."""
        (rows,) = bare(database, "SELECT count(*), sum(vip) FROM patients").rows
        assert rows == (30, 2) or rows[0] == 30
        assert bare(database, "SELECT count(*) FROM audit_log").rows == [(0,)]


class TestResources:
    @pytest.mark.parametrize("case", RESOURCES, ids=ids)
    def test_it_ends_in_time_with_an_error_of_the_tree_or_a_small_answer(self, walls, case):
        """No statement outlives its deadline by much, whatever it is made of."""
        seen = walls["ordinary"].ask(case["sql"], seconds=1.0)
        assert seen.fault is None
        assert seen.seconds < 8
        assert seen.error is not None or len(seen.data) < 5_000_000


class TestOrdinary:
    @pytest.mark.parametrize("case", ORDINARY, ids=ids)
    def test_an_analysts_query_gives_its_rows(self, database, walls, canaries, case):
        """A wall that refuses honest work would be taken down; clear columns come as they are."""
        seen = walls["ordinary"].ask(case["sql"])
        assert seen.error is None
        assert seen.fault is None
        truth = bare(database, case["sql"])
        assert list(seen.frame.columns) == list(truth.frame.columns)
        if case["masked"]:
            keep = clear_positions(seen)
            assert keep
            assert canaries.seen_in(seen.everything, but_for=case["sql"]) == []
        else:
            keep = list(range(len(seen.frame.columns)))
        for ours, theirs in zip(seen.rows, truth.rows, strict=True):
            assert [ours[i] for i in keep] == [theirs[i] for i in keep]


def clear_positions(seen: Seen) -> list[int]:
    """Columns of the frame whose name is a clear column's of `patients`."""
    treatments, tags = hospital_policy()
    clear = {c for c, tag in tags["patients"].items() if treatments[tag] == "clear"}
    return [i for i, name in enumerate(seen.frame.columns) if name in clear]
