"""Grants over HTTP: opened, chosen, asked for, refused, given back."""

from __future__ import annotations

import pytest

from jupyter_gov.errors import BadRequest, GrantOver, NoGrant, NotFound, OutOfScope
from tests.conftest import populate
from tests.support.gateway import running
from tests.support.streams import ENDLESS, Stream

WARDS = """
clinic = c.GovConnections.connections["clinic"]
for name in ("ward", "night"):
    c.GovConnections.connections[name] = dict(clinic)
def on_ward(*tables):
    return {"who": ["group:analysts"], "connection": "ward", "tables": list(tables)}
c.GovAccess.eligibilities |= {
    "ward-both": on_ward("patients", "encounters"),
    "ward-patients": on_ward("patients"),
    "ward-money": on_ward("encounters", "claims"),
    "night": {"who": ["sam"], "connection": "night", "tables": ["patients"]},
}
"""


@pytest.fixture(scope="module")
def site(make_site):
    """A gateway with a connection that several eligibilities open."""
    with running(make_site(WARDS)) as gateway:
        yield populate(gateway)


@pytest.fixture
def analyst(site):
    return site.analyst()


class TestTheDefaultGrant:
    def test_it_opens_at_the_first_query(self, site, analyst):
        """The first frame says that it opened, the next that it did not; one record of it."""
        con = analyst.connect("clinic")
        first = con.query("SELECT count(*) AS n FROM patients").attrs["gov"]
        again = con.query("SELECT count(*) AS n FROM patients").attrs["gov"]
        assert (first["grant_opened"], again["grant_opened"]) == (True, False)
        assert first["grant"] == again["grant"]
        (opened,) = site.gateway.recorded("grant.opened", grant=first["grant"])
        assert opened["says"]["eligibility"] == "analysts"
        assert opened["says"]["approval"] == "auto"
        assert opened["says"]["purpose"] == "Quality improvement"
        assert 1790 < first["seconds_left"] <= 1800

    def test_it_opens_once_in_a_session(self, analyst):
        """Given back, it does not come again by itself: the holder asks."""
        con = analyst.connect("clinic")
        grant = con.query("SELECT 1").attrs["gov"]["grant"]
        assert analyst.give_back(grant).state == "over"
        with pytest.raises(GrantOver) as over:
            con.query("SELECT 1")
        assert "given back by its holder" in over.value.message
        assert over.value.next.magic == "%gov request clinic --for 30m"
        assert over.value.record
        analyst.request("clinic", duration="5m")
        assert con.query("SELECT 1").attrs["gov"]["grant"] != grant

    def test_only_an_eligible_person_gets_one(self, site):
        """Someone who may ask for nothing is told so before their SQL is looked at."""
        nobody = site.kernel().attached(site.people["rui"])
        with pytest.raises(NoGrant) as refused:
            nobody.connect("clinic").query("SELEC nonsense FROM")
        assert refused.value.next.action == "ask_admin"
        assert nobody.connections() == ()

    def test_a_connection_one_may_not_use_is_as_unknown_as_one_that_is_not_there(self, analyst):
        """The refusals are the same: names of databases are not told."""
        texts = set()
        for name in ("night", "no-such"):
            with pytest.raises(NoGrant) as refused:
                analyst.connect(name).query("SELECT 1")
            texts.add(refused.value.message.replace(name, "…"))
        assert len(texts) == 1


class TestAsking:
    def test_for_so_long(self, analyst):
        """`--for 90s`: an absolute end, ninety seconds from now."""
        grant = analyst.request("clinic", duration="90s", note="a short look")
        assert 85 <= grant.seconds_left <= 90
        assert grant.tables
        assert grant.state == "active"

    def test_for_longer_than_allowed_is_refused(self, site, analyst):
        """Named with the longest there is, and recorded."""
        with pytest.raises(OutOfScope) as refused:
            analyst.request("clinic", duration="9h")
        assert "the eligibility analysts gives at most 4h at a time" in refused.value.message
        assert refused.value.next.magic == "%gov request clinic --for 4h"
        session = analyst.whoami().session
        (recorded,) = site.gateway.recorded("grant.refused", session=session)
        assert recorded["says"]["code"] == "out_of_scope"

    def test_for_no_time_that_there_is(self, analyst):
        """A duration that is none is a mistake in the request."""
        with pytest.raises(BadRequest, match="is not a duration"):
            analyst.request("clinic", duration="a while")

    def test_not_beyond_the_session(self, site):
        """A grant ends with the attachment at the latest."""
        kernel = site.kernel()
        ana = site.people["ana"]
        ana.decide(ana.look(kernel.code()), purpose="quality", lasts="1h")
        grant = kernel.request("clinic", duration="4h")
        assert grant.end == kernel.whoami().ends_at

    def test_a_note_is_sealed(self, site, analyst):
        """What the kernel says beside a request is no more in the clear than a query's note."""
        grant = analyst.request("clinic", note="for Zebulon Quartermain")
        (opened,) = site.gateway.recorded("grant.opened", grant=grant.grant)
        assert "Quartermain" not in str(opened)
        shown = site.gateway.here("audit", "show", opened["record"]).stdout
        assert "for Zebulon Quartermain" in shown


class TestWhichOne:
    def test_the_narrowest_that_covers(self, analyst):
        """Fewest tables first, whatever else is held."""
        wide = analyst.request("ward", eligibility="ward-both")
        narrow = analyst.request("ward", eligibility="ward-patients")
        con = analyst.connect("ward")
        assert con.query("SELECT count(*) FROM patients").attrs["gov"]["grant"] == narrow.grant
        both = con.query("SELECT count(*) FROM patients JOIN encounters USING (patient_id)")
        assert both.attrs["gov"]["grant"] == wide.grant

    def test_the_one_that_is_named(self, analyst):
        """Also a wider one, if its holder says so."""
        wide = analyst.request("ward", eligibility="ward-both")
        analyst.request("ward", eligibility="ward-patients")
        con = analyst.connect("ward")
        frame = con.query("SELECT count(*) FROM patients", grant=wide.grant)
        assert frame.attrs["gov"]["grant"] == wide.grant
        again = analyst.connect("ward", grant=wide.grant).query("SELECT count(*) FROM patients")
        assert again.attrs["gov"]["grant"] == wide.grant

    def test_scopes_never_combine(self, analyst):
        """Two grants that together cover a statement do not cover it."""
        for name in ("ward-patients", "ward-money", "ward-both"):
            analyst.request("ward", eligibility=name)
        with pytest.raises(OutOfScope) as refused:
            analyst.connect("ward").query(
                "SELECT count(*) FROM patients JOIN claims USING (patient_id)"
            )
        assert "no one grant covers claims, patients for read" in refused.value.message
        assert refused.value.next.action == "narrow"
        assert refused.value.record

    def test_a_table_outside_is_named(self, analyst):
        """With what the grants cover."""
        analyst.request("ward", eligibility="ward-patients")
        with pytest.raises(OutOfScope) as refused:
            analyst.connect("ward").query("SELECT count(*) FROM medications")
        assert "medications is not among the tables you may read" in refused.value.message
        assert "Your grants cover: patients" in refused.value.hint

    def test_the_engine_is_as_narrow_as_the_grant(self, analyst):
        """A wider table cannot be reached under a narrow grant that was named."""
        narrow = analyst.request("ward", eligibility="ward-patients")
        with pytest.raises(OutOfScope):
            analyst.connect("ward").query("SELECT count(*) FROM encounters", grant=narrow.grant)

    def test_another_sessions_grant_is_no_grant(self, site, analyst):
        """Neither to run under nor to give back, although its holder is the same person."""
        theirs = site.analyst().request("clinic")
        with pytest.raises(NoGrant, match="holds no grant of that name"):
            analyst.connect("clinic").query("SELECT 1", grant=theirs.grant)
        with pytest.raises(NotFound, match="holds no such grant"):
            analyst.give_back(theirs.grant)

    def test_another_connections_grant_is_no_grant(self, analyst):
        """A grant is on one connection."""
        other = analyst.request("ward", eligibility="ward-patients")
        with pytest.raises(NoGrant, match="holds no grant of that name on clinic"):
            analyst.connect("clinic").query("SELECT 1", grant=other.grant)


class TestTheAgent:
    def test_it_has_its_own_eligibility(self, site):
        """Narrower than its person's: other tables, other treatments, a budget."""
        agent = site.analyst(agent="recon")
        con = agent.connect("clinic")
        frame = con.query("SELECT ssn, birth_date FROM patients LIMIT 3")
        assert frame["ssn"].isna().all()
        assert frame["birth_date"].between(0, 90).all()
        assert con.budget().statements_left == 199
        assert con.budget().rows_left == 49_997
        with pytest.raises(OutOfScope):
            con.query("SELECT count(*) FROM medications")


class TestEnding:
    @pytest.fixture
    def running_one(self, analyst):
        """A statement that streams, and its grant."""
        stream = Stream(analyst, ENDLESS.replace("count(*) AS n", "n"))
        return stream, stream.head.grant.grant

    def end_of(self, stream: Stream) -> Exception:
        with pytest.raises(Exception) as over:
            stream.finish()
        return over.value

    def test_a_statement(self, site, analyst, running_one):
        """Cancelled by its own kernel: the engine stops, the grant goes on."""
        stream, _ = running_one
        record = stream.head.record
        analyst.http.send("DELETE", f"/queries/{stream.query_id}")
        assert self.end_of(stream).code == "cancelled"
        assert site.gateway.outcome(record)["says"]["result"] == "cancelled"
        analyst.connect("clinic").query("SELECT 1")

    def test_not_another_kernels_statement(self, site, running_one):
        """An id that one kernel knows is of no use in another."""
        stream, _ = running_one
        site.analyst().http.send("DELETE", f"/queries/{stream.query_id}")
        assert not site.gateway.recorded("outcome", of=stream.head.record)
        stream.close()

    def test_a_grant(self, site, analyst, running_one):
        """Given back while a statement runs under it: cut, and the record says why."""
        stream, grant = running_one
        analyst.give_back(grant)
        assert "given back by its holder" in str(self.end_of(stream))
        (ended,) = site.gateway.recorded("grant.ended", grant=grant)
        assert ended["says"]["why"] == "given back by its holder"

    def test_a_session(self, site, analyst, running_one):
        """Signing out ends what runs, the grants, then the session."""
        stream, grant = running_one
        analyst.logout()
        assert "signed out in the kernel" in str(self.end_of(stream))
        assert site.gateway.recorded("grant.ended", grant=grant)

    def test_a_kernel(self, site):
        """Shut down: what it ran stops."""
        kernel = site.server.kernel("stops").attached(site.people["ana"])
        stream = Stream(kernel, ENDLESS.replace("count(*) AS n", "n"))
        record = stream.head.record
        site.server.close_slot("stops")
        assert "shut down" in str(self.end_of(stream))
        assert site.gateway.outcome(record)["says"]["result"] == "cancelled"
