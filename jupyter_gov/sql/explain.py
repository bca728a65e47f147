"""
EXPLAIN: where the query begins that is to be explained.

Nothing runs: ANALYZE is refused, and so is every option but the ones that only shape the plan.
"""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_gov.errors import BadSyntax, Next, StatementRefused
from jupyter_gov.sql.places import position_of
from jupyter_gov.sql.postgres_lexemes import Lexeme

_FIX = Next("fix_sql")
_VALUES = {"format": {"text", "json"}, "costs": {"on", "off", "true", "false"}}


def query_of(sql: str, found: Sequence[Lexeme]) -> tuple[str, int]:
    """
    ``query`` or ``explain``, and the index of the query's first token.

    Raises StatementRefused for an option that runs or tells more.
    """
    if not found[0].word("explain"):
        return "query", 0
    first = 1
    if len(found) > 2 and found[1].mark("(") and _option(found[2]):
        first = _after_options(sql, found)
    if first >= len(found):
        raise BadSyntax(
            "EXPLAIN has no query", position=position_of(sql, found[0].start), next=_FIX
        )
    if found[first].word("analyze", "analyse", "verbose"):
        raise _refused(sql, found[first])
    return "explain", first


def _option(lexeme: Lexeme) -> bool:
    """A parenthesis after EXPLAIN may also be the query's own."""
    return lexeme.named and not lexeme.word("select", "with", "values", "table")


def _after_options(sql: str, found: Sequence[Lexeme]) -> int:
    at = 2
    while at < len(found):
        name = found[at]
        if not name.word(*_VALUES):
            raise _refused(sql, name)
        at += 1
        if at < len(found) and found[at].named:
            if found[at].value not in _VALUES[name.value]:
                raise _refused(sql, found[at])
            at += 1
        elif name.value == "format":
            raise _refused(sql, name)
        if at < len(found) and found[at].mark(")"):
            return at + 1
        if at >= len(found) or not found[at].mark(","):
            break
        at += 1
    raise BadSyntax(
        "the options of EXPLAIN do not parse", position=position_of(sql, found[1].start), next=_FIX
    )


def _refused(sql: str, lexeme: Lexeme) -> StatementRefused:
    return StatementRefused(
        f"EXPLAIN takes no {lexeme.value.upper()} here",
        hint="The plan shows how the query would run, without running it; FORMAT TEXT, FORMAT"
        " JSON and COSTS may be written.",
        position=position_of(sql, lexeme.start),
        next=_FIX,
    )
