"""
What is in a PostgreSQL database, as its own catalogs say it.

Everything here can be read by any login, so the gateway's own needs no right on a table for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg

from jupyter_gov.connections.model import Catalog, Column, Table, Tags

T = TypeVar("T")

_KINDS = {"r": "table", "p": "table", "v": "view", "m": "view"}
"""Foreign tables are read with the rights of a user mapping of their own: they are not exposed."""

_RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind,
       (SELECT i.inhparent FROM pg_catalog.pg_inherits i
         WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1),
       c.relrowsecurity
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY pg_catalog.array_position(%s, n.nspname), c.relname
"""
# A domain counts as the type below it: its checks must not run on treated values.
_COLUMNS = """
WITH RECURSIVE base(oid, type, mod) AS (
  SELECT t.oid, t.oid, -1 FROM pg_catalog.pg_type t
  UNION ALL
  SELECT b.oid, t.typbasetype, t.typtypmod
    FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd'
)
SELECT a.attrelid, a.attnum, a.attname,
       pg_catalog.format_type(b.type, CASE WHEN b.mod = -1 THEN a.atttypmod ELSE b.mod END),
       coalesce(pg_catalog.col_description(a.attrelid, a.attnum), '')
  FROM pg_catalog.pg_attribute a
  JOIN base b ON b.oid = a.atttypid
  JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype <> 'd'
 WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A column of a relation."""

    number: int
    name: str
    type: str
    """As `format_type` writes it, a domain as the type below it."""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table, partition, view or materialized view of the source schemas."""

    oid: int
    schema: str
    name: str
    kind: str
    """``table`` or ``view``; ``foreign`` is not exposed."""
    parent: int | None
    """Of a partition or an inheriting table."""
    row_security: bool
    attributes: tuple[Attribute, ...]


def known_as(schema: str, name: str, schemas: Sequence[str]) -> str:
    """
    How the configuration and a grant name a relation: plain in the first schema.

    But for ``"billing.claims"`` there, which another schema's ``claims`` is called.
    """
    return name if schema == schemas[0] and "." not in name else f"{schema}.{name}"


def relations(session: psycopg.Connection[Any], schemas: Sequence[str]) -> list[Relation]:
    """Every relation of the source schemas, in their order.  Raises psycopg.Error."""
    wanted = list(schemas)
    listed = session.execute(_RELATIONS, (wanted, wanted)).fetchall()
    columns: dict[int, list[Attribute]] = {}
    for oid, number, name, kind, comment in session.execute(
        _COLUMNS, ([row[0] for row in listed],)
    ):
        columns.setdefault(oid, []).append(
            Attribute(number=number, name=name, type=kind, comment=comment)
        )
    return [
        Relation(
            oid=oid,
            schema=schema,
            name=name,
            kind=_KINDS.get(kind, "foreign"),
            parent=parent,
            row_security=secured,
            attributes=tuple(columns.get(oid, ())),
        )
        for oid, schema, name, kind, parent, secured in listed
    ]


def inherited(
    relation: Relation, every: Mapping[int, Relation], of: Mapping[str, T], schemas: Sequence[str]
) -> T | None:
    """What *of* says of a relation; a partition of which it says nothing has its parent's."""
    seen: set[int] = set()
    at: Relation | None = relation
    while at is not None and at.oid not in seen:
        seen.add(at.oid)
        found = of.get(known_as(at.schema, at.name, schemas))
        if found is not None:
            return found
        at = every.get(at.parent) if at.parent is not None else None
    return None


def tags_of(
    relation: Relation, every: Mapping[int, Relation], tags: Tags, schemas: Sequence[str]
) -> Mapping[str, Any]:
    """Its own tags; a partition without any has its parent's."""
    return inherited(relation, every, tags, schemas) or {}


def is_projected(relation: Relation, tags: Mapping[str, Any]) -> bool:
    """Whether it is treated itself; a view without tags is made anew over what it reads."""
    return relation.kind == "table" or (relation.kind == "view" and bool(tags))


def catalog_of(
    found: Sequence[Relation], schemas: Sequence[str], tags: Tags, exposed: Mapping[str, set[str]]
) -> Catalog:
    """
    What a session may be told of.

    Args:
        exposed: table → columns, of the projections as provisioned; a newer column is absent.
    """
    every = {relation.oid: relation for relation in found}
    tables: dict[str, Table] = {}
    for relation in found:
        name = known_as(relation.schema, relation.name, schemas)
        if name not in exposed:
            continue
        own = tags_of(relation, every, tags, schemas)
        tables[name] = Table(
            name=name,
            kind="table" if is_projected(relation, own) else "view",
            columns=tuple(
                Column(name=a.name, type=a.type, tag=own.get(a.name))
                for a in relation.attributes
                if a.name in exposed[name]
            ),
        )
    says = json.dumps(
        [[r.oid, r.schema, r.name, [[a.name, a.type] for a in r.attributes]] for r in found]
        + [sorted(exposed)]
    )
    return Catalog(
        version=hashlib.sha256(says.encode()).hexdigest()[:16],
        tables=tables,
        others=frozenset(known_as(r.schema, r.name, schemas) for r in found) - tables.keys(),
        schemas=tuple(schemas),
    )
