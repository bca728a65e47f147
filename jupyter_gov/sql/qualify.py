"""
Schemas of the user's statement in the place of which others are asked.

Convenience, not safety: a role cannot read the schemas that the user names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp

from jupyter_gov.sql.edits import Edit, edited
from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.postgres_lexemes import Kind, lexemes


def requalified(statement: Statement, schemas: Mapping[str, str], also: Sequence[Edit] = ()) -> str:
    """
    A PostgreSQL statement over other schemas: ``public.patients`` → ``"gov_x_public".patients``.

    Before tables, columns and called functions; parts of the text that name no schema stay.

    Args:
        schemas: from a schema's name to the other's, neither quoted.
        also: edits that go before: what they replace is left to them.
    """
    starts = set(_schemas_of(statement.tree)) if statement.tree is not None else set()
    found = lexemes(statement.text)
    edits = []
    for index, lexeme in enumerate(found):
        if not lexeme.named or lexeme.value not in schemas:
            continue
        called = (
            [each.value for each in found[index + 1 : index + 4 : 2]] == [".", "("]
            and found[index + 2].named
            and not (index and found[index - 1].mark("."))
        )
        if lexeme.start in starts or called:
            other = schemas[lexeme.value].replace('"', '""')
            edits.append(Edit(lexeme.start, lexeme.end, f'"{other}"'))
    edits = [
        edit
        for edit in edits
        if not any(other.start < edit.end and edit.start < other.end for other in also)
    ]
    return edited(statement.text, [*edits, *also])


def same_place(executed: str, offset: int, written: str) -> int | None:
    """
    Where in the user's text the token stands that is at *offset* in the text that was run.

    The two differ token by token, and at the beginning, where EXPLAIN has its options; so tokens
    are counted from the end.  None if that cannot be said.
    """
    ran = [each for each in lexemes(executed, numbered=True) if not each.mark(";")]
    own = [each for each in lexemes(written) if not each.mark(";")]
    index = next((i for i, each in enumerate(ran) if each.start <= offset < each.end), None)
    if index is None:
        return None
    from_end = len(ran) - index
    if from_end > len(own):
        return None
    mine, its = own[len(own) - from_end], ran[index]
    replaced = its.kind in (Kind.PARAMETER, Kind.QUOTED)
    same = (mine.kind, mine.value) == (its.kind, its.value)
    return mine.start if same or replaced else None


def _schemas_of(tree: exp.Expr) -> Iterator[int]:
    """Where the schema of a table, or of a column's table, begins."""
    for node in tree.find_all(exp.Table, exp.Column):
        schema = node.args.get("db")
        if isinstance(schema, exp.Identifier) and "start" in schema.meta:
            yield schema.meta["start"]
