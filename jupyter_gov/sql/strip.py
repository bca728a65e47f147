"""
A statement without its literals: what may stand in the record in the clear.

Works on tokens, so that what does not parse can be recorded too.  Comments go, every literal
becomes ``?``, and a name stays only if the catalog or the language knows it: an alias such as
``"Zebulon Quartermain"`` is as good a place for a patient's name as a string.
"""

from __future__ import annotations

from collections.abc import Set

from sqlglot.dialects.dialect import Dialect
from sqlglot.tokenizer_core import TokenType

from jupyter_gov.errors import GovError
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
        tokens = tokens_of(sql[:MAX_STRIPPED], dialect)
    except GovError:
        return UNREADABLE
    tokenizer = Dialect.get_or_raise(dialect).tokenizer_class
    words = tokenizer.KEYWORDS.keys()
    marks = tokenizer.SINGLE_TOKENS.keys()
    renamed: dict[str, str] = {}
    shown: list[str] = []
    for token in tokens:
        text = token.text
        if token.token_type in _NAMES:
            plain = text.lower()
            if plain in known:
                shown.append(text)
            else:
                shown.append(renamed.setdefault(plain, f"_{len(renamed) + 1}"))
        elif token.token_type not in _TEXTS and (text.upper() in words or text in marks):
            shown.append(text.upper())
        else:
            shown.append("?")
    if len(sql) > MAX_STRIPPED:
        shown.append("…")
    return " ".join(shown)
