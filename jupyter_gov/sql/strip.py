"""
A statement without its literals: what may stand in the record in the clear.

Works on tokens, so that what does not parse can be recorded too.  Comments go, every literal
becomes ``?``, and a name stays only if the catalog or the language knows it: an alias such as
``"Zebulon Quartermain"`` is as good a place for a patient's name as a string.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from sqlglot.dialects.dialect import Dialect
from sqlglot.tokenizer_core import TokenType

from jupyter_gov.errors import GovError
from jupyter_gov.sql.postgres_lexemes import RESERVED, Kind, lexemes
from jupyter_gov.sql.tokens import tokens_of

UNREADABLE = "(not readable as SQL)"
MAX_STRIPPED = 20_000
"""Characters that are read; of a longer statement the rest is an ellipsis."""

_NAMES = {TokenType.VAR, TokenType.IDENTIFIER}
_TEXTS = {
    TokenType.STRING, TokenType.NUMBER, TokenType.NATIONAL_STRING, TokenType.RAW_STRING,
    TokenType.HEREDOC_STRING, TokenType.UNICODE_STRING, TokenType.BIT_STRING,
    TokenType.HEX_STRING, TokenType.BYTE_STRING,
}  # fmt: skip
"""Literals, whatever they say: ``'Grant'`` is a name before it is a word of the language."""


def strip_literals(sql: str, dialect: str, known: Set[str]) -> str:
    """
    *sql* without literals, comments and unknown names.

    Args:
        known: lower-case names of tables, columns and functions that may be shown.
    """
    try:
        parts = list(_parts(sql[:MAX_STRIPPED], dialect, known))
    except GovError:
        return UNREADABLE
    tokenizer = Dialect.get_or_raise(dialect).tokenizer_class
    words = tokenizer.KEYWORDS.keys()
    marks = tokenizer.SINGLE_TOKENS.keys()
    renamed: dict[str, str] = {}
    shown: list[str] = []
    for kind, text in parts:
        plain = text.lower()
        if kind == "name" and plain in known:
            shown.append(text)
        elif kind == "name":
            shown.append(renamed.setdefault(plain, f"_{len(renamed) + 1}"))
        elif kind == "word" and (text.upper() in words or text in marks):
            shown.append(text.upper())
        else:
            shown.append("?")
    if len(sql) > MAX_STRIPPED:
        shown.append("…")
    return " ".join(shown)


def _parts(sql: str, dialect: str, known: Set[str]) -> Iterator[tuple[str, str]]:
    """Each token as ``name``, ``word`` (of the language, or a mark) or ``literal``."""
    if dialect == "postgres":
        keywords = set(Dialect.get_or_raise(dialect).tokenizer_class.KEYWORDS)
        keywords -= {name.upper() for name in known}
        for lexeme in lexemes(sql):
            if lexeme.kind is Kind.QUOTED:
                yield "name", lexeme.value
            elif lexeme.kind is Kind.WORD:
                word = lexeme.value in RESERVED or lexeme.value.upper() in keywords
                yield ("word" if word else "name"), lexeme.value
            elif lexeme.kind is Kind.BIND:
                yield "word", ":"
                yield "name", lexeme.value
            else:
                mark = lexeme.kind in (Kind.OPERATOR, Kind.MARK)
                yield ("word" if mark else "literal"), lexeme.value
        return
    for token in tokens_of(sql, dialect):
        if token.token_type in _NAMES:
            yield "name", token.text
        else:
            yield ("literal" if token.token_type in _TEXTS else "word"), token.text
