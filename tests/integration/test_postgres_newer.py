"""
What newer servers changed: PostgreSQL 16 (who may hand out a role), 17 and 18.

The servers come with `make test`; one that is not here is skipped, and the reason says how to get
it.  All other tests of PostgreSQL can be run on one of them too, by POSTGRES_BIN.
"""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Iterator

import psycopg
import pytest

from jupyter_gov.engines.postgres.functions import FUNCTIONS
from tests.conftest import populate
from tests.integration.test_postgres_wall import VALUES, leaked, statements
from tests.support import postgres_newer, postgres_site
from tests.support.gateway import running
from tests.support.postgres import CASES, Server, server
from tests.support.postgres_site import LOGIN, PostgresSite
from tests.support.postgres_wall import Wall, hospital, walls
from tests.support.waiting import until

TEMPLATE = "hospital_template"
NEWER = [
    json.loads(line)
    for line in (CASES / "postgres" / "newer_bypass.jsonl").read_text("utf-8").splitlines()
]


@pytest.fixture(scope="module", params=postgres_newer.PINNED)
def newer(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of that version, with the cases' hospital to make others from."""
    try:
        folder = postgres_newer.binaries(request.param)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    with server(folder) as made:
        made.create(TEMPLATE)
        made.load(TEMPLATE, CASES / "schema.sql")
        yield made


@pytest.fixture(scope="module")
def major(newer: Server) -> int:
    with newer.connect() as session:
        return session.info.server_version // 10_000


@pytest.fixture(scope="module")
def site(newer: Server, tmp_path_factory: pytest.TempPathFactory) -> PostgresSite:
    """A hospital that is provisioned."""
    made = postgres_site.make(newer, TEMPLATE, tmp_path_factory.mktemp("newer"))
    code, out, said = made.provision()
    assert (code, said) == (0, "")
    assert "the engine enforces the masking of 14 tables" in out
    return made


@pytest.fixture(scope="module")
def wall(newer: Server) -> Iterator[Wall]:
    """The hospital under the case files' policy."""
    profile, tags, schemas = hospital()
    with walls(newer, TEMPLATE, {"file": profile}, tags, schemas) as made:
        yield made["file"]


def rights(site: PostgresSite) -> set[tuple[str, ...]]:
    """What there is of memberships, and of rights that PUBLIC has on tables."""
    with site.server.connect(site.database) as dba:
        return set(
            dba.execute(
                "SELECT 'member', roleid::regrole::text, member::regrole::text FROM pg_auth_members"
                " WHERE roleid::regrole::text !~ '^gov_g_' AND member::regrole::text !~ '^gov_'"
                " UNION ALL SELECT privilege_type, oid::regclass::text, ''"
                " FROM pg_class, aclexplode(relacl) WHERE grantee = 0"
            )
        )


class TestTheWall:
    def test_comes_down_with_a_grants_role_still_there(self, newer, major, tmp_path):
        """Every right is as it was; MAINTAIN, which is new in 17, is one."""
        site = postgres_site.make(newer, TEMPLATE, tmp_path)
        with newer.connect(site.database) as dba:
            maintain = ", MAINTAIN" if major >= 17 else ""
            dba.execute(f"GRANT SELECT{maintain} ON providers TO PUBLIC")
            before = rights(site)
            assert site.provision()[0] == 0
            assert rights(site) < before
            _minted(site)
            assert site.provision("--remove")[0] == 0
            assert rights(site) == before
            assert site.roles() == []
        newer.drop(site.database)

    def test_serves_a_grant_and_ends_it(self, site):
        """From a kernel to the database and back; a crash leaves nothing after the next start."""
        with running(site.gateway) as gateway:
            here = populate(gateway)
            analyst = here.analyst()
            df = analyst.connect("hospital").query(
                "SELECT mrn, ssn, dob, zip FROM patients WHERE patient_id = 7"
            )
            assert df["mrn"].iloc[0].startswith("p_")
            assert df["zip"].iloc[0] == "995"
            assert len(site.roles()) == 1
            analyst.logout()
            until(lambda: site.roles() == [], "the role is gone")
            here.analyst().connect("hospital").query("SELECT 1 AS one")
            gateway.stop(signal.SIGKILL)
            assert len(site.roles()) == 1
            gateway.start()
            assert site.roles() == []

    def test_ends_a_role_that_made_something(self, site):
        """Even a large object, which anybody may make, is no reason to stay."""
        suffix, role = _minted(site)
        with site.server.connect(site.database, role, "a") as session:
            session.execute("SET default_transaction_read_only = off")
            session.execute("SELECT lo_create(0)")
            with site.server.connect(site.database, LOGIN, "gateway-secret") as gateway:
                ended = gateway.execute("SELECT gov_admin.end_role(%s)", (suffix,)).fetchone()
        assert ended == (1,)
        assert site.roles() == []


def _minted(site: PostgresSite) -> tuple[str, str]:
    """A grant's role with the password ``a``, made as the gateway makes one."""
    suffix = secrets.token_hex(8)
    with site.server.connect(site.database) as dba:
        offered = dba.execute("SELECT role FROM gov_private.offered ORDER BY 1").fetchall()
    role = f"gov_e_{offered[0][0].split('_')[2]}_{suffix}"
    with site.server.connect(site.database, LOGIN, "gateway-secret") as gateway:
        verifier = gateway.pgconn.encrypt_password(b"a", role.encode(), b"scram-sha-256")
        gateway.execute(
            "SELECT gov_admin.mint(%s, %s, %s, now() + interval '1 hour', 'abcdef0123456789')",
            (suffix, verifier.decode(), [name for (name,) in offered]),
        )
    return suffix, role


class TestWhoMayHandOutARole:
    """Since 16 a role that makes others must be the administrator of what it puts them in."""

    def test_the_minter_can_do_no_more_than_that(self, site):
        """It neither has nor can take what its groups may."""
        with site.server.connect(site.database) as dba:
            held = dba.execute(
                "SELECT DISTINCT roleid::regrole::text ~ '^gov_g_', admin_option, inherit_option,"
                " set_option FROM pg_auth_members WHERE member = (SELECT nspowner FROM pg_namespace"
                " WHERE nspname = 'gov_admin') AND roleid <> 'pg_signal_backend'::regrole"
            ).fetchall()
        assert held == [(True, True, False, False)]

    def test_a_database_from_an_older_server_is_mended(self, site):
        """Its minter administers nothing: the check says so, and provisioning again is enough."""
        with site.server.connect(site.database) as dba:
            dba.execute(
                "DO $$ DECLARE r name; m regrole; BEGIN"
                " SELECT nspowner INTO m FROM pg_namespace WHERE nspname = 'gov_admin';"
                " FOR r IN SELECT role FROM gov_private.offered LOOP"
                " EXECUTE format('REVOKE %I FROM %s', r, m); END LOOP; END $$"
            )
        code, _, said = site.provision("--check")
        assert code == 1
        assert "may not hand out" in said
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _minted(site)
        assert site.provision()[0] == 0
        _minted(site)


@pytest.mark.parametrize("attack", NEWER, ids=lambda a: a["id"])
class TestWhatItsOwnSyntaxBrings:
    """Statements that an older server does not know."""

    def test_works_on_the_bare_database(self, newer, major, attack):
        """As the hospital's owner: what never could bring a value proves nothing."""
        if attack["since"] > major:
            pytest.skip(f"new in {attack['since']}")
        with newer.connect(TEMPLATE) as owner:
            owner.execute("SET ROLE hospital_owner")
            owner.execute("BEGIN")
            cursor = owner.execute(attack["sql"])
            text = str(cursor.fetchall())
        assert leaked(attack, text)

    @pytest.mark.parametrize("doorman", [True, False], ids=["gate", "no-gate"])
    def test_brings_no_raw_value(self, wall, major, attack, doorman):
        """By the gate, and by the database's privileges alone."""
        if attack["since"] > major:
            pytest.skip(f"new in {attack['since']}")
        seen = wall.ask(attack["sql"], doorman=doorman, seconds=5)
        assert seen.fault is None
        assert not leaked(attack, seen.everything.replace(attack["sql"], ""))


@pytest.mark.parametrize("doorman", [True, False], ids=["gate", "no-gate"])
def test_no_attack_of_the_case_files_brings_a_raw_value(wall: Wall, doorman: bool) -> None:
    """All that is tried one by one on the system's server."""
    brought = []
    for attack in VALUES:
        seen = [wall.ask(sql, doorman=doorman, seconds=5) for sql in statements(attack)]
        text = "\n".join(each.everything for each in seen)
        if leaked(attack, text.replace(statements(attack)[-1], "")):
            brought.append(attack["id"])
    assert len(VALUES) > 100
    assert brought == []


def test_every_function_that_may_be_called_is_known(newer: Server, major: int) -> None:
    """To the newest server, or it is a word of the grammar: a misspelt name would allow nothing."""
    if major < max(postgres_newer.PINNED):
        pytest.skip("some are of later versions")
    grammar = {
        "coalesce", "greatest", "least", "nullif", "grouping", "trim", "current_time",
        "current_timestamp", "localtime", "localtimestamp", "json", "json_array", "json_arrayagg",
        "json_exists", "json_objectagg", "json_query", "json_scalar", "json_serialize",
        "json_table", "json_value",
    }  # fmt: skip
    with newer.connect() as session:
        rows = session.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
        )
        assert FUNCTIONS - {name for (name,) in rows} == grammar
