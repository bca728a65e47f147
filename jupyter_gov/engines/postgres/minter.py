"""
The minter: functions that make and end one login role for a grant.

They belong to a role that nobody is a member of, and they are all that the gateway's own login
may call.  Each argument is checked, and a group is given only if it was provisioned: on
PostgreSQL 15 a role with CREATEROLE could hand out any other.
"""

from __future__ import annotations

from jupyter_gov.engines.postgres.names import ADMIN, PRIVATE, Names, quoted

TABLES = f"""
CREATE TABLE IF NOT EXISTS {PRIVATE}.pad (
  name text PRIMARY KEY, inner_pad bytea NOT NULL, outer_pad bytea NOT NULL);
CREATE TABLE IF NOT EXISTS {PRIVATE}.seal (
  role name PRIMARY KEY, inner_pad bytea NOT NULL, outer_pad bytea NOT NULL, cipher bytea NOT NULL);
CREATE TABLE IF NOT EXISTS {PRIVATE}.small_area (zip3 text PRIMARY KEY);
CREATE TABLE IF NOT EXISTS {PRIVATE}.literal (name text PRIMARY KEY, value text);
CREATE TABLE IF NOT EXISTS {PRIVATE}.token (
  kept text, token text, value text NOT NULL, PRIMARY KEY (kept, token));
CREATE TABLE IF NOT EXISTS {PRIVATE}.lookup (
  schema name, function name, body text NOT NULL, PRIMARY KEY (schema, function));
CREATE TABLE IF NOT EXISTS {PRIVATE}.offered (
  role name PRIMARY KEY, search_path text NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS {PRIVATE}.lease (
  role name PRIMARY KEY, gateway text NOT NULL, ends_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS {PRIVATE}.provisioned (
  schema name, view name, relation text NOT NULL, fingerprint text NOT NULL, body text NOT NULL,
  PRIMARY KEY (schema, view));
CREATE TABLE IF NOT EXISTS {PRIVATE}.undo (
  number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, statement text NOT NULL);
"""
"""What the private schema holds.  ``undo`` is run backwards by ``--remove``."""

TEMP_FILES = "10GB"
"""What the sorts and hashes of one session may put on the server's disk."""
STALE = "5 minutes"
"""A lease whose gateway was not heard of for so long is swept by another."""


def functions(names: Names) -> str:
    """The script of the minter's functions."""
    return f"""
CREATE OR REPLACE FUNCTION {ADMIN}.pads(key bytea, OUT inner_pad bytea, OUT outer_pad bytea)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $gov$
DECLARE b int;
BEGIN
  -- RFC 2104: the key, filled up to a block of SHA-256, XOR 0x36… and XOR 0x5c…
  inner_pad := decode(repeat('36', 64), 'hex');
  outer_pad := decode(repeat('5c', 64), 'hex');
  FOR i IN 0 .. length(key) - 1 LOOP
    b := get_byte(key, i);
    inner_pad := set_byte(inner_pad, i, b # 54);
    outer_pad := set_byte(outer_pad, i, b # 92);
  END LOOP;
END $gov$;

CREATE OR REPLACE FUNCTION {ADMIN}.mint(
  suffix text, verifier text, groups text[], ends_at timestamptz, gateway text)
RETURNS bytea LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $gov$
DECLARE
  made text := '{names.ephemeral}' || suffix;
  path text := '';
  mac_key bytea; cipher_key bytea; g text; p text;
BEGIN
  -- Of NULL the checks below know nothing.
  IF num_nulls(suffix, verifier, groups, ends_at, gateway) > 0 THEN
    RAISE EXCEPTION 'something is missing';
  END IF;
  IF suffix !~ '^[0-9a-f]{{16}}$' THEN RAISE EXCEPTION 'bad suffix'; END IF;
  IF gateway !~ '^[0-9a-f]{{8,32}}$' THEN RAISE EXCEPTION 'bad gateway'; END IF;
  IF verifier !~ '^SCRAM-SHA-256\\$[0-9]+:[A-Za-z0-9+/=]+\\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$'
    THEN RAISE EXCEPTION 'bad verifier'; END IF;
  IF ends_at <= clock_timestamp() OR ends_at > clock_timestamp() + interval '31 days'
    THEN RAISE EXCEPTION 'bad end'; END IF;
  IF cardinality(groups) NOT BETWEEN 1 AND 2000 THEN RAISE EXCEPTION 'bad groups'; END IF;
  FOREACH g IN ARRAY groups LOOP
    SELECT o.search_path INTO p FROM {PRIVATE}.offered AS o WHERE o.role = g;
    IF NOT FOUND OR g !~ '^gov_g_{names.tag}_' THEN RAISE EXCEPTION 'not offered'; END IF;
    IF p <> '' THEN path := p; END IF;
  END LOOP;
  IF path = '' THEN RAISE EXCEPTION 'no schema'; END IF;
  -- Two sessions of two connections each (one for either driver), and two that are just closing.
  EXECUTE format(
    'CREATE ROLE %I LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS'
    ' CONNECTION LIMIT 6 VALID UNTIL %L PASSWORD %L IN ROLE %s', made, ends_at, verifier,
    (SELECT string_agg(quote_ident(x), ', ') FROM unnest(groups) AS u(x)));
  EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', made);
  EXECUTE format('ALTER ROLE %I SET search_path = %s', made, path);
  -- A sort of everything must not fill the hospital's disk.
  EXECUTE format('ALTER ROLE %I SET temp_file_limit = %L', made, '{TEMP_FILES}');
  -- 122 random bits each, from the server's strong generator.
  mac_key := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
                || uuid_send(gen_random_uuid()));
  cipher_key := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
                   || uuid_send(gen_random_uuid()));
  INSERT INTO {PRIVATE}.seal (role, inner_pad, outer_pad, cipher)
    SELECT made, d.inner_pad, d.outer_pad, cipher_key FROM {ADMIN}.pads(mac_key) AS d;
  INSERT INTO {PRIVATE}.lease (role, gateway, ends_at) VALUES (made, gateway, ends_at);
  RETURN mac_key || cipher_key;
END $gov$;

CREATE OR REPLACE FUNCTION {ADMIN}.end_role(suffix text) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $gov$
DECLARE
  old text := '{names.ephemeral}' || suffix;
  stopped int;
BEGIN
  IF suffix !~ '^[0-9a-f]{{16}}$' THEN RAISE EXCEPTION 'bad suffix'; END IF;
  DELETE FROM {PRIVATE}.seal WHERE role = old;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = old) THEN
    DELETE FROM {PRIVATE}.lease WHERE role = old;
    RETURN 0;
  END IF;
  EXECUTE format('ALTER ROLE %I NOLOGIN', old);
  SELECT count(*) INTO stopped FROM (
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = old) AS gone;
  BEGIN
    EXECUTE format('DROP ROLE %I', old);
  EXCEPTION WHEN dependent_objects_still_exist THEN
    -- A large object, say: nothing a role may make is worth keeping.
    EXECUTE format('GRANT %I TO CURRENT_USER', old);
    EXECUTE format('DROP OWNED BY %I', old);
    EXECUTE format('DROP ROLE %I', old);
  END;
  DELETE FROM {PRIVATE}.lease WHERE role = old;
  RETURN stopped;
END $gov$;

CREATE OR REPLACE FUNCTION {ADMIN}.heartbeat(gateway text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $gov$
  UPDATE {PRIVATE}.lease SET seen_at = clock_timestamp() WHERE lease.gateway = heartbeat.gateway
$gov$;

CREATE OR REPLACE FUNCTION {ADMIN}.orphans(gateway text) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $gov$
  -- This gateway's, those whose time is over, and those whose gateway is not heard of any more.
  SELECT right(r.rolname::text, 16) FROM pg_roles AS r
    LEFT JOIN {PRIVATE}.lease AS l ON l.role = r.rolname
   WHERE r.rolname ~ '^{names.ephemeral}[0-9a-f]{{16}}$'
     AND (l.role IS NULL OR l.gateway = orphans.gateway OR l.ends_at < clock_timestamp()
          OR l.seen_at < clock_timestamp() - interval '{STALE}')
$gov$;

CREATE OR REPLACE FUNCTION {ADMIN}.provisioned()
RETURNS TABLE (schema name, view name, relation text, fingerprint text, body text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $gov$
  SELECT p.schema, p.view, p.relation, p.fingerprint, p.body FROM {PRIVATE}.provisioned AS p
$gov$;

CREATE OR REPLACE FUNCTION {ADMIN}.lookups()
RETURNS TABLE (schema name, function name, body text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $gov$
  SELECT l.schema, l.function, l.body FROM {PRIVATE}.lookup AS l
$gov$;

CREATE OR REPLACE FUNCTION {ADMIN}.known(kept text, token text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $gov$
  SELECT EXISTS (SELECT FROM {PRIVATE}.token AS t
                  WHERE t.kept = known.kept AND t.token = known.token)
$gov$;

CREATE OR REPLACE FUNCTION {ADMIN}.keys() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $gov$
  -- Names and fingerprints: whether the gateway's keys are the ones the projections use.
  SELECT p.name || ' ' || left(encode(sha256(p.inner_pad || p.outer_pad), 'hex'), 16)
    FROM {PRIVATE}.pad AS p
  UNION ALL
  SELECT 'literal ' || l.name || ' ' || left(encode(sha256(convert_to(l.value, 'UTF8')), 'hex'), 16)
    FROM {PRIVATE}.literal AS l
$gov$;
"""


def grants(names: Names, gateway: str) -> str:
    """Who may do what with all that."""
    owner, minter, login = quoted(names.owner), quoted(names.minter), quoted(gateway)
    return f"""
ALTER SCHEMA {PRIVATE} OWNER TO {owner};
REVOKE ALL ON SCHEMA {PRIVATE} FROM PUBLIC;
GRANT USAGE ON SCHEMA {PRIVATE} TO {minter};
ALTER TABLE {PRIVATE}.pad OWNER TO {owner};
ALTER TABLE {PRIVATE}.seal OWNER TO {owner};
ALTER TABLE {PRIVATE}.small_area OWNER TO {owner};
ALTER TABLE {PRIVATE}.literal OWNER TO {owner};
ALTER TABLE {PRIVATE}.token OWNER TO {owner};
ALTER TABLE {PRIVATE}.lookup OWNER TO {owner};
ALTER TABLE {PRIVATE}.offered OWNER TO {owner};
ALTER TABLE {PRIVATE}.lease OWNER TO {owner};
ALTER TABLE {PRIVATE}.provisioned OWNER TO {owner};
ALTER TABLE {PRIVATE}.undo OWNER TO {owner};
REVOKE ALL ON ALL TABLES IN SCHEMA {PRIVATE} FROM PUBLIC;
GRANT SELECT, INSERT, DELETE ON {PRIVATE}.seal TO {minter};
GRANT SELECT, INSERT, UPDATE, DELETE ON {PRIVATE}.lease TO {minter};
GRANT SELECT ON {PRIVATE}.offered, {PRIVATE}.provisioned, {PRIVATE}.pad, {PRIVATE}.literal,
  {PRIVATE}.lookup TO {minter};
GRANT SELECT (kept, token) ON {PRIVATE}.token TO {minter};
ALTER SCHEMA {ADMIN} OWNER TO {minter};
REVOKE ALL ON SCHEMA {ADMIN} FROM PUBLIC;
ALTER FUNCTION {ADMIN}.pads(bytea) OWNER TO {minter};
ALTER FUNCTION {ADMIN}.mint(text, text, text[], timestamptz, text) OWNER TO {minter};
ALTER FUNCTION {ADMIN}.end_role(text) OWNER TO {minter};
ALTER FUNCTION {ADMIN}.heartbeat(text) OWNER TO {minter};
ALTER FUNCTION {ADMIN}.orphans(text) OWNER TO {minter};
ALTER FUNCTION {ADMIN}.provisioned() OWNER TO {minter};
ALTER FUNCTION {ADMIN}.keys() OWNER TO {minter};
ALTER FUNCTION {ADMIN}.lookups() OWNER TO {minter};
ALTER FUNCTION {ADMIN}.known(text, text) OWNER TO {minter};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {ADMIN} FROM PUBLIC;
GRANT USAGE ON SCHEMA {ADMIN} TO {login};
GRANT EXECUTE ON FUNCTION {ADMIN}.mint(text, text, text[], timestamptz, text),
  {ADMIN}.end_role(text), {ADMIN}.heartbeat(text), {ADMIN}.orphans(text),
  {ADMIN}.provisioned(), {ADMIN}.keys(), {ADMIN}.lookups(), {ADMIN}.known(text, text) TO {login};
"""
