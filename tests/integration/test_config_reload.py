"""`jupyter gov config reload`: whole or not at all, recorded, and what it ends."""

from __future__ import annotations

import json
import time

import pytest

from jupyter_gov.errors import GovError, GrantOver, NoGrant, NotAttached
from tests.conftest import demo_config, populate
from tests.support.gateway import running
from tests.support.load import Load
from tests.support.streams import Stream

MANY = "SELECT a.zip, printf('%400s', a.patient_id) AS wide FROM patients a, patients b LIMIT 60000"
TIGHTER = "c.GovAccess.eligibilities['analysts']['treatments'] = {'zip': 'withhold'}"


@pytest.fixture(scope="module")
def own(make_site):
    """A gateway whose configuration the tests change."""
    with running(make_site()) as gateway:
        yield populate(gateway)


@pytest.fixture
def put(own):
    """Puts the demo's configuration with lines added in force; the demo's own afterwards."""

    def run(more: str, *, code: int = 0):
        demo_config(own.gateway.config.parent, more)
        done = own.gateway.here("config", "reload")
        assert done.returncode == code, done.stderr
        return done

    yield run
    run("")


@pytest.fixture
def analyst(own):
    return own.analyst()


@pytest.fixture
def carer(own):
    return own.kernel().attached(own.people["sam"])


class TestTheCommand:
    def test_without_a_gateway_it_says_so(self, make_site):
        """Exit code 1, and where a gateway was looked for."""
        done = make_site().cli("config", "reload", check=False)
        assert done.returncode == 1
        assert "no gateway answers at " in done.stderr


class TestADifference:
    def test_it_is_printed_and_recorded(self, own, put):
        """One line for each path: added, changed with both values, removed."""
        done = put(
            "c.GovAccess.purposes['audit'] = 'Internal audit'\n"
            "c.GovMasking.treatments['state'] = 'withhold'\n"
            "del c.GovAccess.purposes['billing']\n"
        )
        lines = [
            '+ c.GovAccess.purposes["audit"] = "Internal audit"',
            '- c.GovAccess.purposes["billing"]',
            '~ c.GovMasking.treatments["state"] = "withhold" (was "clear")',
        ]
        assert done.stdout.splitlines() == lines
        recorded = own.gateway.recorded("config.reloaded")[-1]["says"]
        assert recorded["difference"] == lines
        assert recorded["from"] != recorded["policy"]

    def test_nothing_changed_is_said(self, own, put):
        """A reload of the same files says so, and changes no digest."""
        assert put("").stdout == "nothing changed\n"
        recorded = own.gateway.recorded("config.reloaded")[-1]["says"]
        assert recorded["from"] == recorded["policy"]

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("c.GovGateway.address", "127.0.0.2"),
            ("c.GovGateway.page_host", "other.localhost"),
            ("c.GovGateway.statements_per_kernel", 1),
            ("c.GovGateway.requests_per_second", 1.0),
            ("c.GovIdentity.session_max", "1h"),
            ("c.GovIdentity.session_idle", "1m"),
        ],
    )
    def test_what_only_a_start_reads_is_named(self, own, put, path, value):
        """A setting that a reload does not put in force is printed and recorded as waiting."""
        done = put(f"{path} = {value!r}")
        assert f"waits for the next start: ~ {path} = {json.dumps(value)} (was " in done.stdout
        recorded = own.gateway.recorded("config.reloaded")[-1]["says"]
        assert [text.split(" ")[1] for text in recorded["waits_for_start"]] == [path]

    def test_a_new_identity_gets_its_password_shown_once(self, own, put):
        """The password of somebody new is printed to the admin, and not recorded."""
        done = put("c.GovIdentity.evaluation_identities['kim'] = {'name': 'Kim'}")
        (line,) = [text for text in done.stdout.splitlines() if "shown once" in text]
        password = line.split(" ")[4]
        own.gateway.person("kim", password).sign_in()
        assert password not in str(own.gateway.recorded())


class TestAWrongOne:
    def test_the_old_one_stays_and_the_mistakes_are_recorded(self, own, put, analyst):
        """Exit code 2 with every mistake; nothing of the new one is in force."""
        done = put("c.GovMasking.untagged = 'hide'\n" + TIGHTER, code=2)
        assert "c.GovMasking.untagged: 'hide' is not a treatment" in done.stderr
        refused = own.gateway.recorded("config.refused")[-1]["says"]
        assert any("c.GovMasking.untagged" in text for text in refused["problems"])
        frame = analyst.connect("clinic").query("SELECT zip FROM patients LIMIT 5")
        assert frame["zip"].notna().all()

    @pytest.mark.parametrize(
        ("line", "path"),
        [
            ("c.GovGateway.port = 'x'", "c.GovGateway.port: write an int"),
            ("c.GovGatway.port = 1", "c.GovGatway: there is no such section"),
            ("c.GovConnections.tags = 'nowhere.toml'", "nowhere.toml cannot be read"),
        ],
        ids=["wrong-type", "unknown-section", "missing-file"],
    )
    def test_every_class_of_mistake_is_recorded(self, own, put, line, path):
        """Also one that is found before the configuration is understood."""
        before = len(own.gateway.recorded("config.refused"))
        put(line, code=2)
        (refused,) = own.gateway.recorded("config.refused")[before:]
        assert any(path in text for text in refused["says"]["problems"])

    def test_a_secret_in_a_mistake_is_not_recorded(self, own, put):
        """A URL with a password, put where no URL belongs, reaches neither screen nor record."""
        done = put("c.GovConnections.tags = 'postgresql://me:hunter2@db/clinic'", code=2)
        assert "hunter2" not in done.stderr
        assert "hunter2" not in str(own.gateway.recorded())


class TestATighterTreatment:
    def test_it_cuts_the_stream_it_concerns_and_no_other(self, own, put, analyst, carer):
        """In mid-stream: the analyst's is cut and says why; the carer's goes on to its end."""
        cut, kept = Stream(analyst, MANY), Stream(carer, MANY)
        cut.head, kept.head  # noqa: B018  (both have begun)
        put(TIGHTER)
        with pytest.raises(GrantOver) as over:
            cut.finish()
        assert "the treatment of patients.zip was tightened" in over.value.message
        whole = kept.finish()
        assert whole.trailer.rows == 60_000
        assert not whole.trailer.cut
        assert own.gateway.outcome(over.value.record)["says"]["result"] == "grant_over"
        assert own.gateway.outcome(whole.head.record)["says"]["result"] == "completed"
        carer.connect("clinic").query("SELECT 1")

    def test_it_cuts_a_stream_that_reads_the_column_through_a_view(self, put, analyst):
        """A view is as tight as the tables it reads."""
        rows = Stream(analyst, "SELECT a.*, printf('%400s', 1) FROM v_readmissions a, patients b")
        rows.head  # noqa: B018
        put("c.GovMasking.treatments['category'] = 'withhold'")
        with pytest.raises(GrantOver, match="was tightened"):
            rows.finish()

    def test_a_new_grant_is_under_the_new_treatment(self, put, analyst):
        """After it, the holder asks again and meets the new rule."""
        con = analyst.connect("clinic")
        con.query("SELECT zip FROM patients LIMIT 1")
        put(TIGHTER)
        with pytest.raises(GrantOver):
            con.query("SELECT zip FROM patients LIMIT 1")
        analyst.request("clinic")
        assert con.query("SELECT zip FROM patients LIMIT 5")["zip"].isna().all()


class TestWhatIsGone:
    def end_of(self, kernel, put, more: str) -> GovError:
        """What a running stream says when that configuration comes into force."""
        stream = Stream(kernel, MANY)
        stream.head  # noqa: B018
        put(more)
        with pytest.raises(GovError) as over:
            stream.finish()
        return over.value

    def test_a_removed_eligibility_ends_its_grants(self, own, put, analyst):
        """The stream is cut, the grant ends, and the next question finds no way to one."""
        why = self.end_of(analyst, put, "del c.GovAccess.eligibilities['analysts']")
        assert isinstance(why, GrantOver)
        assert "the eligibility analysts is gone" in why.message
        ended = own.gateway.recorded("grant.ended")[-1]
        assert ended["says"]["why"] == "the eligibility analysts is gone"
        with pytest.raises(GovError) as refused:
            analyst.request("clinic")
        assert isinstance(refused.value, NoGrant)

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            (
                "c.GovIdentity.evaluation_identities['ana']['groups'] = ['care']\n"
                "c.GovIdentity.evaluation_identities['rui']['groups'] = ['analysts']",
                "no longer covers its holder",
            ),
            (
                "c.GovAccess.eligibilities['analysts']['tables'] = ['encounters']",
                "covers fewer tables now",
            ),
        ],
        ids=["left-the-group", "fewer-tables"],
    )
    def test_a_narrower_eligibility_ends_its_grants(self, put, analyst, more, says):
        """Leaving a group or losing a table ends what was given on its strength."""
        assert says in self.end_of(analyst, put, more).message

    def test_another_database_under_the_name_ends_grants(self, put, analyst, clinic_db, tmp_path):
        """A grant is on a database, not on a name that may point elsewhere tomorrow."""
        other = tmp_path / "other.db"
        other.write_bytes(clinic_db.read_bytes())
        more = f"c.GovConnections.connections['clinic']['url'] = 'sqlite:///{other}'"
        assert "another database stands under" in self.end_of(analyst, put, more).message

    def test_a_person_who_is_gone_is_signed_out_everywhere(self, own, put):
        """Their kernels are detached, and their browser is nobody's."""
        kernel = own.kernel().attached(own.people["rui"])
        put("del c.GovIdentity.evaluation_identities['rui']")
        with pytest.raises(NotAttached, match="no longer knows its person"):
            kernel.connections()
        assert own.people["rui"].send("POST", "/attach", {"code": "x"}).status == 403


class TestUnderLoad:
    def test_statements_go_on_while_it_is_exchanged(self, own, put):
        """Ten changes of the connection itself, whose engine is made anew: no answer is lost."""
        with Load([own.analyst() for _ in range(3)]) as load:
            for number in range(10):
                put(f"c.GovConnections.connections['clinic']['description'] = 'the {number}th'")
                time.sleep(0.1)
        assert len(load.completed) >= 10
        results = {own.gateway.outcome(record)["says"]["result"] for record in load.completed}
        assert results == {"completed"}
        told = [own.gateway.recorded("outcome", of=record) for record in load.told]
        assert {r[0]["says"]["result"] for r in told if r} <= {"completed", "unknown_name"}
