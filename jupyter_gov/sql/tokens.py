"""Tokens as the parser cuts them."""

from __future__ import annotations

import logging

import sqlglot
from sqlglot.tokenizer_core import Token

from jupyter_gov.errors import BadSyntax, Next

# sqlglot warns with the statement's own text, which may hold what must not be in a log.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


def tokens_of(sql: str, dialect: str) -> list[Token]:
    """Tokens with their offsets.  Raises BadSyntax."""
    try:
        return sqlglot.tokenize(sql, read=dialect)
    except Exception:  # whatever a library makes of a hostile text, it is not understood
        raise BadSyntax("the statement does not parse", next=Next("fix_sql")) from None
