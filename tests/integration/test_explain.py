"""What would become of a statement, asked of a real gateway: told, recorded, and nothing run."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from jupyter_gov import errors as e
from jupyter_gov.wire.messages import Explanation
from tests.conftest import populate
from tests.support.gateway import running
from tests.support.streams import ENDLESS

MORE = """
def for_analysts(name, **other):
    c.GovConnections.connections[name] = dict(c.GovConnections.connections["clinic"])
    base = {"who": ["group:analysts"], "connection": name, "tables": ["patients"]}
    c.GovAccess.eligibilities[name] = {**base, **other}
for_analysts("once", max_queries=1)
for_analysts("few", max_rows=3)
"""
JOINED = """
SELECT p.mrn, max(e.started_at) FROM patients AS p JOIN encounters AS e USING (patient_id)
WHERE p.birth_date < '1960-01-01' GROUP BY p.mrn"""


@pytest.fixture(scope="module")
def site(make_site):
    """A gateway with budgets that are soon spent."""
    with running(make_site(MORE)) as gateway:
        yield populate(gateway)


@pytest.fixture
def kernel(site):
    return site.analyst()


def columns_of(told):
    return {
        f"{table.name}.{column.name}": (column.treatment, column.enforcement)
        for table in told.tables
        for column in table.columns
    }


class TestAllowed:
    def test_under_the_grant_that_is_held(self, kernel):
        """The decision, what made it, the grant, and what becomes of each column."""
        con = kernel.connect("clinic")
        grant = con.query("SELECT 1").attrs["gov"]["grant"]
        told = con.explain(JOINED)
        assert (told.decision, told.error) == ("allow", None)
        assert told.rule == f"grant {grant} covers it, by the eligibility analysts"
        assert (told.grant.grant, told.eligibility) == (grant, "analysts")
        assert told.relations == ("patients", "encounters")
        assert (told.kind, told.risk) == ("read", "low")
        assert (told.principal.name, told.purpose) == ("ana", "Quality improvement")
        assert told.exact
        assert columns_of(told) == {
            "patients.patient_id": ("clear", "clear"),
            "patients.mrn": ("pseudonym", "engine-treated"),
            "patients.birth_date": ("year", "engine-treated"),
            "encounters.patient_id": ("clear", "clear"),
            "encounters.started_at": ("clear", "clear"),
        }

    def test_it_reads_what_the_query_then_reads(self, site, kernel):
        """The explanation and the outcome's record name the same columns."""
        con = kernel.connect("clinic")
        for sql in (JOINED, "SELECT * FROM v_readmissions", "SELECT count(*) FROM patients"):
            told = con.explain(sql)
            outcome = site.gateway.outcome(con.query(sql).attrs["gov"]["record"])
            assert sorted(columns_of(told)) == outcome["says"]["reads"]

    def test_a_default_grant_that_would_be_opened(self, site, kernel):
        """Is said, for how long, and not opened."""
        told = kernel.connect("clinic").explain("SELECT mrn FROM patients")
        assert (told.decision, told.grant, told.error) == ("open", None, None)
        assert (told.eligibility, told.opens_for) == ("analysts", "30m")
        assert columns_of(told) == {"patients.mrn": ("pseudonym", "engine-treated")}
        assert kernel.grants() == ()
        session = kernel.whoami().session
        assert site.gateway.recorded("grant.opened", session=session) == []

    def test_parameters_need_no_values(self, kernel):
        """And those that come travel as a query's would."""
        con = kernel.connect("clinic")
        sql = "SELECT count(*) FROM patients WHERE state = :state AND zip = :zip"
        assert con.explain(sql).binds == ("state", "zip")
        assert con.explain(sql, state="OR").decision == "open"

    def test_off_the_event_loop(self, kernel):
        """The async form says the same."""
        con = kernel.connect("clinic")
        sql = "SELECT mrn FROM patients WHERE zip = :zip"
        told = asyncio.run(con.aexplain(sql, zip="97201"))
        assert replace(told, record="") == replace(con.explain(sql), record="")

    def test_an_agents_own_narrower_treatment(self, site):
        """The same question in an agent's name meets the agent's eligibility."""
        agent = site.analyst(agent="recon")
        told = agent.connect("clinic").explain("SELECT ssn, birth_date FROM patients")
        assert (told.principal.kind, told.principal.on_behalf_of) == ("agent", "ana")
        assert told.eligibility == "agents"
        assert columns_of(told) == {
            "patients.ssn": ("withhold", "withheld"),
            "patients.birth_date": ("age", "engine-treated"),
        }


class TestRefused:
    @pytest.mark.parametrize(
        ("sql", "decision", "error", "place"),
        [
            ("SELECT *\nFROM staff_notes", "deny", e.OutOfScope, (2, 6)),
            ("DELETE FROM patients", "deny", e.StatementRefused, None),
            ("SELECT 1;\nSELECT 2", "deny", e.StatementRefused, (1, 9)),
            ("SELECT load_extension('x')", "deny", e.EngineRefused, (1, 8)),
            ("SELECT mrn FORM patients p q", "fail", e.BadSyntax, None),
            ("SELECT mrn,\n  brith_date FROM patients", "fail", e.UnknownName, (2, 3)),
        ],
        ids=lambda value: getattr(value, "code", None),
    )
    def test_as_running_it_would_be(self, kernel, sql, decision, error, place):
        """The same error, with the same words and the same place."""
        con = kernel.connect("clinic")
        told = con.explain(sql)
        with pytest.raises(error) as refused:
            con.query(sql)
        assert (told.decision, told.rule) == (decision, refused.value.message)
        mine = told.error
        assert (type(mine), mine.hint, mine.near, mine.next, mine.position) == (
            error, refused.value.hint, refused.value.near, refused.value.next,
            refused.value.position,
        )  # fmt: skip
        if place is not None:
            assert (mine.position.line, mine.position.column) == place
        assert mine.record == told.record != refused.value.record
        assert told.tables == ()

    def test_a_grant_that_is_over(self, kernel):
        """One given back is not opened again by asking."""
        con = kernel.connect("clinic")
        kernel.give_back(con.query("SELECT 1").attrs["gov"]["grant"])
        told = con.explain("SELECT 1")
        assert (told.decision, told.error.code) == ("deny", "grant_over")
        assert told.error.next.magic == "%gov request clinic --for 30m"

    def test_a_budget_that_is_spent(self, kernel):
        """And explaining spends none of it."""
        con = kernel.connect("once")
        for _ in range(3):
            assert con.explain("SELECT sex FROM patients").decision == "open"
        con.query("SELECT sex FROM patients LIMIT 1")
        told = con.explain("SELECT sex FROM patients")
        assert (told.decision, told.error.code) == ("deny", "budget_spent")

    def test_rows_of_a_budget_stay(self, kernel):
        """What an explained statement would return is not counted."""
        con = kernel.connect("few")
        con.query("SELECT sex FROM patients LIMIT 1")
        assert con.explain("SELECT sex FROM patients").decision == "allow"
        assert con.budget().rows_left == 2

    def test_a_grant_by_name(self, kernel):
        """Only that one is looked at."""
        con = kernel.connect("clinic")
        con.query("SELECT 1")
        assert con.explain("SELECT 1", grant="G-000000000000").error.code == "no_grant"

    @pytest.mark.parametrize(
        ("sql", "kind", "risk"),
        [
            ("UPDATE patients SET sex = 'F'", "write", "critical"),
            ("DROP TABLE patients", "ddl", "high"),
            ("SELECT load_extension('x')", "unsafe", "critical"),
            ("SELECT ((", "unsafe", "critical"),
            ("SELECT * FROM staff_notes", "read", "low"),
        ],
    )
    def test_what_the_statement_is(self, kernel, sql, kind, risk):
        """Is said of one that is refused too."""
        told = kernel.connect("clinic").explain(sql)
        assert (told.kind, told.risk) == (kind, risk)


class TestAStranger:
    @pytest.mark.parametrize("connection", ["clinic", "no-such-connection"])
    @pytest.mark.parametrize(
        "sql", ["SELECT ssn FROM patients", "SELECT x FROM no_such_table", "SELECT ((", "DROP x"]
    )
    def test_learns_nothing(self, site, connection, sql):
        """The same words whatever the statement and whether or not there is such a connection."""
        rui = site.kernel().attached(site.people["rui"])
        told = rui.connect(connection).explain(sql)
        with pytest.raises(e.NoGrant) as refused:
            rui.connect(connection).query(sql)
        assert (told.decision, told.error.code) == ("deny", "no_grant")
        assert told.rule == refused.value.message
        assert "clinic" not in told.rule
        assert (told.kind, told.relations, told.tables, told.binds) == ("", (), (), ())
        (record,) = site.gateway.recorded("explained", record=told.record)
        assert record["connection"] == ("clinic" if connection == "clinic" else "")

    def test_nobody_is_attached(self, site):
        """Raised, as from a query."""
        with pytest.raises(e.NotAttached) as refused:
            site.kernel().connect("clinic").explain("SELECT 1")
        (record,) = site.gateway.recorded("refusal", record=refused.value.record)
        assert record["says"]["asked"] == "explain"

    def test_a_request_that_is_none(self, kernel):
        """Raised, as from a query."""
        with pytest.raises(e.BadRequest):
            kernel.http.call("POST", "/explanations", Explanation, b"{}")


class TestNothingRuns:
    def test_a_statement_without_end(self, kernel):
        """Is explained at once."""
        began = time.monotonic()
        told = kernel.connect("clinic").explain(ENDLESS)
        assert told.decision == "open"
        assert time.monotonic() - began < 2

    def test_the_record_has_the_question_and_nothing_more(self, site, kernel):
        """One event, sealed like a statement's; no intent, no outcome, no grant."""
        before = len(site.gateway.recorded())
        sql = "SELECT 'Quartermain' AS x FROM patients WHERE zip = :zip"
        told = kernel.connect("clinic").explain(sql, zip="97201")
        new = site.gateway.recorded()[before:]
        (event,) = [record for record in new if record["kind"] == "explained"]
        kinds = {record["kind"] for record in new}
        assert not kinds & {"intent", "outcome", "refusal", "grant.opened"}
        assert event["record"] == told.record
        assert event["principal"] == "evaluation|ana"
        says = event["says"]
        assert (says["decision"], says["code"], says["eligibility"]) == ("open", "", "analysts")
        assert says["relations"] == ["patients"]
        assert "Quartermain" not in json.dumps(event)
        assert "97201" not in json.dumps(event)
        shown = site.gateway.here("audit", "show", told.record).stdout
        opened = json.loads(shown)["says"]["opened"]
        assert (opened["sql"], opened["binds"]["zip"]) == (sql, "97201")

    def test_it_can_be_listed(self, site, kernel):
        """As a line of the log, and the log stays whole."""
        kernel.connect("clinic").explain("SELECT a FROM patients")
        last = site.gateway.here("audit", "list", "--kind", "explained", "--last", "1").stdout
        assert "unknown_name: SELECT" in last
        assert site.gateway.here("audit", "verify").returncode == 0


class TestShown:
    def test_as_text(self, kernel):
        """With the place in the statement, and nothing a terminal would obey."""
        con = kernel.connect("clinic")
        shown = repr(con.explain('SELECT mrn, "\x1b[2J" FROM staff_notes'))
        assert "refused" in shown
        assert "^" in shown
        assert "\x1b" not in shown
        assert "patients.mrn  pseudonym (engine-treated)" in repr(
            con.explain("SELECT mrn FROM patients")
        )

    def test_as_html(self, kernel):
        """What the statement says is text and no markup."""
        told = kernel.connect("clinic").explain('SELECT 1 FROM "<script>alert(1)</script>"')
        found = []

        class Tags(HTMLParser):
            def handle_starttag(self, tag, attrs):
                found.append(tag)

        Tags().feed(told._repr_html_())
        assert {"table", "td"} <= set(found) <= {"div", "table", "tr", "th", "td", "thead", "tbody"}
        assert "&lt;script&gt;" in told._repr_html_()
