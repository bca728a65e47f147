"""
Whether a write touches no more rows than it names.

It does if each column of one unique key of its table is compared with a constant, or with a
finite list of constants, and every other condition only narrows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp

_CONSTANTS = (exp.Literal, exp.Placeholder, exp.Boolean, exp.Null)


def is_bounded(tree: exp.Expr, unique_keys: Mapping[str, Sequence[frozenset[str]]]) -> bool:
    """Of an INSERT, UPDATE or DELETE; a MERGE never is."""
    if isinstance(tree, exp.Insert):
        return isinstance(tree.args.get("expression"), exp.Values) and all(
            _is_plain(cell) for row in tree.args["expression"].expressions for cell in row.walk()
        )
    if not isinstance(tree, exp.Update | exp.Delete):
        return False
    table = tree.this
    if not isinstance(table, exp.Table):
        return False
    named = f"{table.db}.{table.name}" if table.db else table.name
    keys = _keys_of(named, table.name, unique_keys)
    where = tree.args.get("where")
    if where is None or not keys:
        return False
    fixed = {
        column.name.lower()
        for column in _fixed(where.this)
        if not column.table or column.table.lower() == table.alias_or_name.lower()
    }
    joined = bool(tree.args.get("from_") or tree.args.get("from") or tree.args.get("using"))
    if joined:  # an unqualified column may be another table's
        fixed = {
            column.name.lower()
            for column in _fixed(where.this)
            if column.table.lower() == table.alias_or_name.lower()
        }
    return any({name.lower() for name in key} <= fixed for key in keys if key)


def _keys_of(
    named: str, plain: str, unique_keys: Mapping[str, Sequence[frozenset[str]]]
) -> Sequence[frozenset[str]]:
    folded = {table.lower(): keys for table, keys in unique_keys.items()}
    return folded.get(named.lower()) or folded.get(plain.lower()) or ()


def _fixed(condition: exp.Expr) -> Iterator[exp.Column]:
    """Columns that the condition holds to constants, whatever else it asks."""
    waiting = [condition]
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.And):
            waiting += [node.left, node.right]
        elif isinstance(node, exp.Paren):
            waiting.append(node.this)
        elif isinstance(node, exp.EQ):
            for one, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(one, exp.Column) and _is_constant(other):
                    yield one
        elif isinstance(node, exp.In) and isinstance(node.this, exp.Column):
            listed = node.expressions
            if listed and not node.args.get("query") and all(map(_is_constant, listed)):
                yield node.this


def _is_constant(node: exp.Expr) -> bool:
    while isinstance(node, exp.Paren | exp.Neg | exp.Cast):
        node = node.this
    return isinstance(node, _CONSTANTS)


def _is_plain(node: exp.Expr) -> bool:
    """Whether a part of an inserted row asks nothing of other rows."""
    return not isinstance(node, exp.Query | exp.Column)
