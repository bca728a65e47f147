"""`jupyter gov provision`: the wall goes up, is looked at, and comes down; nobody else notices."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support import postgres_site
from tests.support.postgres import Server
from tests.support.postgres_site import PostgresSite

APP = {
    "hospital_owner": [
        "SELECT count(*) FROM patients",
        "UPDATE claims SET memo = memo WHERE claim_id = 100001",
        "CREATE TEMP TABLE t (a int)",
        "SELECT fn_stay_hours(now()::timestamp, now()::timestamp)",
        "SELECT similarity('a', 'b')",
    ],
    "hospital_ro": [
        "SELECT ssn FROM patients LIMIT 1",
        "SELECT * FROM get_patient_contact(7)",
        "SELECT count(*) FROM billing.guarantors",
        "SELECT digest('a', 'sha256')",
    ],
    "hospital_deid": ["SELECT ref FROM v_roster LIMIT 1", "SELECT count(*) FROM v_dept_stats"],
    "plain_login": ["SELECT 1", "CREATE TEMP TABLE t (a int)", "SELECT similarity('a', 'b')"],
    "gov_portal": ["SELECT count(*) FROM gov_stats.visits", "SELECT last_value FROM gov_stats.n"],
}
"""
What a hospital's own applications do.

`plain_login` has its rights from PUBLIC alone, and so has `gov_portal`, which looks like one of us.
"""


@pytest.fixture
def make_hospital(
    postgres: Server, hospital_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., PostgresSite]]:
    """Makes databases that are dropped at the end."""
    made: list[PostgresSite] = []

    def make(more: str = "") -> PostgresSite:
        folder = tmp_path_factory.mktemp("provision")
        site = postgres_site.make(postgres, hospital_template, folder, more)
        made.append(site)
        with postgres.connect(site.database) as dba:
            for role in APP:
                with contextlib.suppress(psycopg.errors.DuplicateObject):
                    dba.execute(f"CREATE ROLE {role} LOGIN")
                dba.execute(f"ALTER ROLE {role} PASSWORD 'app'")
            dba.execute(
                "CREATE SCHEMA gov_stats; GRANT USAGE ON SCHEMA gov_stats TO PUBLIC;"
                "CREATE VIEW gov_stats.visits AS SELECT 1 AS n;"
                "GRANT SELECT ON gov_stats.visits TO PUBLIC;"
                "CREATE SEQUENCE gov_stats.n; GRANT SELECT ON gov_stats.n TO PUBLIC"
            )
        return site

    yield make
    for site in made:
        postgres.drop(site.database)


def works(site: PostgresSite) -> list[str]:
    """What of the applications' own work fails now."""
    failed = []
    for role, statements in APP.items():
        for sql in statements:
            try:
                with site.server.connect(site.database, role, "app") as session:
                    session.execute(sql)
            except psycopg.Error as error:
                failed.append(f"{role}: {sql}: {error}")
    return failed


def rights(site: PostgresSite) -> list[tuple[object, ...]]:
    """Every access right in the database that is not ours, in a form that can be compared."""
    with site.server.connect(site.database) as dba:
        rows = dba.execute(
            "SELECT 'd', datname::text, e.grantee::regrole::text, e.privilege_type FROM"
            " pg_database,"
            " aclexplode(coalesce(datacl, acldefault('d', datdba))) e"
            " WHERE datname = current_database()"
            " UNION ALL SELECT 'n', nspname::text, e.grantee::regrole::text, e.privilege_type"
            " FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) e"
            " WHERE nspname !~ '^pg_(temp|toast)'"
            " UNION ALL SELECT 'f', p.oid::regprocedure::text, e.grantee::regrole::text,"
            " e.privilege_type FROM pg_proc p, aclexplode(coalesce(proacl,"
            " acldefault('f', proowner))) e WHERE pronamespace <> 'pg_catalog'::regnamespace"
            " UNION ALL SELECT 'r', c.oid::regclass::text, e.grantee::regrole::text,"
            " e.privilege_type FROM pg_class c, aclexplode(relacl) e WHERE relkind <> 't'"
        )
        return sorted(row for row in rows if row[2] != postgres_site.LOGIN)


class TestOtherApplications:
    """Roles that have nothing to do with us."""

    def test_work_before_during_and_after(self, make_hospital):
        """Nothing of theirs breaks, and at the end every right is as it was."""
        site = make_hospital()
        before = rights(site)
        assert works(site) == []
        assert site.provision()[0] == 0
        assert works(site) == []
        assert rights(site) != before
        assert site.provision("--remove")[0] == 0
        assert works(site) == []
        assert rights(site) == before
        with site.server.connect(site.database) as dba:
            left = dba.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname ~ '^gov_[^s]'"
                " UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ ('^gov_.*_' || left("
                "encode(sha256(current_database()::text::bytea), 'hex'), 8))"
            ).fetchall()
        assert left == []

    def test_may_have_gone_before_the_wall(self, make_hospital):
        """What they dropped meanwhile is no reason why the wall cannot be taken down."""
        site = make_hospital()
        with site.server.connect(site.database) as dba:
            dba.execute("CREATE FUNCTION now_of() RETURNS int SECURITY DEFINER RETURN 1")
            dba.execute("CREATE ROLE leaver LOGIN")
            assert site.provision()[0] == 0
            dba.execute("DROP FUNCTION now_of(); DROP SCHEMA gov_stats CASCADE")
            dba.execute("DROP OWNED BY leaver; DROP ROLE leaver")
        code, _, said = site.provision("--remove")
        assert (code, said) == (0, "")
        assert not [line for line in works(site) if not line.startswith("gov_portal:")]

    def test_provisioning_again_changes_nothing(self, make_hospital):
        """The second script finds everything standing."""
        site = make_hospital()
        assert site.provision()[0] == 0
        mine = rights(site)
        code, out, _ = site.provision("--dry-run")
        assert code == 0
        assert "CREATE VIEW" not in out
        assert site.provision()[0] == 0
        assert rights(site) == mine
        assert works(site) == []


class TestTheScript:
    """What `--dry-run` prints."""

    def test_holds_no_secret_and_changes_nothing(self, make_hospital):
        """Neither key nor password; the database is as it was."""
        site = make_hospital()
        before = rights(site)
        code, out, _ = site.provision("--dry-run")
        assert code == 0
        assert rights(site) == before
        assert "gateway-secret" not in out
        assert "SCRAM-SHA-256$4096" not in out
        assert out.count("CREATE VIEW") > 10

    def test_can_be_run_by_hand(self, make_hospital, tmp_path: Path):
        """With psql, and the keys loaded after it."""
        site = make_hospital()
        script = tmp_path / "provision.sql"
        script.write_text(site.provision("--dry-run")[1])
        site.server.load(site.database, script)
        with site.server.connect(site.database) as dba:
            verifier = dba.pgconn.encrypt_password(
                b"gateway-secret", postgres_site.LOGIN.encode(), b"scram-sha-256"
            ).decode()
            dba.execute(f"ALTER ROLE {postgres_site.LOGIN} PASSWORD '{verifier}'")
        code, _, said = site.provision("--check")
        assert code == 1
        assert "the keys of this gateway are not loaded" in said
        assert site.provision("--keys")[0] == 0
        assert site.provision("--check")[0] == 0

    def test_no_key_is_in_the_server_log(self, make_hospital):
        """The server logs every statement; neither a key nor a password is among them."""
        site = make_hospital()
        site.provision()
        with site.server.connect(site.database) as dba:
            pads = dba.execute(
                "SELECT encode(inner_pad, 'hex'), encode(outer_pad, 'hex') FROM gov_private.pad"
            ).fetchall()
        assert pads
        log = site.server.log
        for pad in (text for row in pads for text in row):
            assert pad not in log
        assert "gateway-secret" not in log


BREAKS = {
    "PUBLIC reads a table": "GRANT SELECT ON patients TO PUBLIC",
    "PUBLIC reads a column": "GRANT SELECT (ssn) ON patients TO PUBLIC",
    "PUBLIC enters a schema": "GRANT USAGE ON SCHEMA public TO PUBLIC",
    "PUBLIC enters a schema that looks like ours": "CREATE SCHEMA gov_stats;"
    " GRANT USAGE ON SCHEMA gov_stats TO PUBLIC",
    "PUBLIC reads a sequence": "CREATE SEQUENCE mrn_seq; GRANT SELECT ON mrn_seq TO PUBLIC",
    "PUBLIC makes temporary tables": "DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO"
    " PUBLIC', current_database()); END $$",
    "a function runs as its owner": "GRANT EXECUTE ON FUNCTION fn_code_of(text) TO PUBLIC",
    "the gateway's login reads a table": "GRANT SELECT ON patients TO gov_gateway",
    "the gateway's login is in a group": "GRANT pg_read_all_data TO gov_gateway",
    "the gateway's login makes roles": "ALTER ROLE gov_gateway CREATEROLE",
    "a view was changed": "DO $$ DECLARE v text; BEGIN SELECT format('%I.%I', schema, view) INTO v"
    " FROM gov_private.provisioned WHERE view = 'providers'; EXECUTE 'CREATE OR REPLACE VIEW '"
    " || v"
    " || ' AS SELECT provider_id, npi, ''x''::text AS provider_name, specialty, department FROM"
    " public.providers'; END $$",
    "a view is gone": "DO $$ DECLARE v text; BEGIN SELECT format('%I.%I', schema, view) INTO v FROM"
    " gov_private.provisioned WHERE view = 'v_roster'; EXECUTE 'DROP VIEW ' || v; END $$",
    "the owner logs in": "DO $$ DECLARE r text; BEGIN SELECT nspowner::regrole::text INTO r FROM"
    " pg_namespace WHERE nspname = 'gov_private'; EXECUTE format('ALTER ROLE %I LOGIN', r); END"
    " $$",
    "somebody is in the owner": "DO $$ DECLARE r text; BEGIN SELECT nspowner::regrole::text INTO r"
    " FROM pg_namespace WHERE nspname = 'gov_private';"
    " EXECUTE format('GRANT %I TO hospital_ro', r); END $$",
    "somebody is in the minter": "DO $$ DECLARE r text; BEGIN SELECT nspowner::regrole::text INTO r"
    " FROM pg_namespace WHERE nspname = 'gov_admin'; EXECUTE format('GRANT %I TO hospital_ro', r);"
    " END $$",
    "a reader reads a table": "DO $$ DECLARE r text; BEGIN SELECT role INTO r FROM"
    " gov_private.offered LIMIT 1; EXECUTE format('GRANT SELECT ON patients TO %I', r); END $$",
    "a reader is in another group": "DO $$ DECLARE r text; BEGIN SELECT role INTO r FROM"
    " gov_private.offered LIMIT 1; EXECUTE format('GRANT pg_read_all_data TO %I', r); END $$",
    "PUBLIC reads files": "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC",
    "new tables are for PUBLIC": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "PUBLIC changes a setting of the server": "GRANT SET ON PARAMETER lo_compat_privileges TO"
    " PUBLIC",
    "the keys were exchanged": "UPDATE gov_private.pad SET inner_pad = outer_pad",
}
OF_OWNER = (
    "DO $$ DECLARE r text; BEGIN SELECT nspowner::regrole::text INTO r FROM pg_namespace WHERE"
    " nspname = '{}'; EXECUTE format('{}', r); END $$"
)
OF_READER = (
    "DO $$ DECLARE r text; BEGIN SELECT role INTO r FROM gov_private.offered LIMIT 1;"
    " EXECUTE format('{}', r); END $$"
)
MENDS = {
    "PUBLIC reads a table": "REVOKE SELECT ON patients FROM PUBLIC",
    "PUBLIC reads a column": "REVOKE SELECT (ssn) ON patients FROM PUBLIC",
    "PUBLIC enters a schema": "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
    "PUBLIC enters a schema that looks like ours": "DROP SCHEMA gov_stats",
    "PUBLIC reads a sequence": "DROP SEQUENCE mrn_seq",
    "a function runs as its owner": "REVOKE EXECUTE ON FUNCTION fn_code_of(text) FROM PUBLIC",
    "the gateway's login makes roles": "ALTER ROLE gov_gateway NOCREATEROLE",
    "the owner logs in": OF_OWNER.format("gov_private", "ALTER ROLE %I NOLOGIN"),
    "somebody is in the owner": OF_OWNER.format("gov_private", "REVOKE %I FROM hospital_ro"),
    "somebody is in the minter": OF_OWNER.format("gov_admin", "REVOKE %I FROM hospital_ro"),
    "a reader reads a table": OF_READER.format("REVOKE SELECT ON patients FROM %I"),
    "a reader is in another group": OF_READER.format("REVOKE pg_read_all_data FROM %I"),
    "PUBLIC changes a setting of the server": "REVOKE SET ON PARAMETER lo_compat_privileges FROM"
    " PUBLIC",
    "PUBLIC reads files": "REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM PUBLIC",
    "the gateway's login reads a table": "REVOKE SELECT ON patients FROM gov_gateway",
    "the gateway's login is in a group": "REVOKE pg_read_all_data FROM gov_gateway",
    "new tables are for PUBLIC": "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC",
}
"""The rest is mended by provisioning again."""


@pytest.fixture(scope="module")
def hospital(
    postgres: Server, hospital_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresSite]:
    """One that is provisioned."""
    site = postgres_site.make(postgres, hospital_template, tmp_path_factory.mktemp("check"))
    assert site.provision()[0] == 0
    yield site
    postgres.drop(site.database)


class TestBefore:
    def test_says_that_it_is_not_provisioned(self, make_hospital):
        """There is no login yet, and the way is shown."""
        site = make_hospital()
        site.gateway.env["TEST_GATEWAY_PASSWORD"] = "another"
        refused = site.gateway.here("config", "check")
        assert refused.returncode == 2
        assert "does not let the gateway in" in refused.stderr
        assert "jupyter gov provision hospital --check" in refused.stderr


class TestTheCheck:
    """Engine enforcement is claimed only where nothing on the list is wrong."""

    @pytest.mark.parametrize("what", BREAKS)
    def test_finds_what_is_wrong(self, hospital, postgres, what):
        """And a gateway does not start over it."""
        with postgres.connect(hospital.database) as dba:
            try:
                dba.execute("BEGIN")
                dba.execute(BREAKS[what])
                dba.execute("COMMIT")
                code, _, said = hospital.provision("--check")
                assert code == 1
                assert "wrong:" in said
                refused = hospital.gateway.here("config", "check")
                assert refused.returncode == 2
                assert "does not enforce" in refused.stderr
            finally:
                if what in MENDS:
                    dba.execute(MENDS[what])
                else:
                    hospital.provision()
        code, _, said = hospital.provision("--check")
        assert (code, said) == (0, "")

    def test_notes_that_nothing_can_be_sealed(self, make_hospital):
        """Then such columns are withheld; once it can be, the wall is to be put up again."""
        site = make_hospital()
        with site.server.connect(site.database) as dba:
            dba.execute("DROP EXTENSION pgcrypto CASCADE")
            assert site.provision()[0] == 0
            code, out, _ = site.provision("--check")
            assert (code, "pgcrypto is not installed" in out) == (0, True)
            dba.execute("CREATE EXTENSION pgcrypto")
        code, out, said = site.provision("--check")
        assert (code, "pgcrypto" in out) == (1, False)
        assert "patients is not what the configuration says" in said

    def test_knows_the_gateways_login_whatever_it_is_called(self, make_hospital):
        """Its name is compared, and is no pattern."""
        site = make_hospital()
        config = site.gateway.config
        config.write_text(config.read_text().replace("gov_gateway@", "gov%2Bgateway@"))
        assert site.provision()[0] == 0
        with site.server.connect(site.database) as dba:
            dba.execute('GRANT SELECT ON patients TO "gov+gateway"')
            code, _, said = site.provision("--check")
            dba.execute('DROP OWNED BY "gov+gateway"')
        assert (code, "gov+gateway has SELECT on table" in said) == (1, True)

    def test_a_new_column_is_absent(self, hospital, postgres):
        """Until it is tagged and provisioned; the check says so and is satisfied."""
        with postgres.connect(hospital.database) as dba:
            dba.execute("ALTER TABLE patients ADD COLUMN genome text")
        code, out, _ = hospital.provision("--check")
        assert code == 0
        assert "genome is new: absent until tagged and provisioned" in out


class TestAView:
    """Of the source: made anew over treated columns, or not at all."""

    def test_that_does_not_fit_the_treated_types_is_left_out(self, make_hospital):
        """`to_char(dob, …)` has no meaning over an age; everything else stands, and stays."""
        site = make_hospital(
            "c.GovMasking.treatments = {**c.GovMasking.treatments, 'birth_date': 'age'}"
        )
        code, out, _ = site.provision()
        assert code == 0
        assert "v_roster is new or not exposed" in out
        assert "v_dept_stats is new" not in out
        assert "CREATE VIEW" not in site.provision("--dry-run")[1]
