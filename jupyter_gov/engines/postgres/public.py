"""
What PUBLIC may do, and how to take it away without breaking whoever has it only from there.

Each right goes first to every existing role that has it through PUBLIC alone, then from PUBLIC.
Each statement is kept with its inverse, for the way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from jupyter_gov.engines.postgres.names import ADMIN, PRIVATE, quoted

_LOSERS = """
SELECT r.rolname FROM pg_catalog.pg_roles r
 WHERE NOT r.rolsuper AND r.rolname !~ '^pg_' AND r.rolname <> %s
   AND r.rolname !~ '^gov_(owner|minter|g|e)_[0-9a-f]{8}(_|$)'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles o
                    WHERE o.oid = ANY(%s::pg_catalog.oid[])
                      AND pg_catalog.pg_has_role(r.oid, o.oid, 'USAGE'))
 ORDER BY r.rolname
"""
_OBJECTS = """
SELECT 'DATABASE', pg_catalog.quote_ident(d.datname), d.datdba,
       coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba)),
       ARRAY['CONNECT', 'TEMPORARY', 'CREATE']
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
UNION ALL
SELECT 'SCHEMA', pg_catalog.quote_ident(n.nspname), n.nspowner,
       coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner)), ARRAY['USAGE', 'CREATE']
  FROM pg_catalog.pg_namespace n
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND n.nspname <> ALL(%s)
UNION ALL
SELECT 'FUNCTION', p.oid::pg_catalog.regprocedure::text, p.proowner,
       coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner)), ARRAY['EXECUTE']
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.prosecdef AND n.nspname <> 'pg_catalog' AND n.nspname <> ALL(%s)
   AND p.prokind IN ('f', 'w')
UNION ALL
SELECT 'TABLE', pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       c.relowner, c.relacl,
       ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER',
             'MAINTAIN']
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relacl IS NOT NULL AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x
                    WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND x.objid = c.oid AND x.deptype = 'e')
UNION ALL
SELECT 'SEQUENCE', pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       c.relowner, c.relacl, ARRAY['USAGE', 'SELECT', 'UPDATE']
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relacl IS NOT NULL AND c.relkind = 'S'
UNION ALL
SELECT 'COLUMN', '(' || pg_catalog.quote_ident(a.attname) || ') ON TABLE '
       || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       c.relowner, a.attacl, ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE a.attacl IS NOT NULL AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1, 2
"""
_HELD = """
SELECT e.grantee, e.privilege_type FROM pg_catalog.aclexplode(%s::pg_catalog.aclitem[]) AS e
"""


@dataclass(frozen=True, slots=True)
class Right:
    """One right that everybody has."""

    kind: str
    object: str
    """As SQL names it."""
    privilege: str
    only_through_it: tuple[str, ...]
    """Roles that would lose it."""

    def __str__(self) -> str:
        return f"PUBLIC has {self.privilege} on {self.kind.lower()} {self.object}"

    def statements(self) -> list[tuple[str, str]]:
        """``(what to do, what undoes it)``, in order."""
        on = f"{self.privilege} ON {self.kind} {self.object}"
        if self.kind == "COLUMN":
            on = f"{self.privilege} {self.object}"
        made = [
            (f"GRANT {on} TO {quoted(role)}", f"REVOKE {on} FROM {quoted(role)}")
            for role in self.only_through_it
        ]
        return [*made, (f"REVOKE {on} FROM PUBLIC", f"GRANT {on} TO PUBLIC")]


def rights_of_public(session: psycopg.Connection[Any], gateway: str) -> list[Right]:
    """
    What PUBLIC has and no grant's role may have.  Raises psycopg.Error.

    Args:
        gateway: the gateway's own login, which needs none of it but CONNECT.
    """
    rows = session.execute(_OBJECTS, ([ADMIN, PRIVATE], [ADMIN, PRIVATE])).fetchall()
    found = []
    for kind, name, owner, acl, privileges in rows:
        held = session.execute(_HELD, (acl,)).fetchall()
        for privilege in privileges:
            grantees = {grantee for grantee, what in held if what == privilege}
            if 0 not in grantees:
                continue
            others = sorted((grantees | {owner}) - {0})
            lose = session.execute(_LOSERS, (gateway, others)).fetchall()
            found.append(Right(kind, name, privilege, tuple(role for (role,) in lose)))
    return found
