"""
Provisioning: one reviewable SQL script that puts the wall up, and one that takes it down.

The script holds no secret: keys are loaded afterwards (`keys`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from jupyter_gov.engines.postgres import minter
from jupyter_gov.engines.postgres.guard import foreign, guard, withdrawn
from jupyter_gov.engines.postgres.names import (
    ADMIN,
    PRIVATE,
    dollars,
    literal,
    quoted,
)
from jupyter_gov.engines.postgres.projections import (
    ByPseudonym,
    Plan,
    Projection,
)
from jupyter_gov.engines.postgres.public import Right
from jupyter_gov.engines.postgres.source import TWINS, Source, names_of


def script(source: Source) -> str:
    """What puts the wall up: one transaction, to be run as a superuser by psql or by us."""
    parts = [
        f"-- jupyter gov: provision the connection {source.spec.name}\n"
        "-- Everything is done or nothing.  No secret stands here: keys are loaded afterwards.",
        *(f"-- note: {note}" for note in source.notes),
        "BEGIN;\nSET LOCAL search_path = pg_catalog;\nSET LOCAL lock_timeout = '10s';\n"
        "SET LOCAL check_function_bodies = off;",
        _roles(source),
        f"-- Private: keys, literals, what was changed; nothing that somebody else made\n"
        f"{guard(source.names)}" + minter.TABLES,
        "-- The minter: all that the gateway's login may call"
        + minter.functions(source.names)
        + minter.grants(source.names, source.gateway),
        _rights(source.rights),
        _source_rights(source),
        _gone(source),
        *(_profile(source, plan) for plan in source.plans),
        "-- What the DBA's default privileges gave to others\n"
        + withdrawn(source.names, source.gateway),
        "COMMIT;",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _role(name: str, options: str) -> str:
    create = literal(f"CREATE ROLE {quoted(name)} {options}")
    body = (
        f" BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(name)}) THEN"
        f" EXECUTE {create}; END IF; END "
    )
    return f"DO {dollars(body)};"


def _roles(source: Source) -> str:
    names = source.names
    return "\n".join(
        [
            "-- Roles: the owner reads base tables, the minter makes roles, the gateway logs in",
            _role(names.owner, "NOLOGIN NOINHERIT"),
            _role(names.minter, "NOLOGIN CREATEROLE"),
            f"GRANT pg_signal_backend TO {quoted(names.minter)};",
            f"GRANT SET ON PARAMETER temp_file_limit TO {quoted(names.minter)};",
            _role(source.gateway, "LOGIN NOINHERIT"),
            f"ALTER ROLE {quoted(source.gateway)} NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION"
            " NOBYPASSRLS NOINHERIT;",
            f"GRANT CONNECT ON DATABASE {quoted(names.database)} TO {quoted(source.gateway)};",
        ]
    )


def _rights(rights: Sequence[Right]) -> str:
    if not rights:
        return ""
    done, undone = ["-- What PUBLIC had: first to those who had it from there alone, then away"], []
    for right in rights:
        for statement, inverse in right.statements():
            done.append(f"{statement};")
            undone.append(f"  ({literal(inverse)})")
    return "\n".join(
        [*done, f"INSERT INTO {PRIVATE}.undo (statement) VALUES\n" + ",\n".join(undone) + ";"]
    )


def _source_rights(source: Source) -> str:
    """The owner reads what is projected, and no more."""
    owner = quoted(source.names.owner)
    lines = ["-- The owner of the projections reads the base tables"]
    lines += [f"GRANT USAGE ON SCHEMA {quoted(s)} TO {owner};" for s in source.spec.schemas]
    read = sorted({p.source for plan in source.plans for p in plan.projections if p.treatments})
    lines += [f"GRANT SELECT ON {table} TO {owner};" for table in read]
    return "\n".join(lines)


def _gone(source: Source) -> str:
    lines = []
    for schema in source.stale_schemas:
        lines.append(f"DROP SCHEMA {quoted(schema)} CASCADE;")
        lines.append(f"DELETE FROM {PRIVATE}.provisioned WHERE schema = {literal(schema)};")
        lines.append(f"DELETE FROM {PRIVATE}.lookup WHERE schema = {literal(schema)};")
    for role in source.stale_roles:
        lines.append(f"DELETE FROM {PRIVATE}.offered WHERE role = {literal(role)};")
        lines.append(f"DROP OWNED BY {quoted(role)}; DROP ROLE {quoted(role)};")
    return "\n".join(["-- Profiles that the configuration no longer has", *lines]) if lines else ""


def in_sync(source: Source, plan: Plan) -> bool:
    """Whether what stands is what would be made."""
    schemas = {source.names.schema(plan.profile, s) for s in source.spec.schemas}
    standing = {key: mark for key, mark in source.standing.items() if key[0] in schemas}
    return standing == {(p.schema, p.name): p.fingerprint for p in plan.projections}


def _profile(source: Source, plan: Plan) -> str:
    names, profile = source.names, plan.profile
    if in_sync(source, plan):
        roles = [names.group(profile)]
        roles += [names.reader(profile, p.table) for p in plan.projections]
        given = [line for r in roles if r in source.unheld for line in _given(source, r)]
        return "\n".join([f"-- Profile {profile.profile_id} stands as it should", *given])
    group, owner = quoted(names.group(profile)), quoted(names.owner)
    schemas = [names.schema(profile, s) for s in source.spec.schemas]
    lines = [f"-- Profile {profile.profile_id}", _role(names.group(profile), "NOLOGIN")]
    lines += _given(source, names.group(profile))
    lines.append(f"GRANT CONNECT ON DATABASE {quoted(names.database)} TO {group};")
    for schema in schemas:
        lines.append(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE;")
        lines.append(f"CREATE SCHEMA {quoted(schema)} AUTHORIZATION {owner};")
        lines.append(f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {group};")
        lines.append(f"DELETE FROM {PRIVATE}.provisioned WHERE schema = {literal(schema)};")
        lines.append(f"DELETE FROM {PRIVATE}.lookup WHERE schema = {literal(schema)};")
    path = ", ".join(map(quoted, schemas))
    lines.append(_offer(names.group(profile), path))
    for schema, name, create in plan.functions:
        lines.append(f"{create};")
        lines.append(_handed(owner, group, schema, name))
    for projection in plan.projections:
        lines += _projection(source, plan, projection)
    return "\n".join(lines)


def _handed(owner: str, group: str, schema: str, name: str) -> str:
    """Of a function whose arguments need not be spelled again: there may be several of a name."""
    body = (
        " DECLARE f regprocedure; BEGIN FOR f IN SELECT p.oid FROM pg_proc p WHERE"
        f" p.proname = {literal(name)} AND p.pronamespace = {literal(quoted(schema))}::regnamespace"
        f" LOOP EXECUTE format('ALTER FUNCTION %s OWNER TO {owner}', f);"
        " EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);"
        f" EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {group}, {owner}', f);"
        " END LOOP; END "
    )
    return f"DO {dollars(body)};"


def _projection(source: Source, plan: Plan, projection: Projection) -> list[str]:
    names = source.names
    view = f"{quoted(projection.schema)}.{quoted(projection.name)}"
    reader = names.reader(plan.profile, projection.table)
    options = " WITH (security_barrier)" if projection.barrier else ""
    body = f"encode(sha256(convert_to(pg_get_viewdef({literal(view)}::regclass), 'UTF8')), 'hex')"

    def mark(body: str) -> str:
        values = (projection.schema, projection.name, projection.table, projection.fingerprint)
        return (
            f"INSERT INTO {PRIVATE}.provisioned (schema, view, relation, fingerprint, body)"
            f" VALUES ({', '.join(map(literal, values))}, {body})"
        )

    create = f"CREATE VIEW {view}{options} AS\n{projection.sql}"
    owned = f"ALTER VIEW {view} OWNER TO {quoted(names.owner)}"
    granted = f"GRANT SELECT ON {view} TO {quoted(reader)}"
    role = [_role(reader, "NOLOGIN"), *_given(source, reader), _offer(reader, "")]
    if projection.treatments:
        return [
            *role,
            *(f"{statement};" for statement in (create, owned, granted, mark(body))),
            *(line for by in projection.by_pseudonym for line in _lookup(source, projection, by)),
        ]
    # Whether it can be made over columns of other types only PostgreSQL can say.
    made = "; ".join(
        f"EXECUTE {literal(statement)}" for statement in (create, owned, granted, mark(body))
    )
    left_out = (
        f"RAISE WARNING 'not exposed: %: %', {literal(projection.table)}, SQLERRM;"
        f" {mark(literal(''))};"
    )
    body = f" BEGIN {made}; EXCEPTION WHEN OTHERS THEN {left_out} END "
    return [*role, f"DO {dollars(body)};"]


def _lookup(source: Source, projection: Projection, by: ByPseudonym) -> list[str]:
    """Rows by a pseudonym; who may read the projection may find in it."""
    owner = quoted(source.names.owner)
    reader = _reader(source, projection)
    view = f"{quoted(projection.schema)}.{quoted(projection.name)}"
    function = f"{quoted(projection.schema)}.{by.function}"
    joiner = "AND" if projection.barrier else "WHERE"
    head = "STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
    body = f"{projection.sql}\n {joiner} {by.condition}"
    learn = f"{ADMIN}.{by.learn}"
    learning = (
        f"\nINSERT INTO {PRIVATE}.token (kept, token, value)\n{by.learning}\n"
        "ON CONFLICT DO NOTHING "
    )
    return [
        f"CREATE FUNCTION {function}(text) RETURNS SETOF {view}\n"
        f"LANGUAGE sql {head} AS {dollars(f' {body} ')};",
        f"ALTER FUNCTION {function}(text) OWNER TO {owner};",
        f"REVOKE ALL ON FUNCTION {function}(text) FROM PUBLIC;",
        f"GRANT EXECUTE ON FUNCTION {function}(text) TO {quoted(reader)};",
        f"INSERT INTO {PRIVATE}.lookup (schema, function, body) SELECT"
        f" {literal(projection.schema)}, {literal(by.function)},"
        " encode(sha256(convert_to(prosrc, 'UTF8')), 'hex') FROM pg_proc"
        f" WHERE oid = {literal(function + '(text)')}::regprocedure;",
        f"CREATE OR REPLACE FUNCTION {learn}() RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER"
        f" SET search_path = pg_catalog, pg_temp AS {dollars(learning)};",
        f"ALTER FUNCTION {learn}() OWNER TO {owner};",
        f"REVOKE ALL ON FUNCTION {learn}() FROM PUBLIC;",
        f"GRANT EXECUTE ON FUNCTION {learn}() TO {quoted(source.gateway)};",
    ]


def _reader(source: Source, projection: Projection) -> str:
    plan = next(p for p in source.plans if projection in p.projections)
    return source.names.reader(plan.profile, projection.table)


def _given(source: Source, role: str) -> list[str]:
    """Since 16 a role that makes others can only hand out what it was given to administer."""
    if source.version < 160_000:
        return []
    return [
        f"GRANT {quoted(role)} TO {quoted(source.names.minter)}"
        " WITH ADMIN OPTION, INHERIT FALSE, SET FALSE;"
    ]


def _offer(role: str, path: str) -> str:
    return (
        f"INSERT INTO {PRIVATE}.offered (role, search_path) VALUES ({literal(role)},"
        f" {literal(path)}) ON CONFLICT (role) DO UPDATE SET search_path = excluded.search_path;"
    )


def removal(session: psycopg.Connection[Any]) -> str:
    """
    What takes the wall down and gives every right back.  Raises psycopg.Error.

    The gateway's login stays: it may have a password somebody still needs to know of.
    """
    names = names_of(session)
    foreign(session, names, roles=False)
    undo = session.execute(f"SELECT statement FROM {PRIVATE}.undo ORDER BY number DESC").fetchall()
    schemas = session.execute(TWINS, (names.owner,)).fetchall()
    roles = session.execute(
        "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname ~ %s ORDER BY 1 DESC",
        (f"^gov_(e|g)_{names.tag}_",),
    ).fetchall()
    lines = ["BEGIN;", "SET LOCAL search_path = pg_catalog;", "SET LOCAL lock_timeout = '10s';"]
    lines += [
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        f" WHERE usename ~ '^{names.ephemeral}';"
    ]
    lines += [f"DROP SCHEMA {quoted(schema)} CASCADE;" for (schema,) in schemas]
    lines += [_if_still_there(statement) for (statement,) in undo]
    lines += [f"DROP SCHEMA {ADMIN} CASCADE;", f"DROP SCHEMA {PRIVATE} CASCADE;"]
    lines += [f"DROP OWNED BY {quoted(role)}; DROP ROLE {quoted(role)};" for (role,) in roles]
    for role in (names.minter, names.owner):
        lines.append(f"DROP OWNED BY {quoted(role)}; DROP ROLE {quoted(role)};")
    lines.append("COMMIT;")
    return "\n".join(lines) + "\n"


def _if_still_there(statement: str) -> str:
    """What a right was on, or who had it, may have been dropped meanwhile."""
    body = (
        f"BEGIN EXECUTE {literal(statement)}; EXCEPTION WHEN undefined_table OR undefined_column OR"
        " undefined_function OR undefined_object OR invalid_schema_name THEN NULL; END"
    )
    return f"DO {literal(body)};"
