"""A tags file: the admin's tags and proposed ones as TOML, with why in comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from jupyter_gov.connections.described import Described
from jupyter_gov.connections.model import Paths, Tag
from jupyter_gov.connections.proposals import HARMLESS, Proposal

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml(
    connection: str,
    proposed: Sequence[tuple[Described, Proposal]],
    known: Mapping[str, Mapping[str, Tag]],
    treated: frozenset[str],
    how: str,
) -> str:
    """
    What `c.GovConnections.tags` takes.

    Args:
        proposed: every column, tables together.
        known: the tags there are; they go before what is proposed.
        treated: tags that have a treatment.
        how: what was looked at.
    """
    lines = [*_head(connection, proposed, known, treated, how)]
    table = None
    for column, proposal in proposed:
        if column.table != table:
            table = column.table
            lines += ["", f"[{_key(connection)}.{_key(table)}]"]
        own = known.get(column.table, {}).get(column.name)
        lines.append(_line(column, proposal, own))
    return "\n".join(lines) + "\n"


def _head(
    connection: str,
    proposed: Sequence[tuple[Described, Proposal]],
    known: Mapping[str, Mapping[str, Tag]],
    treated: frozenset[str],
    how: str,
) -> Iterator[str]:
    yield f"# Proposed for {_safe(connection)} by jupyter gov classify, from {how}."
    yield "# A proposal is a guess: read each line before you use it.  What has no tag is withheld"
    yield '# as long as c.GovMasking.untagged is "withhold".'
    new = {p.tag for c, p in proposed if p.tag and c.name not in known.get(c.table, {})}
    if missing := sorted(new - treated):
        yield "#"
        yield "# These tags need a treatment in c.GovMasking.treatments:"
        for tag in missing:
            yield f'#   {_string(tag)}: "{"clear" if tag in HARMLESS else "withhold"}",'
    open_ = sum(not p.tag and c.name not in known.get(c.table, {}) for c, p in proposed)
    if open_:
        yield "#"
        yield f"# Without a proposal, and so left out: {open_} of {len(proposed)} columns."


def _line(column: Described, proposal: Proposal, own: Tag | None) -> str:
    key = _key(column.name)
    why = "; ".join(proposal.evidence)
    if own is not None:
        against = ""
        if disagrees(own, proposal):
            against = f"; look again: {why}, which speaks for {proposal.tag}"
        return f"{key} = {_value(own)}  # as it is tagged now{_safe(against)}"
    if not proposal.tag:
        return f'# {key} = "?"  # {_safe(why)}'
    return f"{key} = {_string(proposal.tag)}  # {proposal.confidence:.2f}: {_safe(why)}"


def disagrees(own: Tag, proposal: Proposal) -> bool:
    """Whether a column may identify somebody, and its tag is one that names nobody."""
    return (
        isinstance(own, str)
        and own in HARMLESS
        and proposal.tag not in ("", *HARMLESS)
        and proposal.confidence >= 0.8
    )


def _value(tag: Tag) -> str:
    if isinstance(tag, Paths):
        parts = ", ".join(f"{_key(name)} = {_value(below)}" for name, below in tag.parts)
        return "{" + parts + "}"
    return _string(tag)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    """A basic string; JSON's escapes are TOML's, but for what JSON need not escape."""
    written = json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)
    return written.replace("\x7f", "\\u007F")


def _safe(text: str) -> str:
    """A comment ends with its line, and a terminal obeys what is not printable."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
