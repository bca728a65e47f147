"""A connection as the admin configured it, and the catalog of what is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from jupyter_gov.connections.secrets import SecretRef


@dataclass(frozen=True, slots=True)
class Paths:
    """What the parts of a JSON column hold.  A part that is not listed is absent."""

    parts: tuple[tuple[str, Tag], ...]

    def __str__(self) -> str:
        return ", ".join(self._leaves())

    def _leaves(self, above: str = "") -> Iterator[str]:
        for key, tag in self.parts:
            if isinstance(tag, Paths):
                yield from tag._leaves(f"{above}{key}.")
            else:
                yield f"{above}{key}: {tag}"


Tag: TypeAlias = str | Paths
Tags = Mapping[str, Mapping[str, Tag]]
"""table → column → tag, as the admin wrote it."""


def leaf_tags(tag: Tag) -> Iterator[str]:
    """The tag itself, or those of the parts."""
    if isinstance(tag, Paths):
        for _, below in tag.parts:
            yield from leaf_tags(below)
    else:
        yield tag


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSpec:
    """A named database.  Its secret is fetched when a connection is opened and kept nowhere."""

    name: str
    url: str
    """A SQLAlchemy URL without a password."""
    secret: SecretRef | None = None
    description: str = ""
    timeout: timedelta = timedelta(minutes=5)
    """A statement runs at most this long."""
    max_rows: int = 5_000_000
    """A result has at most this many rows."""
    max_bytes: int = 2_000_000_000
    """And at most this many bytes, as Arrow lays them out."""
    tags: Tags = field(default_factory=dict)
    schemas: tuple[str, ...] = ("public",)
    """Of PostgreSQL: the schemas whose tables are exposed; those of the first need no prefix."""
    max_sessions: int = 20
    """Of PostgreSQL: statements of all grants at once; each may hold two of its connections."""

    @property
    def dialect(self) -> str:
        """As sqlglot calls it."""
        backend = self.url.partition(":")[0].partition("+")[0]
        return {"postgresql": "postgres"}.get(backend, backend)

    def fingerprint(self) -> str:
        """
        What a grant is bound to: the database, not the alias.

        A grant on ``clinic`` must not open another database that later gets that name.
        """
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as the engine declares it."""

    name: str
    type: str
    tag: Tag | None
    """None: untagged, and so withheld unless the admin said otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A base table, or a view that is re-created over the projections of what it reads."""

    name: str
    kind: str
    """``table`` or ``view``."""
    columns: tuple[Column, ...]
    definition: str = ""
    """Of a view: the statement that makes it."""
    row_id: str = ""
    """The column that the engine's own name for a row stands for, such as SQLite's ``rowid``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The tables of one connection at one version of its schema."""

    version: str
    tables: Mapping[str, Table]
    others: frozenset[str] = frozenset()
    """Names of objects nobody may reach: virtual tables, shadow tables."""

    schemas: tuple[str, ...] = ()
    """Those that a plain name is looked up in, in this order; empty: the engine has none."""

    def resolve(self, name: str) -> str | None:
        """The table's own spelling, compared as the engine compares names without quotes."""
        if name in self.tables:
            return name
        spelled = [name]
        if self.schemas:
            spelled.append(name.removeprefix(f"{self.schemas[0]}."))
            spelled += [f"{schema}.{name}" for schema in self.schemas[1:]]
        for wanted in spelled:
            for own in self.tables:
                if own.lower() == wanted.lower():
                    return own
        return None
