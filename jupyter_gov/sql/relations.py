"""
Which relations a statement names, and which of its names are its own WITH.

A WITH name counts only where it can be seen: in the queries beside and inside it, in PostgreSQL
only after it unless the WITH is recursive, and never where a schema is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from jupyter_gov.sql.places import folded


@dataclass(frozen=True, slots=True)
class Reference:
    """One place where a relation is named."""

    node: exp.Expr
    schema: str
    """Folded; empty where none is written."""
    name: str
    """As spelled in SQLite, folded in PostgreSQL."""

    @property
    def begin(self) -> int:
        """Where it begins in the text, with its schema; -1 if that is not known."""
        first = self.node.args.get("db") or self.node.this
        return int(first.meta.get("start", -1)) if isinstance(first, exp.Identifier) else -1

    @property
    def spelled(self) -> str:
        """``schema.table``, each part quoted only where it would be misread."""
        return ".".join(_part(p) for p in (self.schema, self.name) if p)


def references(tree: exp.Expr, dialect: str) -> list[Reference]:
    """Every place, in the order of the text as far as the tree tells; CTEs left out."""
    return list(_Scopes(dialect).of(tree, frozenset()))


def with_of(tree: exp.Expr) -> exp.With | None:
    """The WITH of a query."""
    found = tree.args.get("with_") or tree.args.get("with")
    return found if isinstance(found, exp.With) else None


class _Scopes:
    def __init__(self, dialect: str) -> None:
        self._postgres = dialect == "postgres"

    def of(self, tree: exp.Expr, seen: frozenset[str]) -> Iterator[Reference]:
        """References of *tree*, where the CTEs *seen* can be named."""
        waiting: list[tuple[exp.Expr, frozenset[str]]] = [(tree, seen)]
        while waiting:
            node, seen = waiting.pop()
            below: list[tuple[exp.Expr, frozenset[str]]] = []
            with_ = with_of(node)
            if with_ is not None:
                inside = self._bodies(with_, seen)
                below += inside[0]
                seen = inside[1]
            yield from self._own(node, seen)
            below += [(child, seen) for child in node.iter_expressions() if child is not with_]
            waiting.extend(reversed(below))

    def _bodies(
        self, with_: exp.With, seen: frozenset[str]
    ) -> tuple[list[tuple[exp.Expr, frozenset[str]]], frozenset[str]]:
        """The parts of a WITH, each with what it sees, and what the query after it sees."""
        names = [self._name(cte.args["alias"].this) for cte in with_.expressions]
        after = seen | frozenset(names)
        in_order = self._postgres and not with_.args.get("recursive")
        bodies: list[tuple[exp.Expr, frozenset[str]]] = []
        for cte, name in zip(with_.expressions, names, strict=True):
            bodies.append((cte.this, seen if in_order else after))
            if in_order:
                seen = seen | {name}
        return bodies, after

    def _own(self, node: exp.Expr, seen: frozenset[str]) -> Iterator[Reference]:
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            schema = node.args.get("db")
            yield from self._reference(node, schema, node.this, seen)
        elif isinstance(node, exp.In) and not self._postgres:
            # `x IN claims` names a table without FROM; the parser takes it for a column or a text.
            field = node.args.get("field")
            if isinstance(field, exp.Column | exp.Literal):
                yield from self._reference(field, field.args.get("table"), field.this, seen)

    def _reference(
        self, node: exp.Expr, schema: exp.Expr | None, name: exp.Expr | str, seen: frozenset[str]
    ) -> Iterator[Reference]:
        if schema is None and self._name(name) in seen:
            return
        own = name.name if isinstance(name, exp.Expr) else name
        qualifier = "" if schema is None or not self._postgres else self._name(schema)
        yield Reference(node, qualifier, self._name(name) if self._postgres else own)

    def _name(self, name: exp.Expr | str) -> str:
        """As two spellings of one name are compared."""
        text = name.name if isinstance(name, exp.Expr) else name
        if not self._postgres:
            return text.lower()
        quoted = isinstance(name, exp.Identifier) and name.args.get("quoted")
        return text if quoted else folded(text)


def _part(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "." in name or '"' in name else name
