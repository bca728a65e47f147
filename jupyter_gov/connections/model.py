"""A connection as the admin configured it, and the catalog of what is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from jupyter_gov.connections.secrets import SecretRef

Tags = Mapping[str, Mapping[str, str]]
"""table → column → tag, as the admin wrote it."""


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

    @property
    def dialect(self) -> str:
        return self.url.partition(":")[0].partition("+")[0]

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
    tag: str | None
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

    def resolve(self, name: str) -> str | None:
        """The table's own spelling, compared as the engine compares names without quotes."""
        if name in self.tables:
            return name
        return next((own for own in self.tables if own.lower() == name.lower()), None)
