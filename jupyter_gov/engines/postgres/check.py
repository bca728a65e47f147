"""
Whether the wall stands, as the database's own catalogs tell it.

Run before anything is served, after each reload, and again while the gateway serves.  One problem
is enough: then nothing runs on that connection, and the list says what to mend.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.engines.postgres.catalog import Relation, known_as, relations
from jupyter_gov.engines.postgres.guard import problems
from jupyter_gov.engines.postgres.keys import key_marks
from jupyter_gov.engines.postgres.names import ADMIN, Names
from jupyter_gov.engines.postgres.projections import ByPseudonym, Planner, crypto_schema
from jupyter_gov.engines.postgres.public import rights_of_public
from jupyter_gov.engines.postgres.source import OLDEST, unheld
from jupyter_gov.masking.model import Profile

_SERVER = """
SELECT pg_catalog.current_setting('server_encoding'),
       pg_catalog.current_setting('lo_compat_privileges'),
       pg_catalog.to_regprocedure(%s) IS NOT NULL,
       coalesce(pg_catalog.has_function_privilege(pg_catalog.to_regprocedure(%s), 'EXECUTE'), false)
"""
_STANDING = f"""
SELECT p.schema::text, p.view::text, p.relation, p.fingerprint,
       p.body = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
         pg_catalog.pg_get_viewdef(c.oid), 'UTF8')), 'hex'),
       pg_catalog.pg_get_userbyid(c.relowner)::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       c.oid, p.body = ''
  FROM {ADMIN}.provisioned() p
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema
  LEFT JOIN pg_catalog.pg_class c
         ON c.relnamespace = n.oid AND c.relname = p.view AND c.relkind = 'v'
"""
_LOOKUPS = f"""
SELECT l.schema::text, l.function::text FROM {ADMIN}.lookups() l
 WHERE NOT EXISTS (
   SELECT FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE n.nspname = l.schema AND f.proname = l.function AND f.proowner = n.nspowner
      AND l.body = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(f.prosrc, 'UTF8')),
                                     'hex'))
"""
# Views that were made anew must read twins only, whatever their text says.
_ASTRAY = """
SELECT DISTINCT v.oid::pg_catalog.regclass::text, d.refobjid::pg_catalog.regclass::text
  FROM pg_catalog.pg_class v
  JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
       AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE v.oid = ANY(%s) AND d.refobjid <> v.oid AND NOT (n.nspname ~ '^gov_[0-9a-f]{10}_'
       AND n.nspowner = v.relowner AND t.relowner = v.relowner)
"""
_ROLES = """
SELECT r.rolname::text, r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
       OR r.rolbypassrls, r.rolcanlogin,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m
               JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid),
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m
               JOIN pg_catalog.pg_roles g ON g.oid = m.member WHERE m.roleid = r.oid)
  FROM pg_catalog.pg_roles r
 WHERE r.rolname = ANY(%s) OR r.rolname ~ %s
"""
# Every right of one of our roles on what is not ours.
_STRAY = """
WITH owned AS (
  SELECT c.relowner AS owner, 'table ' || c.oid::pg_catalog.regclass::text AS what
    FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL SELECT n.nspowner, 'schema ' || n.nspname FROM pg_catalog.pg_namespace n
  UNION ALL SELECT d.datdba, 'database ' || d.datname FROM pg_catalog.pg_database d
  UNION ALL SELECT p.proowner, 'function ' || p.oid::pg_catalog.regprocedure::text
    FROM pg_catalog.pg_proc p
),
ours AS (SELECT r.oid, r.rolname FROM pg_catalog.pg_roles r
               WHERE r.rolname ~ %(roles)s OR r.rolname = %(login)s),
acl AS (
  SELECT 'table ' || c.oid::pg_catalog.regclass::text AS what, c.relacl AS acl,
         n.nspname ~ '^gov_[0-9a-f]{10}_' AND c.relkind = 'v'
           AND pg_catalog.pg_get_userbyid(c.relowner) = %(owner)s AS own, 'SELECT' AS only
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relacl IS NOT NULL
  UNION ALL
  SELECT 'column ' || a.attname || ' of ' || a.attrelid::pg_catalog.regclass::text, a.attacl,
         false, ''
    FROM pg_catalog.pg_attribute a WHERE a.attacl IS NOT NULL
  UNION ALL
  SELECT 'schema ' || n.nspname, n.nspacl, n.nspname ~ '^gov_[0-9a-f]{10}_'
           AND pg_catalog.pg_get_userbyid(n.nspowner) = %(owner)s, 'USAGE'
    FROM pg_catalog.pg_namespace n WHERE n.nspacl IS NOT NULL
  UNION ALL
  SELECT 'function ' || p.oid::pg_catalog.regprocedure::text, p.proacl,
         n.nspname ~ '^gov_[0-9a-f]{10}_'
           AND pg_catalog.pg_get_userbyid(p.proowner) = %(owner)s
           AND (NOT p.prosecdef OR p.proname ~ '^lookup_[0-9a-f]{10}$'), 'EXECUTE'
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE p.proacl IS NOT NULL
  UNION ALL
  SELECT 'database ' || d.datname, d.datacl, true, 'CONNECT' FROM pg_catalog.pg_database d
   WHERE d.datacl IS NOT NULL
  UNION ALL
  SELECT 'foreign server ' || s.srvname, s.srvacl, false, '' FROM pg_catalog.pg_foreign_server s
  UNION ALL
  SELECT 'large object ' || l.oid, l.lomacl, false, '' FROM pg_catalog.pg_largeobject_metadata l
  UNION ALL
  SELECT 'parameter ' || s.parname, s.paracl, false, '' FROM pg_catalog.pg_parameter_acl s
)
SELECT DISTINCT o.rolname::text, e.privilege_type, acl.what
  FROM acl, pg_catalog.aclexplode(acl.acl) e JOIN ours o ON o.oid = e.grantee
 WHERE NOT (acl.own AND e.privilege_type = acl.only)
UNION
SELECT o.rolname::text, 'the ownership', x.what FROM owned x JOIN ours o ON o.oid = x.owner
UNION
SELECT 'PUBLIC', e.privilege_type, acl.what
  FROM acl, pg_catalog.aclexplode(acl.acl) e
 WHERE e.grantee = 0 AND (acl.what ~ '^(foreign server|large object|parameter) '
   OR (acl.what ~ '^column ' AND acl.what !~ ' of (pg_|information_schema)'))
UNION
SELECT 'PUBLIC', 'EXECUTE', 'function ' || p.oid::pg_catalog.regprocedure::text
  FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.proname = ANY(%(files)s)
   AND EXISTS (SELECT FROM pg_catalog.aclexplode(
                 coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) e WHERE e.grantee = 0)
UNION
SELECT 'PUBLIC', e.privilege_type, 'whatever ' || pg_catalog.pg_get_userbyid(d.defaclrole)
       || ' makes (default privileges)'
  FROM pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) e
 WHERE e.grantee = 0 AND d.defaclobjtype IN ('r', 'n')
"""
_FILES = [
    "pg_read_file", "pg_read_binary_file", "pg_ls_dir", "pg_stat_file", "lo_import", "lo_export",
    "pg_ls_logdir", "pg_ls_waldir", "pg_ls_tmpdir", "pg_reload_conf", "pg_rotate_logfile",
]  # fmt: skip
"""Functions that a default installation keeps from PUBLIC."""


@dataclass(slots=True)
class Findings:
    """What a look at the database found."""

    problems: list[str] = field(default_factory=list)
    """Any of them: engine enforcement is not claimed, and nothing is served."""
    notes: list[str] = field(default_factory=list)
    """What the admin should know."""
    exposed: dict[str, set[str]] = field(default_factory=dict)
    """Table → columns of its projections."""
    views: dict[str, dict[int, str]] = field(default_factory=dict)
    """Profile id → OID of a view → its table."""
    relations: list[Relation] = field(default_factory=list)
    literals: dict[str, str] = field(default_factory=dict)
    """Constants of conditions on rows, as the projections name them."""
    by_pseudonym: dict[str, dict[tuple[str, str], ByPseudonym]] = field(default_factory=dict)
    """Profile id → table and column → how its rows are found by a pseudonym."""
    functions: frozenset[str] = frozenset()
    """The source's functions that are offered."""


def inspect(
    session: psycopg.Connection[Any],
    spec: ConnectionSpec,
    profiles: Iterable[Profile],
    needed: Mapping[str, set[str]],
    keys: Mapping[str, bytes],
) -> Findings:
    """
    Look at everything the wall stands on.  Raises psycopg.Error.

    Args:
        session: of the gateway's own login.
        needed: profile id → tables that some eligibility hands out under it.
        keys: that the projections must be using.
    """
    found = Findings()
    with session.transaction():
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # As it was when the views were made: what a view's text spells out depends on it.
        session.execute("SET LOCAL search_path = pg_catalog")
        names = Names(session.info.dbname)
        if not _server(session, found):
            return found
        found.relations = relations(session, spec.schemas)
        unique = {profile.profile_id: profile for profile in profiles}
        _projections(session, spec, names, unique, needed, found)
        found.problems += [
            f"the function {schema}.{name} is gone or was changed by someone else"
            for schema, name in session.execute(_LOOKUPS)
        ]
        if crypto_schema(session) is None:
            found.notes.append("pgcrypto is not installed: sealed columns are withheld")
        login = session.info.user
        _roles(session, names, login, found)
        found.problems += problems(session, names, login)
        found.problems += [str(right) for right in rights_of_public(session, login)]
        stray = session.execute(
            _STRAY,
            {
                "roles": f"^gov_(g|e)_{names.tag}_",
                "login": login,
                "owner": names.owner,
                "files": _FILES,
            },
        )
        found.problems += [
            f"{who} has {right} {'of' if right == 'the ownership' else 'on'} {what}"
            for who, right, what in stray
            if not (who == login and _is_gateways(right, what))
        ]
        marks = {mark for (mark,) in session.execute(f"SELECT * FROM {ADMIN}.keys()")}
        if not key_marks(keys, found.literals) <= marks:
            found.problems.append("the keys of this gateway are not loaded (provision --keys)")
    return found


def _is_gateways(right: str, what: str) -> bool:
    return what == f"schema {ADMIN}" or what.startswith(f"function {ADMIN}.") or (
        right == "CONNECT" and what.startswith("database ")
    )  # fmt: skip


def _server(session: psycopg.Connection[Any], found: Findings) -> bool:
    minter = f"{ADMIN}.mint(text,text,text[],timestamptz,text)"
    row = session.execute(_SERVER, (minter, minter)).fetchone()
    assert row is not None
    encoding, compatible, present, callable_ = row
    if session.info.server_version < OLDEST:
        found.problems.append("the server is older than PostgreSQL 15")
        return False
    if not present or not callable_:
        found.problems.append("the database is not provisioned for this login")
        return False
    if encoding != "UTF8":
        found.problems.append(f"the database's encoding is {encoding}; seals need UTF8")
    if compatible == "on":
        found.problems.append("lo_compat_privileges is on: everybody may read large objects")
    return True


def _projections(
    session: psycopg.Connection[Any],
    spec: ConnectionSpec,
    names: Names,
    profiles: Mapping[str, Profile],
    needed: Mapping[str, set[str]],
    found: Findings,
) -> None:
    standing = {(row[0], row[1]): row for row in session.execute(_STANDING)}
    views = [row[7] for row in standing.values() if row[7] is not None]
    found.problems += [
        f"{view} reads {source}, which is no projection"
        for view, source in session.execute(_ASTRAY, (_anew(standing, views, found, spec),))
    ]
    exposed_in: dict[str, set[str]] = {}
    for profile_id, profile in profiles.items():
        own = {names.schema(profile, schema) for schema in spec.schemas}
        here = {key: row for key, row in standing.items() if key[0] in own}
        shown = {row[2]: set(row[6]) for row in here.values() if row[7] is not None}
        seen = [_only(relation, shown, spec) for relation in found.relations]
        plan = Planner(session, spec, names, seen).plan(profile)
        wanted = {(p.schema, p.name): p for p in plan.projections}
        for key, row in here.items():
            if row[7] is None and row[8]:
                continue  # it could not be made over treated columns
            if row[7] is None:
                found.problems.append(f"the view {'.'.join(key)} is gone")
            elif not row[4] or row[5] != names.owner:
                found.problems.append(f"the view {'.'.join(key)} was changed by someone else")
            elif key not in wanted or wanted[key].fingerprint != row[3]:
                found.problems.append(
                    f"the view {'.'.join(key)} is not what the configuration says"
                )
        for table in sorted(needed.get(profile_id, set()) - shown.keys()):
            found.problems.append(f"the table {table} has no projection under {profile_id}")
        found.views[profile_id] = {row[7]: row[2] for row in here.values() if row[7] is not None}
        for table, columns in shown.items():
            exposed_in.setdefault(table, set(columns)).intersection_update(columns)
        found.by_pseudonym[profile_id] = {
            (p.table, by.column): by for p in plan.projections for by in p.by_pseudonym
        }
        for projection in plan.projections:
            found.literals |= projection.literals
        found.functions |= {name for _, name, _ in plan.functions}
    found.exposed = exposed_in
    for relation in found.relations:
        table = known_as(relation.schema, relation.name, spec.schemas)
        new = {a.name for a in relation.attributes} - exposed_in.get(table, set())
        if table not in exposed_in:
            found.notes.append(f"{table} is new or not exposed: it is absent until provisioned")
        elif new:
            found.notes.append(
                f"{table}: {', '.join(sorted(new))} is new: absent until tagged and provisioned"
            )


def _only(relation: Relation, shown: Mapping[str, set[str]], spec: ConnectionSpec) -> Relation:
    """Without the columns that came after the projection was made."""
    columns = shown.get(known_as(relation.schema, relation.name, spec.schemas))
    if columns is None:
        return relation
    kept = tuple(a for a in relation.attributes if a.name in columns)
    return replace(relation, attributes=kept)


def _anew(
    standing: Mapping[tuple[str, str], Any], views: list[int], found: Findings, spec: ConnectionSpec
) -> list[int]:
    """OIDs of the views that were made anew over twins."""
    plain = {
        known_as(r.schema, r.name, spec.schemas)
        for r in found.relations
        if r.kind == "view" and known_as(r.schema, r.name, spec.schemas) not in spec.tags
    }
    return [row[7] for row in standing.values() if row[7] in views and row[2] in plain]


def _roles(session: psycopg.Connection[Any], names: Names, login: str, found: Findings) -> None:
    pattern = f"^gov_(g|e)_{names.tag}_"
    rows = session.execute(_ROLES, ([names.owner, names.minter, login], pattern))
    if short := unheld(session, names):
        found.problems.append(
            f"{names.minter} may not hand out {len(short)} of its roles, as after an upgrade of the"
            " server: provision again"
        )
    for role, strong, may_login, belongs_to, members in rows:
        ours = [g for g in belongs_to if not g.startswith(f"gov_g_{names.tag}_")]
        if role == names.minter:
            if may_login or members:
                found.problems.append(f"{role} can be used by others: NOLOGIN, without members")
            continue
        if strong:
            found.problems.append(f"{role} has more than an ordinary role may")
        if role == names.owner and (may_login or members or belongs_to):
            found.problems.append(f"{role} must be NOLOGIN, without members or memberships")
        elif role == login and belongs_to:
            found.problems.append(f"{role} is a member of {', '.join(belongs_to)}")
        elif role.startswith(f"gov_g_{names.tag}_") and (
            others := [m for m in members if not m.startswith((names.ephemeral, names.minter))]
        ):
            found.problems.append(f"{role} has members that are no grants: {', '.join(others)}")
        elif ours and role != names.owner:
            found.problems.append(f"{role} is a member of {', '.join(ours)}")
