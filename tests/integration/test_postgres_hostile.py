"""
What a user of the database plants before or after the DBA provisions, and what it does not reach.

The planter may create schemas, and things in a schema that is masked, as applications may.
"""

from __future__ import annotations

import dataclasses
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.engines.postgres.check import Findings, inspect
from jupyter_gov.engines.postgres.keys import literals_of, load_keys
from jupyter_gov.engines.postgres.names import Names
from jupyter_gov.engines.postgres.script import removal
from jupyter_gov.engines.postgres.script import script as script_of
from jupyter_gov.engines.postgres.source import look
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.masking.model import Profile
from jupyter_gov.masking.places import SMALL_ZIP3
from tests.support.postgres import Server, psql
from tests.support.postgres_wall import LOGIN, hospital, keys_of, walls
from tests.support.wall import policy

TAGS = {
    "patients": {"patient_id": "subject", "mrn": "mrn"},
    "leaflets": {"code": "mrn"},
    "v_leaflets": {"code": "mrn"},
}
PROFILE = Profile(
    connection="ward",
    by_tag={"subject": policy("clear", "subject"), "mrn": policy("pseudonym", "mrn")},
    untagged=policy("withhold", "untagged"),
    tags=TAGS,
)
UP = "ALTER ROLE planter SUPERUSER"


@dataclass
class Ward:
    """A database in which somebody may plant."""

    server: Server
    database: str
    spec: ConnectionSpec

    def plant(self, *statements: str) -> None:
        with self.server.connect(self.database, "planter", "planter") as session:
            for statement in statements:
                session.execute(statement.encode())

    def dba(self) -> psycopg.Connection:
        return self.server.connect(self.database)

    def script(self) -> str:
        with self.dba() as dba:
            return script_of(look(dba, self.spec, [PROFILE], LOGIN))

    def provision(self) -> None:
        """As the command does it."""
        with self.dba() as dba:
            source = look(dba, self.spec, [PROFILE], LOGIN)
            dba.execute(script_of(source).encode())
            literals = literals_of(source)
            load_keys(dba, keys_of(PROFILE), SMALL_ZIP3, literals)

    def inspect(self) -> Findings:
        """As the gateway looks at it."""
        with self.dba() as dba:
            dba.execute(f"ALTER ROLE {LOGIN} PASSWORD 'gateway'")
        with self.server.connect(self.database, LOGIN, "gateway") as session:
            return inspect(session, self.spec, [PROFILE], {}, keys_of(PROFILE))

    def is_super(self) -> bool:
        with self.dba() as dba:
            row = dba.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'planter'").fetchone()
        return row == (True,)


@pytest.fixture
def ward(postgres: Server) -> Iterator[Ward]:
    """Patients of the DBA's, and a login that may create things beside them."""
    name = f"ward_{secrets.token_hex(4)}"
    postgres.create(name)
    with postgres.connect(name) as dba:
        dba.execute(
            "DROP ROLE IF EXISTS planter; CREATE ROLE planter LOGIN PASSWORD 'planter';"
            "CREATE TABLE public.patients (patient_id int, mrn text, note text);"
            "INSERT INTO public.patients VALUES (7, 'MRN-00007', 'a secret');"
            f"GRANT CREATE ON DATABASE {name} TO planter;"
            "GRANT CREATE ON SCHEMA public TO planter"
        )
    url = postgres.url(name).replace("//", f"//{LOGIN}@")
    yield Ward(postgres, name, ConnectionSpec(name="ward", url=url, tags=TAGS))
    postgres.drop(name)
    with postgres.connect() as dba:
        dba.execute("DROP ROLE planter")


_TAIL = f"x$gov$;ROLLBACK;{UP};--"
NAMES = [
    # the end of a comment's line, in notes of what is not exposed
    f'CREATE TABLE public."x\n{UP};--" ()',
    f'CREATE TABLE public."x\r{UP};--" ()',
    f'CREATE TABLE public."y\n{UP};--" (a int)',
    f'ALTER TABLE public."y\n{UP};--" ENABLE ROW LEVEL SECURITY',
    f"CREATE FUNCTION public.\"x\n{UP};--\"() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    f'CREATE VIEW public.v AS SELECT public."x\n{UP};--"()',
    'CREATE TABLE public."x\n\\! touch hostile" ()',
    # the end of a quoted body
    f"CREATE VIEW public.w AS SELECT '{_TAIL}'::text AS x",
    f"CREATE VIEW public.e AS SELECT E'\\\\'' $gov1${_TAIL}' AS x",
    f'CREATE TABLE public."{_TAIL}" (a int)',
    f"CREATE TYPE public.\"t{_TAIL[1:]}\" AS ENUM ('a')",
    f'CREATE TABLE public.leaflets (code text, "\'; {UP}; --" int, "c{_TAIL}" int,'
    f' k public."t{_TAIL[1:]}")',
    f"CREATE FUNCTION public.f(a text DEFAULT '{_TAIL}') RETURNS int STABLE LANGUAGE sql"
    f" AS $x$ SELECT 1 /* {_TAIL} */ $x$",
    # what is cut after 63 bytes
    f'CREATE TABLE public."{"é" * 31}" (a int)',
]


class TestNames:
    """A superuser runs the script, over names and texts that others chose."""

    def test_end_nothing_of_the_script(self, ward: Ward) -> None:
        """Neither as we run it nor by psql, which goes on after errors; and it succeeds."""
        ward.plant(*NAMES)
        script = ward.script()
        folder = ward.server.folder / "hand"
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            [psql(), "-X", "-q", "-d", ward.server.conninfo(ward.database)],
            input=script.encode(), capture_output=True, cwd=folder,
        )  # fmt: skip
        assert b"ERROR" not in done.stderr
        assert not ward.is_super()
        assert list(folder.iterdir()) == []
        ward.provision()
        assert not ward.is_super()
        assert ward.inspect().problems == []


_UP_TRIGGER = (
    f"CREATE FUNCTION public.up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {UP};"
    " RETURN NEW; END $$"
)
SQUATS = {
    "a function the script calls": [
        "CREATE SCHEMA gov_private; CREATE TABLE gov_private.provisioned (schema name, view name,"
        " relation text, fingerprint text, body text); CREATE SCHEMA gov_admin;"
        " CREATE FUNCTION gov_admin.lookups() RETURNS TABLE (schema name, function name, body text)"
        f" LANGUAGE plpgsql AS $$ BEGIN {UP}; END $$",
    ],
    "a trigger on what it writes": [
        "CREATE SCHEMA gov_private; CREATE TABLE gov_private.offered (role name PRIMARY KEY,"
        " search_path text NOT NULL DEFAULT '')",
        _UP_TRIGGER,
        "CREATE TRIGGER t BEFORE INSERT ON gov_private.offered FOR EACH ROW"
        " EXECUTE FUNCTION public.up()",
    ],
    "a right on the keys": [
        "CREATE SCHEMA gov_private; CREATE TABLE gov_private.pad (name text PRIMARY KEY,"
        " inner_pad bytea NOT NULL, outer_pad bytea NOT NULL);"
        " GRANT SELECT ON gov_private.pad TO PUBLIC; GRANT USAGE ON SCHEMA gov_private TO PUBLIC",
    ],
    "the schema alone": ["CREATE SCHEMA gov_admin"],
    "what is undone": [
        "CREATE SCHEMA gov_private; CREATE TABLE gov_private.undo (number int, statement text);"
        f" INSERT INTO gov_private.undo VALUES (1, '{UP}')",
    ],
}  # fmt: skip


class TestOurSchemas:
    """Somebody makes them before the DBA does."""

    @pytest.mark.parametrize("planted", SQUATS.values(), ids=SQUATS.keys())
    def test_are_not_touched_if_they_are_not_ours(self, ward: Ward, planted: list[str]) -> None:
        """Not by looking, not by a script made before, not by taking down."""
        script = ward.script()
        ward.plant(*planted)
        with pytest.raises(ConfigInvalid, match="not made by this program"):
            ward.script()
        with ward.dba() as dba:
            with pytest.raises(psycopg.errors.RaiseException, match="not made by this program"):
                dba.execute(script.encode())
            dba.rollback()
            with pytest.raises(ConfigInvalid, match="not made by this program"):
                removal(dba)
            with pytest.raises(ConfigInvalid, match="not made by this program"):
                load_keys(dba, keys_of(PROFILE), SMALL_ZIP3, {})
        assert not ward.is_super()

    def test_nor_with_a_role_that_somebody_is(self, ward: Ward) -> None:
        """Who is a member of the owner of the projections reads every table."""
        owner = Names(ward.database).owner
        with ward.dba() as dba:
            dba.execute(f"CREATE ROLE {owner} NOLOGIN; GRANT {owner} TO planter")
        with pytest.raises(ConfigInvalid, match="has members"):
            ward.script()
        with ward.dba() as dba:
            dba.execute(f"DROP ROLE {owner}")

    def test_are_ours_the_second_time(self, ward: Ward) -> None:
        """What we made ourselves is no obstacle."""
        ward.provision()
        ward.provision()
        with ward.dba() as dba:
            dba.execute(removal(dba).encode())
        ward.provision()
        assert ward.inspect().problems == []


_STEAL = (
    "CREATE FUNCTION public.steal(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN"
    " RAISE WARNING 'as %: %', current_user, (SELECT note FROM public.patients LIMIT 1);"
    " RETURN 'x'; END $$"
)
PLANTED = {
    "an index": [
        "CREATE FUNCTION public.steal(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'",
        "CREATE TABLE public.leaflets (code text); INSERT INTO public.leaflets VALUES ('L')",
        "CREATE INDEX ON public.leaflets ((code || public.steal('x')))",
        _STEAL.replace("CREATE", "CREATE OR REPLACE", 1),
    ],
    "a policy": [
        _STEAL,
        "CREATE TABLE public.leaflets (code text); INSERT INTO public.leaflets VALUES ('L');"
        "ALTER TABLE public.leaflets ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON public.leaflets USING (public.steal(code) = 'x')",
    ],
    "a view": [_STEAL, "CREATE VIEW public.v_leaflets AS SELECT public.steal('x') AS code"],
}


class TestFunctions:
    """Those that somebody plants where the projections' owner could come by."""

    @pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED.keys())
    def test_never_run_as_the_owner_of_the_projections(
        self, ward: Ward, planted: list[str]
    ) -> None:
        """It reads every table and the keys."""
        ward.plant(*planted)
        ward.provision()
        with ward.dba() as dba:
            found = dba.execute(
                "SELECT oid::regprocedure::text FROM pg_proc WHERE proname ~ '^(lookup|learn)_'"
            ).fetchall()
            assert found  # those of the patients
            dba.execute("SET client_min_messages = error")
            for (function,) in found:
                argument = "'p_0'" if function.endswith("(text)") else ""
                dba.execute(f"SELECT {function.partition('(')[0]}({argument})")
        assert "WARNING:  as gov_owner" not in ward.server.log
        assert ward.inspect().problems == []

    def test_that_are_called_like_postgresqls_own_are_not_offered(self, ward: Ward) -> None:
        """The gate allows names, so that these would open what it keeps shut."""
        body = "(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'"
        ward.plant(f"CREATE FUNCTION public.own{body}")
        ward.provision()
        ward.plant(f"CREATE FUNCTION public.set_config{body}")
        ward.plant(f"CREATE FUNCTION public.query_to_xml{body}")
        assert ward.inspect().functions == {"own"}


class TestTheMinter:
    """A leaked password of the gateway's login."""

    @pytest.mark.parametrize("missing", range(5))
    def test_makes_no_role_without_all_that_is_checked(self, ward: Ward, missing: int) -> None:
        """One without a password, say, could log in where the server asks for none."""
        ward.provision()
        ward.inspect()
        given: list[object] = [
            "0123456789abcdef", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA",
            [Names(ward.database).group(PROFILE)], datetime.now(UTC) + timedelta(hours=1),
            "deadbeef",
        ]  # fmt: skip
        given[missing] = None
        with (
            ward.server.connect(ward.database, LOGIN, "gateway") as session,
            pytest.raises(psycopg.errors.RaiseException, match="something is missing"),
        ):
            session.execute(
                "SELECT gov_admin.mint(%s::text, %s::text, %s::text[], %s::timestamptz, %s::text)",
                given,
            )


class TestTheCheck:
    """What the gateway finds before it serves."""

    @pytest.mark.parametrize(
        ("planted", "found"),
        [
            ("GRANT USAGE ON SCHEMA gov_0123456789_x TO {group}", "USAGE on schema"),
            ("GRANT USAGE ON SCHEMA gov_0123456789_x TO PUBLIC", "USAGE on schema"),
            ("GRANT SELECT ON gov_0123456789_x.v TO {group}", "SELECT on table"),
            (
                "GRANT EXECUTE ON FUNCTION gov_0123456789_x.lookup_0123456789() TO {group}",
                "EXECUTE on function",
            ),
        ],
    )
    def test_sees_what_only_looks_like_a_projection(
        self, ward: Ward, planted: str, found: str
    ) -> None:
        """A schema of anybody's may be called like one of ours."""
        ward.provision()
        group = Names(ward.database).group(PROFILE)
        ward.plant(
            "CREATE SCHEMA gov_0123456789_x; CREATE VIEW gov_0123456789_x.v AS SELECT 1 AS a;"
            "CREATE FUNCTION gov_0123456789_x.lookup_0123456789() RETURNS int LANGUAGE sql"
            " SECURITY DEFINER AS 'SELECT 1'; REVOKE ALL ON FUNCTION"
            " gov_0123456789_x.lookup_0123456789() FROM PUBLIC"
        )
        assert ward.inspect().problems == []
        ward.plant(planted.format(group=group))
        (problem,) = ward.inspect().problems
        assert found in problem

    def test_sees_who_has_a_right_on_what_is_ours(self, ward: Ward) -> None:
        """The script gives none, whatever the DBA gives to what the DBA makes."""
        ward.plant("CREATE SCHEMA other")
        with ward.dba() as dba:
            for kind, right in (("SCHEMAS", "USAGE"), ("TABLES", "ALL"), ("FUNCTIONS", "ALL")):
                dba.execute(f"ALTER DEFAULT PRIVILEGES GRANT {right} ON {kind} TO planter")
        ward.provision()
        assert ward.inspect().problems == []
        with ward.server.connect(ward.database, "planter", "planter") as session:
            for query in ("TABLE gov_private.pad", "SELECT gov_admin.keys()"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(query)
        with ward.dba() as dba:
            dba.execute("GRANT EXECUTE ON FUNCTION gov_admin.end_role(text) TO planter")
            dba.execute("GRANT SELECT ON gov_private.pad TO planter")
        found = " ".join(ward.inspect().problems)
        assert "planter has SELECT on gov_private.pad" in found
        assert "planter has a right on the function gov_admin.end_role(text)" in found

    def test_sees_what_the_gateways_own_login_owns(self, ward: Ward) -> None:
        """An application's login would do for the gateway, and read its tables."""
        ward.provision()
        with ward.dba() as dba:
            dba.execute(f"ALTER TABLE patients OWNER TO {LOGIN}")
        assert f"{LOGIN} has the ownership of table public.patients" in ward.inspect().problems

    def test_sees_who_reads_projections_without_a_grant(self, ward: Ward) -> None:
        """A person whom the DBA made a member of a group is in no record."""
        ward.provision()
        with ward.dba() as dba:
            dba.execute(f"GRANT {Names(ward.database).group(PROFILE)} TO planter")
        (problem,) = ward.inspect().problems
        assert "has members that are no grants: planter" in problem
        with ward.dba() as dba:
            dba.execute(f"REVOKE {Names(ward.database).group(PROFILE)} FROM planter")


class TestConditionsOnRows:
    """What they hide comes by no other relation."""

    def test_are_not_passed_by(self, postgres: Server) -> None:
        """A view with tags of its own, and a child of two tables, show no rows without one."""
        tags = {name: dict(TAGS["patients"]) for name in ("patients", "v", "over_v", "free", "w")}
        rows = {"patients": "patient_id = 1", "w": "patient_id = 2"}
        profile = dataclasses.replace(PROFILE, tags=tags, rows=rows)
        postgres.create("conditions")
        with postgres.connect("conditions") as dba:
            dba.execute(
                "CREATE TABLE patients (patient_id int, mrn text);"
                "INSERT INTO patients VALUES (1, 'MRN-1'), (2, 'MRN-2');"
                "CREATE SCHEMA elsewhere; CREATE VIEW elsewhere.u AS SELECT * FROM patients;"
                "CREATE VIEW v AS SELECT * FROM elsewhere.u; CREATE VIEW over_v AS TABLE v;"
                "CREATE VIEW w AS SELECT * FROM patients; CREATE VIEW plain AS TABLE patients;"
                "CREATE TABLE free (patient_id int); INSERT INTO free VALUES (9);"
                "CREATE TABLE kid () INHERITS (free, patients); INSERT INTO kid VALUES (3, 'MRN-3')"
            )
        with walls(postgres, "conditions", {"file": profile}, tags, ("public",)) as made:
            wall = made["file"]
            seen = {t: wall.ask(f"SELECT patient_id FROM {t}").rows for t in sorted(wall.tables)}
        postgres.drop("conditions")
        assert seen == {
            "patients": [(1,)], "plain": [(1,)], "w": [(2,)], "free": [(9,), (3,)],
            "v": [], "over_v": [], "kid": [],
        }  # fmt: skip


class TestTwoOfOneName:
    """A table may have a dot in its name."""

    def test_are_two(self, postgres: Server) -> None:
        """Neither has the other's tags, and the service goes on."""
        tags = {"billing.claims": {"code": "subject"}}
        profile = dataclasses.replace(PROFILE, tags=tags)
        postgres.create("dotted")
        with postgres.connect("dotted") as dba:
            dba.execute(
                "CREATE SCHEMA billing; CREATE TABLE billing.claims (code text);"
                "INSERT INTO billing.claims VALUES ('a code');"
                'CREATE TABLE public."billing.claims" (code text, more int);'
                "INSERT INTO public.\"billing.claims\" VALUES ('a secret')"
            )
        with walls(postgres, "dotted", {"file": profile}, tags, ("public", "billing")) as made:
            wall = made["file"]
            assert wall.ask("SELECT * FROM billing.claims").rows == [("a code",)]
            assert wall.ask('SELECT code FROM "billing.claims"').rows == [(None,)]
        postgres.drop("dotted")


class TestGroups:
    """What a plan would count of them."""

    def test_no_cost_is_told(self, postgres: Server, hospital_template: str) -> None:
        """The planner's costs are the number of rows it expects, of however small a group."""
        profile, tags, schemas = hospital()
        profiles = {"all": profile, "groups": dataclasses.replace(profile, min_group=11)}
        with walls(postgres, hospital_template, profiles, tags, schemas) as made:
            sql = "EXPLAIN SELECT count(*) FROM claims WHERE payer = 'x' HAVING count(*) >= 11"
            assert "cost=" in made["all"].ask(sql).values
            assert "cost=" not in made["groups"].ask(sql).values
            assert made["groups"].ask(sql).rows
