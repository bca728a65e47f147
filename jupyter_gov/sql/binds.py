"""Parameters: from ``:name``, as the user writes them, to ``$1``, as PostgreSQL takes them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from sqlglot.tokenizer_core import TokenType

from jupyter_gov.sql.edits import Edit, edited
from jupyter_gov.sql.postgres_lexemes import Kind, lexemes
from jupyter_gov.sql.tokens import tokens_of


def numbered(sql: str, dialect: str, order: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """
    The statement with ``$1`` and so on in the place of its parameters.

    What looks like one in a text, a cast or a slice is none.

    Args:
        order: names in the order of their numbers; names that are not in it come after.

    Returns:
        The text, and the name of each number.  Raises BadSyntax, StatementRefused.
    """
    names = list(dict.fromkeys(order))
    edits = []
    for start, end, name in _places(sql, dialect):
        if name not in names:
            names.append(name)
        edits.append(Edit(start, end, f"${names.index(name) + 1}"))
    return edited(sql, edits), tuple(names)


def _places(sql: str, dialect: str) -> Iterator[tuple[int, int, str]]:
    if dialect == "postgres":
        for lexeme in lexemes(sql):
            if lexeme.kind is Kind.BIND:
                yield lexeme.start, lexeme.end, lexeme.value
        return
    for token, after in itertools.pairwise(tokens_of(sql, dialect)):
        if token.token_type == TokenType.COLON and after.start == token.end + 1:
            yield token.start, after.end + 1, sql[after.start : after.end + 1]
