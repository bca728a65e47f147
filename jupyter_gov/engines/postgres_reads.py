"""
What a statement read, for the record.

PostgreSQL reports no columns, so the statement itself says it, and never too few: a column is
read if its name stands anywhere in the text, and all are where a whole row may be meant.
"""

from __future__ import annotations

from sqlglot import exp

from jupyter_gov.connections.model import Catalog
from jupyter_gov.errors import GovError
from jupyter_gov.sql.gate import Statement, tokens_of


def columns_read(statement: Statement, catalog: Catalog) -> tuple[str, ...]:
    """``table.column`` or ``table.*``; a table of which no column is named stands alone."""
    words, whole = _words(statement)
    found: set[str] = set()
    for name in statement.relations:
        table = catalog.resolve(name)
        if table is None:
            continue
        columns = [c.name for c in catalog.tables[table].columns if c.name.lower() in words]
        if whole:
            found.add(f"{table}.*")
        elif columns:
            found |= {f"{table}.{column}" for column in columns}
        else:
            found.add(table)
    return tuple(sorted(found))


def _words(statement: Statement) -> tuple[set[str], bool]:
    """Every name in the text, in lower case; and whether a whole row may be meant."""
    tree = statement.tree
    try:
        words = {token.text.lower() for token in tokens_of(statement.text, "postgres")}
    except GovError:
        return set(), True
    if tree is None:
        return words, True
    # `SELECT p FROM patients p`, `row_to_json(p)`, `(p).name`: an alias stands for the whole row.
    aliases = {t.alias_or_name.lower() for t in tree.find_all(exp.Table, exp.Subquery, exp.CTE)}
    named = any(column.name.lower() in aliases for column in tree.find_all(exp.Column))
    star = any(not isinstance(s.parent, exp.Count) for s in tree.find_all(exp.Star))
    natural = any(join.args.get("method") == "NATURAL" for join in tree.find_all(exp.Join))
    return words, named or star or natural
