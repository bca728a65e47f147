"""Places in a text, and names as a database compares them."""

from __future__ import annotations

from jupyter_gov.errors import Position


def position_of(sql: str, offset: int) -> Position:
    """Line and column of an offset."""
    before = sql[:offset]
    return Position(
        line=before.count("\n") + 1, column=offset - (before.rfind("\n") + 1) + 1, offset=offset
    )


def folded(word: str) -> str:
    """As PostgreSQL folds an unquoted name in a UTF-8 database: only A to Z."""
    return "".join(c.lower() if "A" <= c <= "Z" else c for c in word)
