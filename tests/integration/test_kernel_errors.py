"""Every error a kernel can meet arrives as itself, with what to do next."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from jupyter_gov import errors as e
from tests.conftest import Site, populate
from tests.support.gateway import StubKernel, running
from tests.support.streams import ENDLESS, Stream, numbers
from tests.support.waiting import until

MORE = """
def like_clinic(**other):
    return {**c.GovConnections.connections["clinic"], **other}
def for_analysts(name, **other):
    base = {"who": ["group:analysts"], "connection": name, "tables": ["patients"]}
    c.GovAccess.eligibilities[name] = {**base, **other}
c.GovConnections.connections["brief"] = like_clinic(timeout="1s")
c.GovConnections.connections["once"] = like_clinic()
c.GovConnections.connections["lost"] = like_clinic(url=f"sqlite:///{os.environ['LOST_DB']}")
for_analysts("brief"); for_analysts("once", max_queries=1); for_analysts("lost")
"""


@pytest.fixture(scope="module")
def lost_db(tmp_path_factory, clinic_db):
    """A database that goes missing."""
    path = tmp_path_factory.mktemp("lost") / "lost.db"
    shutil.copy(clinic_db, path)
    return path


@pytest.fixture(scope="module")
def site(make_site, lost_db):
    """A gateway with a connection for each kind of misfortune."""
    gateway = make_site(MORE)
    gateway.env["LOST_DB"] = str(lost_db)
    with running(gateway):
        yield populate(gateway)


def ask(sql: str, connection: str = "clinic", **how: object) -> Callable[[Site, StubKernel], None]:
    return lambda site, kernel: kernel.connect(connection).query(sql, **how)


def unattached(site: Site, kernel: StubKernel) -> None:
    site.kernel().connect("clinic").query("SELECT 1")


def given_back(site: Site, kernel: StubKernel) -> None:
    other = site.analyst()
    con = other.connect("clinic")
    other.give_back(con.query("SELECT 1").attrs["gov"]["grant"])
    con.query("SELECT 1")


def spent(site: Site, kernel: StubKernel) -> None:
    con = site.analyst().connect("once")
    con.query("SELECT 1")
    con.query("SELECT 1")


def signed_out(site: Site, kernel: StubKernel) -> None:
    other = site.analyst()
    stream = Stream(other, ENDLESS.replace("count(*) AS n", "n"))
    stream.head  # noqa: B018
    other.logout()
    stream.finish()


def revoked(site: Site, kernel: StubKernel) -> None:
    other = site.server.kernel("revoked")
    site.server.close_slot("revoked")
    other.whoami()


def no_duration(site: Site, kernel: StubKernel) -> None:
    kernel.request("clinic", duration="soon")


def too_many(site: Site, kernel: StubKernel) -> None:
    other = site.analyst()
    streams = [Stream(other, numbers(10**12)) for _ in range(4)]
    try:
        for stream in streams:
            stream.head  # noqa: B018
        other.connect("clinic").query("SELECT 1")
    finally:
        for stream in streams:
            stream.close()


def interrupted(site: Site, kernel: StubKernel) -> None:
    stream = Stream(kernel, ENDLESS.replace("count(*) AS n", "n"))
    stream.head  # noqa: B018
    kernel.http.send("DELETE", f"/queries/{stream.query_id}")
    stream.finish()


def elsewhere(site: Site, kernel: StubKernel) -> None:
    other = site.analyst()
    other.http.url = "http://127.0.0.1:9"
    other.whoami()


@dataclass
class Case:
    """How to meet an error, and what it must say."""

    kind: type[e.GovError]
    meet: Callable[[Site, StubKernel], None]
    next: str = ""
    recorded: bool = True
    where: tuple[int, int] | None = None
    near: tuple[str, ...] = field(default=())


CASES = [
    Case(e.NotAttached, unattached, next="login"),
    Case(e.NoGrant, ask("SELECT 1", "nowhere"), next="ask_admin"),
    Case(e.GrantOver, given_back, next="request_grant"),
    Case(e.OutOfScope, ask("SELECT count(*) FROM claims JOIN patients", "once"), next="narrow"),
    Case(e.StatementRefused, ask("SELECT 1;\n  DROP TABLE patients"), next="fix_sql", where=(1, 9)),
    Case(e.EngineRefused, ask("SELECT load_extension('x')"), next="fix_sql", where=(1, 8)),
    Case(e.BudgetSpent, spent, next="request_grant"),
    Case(e.SessionOver, signed_out),
    Case(e.Unauthenticated, revoked, next="restart_kernel", recorded=False),
    Case(e.BadRequest, no_duration, recorded=False),
    Case(e.NotFound, lambda site, kernel: kernel.give_back("G-00"), recorded=False),
    Case(e.Busy, too_many, recorded=False),
    Case(
        e.UnknownName,
        ask("SELECT patient_id,\n       brith_date FROM patients"),
        next="fix_sql",
        where=(2, 8),
        near=("birth_date",),
    ),
    Case(e.UnknownName, ask("SELECT cuont(*) FROM patients"), next="fix_sql", near=("count",)),
    Case(e.BadSyntax, ask("SELECT FROM WHERE"), next="fix_sql"),
    Case(e.BindMissing, ask("SELECT :who AS a"), next="fix_sql", where=(1, 9)),
    Case(e.TimedOut, ask(ENDLESS, "brief")),
    Case(e.QueryFailed, ask("SELECT abs(-9223372036854775807 - 1)"), next="fix_sql"),
    Case(e.Cancelled, interrupted),
    Case(e.ResultCut, ask("SELECT * FROM patients", limit=1), next="narrow"),
    Case(e.GatewayUnreachable, elsewhere, recorded=False),
]
ELSEWHERE = {
    e.GovError, e.Denied,  # never as themselves, but for a refused code
    e.ConfigInvalid,  # an admin's
    e.GrantNotStarted,  # this version gives no grant that starts later
    e.DecisionRefused, e.EnrolmentRefused,  # test_signed_api
    e.StreamBroken,  # test_broken_stream
    e.AuditUnavailable, e.Unavailable,  # test_storage_faults
    e.DatabaseUnavailable,  # below
}  # fmt: skip


class TestEveryError:
    def test_all_are_met_somewhere(self):
        """A new class of error needs a case here, or a reason."""
        assert {case.kind for case in CASES} | ELSEWHERE == set(e.tree())

    @pytest.mark.parametrize("case", CASES, ids=[case.kind.__name__ for case in CASES])
    def test_it_arrives_as_itself(self, site, analyst, case):
        """Class, code, next step, record, place and near names: all over the wire."""
        with pytest.raises(e.GovError) as met:
            case.meet(site, analyst)
        error = met.value
        assert type(error) is case.kind
        assert error.message
        assert (error.next.action if error.next else "") == case.next
        assert bool(error.record) is case.recorded
        if case.where:
            assert (error.position.line, error.position.column) == case.where
        if case.near:
            assert set(case.near) <= set(error.near)
        if error.record:
            assert site.gateway.recorded("", record=error.record)

    def test_a_database_that_is_gone(self, site, lost_db):
        """Said as that, without its path; back again, it is used again."""
        con = site.analyst().connect("lost")
        con.query("SELECT count(*) FROM patients")
        away = lost_db.with_suffix(".away")
        lost_db.rename(away)
        with pytest.raises(e.DatabaseUnavailable) as gone:
            con.query("SELECT count(*) FROM patients")
        assert gone.value.retryable
        assert str(lost_db) not in str(gone.value)
        away.rename(lost_db)
        assert con.query("SELECT count(*) AS n FROM patients")["n"].iloc[0] == 500

    def test_after_all_of_these_the_same_kernel_goes_on(self, con):
        """No error of one statement is left in the way of the next."""
        assert until(lambda: len(con.query("SELECT 1")) == 1, "an answer")


class TestPlaces:
    @pytest.mark.parametrize(
        ("sql", "where", "near"),
        [
            ("SELECT p.zipp FROM patients p", (1, 8), "zip"),
            ("SELECT 'zipp', zipp FROM patients", (1, 16), "zip"),
            ("SELECT 1\n\nFROM\n  patinets", (4, 3), "patients"),
            ("-- zipp\nSELECT zipp FROM patients", (2, 8), "zip"),
            ("WITH a AS (SELECT stat FROM patients) SELECT * FROM a", (1, 19), "state"),
        ],
        ids=["qualified", "after-a-string", "later-line", "after-a-comment", "inside"],
    )
    def test_they_are_in_the_users_own_statement(self, con, sql, where, near):
        """Line and column of the name itself, and what it may have meant."""
        with pytest.raises(e.GovError) as met:
            con.query(sql)
        position = met.value.position
        assert (position.line, position.column) == where
        assert met.value.statement == sql
        assert near in met.value.near
        shown = met.value._render_traceback_()
        line = sql.split("\n")[where[0] - 1]
        assert shown[shown.index("    " + line) + 1] == "    " + " " * (where[1] - 1) + "^"

    def test_near_names_are_the_grants_own(self, site):
        """A table outside the grant is not suggested."""
        con = site.analyst().connect("once")
        with pytest.raises(e.GovError) as met:
            con.query("SELECT * FROM encountrs")
        assert "encounters" not in str(met.value)
