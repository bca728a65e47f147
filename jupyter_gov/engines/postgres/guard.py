"""
Whether what stands under our names is ours.

A DBA provisions as a superuser.  Who may create schemas in the database could make ours before the
DBA does: with functions that the script calls, triggers on what it writes, or rights on the keys.
So nothing in them is touched unless all of it belongs to roles that nobody can be.
"""

from __future__ import annotations

from typing import Any

import psycopg

from jupyter_gov.engines.postgres.names import (
    ADMIN,
    PRIVATE,
    Names,
    dollars,
    literal,
    quoted,
    remark,
)
from jupyter_gov.errors import ConfigInvalid

_THINGS = (
    ("relation", "pg_class", "relname", "relnamespace", "relowner"),
    ("function", "pg_proc", "proname", "pronamespace", "proowner"),
    ("type", "pg_type", "typname", "typnamespace", "typowner"),
    ("operator", "pg_operator", "oprname", "oprnamespace", "oprowner"),
)


def _objects(names: Names) -> str:
    """A query of what is in our schemas and is not ours, one line each."""
    owner, minter = literal(names.owner), literal(names.minter)
    both, schemas = f"({owner}, {minter})", f"('{PRIVATE}', '{ADMIN}')"
    parts = [
        "SELECT pg_catalog.concat('the schema ', n.nspname, ' belongs to ',"
        " pg_catalog.pg_get_userbyid(n.nspowner)) AS line FROM pg_catalog.pg_namespace n"
        f" WHERE n.nspname = '{PRIVATE}' AND pg_catalog.pg_get_userbyid(n.nspowner) <> {owner}"
        f" OR n.nspname = '{ADMIN}' AND pg_catalog.pg_get_userbyid(n.nspowner) <> {minter}",
        "SELECT pg_catalog.concat(pg_catalog.pg_get_userbyid(e.grantee), ' has ',"
        " e.privilege_type, ' on the schema ', n.nspname)"
        " FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) e"
        f" WHERE pg_catalog.pg_get_userbyid(e.grantee) NOT IN {both}"
        f" AND (n.nspname = '{PRIVATE}' OR n.nspname = '{ADMIN}' AND e.privilege_type = 'CREATE')",
        "SELECT pg_catalog.concat(pg_catalog.pg_get_userbyid(e.grantee), ' has ',"
        f" e.privilege_type, ' on {PRIVATE}.', c.relname)"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,"
        " pg_catalog.aclexplode(c.relacl) e"
        f" WHERE n.nspname = '{PRIVATE}' AND pg_catalog.pg_get_userbyid(e.grantee) NOT IN {both}",
        "SELECT pg_catalog.concat(c.relname, ' of ', n.nspname, ' has a trigger or a rule')"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN {schemas} AND (c.relkind NOT IN ('r', 'i', 'S')"
        " OR EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid)"
        " OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid))",
    ]
    for kind, table, name, schema, owned in _THINGS:
        parts.append(
            f"SELECT pg_catalog.concat('the {kind} ', n.nspname, '.', o.{name}, ' belongs to ',"
            f" pg_catalog.pg_get_userbyid(o.{owned})) FROM pg_catalog.{table} o"
            f" JOIN pg_catalog.pg_namespace n ON n.oid = o.{schema} WHERE n.nspname IN {schemas}"
            f" AND pg_catalog.pg_get_userbyid(o.{owned}) NOT IN {both}"
        )
    return "\nUNION ALL ".join(parts)


def _rights(names: Names, login: str) -> str:
    """
    A query of who else has a right on what is ours: kind, object, role.

    Default privileges of the DBA's give such rights to whatever the DBA makes.
    """
    ours = f"({literal(names.owner)}, {literal(names.minter)}, {literal(login)})"
    schemas = (
        f"(n.nspname IN ('{PRIVATE}', '{ADMIN}') OR n.nspname ~ '^gov_[0-9a-f]{{10}}_'"
        f" AND pg_catalog.pg_get_userbyid(n.nspowner) = {literal(names.owner)})"
    )
    parts = []
    for kind, name, source, acl in (
        ("'SCHEMA'", "pg_catalog.quote_ident(n.nspname)", "", "n.nspacl"),
        (
            "CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END",
            "pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.',"
            " pg_catalog.quote_ident(c.relname))",
            "JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid", "c.relacl",
        ),
        (
            "'FUNCTION'", "CAST(CAST(p.oid AS pg_catalog.regprocedure) AS pg_catalog.text)",
            "JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid", "p.proacl",
        ),
    ):  # fmt: skip
        parts.append(
            f"SELECT DISTINCT {kind} AS kind, {name} AS object, r.rolname AS role"
            f" FROM pg_catalog.pg_namespace n {source}, pg_catalog.aclexplode({acl}) e"
            " JOIN pg_catalog.pg_roles r ON r.oid = e.grantee"
            f" WHERE {schemas} AND r.rolname NOT IN {ours}"
            f" AND NOT pg_catalog.starts_with(r.rolname, 'gov_g_{names.tag}_')"
        )
    return "\nUNION ALL ".join(parts)


def problems(session: psycopg.Connection[Any], names: Names, login: str) -> list[str]:
    """What of ours is somebody else's, or open to somebody else.  Raises psycopg.Error."""
    found = [remark(line) for (line,) in session.execute(_objects(names).encode())]
    found += [
        remark(f"{role} has a right on the {kind.lower()} {thing}")
        for kind, thing, role in session.execute(_rights(names, login).encode())
    ]
    return found


def withdrawn(names: Names, login: str) -> str:
    """For the script, at its end: nobody else has a right on what is ours."""
    body = f"""
DECLARE given record;
BEGIN
  FOR given IN {_rights(names, login)} LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %I CASCADE', given.kind, given.object,
      given.role);
  END LOOP;
END """
    return f"DO {dollars(body)};"


def _roles(names: Names) -> str:
    """A query of what makes our roles those of somebody."""
    owner, minter = literal(names.owner), literal(names.minter)
    return (
        "SELECT pg_catalog.concat('the role ', r.rolname, ' may log in, may too much, or has"
        " members') AS line FROM pg_catalog.pg_roles r"
        f" WHERE r.rolname IN ({owner}, {minter}) AND (r.rolcanlogin OR r.rolsuper"
        f" OR r.rolreplication OR r.rolbypassrls OR r.rolcreaterole AND r.rolname = {owner}"
        " OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid = r.oid))"
    )


def foreign(session: psycopg.Connection[Any], names: Names, *, roles: bool = True) -> None:
    """Raise ConfigInvalid if what has our names is somebody else's, psycopg.Error."""
    query = _objects(names) + (f"\nUNION ALL {_roles(names)}" if roles else "")
    # Without parameters, so that it is the text that stands in the script.
    found = [remark(line) for (line,) in session.execute(query.encode())]
    if found:
        raise ConfigInvalid(
            (f"not made by this program, and so not touched: {'; '.join(sorted(found)[:8])}",)
        )


def guard(names: Names) -> str:
    """
    For the script, after the roles: stop unless all is ours, and make the schemas.

    A schema that appears between the two makes the script fail.
    """
    body = f"""
DECLARE said text;
BEGIN
  SELECT pg_catalog.string_agg(f.line, '; ') INTO said FROM (
    {_objects(names)}
    UNION ALL {_roles(names)}) AS f;
  IF said IS NOT NULL THEN
    RAISE EXCEPTION 'not made by this program, and so not touched: %', said;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = '{PRIVATE}') THEN
    CREATE SCHEMA {PRIVATE} AUTHORIZATION {quoted(names.owner)};
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = '{ADMIN}') THEN
    CREATE SCHEMA {ADMIN} AUTHORIZATION {quoted(names.minter)};
  END IF;
END """
    return f"DO {dollars(body)};"
