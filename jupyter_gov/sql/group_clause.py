"""Where a condition on the groups of a SELECT goes, in the user's own text."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot.tokenizer_core import TokenType

from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.postgres_lexemes import Kind, lexemes
from jupyter_gov.sql.tokens import tokens_of

_AFTER = ("order", "limit", "offset", "fetch", "for", "window")
_TEXTS = {TokenType.STRING, TokenType.IDENTIFIER}


@dataclass(frozen=True, slots=True)
class Places:
    """Offsets in the text."""

    having: int | None
    """After the word HAVING; None if there is none."""
    end: int
    """Where GROUP BY and HAVING have ended."""


def clauses(statement: Statement) -> Places:
    """Of a statement that is one SELECT without another inside it."""
    having: int | None = None
    end = depth = 0
    label = False
    for start, stop, word in _words(statement):
        if start < statement.begin:
            continue
        depth += (word in ("(", "[")) - (word in (")", "]"))
        if depth == 0 and not label:
            if word == "having":
                having = stop
            elif word.startswith(_AFTER) and word.split()[0] in _AFTER:
                return Places(having, end)
        if word != ";":
            end = stop
        label = word in ("as", ".")
    return Places(having, end)


def _words(statement: Statement) -> list[tuple[int, int, str]]:
    """Start, end and text of each token; a quoted one's text is empty."""
    if statement.dialect == "postgres":
        return [
            (each.start, each.end, each.value if each.kind in (Kind.WORD, Kind.MARK) else "")
            for each in lexemes(statement.text)
        ]
    return [
        (
            token.start,
            token.end + 1,
            "" if token.token_type in _TEXTS else token.text.lower(),
        )
        for token in tokens_of(statement.text, statement.dialect)
    ]
