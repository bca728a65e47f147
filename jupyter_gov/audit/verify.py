"""Whether a log is whole: what an auditor runs, on a copy, with nothing but the file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from jupyter_gov.audit.merkle import Tree, leaf_hash
from jupyter_gov.audit.ports import Leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found."""

    size: int
    root: bytes
    problems: tuple[str, ...]
    unclosed: tuple[str, ...]
    """Intents without an outcome: running now, or left by a crash until the next start."""

    @property
    def whole(self) -> bool:
        return not self.problems


def verify(leaves: Iterable[Leaf], known: tuple[int, bytes] | None = None) -> Report:
    """
    Recompute every hash and the root, and check what the records say of each other.

    Args:
        known: size and root noted earlier, outside.  Without it a truncated or wholly rewritten
            log looks whole: that is the limit of a log alone.
    """
    tree = Tree()
    problems: list[str] = []
    intents: dict[str, bool] = {}
    met = known is not None and known[0] == 0
    for leaf in leaves:
        where = f"record {tree.size}"
        if leaf.seq != tree.size:
            problems.append(f"{where}: missing; the next one is {leaf.seq}")
            break
        if not isinstance(leaf.body, bytes):
            problems.append(f"{where}: its body is not bytes")
            break
        if leaf_hash(leaf.body) != leaf.leaf:
            problems.append(f"{where} ({leaf.record}): its bytes do not match its hash")
        problems += [f"{where} ({leaf.record}): {said}" for said in _columns(leaf)]
        if leaf.kind == "intent":
            if leaf.record in intents:
                problems.append(f"{where} ({leaf.record}): the same intent stands twice")
            intents[leaf.record] = False
        elif leaf.kind == "outcome":
            if intents.get(leaf.of) is not False:
                problems.append(f"{where} ({leaf.record}): closes no open intent")
            intents[leaf.of] = True
        tree.add(leaf_hash(leaf.body))
        if known is not None and tree.size == known[0]:
            met = True
            if tree.root() != known[1]:
                problems.append(
                    f"the first {known[0]} records are not those of the root noted earlier"
                )
    if known is not None and not met:
        problems.append(f"the log has {tree.size} records; {known[0]} were noted earlier")
    return Report(
        size=tree.size,
        root=tree.root(),
        problems=tuple(problems),
        unclosed=tuple(record for record, closed in intents.items() if not closed),
    )


def _columns(leaf: Leaf) -> list[str]:
    try:
        body = json.loads(leaf.body)
    except (ValueError, RecursionError):
        return ["its bytes are not JSON"]
    if not isinstance(body, dict):
        return ["its bytes are no event"]
    pairs = (("record", leaf.record), ("kind", leaf.kind), ("of", leaf.of))
    return [
        f"its column {name!r} says otherwise" for name, value in pairs if body.get(name) != value
    ]
