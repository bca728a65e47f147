"""Where a name stands in the user's statement, and which known names are close to it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from sqlglot.tokenizer_core import TokenType

from jupyter_gov.errors import GovError, Position
from jupyter_gov.sql.places import position_of
from jupyter_gov.sql.postgres_lexemes import Kind, lexemes
from jupyter_gov.sql.tokens import tokens_of


def place_of(name: str, sql: str, dialect: str) -> Position | None:
    """
    The first place where *name* (``column`` or ``table.column``) stands in *sql*.

    None if it does not: then a text about it did not come from the user and must not be shown.
    """
    wanted = [part.lower() for part in name.split(".")]
    try:
        parts = list(_parts(sql, dialect))
    except GovError:
        return None
    texts = [text for _, text in parts]
    for index, (start, _) in enumerate(parts):
        if texts[index : index + 2 * len(wanted) - 1 : 2] == wanted:
            return position_of(sql, start)
    return None


def _parts(sql: str, dialect: str) -> Iterator[tuple[int, str | None]]:
    """Where each token begins and its text in lower case; None for what is no name."""
    if dialect == "postgres":
        for lexeme in lexemes(sql):
            named = lexeme.named or lexeme.kind is Kind.BIND
            yield lexeme.start, lexeme.value.lower() if named or lexeme.mark(".") else None
        return
    for token in tokens_of(sql, dialect):
        plain = token.token_type != TokenType.STRING
        yield token.start, token.text.lower() if plain else None


def near_matches(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Up to three known names that look like *name*, best first."""
    by_plain = {own.lower(): own for own in known}
    wanted = name.rsplit(".", 1)[-1].lower()
    close = difflib.get_close_matches(wanted, by_plain, n=3, cutoff=0.6)
    return tuple(by_plain[plain] for plain in close)
