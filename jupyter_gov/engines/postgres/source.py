"""What a provisioning script is made from: the database as it is now, and the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.engines.postgres.catalog import Relation, relations
from jupyter_gov.engines.postgres.guard import foreign
from jupyter_gov.engines.postgres.names import (
    ADMIN,
    PRIVATE,
    Names,
    remark,
)
from jupyter_gov.engines.postgres.projections import (
    Plan,
    Planner,
    crypto_schema,
)
from jupyter_gov.engines.postgres.public import Right, rights_of_public
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.masking.model import Profile

OLDEST = 150_000
"""Of the server; what was tried."""
EMPTY_PATH = "SELECT pg_catalog.set_config('search_path', '', true)"
# What was changed by someone else, or spelled differently by a newer server, is made anew; an empty
# body is that of a view that could not be made over treated columns.
_STANDING = f"""
SELECT p.schema::text, p.view::text, CASE WHEN (p.body = '' AND c.oid IS NULL)
         OR (c.relowner = n.nspowner AND p.body = pg_catalog.encode(pg_catalog.sha256(
               pg_catalog.convert_to(pg_catalog.pg_get_viewdef(c.oid), 'UTF8')), 'hex'))
         THEN p.fingerprint ELSE '' END
  FROM {ADMIN}.provisioned() p
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema
  LEFT JOIN pg_catalog.pg_class c
         ON c.relnamespace = n.oid AND c.relname = p.view AND c.relkind = 'v'
"""
# Profiles of the roles that grants have now.
_USED = """
SELECT DISTINCT pg_catalog.split_part(g.rolname, '_', 4)
  FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
  JOIN pg_catalog.pg_roles e ON e.oid = m.member
 WHERE pg_catalog.starts_with(g.rolname, 'gov_g_' || %s) AND pg_catalog.starts_with(e.rolname, %s)
"""
TWINS = """
SELECT nspname FROM pg_catalog.pg_namespace
 WHERE nspname ~ '^gov_[0-9a-f]{10}_' AND pg_catalog.pg_get_userbyid(nspowner) = %s ORDER BY 1
"""
_UNHELD = """
SELECT r.rolname::text FROM pg_catalog.pg_roles r
 WHERE r.rolname ~ %s AND pg_catalog.current_setting('server_version_num')::int >= 160000
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_auth_members m
                     JOIN pg_catalog.pg_roles x ON x.oid = m.member
                    WHERE m.roleid = r.oid AND x.rolname = %s AND m.admin_option)
"""


_BROKEN_LOOKUPS = f"""
SELECT l.schema::text FROM {ADMIN}.lookups() l
 WHERE NOT EXISTS (
   SELECT FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE n.nspname = l.schema AND f.proname = l.function AND f.proowner = n.nspowner
      AND l.body = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(f.prosrc, 'UTF8')),
                                     'hex'))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a script is made from: the database as it is now, and the configuration."""

    spec: ConnectionSpec
    names: Names
    gateway: str
    """The gateway's own login."""
    version: int
    """Of the server, such as 150018."""
    relations: tuple[Relation, ...]
    plans: tuple[Plan, ...]
    rights: tuple[Right, ...]
    present: bool
    """Whether it was provisioned before."""
    standing: Mapping[tuple[str, str], str]
    """``(schema, view)`` → fingerprint, of what was provisioned before; "" if it was changed."""
    stale_schemas: tuple[str, ...]
    stale_roles: tuple[str, ...]
    """Of profiles that the configuration no longer has."""
    unheld: frozenset[str]
    """Roles that the minter may not hand out, though they stand."""
    crypto: str | None
    notes: list[str] = field(default_factory=list)


def names_of(session: psycopg.Connection[Any]) -> Names:
    """The names in the database that *session* is connected to."""
    return Names(session.info.dbname)


def look(
    session: psycopg.Connection[Any],
    spec: ConnectionSpec,
    profiles: Iterable[Profile],
    gateway: str,
) -> Source:
    """
    Read everything a script needs, in one snapshot; changes nothing.

    Raises psycopg.Error, ConfigInvalid.
    """
    if session.info.server_version < OLDEST:
        raise ConfigInvalid((f"{spec.name} is on a server that is older than PostgreSQL 15",))
    with session.transaction():
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        session.execute(EMPTY_PATH)
        names = names_of(session)
        foreign(session, names)
        found = relations(session, spec.schemas)
        planner = Planner(session, spec, names, found)
        unique = {profile.profile_id: profile for profile in profiles}
        plans = tuple(planner.plan(profile) for profile in unique.values())
        present = session.execute(
            "SELECT to_regclass(%s) IS NOT NULL", (f"{PRIVATE}.provisioned",)
        ).fetchone() == (True,)
        standing: dict[tuple[str, str], str] = {}
        if present:
            broken = {schema for (schema,) in session.execute(_BROKEN_LOOKUPS)}
            standing = {
                (schema, view): "" if schema in broken else fingerprint
                for schema, view, fingerprint in session.execute(_STANDING)
            }
        wanted = {names.schema(p, s) for p in unique.values() for s in spec.schemas}
        schemas = session.execute(TWINS, (names.owner,)).fetchall()
        # What a grant still runs under stays until it is over.
        used = {profile for (profile,) in session.execute(_USED, (names.tag, names.ephemeral))}
        groups = {names.group(p) for p in unique.values()}
        readers = {names.reader(p.profile, x.table) for p in plans for x in p.projections}
        roles = session.execute(
            "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname LIKE %s ORDER BY 1 DESC",
            (f"gov\\_g\\_{names.tag}\\_%",),
        ).fetchall()
        made = Source(
            spec=spec,
            names=names,
            gateway=gateway,
            version=session.info.server_version,
            relations=tuple(found),
            plans=plans,
            rights=tuple(rights_of_public(session, gateway)),
            present=present,
            standing=standing,
            stale_schemas=tuple(
                s for (s,) in schemas if s not in wanted and s.split("_")[1] not in used
            ),
            stale_roles=tuple(
                r for (r,) in roles if r not in groups | readers and r.split("_")[3] not in used
            ),
            unheld=unheld(session, names),
            crypto=crypto_schema(session),
        )
    made.notes.extend(map(remark, _notes(made)))
    return made


def unheld(session: psycopg.Connection[Any], names: Names) -> frozenset[str]:
    """
    Groups that the minter may not hand out: since 16 it needs to be their administrator.

    A database that came here from an older server has them.  Raises psycopg.Error.
    """
    rows = session.execute(_UNHELD, (f"^gov_g_{names.tag}_", names.minter))
    return frozenset(role for (role,) in rows)


def _notes(source: Source) -> Iterator[str]:
    if source.crypto is None:
        yield "pgcrypto is not installed: sealed columns are withheld (CREATE EXTENSION pgcrypto)"
    for relation in source.relations:
        if relation.row_security:
            yield (
                f"{relation.schema}.{relation.name} has row level security: {source.names.owner}"
                " sees only the rows that a policy shows it"
            )
    for line in sorted({line for plan in source.plans for line in plan.left_out}):
        yield f"not exposed: {line}"
