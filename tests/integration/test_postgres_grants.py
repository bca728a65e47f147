"""A grant in PostgreSQL: its own login role, from the first statement to the very end."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import psycopg
import pytest

from jupyter_gov.errors import GovError, GrantOver
from tests.conftest import Site, populate
from tests.support import postgres_site
from tests.support.gateway import running
from tests.support.postgres import Server
from tests.support.postgres_site import LOGIN, PostgresSite
from tests.support.waiting import until


@pytest.fixture(scope="module")
def hospital(
    postgres: Server, hospital_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresSite]:
    """A hospital that is provisioned."""
    made = postgres_site.make(postgres, hospital_template, tmp_path_factory.mktemp("grants"))
    code, _, said = made.provision()
    assert code == 0, said
    yield made
    postgres.drop(made.database)


@pytest.fixture(scope="module")
def site(hospital: PostgresSite) -> Iterator[Site]:
    """Its gateway, with its people."""
    with running(hospital.gateway) as gateway:
        yield replace(populate(gateway), _ids=itertools.count(1))


@pytest.fixture
def kernel(site: Site):
    """A fresh kernel attached to ana."""
    return site.analyst()


class TestAnAnalyst:
    """Someone with an ordinary grant."""

    def test_reads_treated_values(self, kernel):
        """The whole way: kernel, gateway, the grant's own role, projections, DataFrame."""
        df = kernel.connect("hospital").query(
            "SELECT patient_id, mrn, ssn, full_name, dob, zip FROM patients WHERE patient_id = 7"
        )
        row = df.iloc[0]
        assert row["patient_id"] == 7
        assert row["mrn"].startswith("p_")
        assert pd.isna(row["full_name"])
        assert str(row["dob"]).startswith("1936") or str(row["dob"]).endswith("01-01")
        assert row["zip"] == "995"

    def test_binds_values(self, kernel):
        """As :name, whatever the driver calls them."""
        con = kernel.connect("hospital")
        df = con.query(
            "SELECT count(*) AS n FROM encounters WHERE department = :d AND started_at >= :from",
            d="Oncology", **{"from": "2024-01-01"},
        )  # fmt: skip
        assert df["n"].iloc[0] == 10

    def test_sees_the_tables_of_the_database(self, kernel):
        """With what becomes of each column."""
        con = kernel.connect("hospital")
        described = con.describe("patients").set_index("name")
        assert described.loc["ssn", "treatment"] == "pseudonym"
        assert described.loc["ssn", "enforcement"] == "engine-treated"
        assert "billing.guarantors" in set(con.tables()["table"])


class TestSomeoneWhoMayOnlyCount:
    """An eligibility of groups only, over PostgreSQL."""

    @pytest.fixture
    def con(self, site):
        return site.kernel().attached(site.people["eva"]).connect("hospital")

    def test_is_shown_groups_that_are_large_enough(self, con):
        """Of Nevada there are fewer than five patients; nobody is told."""
        df = con.query("SELECT state, count(*) AS n, avg(risk_score) FROM patients GROUP BY state")
        assert df["n"].min() >= 5
        assert "NV" not in set(df["state"])
        assert "AK" in set(df["state"])

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM patients",
            "SELECT max(risk_score) FROM patients",
            "SELECT count(*) FROM (SELECT * FROM patients) x",
            "SELECT patient_id, count(*) OVER () FROM patients",
            "SELECT count(*) FROM patients WHERE patient_id = 7",
        ],
    )
    def test_is_shown_nothing_else(self, con, sql):
        with pytest.raises(GovError) as refused:
            con.query(sql)
        assert refused.value.code == "statement_refused"

    def test_a_small_group_is_not_there(self, con):
        """One patient is 88 with that risk; a group of one is no group."""
        df = con.query("SELECT count(*) AS n FROM patients WHERE risk_score = 41")
        assert df.empty

    def test_people_count_in_a_partition_too(self, con, hospital):
        """It has its tags from its parent, and so whom its rows are about."""
        with hospital.server.connect(hospital.database) as dba:
            dba.execute(
                "INSERT INTO messages SELECT 100 + g, 7, '2025-05-01', 'sms', '', ''"
                " FROM generate_series(1, 20) g"
            )
        assert con.query("SELECT count(*) AS n FROM messages_2025").empty
        with pytest.raises(GovError, match="compares a column"):
            con.query("SELECT count(*) AS n FROM messages_2025 WHERE patient_id = 7")


class TestTheRole:
    """What stands in the database for a grant."""

    def test_is_made_for_the_first_statement_and_gone_with_the_grant(self, kernel, hospital):
        """Nothing before, one while, nothing after; its session is closed."""
        before = set(hospital.roles())
        con = kernel.connect("hospital")
        con.query("SELECT 1 AS one")
        (role,) = set(hospital.roles()) - before
        with hospital.server.connect(hospital.database) as dba:
            until_, limit = dba.execute(
                "SELECT rolvaliduntil, rolconnlimit FROM pg_roles WHERE rolname = %s", (role,)
            ).fetchone()
            assert until_ is not None
            assert limit > 0
        kernel.logout()
        until(lambda: set(hospital.roles()) == before, "the role is gone")

    def test_names_the_grant_in_the_servers_own_log(self, site, kernel, hospital):
        """So that the database's log can be laid beside ours, which names the role."""
        before = set(hospital.roles())
        df = kernel.connect("hospital").query("SELECT 41 + 1 AS answer FROM providers LIMIT 1")
        (role,) = set(hospital.roles()) - before
        assert f"{role}@" in hospital.server.log
        assert site.gateway.outcome(df.attrs["gov"]["record"])["says"]["database_role"] == role

    def test_a_running_statement_ends_with_its_grant(self, kernel, hospital):
        """Within a second, in the database too."""
        con = kernel.connect("hospital")
        grant = con.query("SELECT 1 AS one").attrs["gov"]["grant"]
        failed: list[GovError] = []
        slow = (
            "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b"
            " WHERE a + b < 0"
        )

        def ask() -> None:
            with pytest.raises(GovError) as raised:
                con.query(slow)
            failed.append(raised.value)

        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: _active(hospital, "generate_series") == 1, "the statement runs")
        began = time.monotonic()
        kernel.give_back(grant)
        until(lambda: _active(hospital, "generate_series") == 0, "it was stopped")
        assert time.monotonic() - began < 3
        thread.join(10)
        assert isinstance(failed[0], GrantOver)

    def test_two_statements_share_its_sessions(self, kernel, hospital):
        """A role has few connections; statements beyond that wait instead of failing."""
        con = kernel.connect("hospital")
        con.query("SELECT 1 AS one")
        errors: list[BaseException] = []

        def ask() -> None:
            try:
                con.query("SELECT count(*) AS n FROM generate_series(1, 300000)")
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert errors == []


def _active(hospital: PostgresSite, what: str) -> int:
    with hospital.server.connect(hospital.database) as dba:
        row = dba.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename ~ '^gov_e_' AND state = 'active'"
            " AND query LIKE %s",
            (f"%{what}%",),
        ).fetchone()
        assert row is not None
        return int(row[0])


class TestTheEnd:
    """Of a role, whatever it did."""

    @pytest.mark.parametrize(
        "made",
        ["SELECT lo_from_bytea(0, 'x')", "SELECT pg_advisory_lock(1)", "LISTEN something"],
    )
    def test_leaves_nothing_that_a_statement_made(self, kernel, hospital, made):
        """A large object, a lock: even of one that no gate stopped."""
        before = set(hospital.roles())
        kernel.connect("hospital").query("SELECT 1 AS one")
        (role,) = set(hospital.roles()) - before
        with hospital.server.connect(hospital.database) as dba:
            dba.execute("SET SESSION AUTHORIZATION " + role)
            dba.execute(made)
            dba.execute("RESET SESSION AUTHORIZATION")
        kernel.logout()
        until(lambda: set(hospital.roles()) == before, "the role is gone")
        with hospital.server.connect(hospital.database) as dba:
            left = dba.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()
        assert left == (0,)


class TestTheGatewaysLogin:
    """It makes roles, and can do nothing else."""

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM public.patients",
            "SELECT * FROM gov_private.pad",
            "SELECT * FROM gov_private.seal",
            "CREATE ROLE mine LOGIN",
            "CREATE TABLE public.mine (a int)",
            "CREATE TEMP TABLE mine (a int)",
            "ALTER ROLE hospital_ro PASSWORD 'x'",
            "GRANT pg_read_all_data TO gov_gateway",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dba'",
            "SELECT gov_admin.pads('x')",
            "SET ROLE hospital_owner",
        ],
    )
    def test_can_do_nothing_else(self, hospital, sql):
        """Not read, not create, not become somebody."""
        with (
            hospital.server.connect(hospital.database, LOGIN, "gateway-secret") as session,
            pytest.raises(psycopg.Error),
        ):
            session.execute(sql)

    @pytest.mark.parametrize(
        ("suffix", "verifier", "groups", "hours", "gateway"),
        [
            ("0123456789abcdeg", "V", "G", 1, "abcdef01"),
            ("x'; DROP ROLE a--", "V", "G", 1, "abcdef01"),
            ("0123456789abcdef", "secret", "G", 1, "abcdef01"),
            ("0123456789abcdef", "V", "pg_read_all_data", 1, "abcdef01"),
            ("0123456789abcdef", "V", "pg_execute_server_program", 1, "abcdef01"),
            ("0123456789abcdef", "V", "hospital_owner", 1, "abcdef01"),
            ("0123456789abcdef", "V", "", 1, "abcdef01"),
            ("0123456789abcdef", "V", "G", -1, "abcdef01"),
            ("0123456789abcdef", "V", "G", 10_000, "abcdef01"),
            ("0123456789abcdef", "V", "G", 1, "'x"),
        ],
    )
    def test_mints_nothing_but_provisioned_readers(
        self, hospital, suffix, verifier, groups, hours, gateway
    ):
        """Whatever it passes to the minter."""
        with hospital.server.connect(hospital.database) as dba:
            (group,) = dba.execute(
                "SELECT role FROM gov_private.offered WHERE search_path <> '' LIMIT 1"
            ).fetchone()
        good = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"
        asked = [group if groups == "G" else groups] if groups else []
        with (
            hospital.server.connect(hospital.database, LOGIN, "gateway-secret") as session,
            pytest.raises(psycopg.Error),
        ):
            session.execute(
                "SELECT gov_admin.mint(%s, %s, %s, now() + make_interval(hours => %s), %s)",
                (suffix, good if verifier == "V" else verifier, asked, hours, gateway),
            )


class TestAChangedPolicy:
    """The wall is put up for it while grants run under the old one."""

    def test_leaves_running_grants_what_they_run_under(
        self, postgres, hospital_template, tmp_path_factory
    ):
        """Provision, then reload; what the old policy had goes with its last grant."""
        made = postgres_site.make(postgres, hospital_template, tmp_path_factory.mktemp("change"))
        assert made.provision()[0] == 0
        try:
            with running(made.gateway) as gateway:
                site = populate(gateway)
                analyst = site.analyst()
                con = analyst.connect("hospital")
                assert con.query("SELECT dob FROM patients LIMIT 1").shape == (1, 1)
                with made.gateway.config.open("a") as config:
                    config.write(
                        "c.GovMasking.treatments = {**c.GovMasking.treatments, 'zip': 'withhold'}\n"
                    )
                assert made.provision()[0] == 0
                assert con.query("SELECT zip FROM patients WHERE patient_id = 7").zip[0] == "995"
                gateway.cli("config", "reload")
                with pytest.raises(GrantOver):  # it was tightened
                    con.query("SELECT zip FROM patients")
                analyst.request("hospital")
                fresh = con.query("SELECT zip FROM patients")
                assert fresh.zip.isna().all()
                analyst.logout()
                until(lambda: made.roles() == [], "its roles are gone")
                assert made.provision()[0] == 0
                with postgres.connect(made.database) as dba:
                    schemas = dba.execute(
                        "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^gov_[0-9a-f]{10}_'"
                    ).fetchone()
                assert schemas == (6,)  # three profiles of two schemas
        finally:
            postgres.drop(made.database)


class TestACrash:
    """The gateway is killed while a grant has a role."""

    def test_leaves_no_role_after_the_next_start(
        self, postgres, hospital_template, tmp_path_factory
    ):
        """The next start sweeps, says how many, and the grant works on with a new role."""
        made = postgres_site.make(postgres, hospital_template, tmp_path_factory.mktemp("crash"))
        assert made.provision()[0] == 0
        try:
            with running(made.gateway) as gateway:
                analyst = populate(gateway).analyst()
                analyst.connect("hospital").query("SELECT 1 AS one")
                before = made.roles()
                assert len(before) == 1
                gateway.stop(signal.SIGKILL)
                assert made.roles() == before
                gateway.start()
                assert made.roles() == []
                assert gateway.recorded("gateway.started")[-1]["says"]["roles_swept"] == 1
                analyst.connect("hospital").query("SELECT 1 AS one")
                assert len(made.roles()) == 1
                gateway.stop()
                assert made.roles() == []
        finally:
            postgres.drop(made.database)
