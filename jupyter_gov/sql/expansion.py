"""
How large a statement becomes when a database puts its subqueries in.

``WITH a AS (SELECT 1 x), b AS (SELECT l.x FROM a l, a r), c AS (…from b l, b r)…`` doubles with
every line: thirty of them, less than 2 KB, took a database to 32 GB before it ran a single step,
where no timeout reaches.  The same holds for ``SELECT x + x AS x FROM (SELECT x + x AS x …)``,
since subqueries are flattened.  Both are counted here instead of being tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

MAX_NODES = 200_000
"""Nodes of a statement with everything put in: about a second and 100 MB of a database."""


MAX_WINDOWS = 100
"""Different windows: each is a subquery of its own, and 1,500 took a database 15 seconds."""


@dataclass(frozen=True, slots=True)
class _Size:
    """What a query weighs in nodes, and each of its columns as an expression."""

    nodes: int
    columns: Mapping[str, int] = field(default_factory=dict)


_WINDOW = ("alias", "partition_by", "order", "spec")
_BASE = _Size(1)
_Names = Mapping[str, _Size]


class _Ctes:
    """
    The CTEs that a query sees: its own, in whatever order they stand, and those around it.

    Each is weighed once, when it is first named.  Inside itself a CTE is a table of its own.
    """

    def __init__(self, tree: exp.Expr, around: _Ctes | None) -> None:
        with_ = tree.args.get("with_") or tree.args.get("with")
        self._around = around
        self._own = {cte.alias.lower(): cte for cte in with_.expressions} if with_ else {}
        self._sizes: dict[str, _Size] = {}

    def get(self, name: str) -> _Size:
        if name in self._sizes:
            return self._sizes[name]
        cte = self._own.get(name)
        if cte is None:
            return _BASE if self._around is None else self._around.get(name)
        self._sizes[name] = _BASE
        self._sizes[name] = _renamed(_query(cte.this, self, ()), cte)
        return self._sizes[name]


def nodes_expanded(tree: exp.Expr) -> int:
    """Nodes of *tree* after every CTE, subquery and column of one is put in: an upper bound."""
    if not isinstance(tree, exp.Query) and tree.find(exp.Query) is None:
        return sum(1 for _ in tree.walk())
    return _query(tree, None, ()).nodes


def windows(tree: exp.Expr) -> int:
    """How many different windows there are; functions over one and the same share it."""
    found = list(tree.find_all(exp.Window))
    if len(found) <= MAX_WINDOWS:
        return len(found)
    return len(
        {tuple(repr(node.args.get(key)) for key in _WINDOW) for node in found},
    )


def _query(tree: exp.Expr, around: _Ctes | None, outer: tuple[_Names, ...]) -> _Size:
    known = _Ctes(tree, around)
    if isinstance(tree, exp.SetOperation):
        left = _query(tree.left, known, outer)
        right = _query(tree.right, known, outer)
        columns = {
            name: max(width, other)
            for (name, width), other in zip(
                left.columns.items(), [*right.columns.values(), *[1] * 2000], strict=False
            )
        }
        return _Size(left.nodes + right.nodes + _rest(tree, known, outer), columns)
    if isinstance(tree, exp.Subquery):
        inner = _query(tree.this, known, outer)
        return _Size(inner.nodes + 1, inner.columns)
    if not isinstance(tree, exp.Select):
        return _Size(_own(tree, known, outer))
    return _select(tree, known, outer)


def _select(tree: exp.Select, ctes: _Ctes, outer: tuple[_Names, ...]) -> _Size:
    sources: dict[str, _Size] = {}
    origin = tree.args.get("from_") or tree.args.get("from")
    joins = tree.args.get("joins") or []
    for place in [origin, *joins]:
        if place is not None:
            _source(place.this, ctes, outer, sources)
    scopes = (sources, *outer)
    columns: dict[str, int] = {}
    for item in tree.expressions:
        plain = item.unalias()
        if isinstance(plain, exp.Star) or isinstance(getattr(plain, "this", None), exp.Star):
            for size in sources.values():
                columns.update(size.columns)
        else:
            columns[item.alias_or_name.lower()] = _own(item, ctes, scopes)
    rest = _rest(tree, ctes, scopes, skip=("expressions", "from_", "from", "joins"))
    for join in joins:
        rest += _rest(join, ctes, scopes, skip=("this",))
    inside = sum(size.nodes for size in sources.values())
    return _Size(inside + sum(columns.values()) + rest + 1, columns)


def _source(
    place: exp.Expr, ctes: _Ctes, outer: tuple[_Names, ...], sources: dict[str, _Size]
) -> None:
    """Note what stands in FROM, under the name by which its columns are called."""
    if isinstance(place, exp.Subquery) and isinstance(place.this, exp.Table | exp.Subquery):
        _source(place.this, ctes, outer, sources)  # FROM (a JOIN b)
    elif isinstance(place, exp.Table):
        size = _BASE if place.db else ctes.get(place.name.lower())
        if not isinstance(place.this, exp.Identifier):
            called = [place.this] if place.this is not None else place.args.get("rows_from") or []
            size = _Size(1 + sum(_own(each, ctes, (sources, *outer)) for each in called))
        _add(sources, place, size)
    else:
        _add(sources, place, _query(place, ctes, outer))
    for join in place.args.get("joins") or []:
        _source(join.this, ctes, outer, sources)


def _add(sources: dict[str, _Size], place: exp.Expr, size: _Size) -> None:
    name = place.alias_or_name.lower()
    sources[name if name not in sources else f"{name} {len(sources)}"] = _renamed(size, place)


def _renamed(size: _Size, place: exp.Expr) -> _Size:
    """With the names of a column list, as in ``WITH a(x) AS …``."""
    alias = place.args.get("alias")
    names = alias.columns if isinstance(alias, exp.TableAlias) else []
    if not names:
        return size
    widths = [*size.columns.values(), *[1] * len(names)]
    columns = {name.name.lower(): width for name, width in zip(names, widths, strict=False)}
    return _Size(size.nodes, columns)


def _rest(
    tree: exp.Expr, ctes: _Ctes, scopes: tuple[_Names, ...], skip: tuple[str, ...] = ()
) -> int:
    """Everything of a query that is neither a source nor an output column."""
    skipped = {*skip, "this", "expression", "with_", "with"}
    found = 0
    for key, value in tree.args.items():
        if key in skipped and not (isinstance(tree, exp.Select) and key == "this"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, exp.Expr):
                found += _own(node, ctes, scopes)
    return found


def _own(tree: exp.Expr, ctes: _Ctes, scopes: tuple[_Names, ...]) -> int:
    """An expression with the columns it names put in, and the queries inside it."""
    found = 0
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.Query) and not (node is tree and isinstance(node, exp.Values)):
            found += _query(node, ctes, scopes).nodes
        elif isinstance(node, exp.Column):
            found += _column(node, scopes)
            if node.arg_key == "field" and isinstance(node.parent, exp.In):
                found += ctes.get(node.name.lower()).nodes  # x IN a
        else:
            found += 1
            waiting.extend(node.iter_expressions())
    return found


def _column(node: exp.Column, scopes: tuple[_Names, ...]) -> int:
    name, qualifier = node.name.lower(), node.table.lower()
    for scope in scopes:
        if qualifier:
            if qualifier in scope:
                return scope[qualifier].columns.get(name, 1)
            continue
        widths = [size.columns[name] for size in scope.values() if name in size.columns]
        if widths:
            return max(widths)
    return 1
