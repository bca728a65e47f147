"""
What would become of a statement, as a notebook and a terminal show it.

Names in it come from a database and from a statement: untrusted, and escaped for each sink.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, replace

from jupyter_gov.errors import GovError
from jupyter_gov.kernel.display import plain, time_left
from jupyter_gov.wire import messages as m

_DECISIONS = {
    "allow": "allowed",
    "open": "allowed, and would open a grant first",
    "deny": "refused",
    "fail": "would fail",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation(m.Explanation):
    """The gateway's answer, with the statement it is about."""

    sql: str = ""

    def of(self, sql: str) -> Explanation:
        """The same, about that statement: so that a position can be shown in it."""
        return replace(self, sql=sql)

    @property
    def error(self) -> GovError | None:
        """What running it would raise; None if it may run."""
        if self.refusal is None:
            return None
        error = m.decode_error(self.refusal)
        error.statement = self.sql
        return error

    def __repr__(self) -> str:
        lines = [plain(f"{name}: {text}" if name else text) for name, text in _facts(self)]
        columns = list(_columns(self))
        if columns:
            wide = max(len(row[0]) for row in columns)
            lines += [
                plain(f"  {name:<{wide}}  {treatment}{f' ({enforced})' if enforced else ''}")
                for name, treatment, enforced in columns
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{_cell(name)}</th>"
            f"<td style='text-align:left; white-space:pre-wrap'>{_cell(text)}</td></tr>"
            for name, text in _facts(self)
        )
        columns = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{_cell(c)}</td>" for c in row) + "</tr>"
            for row in _columns(self)
        )
        if columns:
            head = "".join(f"<th>{name}</th>" for name in ("column", "treatment", "guarantee"))
            columns = f"<table><thead><tr>{head}</tr></thead><tbody>{columns}</tbody></table>"
        return f'<div class="jp-gov-explanation"><table>{rows}</table>{columns}</div>'


def _cell(text: str) -> str:
    return html.escape("\n".join(map(plain, text.split("\n"))))


def _facts(told: Explanation) -> Iterator[tuple[str, str]]:
    """What is said above the columns: name and text; each text is one line, but for a place."""
    yield "decision", _DECISIONS.get(told.decision, told.decision)
    yield "rule", told.rule
    error = told.error
    if error is not None:
        yield "code", error.code
        for line in error._render_traceback_()[1:]:
            yield "", line
        if error.near:
            yield "did you mean", ", ".join(error.near)
        if error.hint:
            yield "hint", error.hint
    yield "as", _who(told)
    if told.grant is not None:
        left = time_left(told.grant.seconds_left)
        yield "grant", f"{told.grant.grant} ({told.eligibility}), {left} left"
    elif told.eligibility:
        yield "grant", f"none yet; {told.eligibility} would give one for {told.opens_for}"
    if told.min_group:
        yield "groups", f"of at least {told.min_group} people; smaller ones are left out"
    if told.kind:
        yield "statement", f"{told.kind}, risk {told.risk}"
    if told.relations:
        yield "relations", ", ".join(told.relations)
    if told.binds:
        yield "parameters", ", ".join(f":{name}" for name in told.binds)
    if told.record:
        yield "record", told.record
    if told.tables:
        yield "reads", "as follows" if told.exact else "at most the following"


def _who(told: Explanation) -> str:
    who = told.principal
    name = f"{who.name} (agent of {who.on_behalf_of})" if who.on_behalf_of else who.name
    return f"{name}, for: {told.purpose}" if told.purpose else name


def _columns(told: Explanation) -> Iterator[tuple[str, str, str]]:
    for table in told.tables:
        if not table.columns:
            yield f"{table.name}", "no column of it", ""
        for column in table.columns:
            promised = column.guarantee or column.enforcement
            yield f"{table.name}.{column.name}", column.treatment, promised
