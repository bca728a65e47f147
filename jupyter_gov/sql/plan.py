"""
A plan of PostgreSQL, as far as it may be shown.

What a user gains from a plan is its shape: which joins, sorts and aggregates, and which tables
are scanned as a whole.  The rest of it tells of what the masked views are made of and of the data:
conditions hold the row filters, outputs the treatments, estimates the counts of hidden rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

_WORDS = re.compile(r"[A-Za-z][A-Za-z ]{0,40}")
_CUT = 200
"""Nodes; a longer plan is cut."""


def filtered(plan_json: Any, named: Collection[str] = (), *, costs: bool = False) -> list[str]:
    """
    The lines that a user may see, indented as the nodes lie in each other.

    Args:
        plan_json: what ``EXPLAIN (FORMAT JSON)`` gave, read.
        named: relations and WITH names that stand in the user's own statement, with or without
            their schemas; others are not named.
        costs: whether the planner's costs may be shown: not where a row filter is involved, since
            they count the rows that it hides.
    """
    plain = frozenset(name.rpartition(".")[2].strip('"').lower() for name in named)
    top = plan_json[0] if isinstance(plan_json, Sequence) and plan_json else plan_json
    plan = top.get("Plan") if isinstance(top, Mapping) else None
    if not isinstance(plan, Mapping):
        return []
    lines: list[str] = []
    for line in _lines(plan, plain, costs, 0):
        if len(lines) == _CUT:
            lines.append("…")
            break
        lines.append(line)
    return lines


def _lines(
    node: Mapping[str, Any], named: frozenset[str], costs: bool, depth: int
) -> Iterator[str]:
    if _is_private(node, named):
        return
    arrow = "  " * depth + ("-> " if depth else "")
    yield arrow + _said(node, named) + (_cost(node) if costs else "")
    for below in _below(node):
        yield from _lines(below, named, costs, depth + 1)


def _said(node: Mapping[str, Any], named: frozenset[str]) -> str:
    said = [_word(node.get("Node Type")) or "a step"]
    join = _word(node.get("Join Type"))
    if join and join != "Inner":
        said[0] = said[0].replace(" Join", "") + f" {join} Join"
    if said[0] == "Aggregate" and (strategy := _word(node.get("Strategy"))):
        said = [{"Hashed": "HashAggregate", "Sorted": "GroupAggregate"}.get(strategy, "Aggregate")]
    if node.get("Parallel Aware") is True:
        said.insert(0, "Parallel")
    for key in ("Relation Name", "CTE Name"):
        name = node.get(key)
        if isinstance(name, str) and name.lower() in named:
            said.append(f"on {name}")
    return " ".join(said)


def _below(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    plans = node.get("Plans")
    if not isinstance(plans, Sequence):
        return []
    return [below for below in plans if isinstance(below, Mapping)]


def _is_private(node: Mapping[str, Any], named: frozenset[str]) -> bool:
    """A subquery of a view's own, such as one that fetches a key."""
    if node.get("Parent Relationship") not in ("InitPlan", "SubPlan"):
        return False
    relations = list(_relations(node))
    return not relations or not all(name.lower() in named for name in relations)


def _relations(node: Mapping[str, Any]) -> Iterator[str]:
    for key in ("Relation Name", "CTE Name"):
        if isinstance(node.get(key), str):
            yield node[key]
    for below in _below(node):
        yield from _relations(below)


def _cost(node: Mapping[str, Any]) -> str:
    first, last = node.get("Startup Cost"), node.get("Total Cost")
    if not isinstance(first, int | float) or not isinstance(last, int | float):
        return ""
    return f"  (cost={first:.2f}..{last:.2f})"


def _word(value: Any) -> str:
    """A word of the server's own, and nothing that could be a name or a value."""
    return value if isinstance(value, str) and _WORDS.fullmatch(value) else ""
