"""Attaching a kernel to a person, from the code to the record, over HTTP."""

from __future__ import annotations

import re

import pytest

from jupyter_gov.errors import BadRequest, Busy, DecisionRefused, NotAttached, SessionOver
from jupyter_gov.wire.messages import CodeState
from tests.conftest import populate
from tests.support.gateway import StubKernel, StubServer, running
from tests.support.streams import Stream, numbers
from tests.support.waiting import until

MORE_PEOPLE = """
for name in ("pat", "zoe"):
    c.GovIdentity.evaluation_identities[name] = {"name": name, "groups": ["analysts"]}
"""


@pytest.fixture(scope="module")
def site(make_site):
    """A gateway with people whose sessions are counted."""
    with running(make_site(MORE_PEOPLE)) as gateway:
        yield populate(gateway)


@pytest.fixture(scope="module")
def owned(site):
    """A notebook server that is known to be ana's."""
    out = site.gateway.config.with_name("owned.json")
    return StubServer(site.gateway.enroll(out, name="Ana's laptop", owner="ana"))


@pytest.fixture
def own_server(site, request):
    """A notebook server on which nobody else acts."""
    out = site.gateway.config.with_name(f"{request.node.name}.json")
    return StubServer(site.gateway.enroll(out))


@pytest.fixture
def ana(site):
    return site.people["ana"]


@pytest.fixture
def kernel(site):
    return site.kernel()


def open_code(kernel: StubKernel) -> tuple[str, str]:
    """Code and id of its request."""
    from jupyter_gov.wire.messages import Code, OpenCode, encode

    shown = kernel.http.call("POST", "/attach", Code, encode(OpenCode()))
    return shown.code, shown.request_id


def state_of(kernel: StubKernel, request_id: str) -> str:
    return kernel.http.call("GET", f"/attach/{request_id}", CodeState).state


class TestACode:
    def test_it_attaches_once(self, kernel, ana):
        """What was confirmed cannot be typed again, by anybody."""
        code, request = open_code(kernel)
        ana.attach(code, purpose="quality")
        assert state_of(kernel, request) == "confirmed"
        with pytest.raises(DecisionRefused, match="no kernel is showing this code"):
            ana.look(code)

    def test_a_new_one_ends_the_earlier(self, kernel, ana):
        """One is open at a time for each kernel."""
        first, request = open_code(kernel)
        second, _ = open_code(kernel)
        assert state_of(kernel, request) == "expired"
        with pytest.raises(DecisionRefused):
            ana.look(first)
        ana.attach(second, purpose="quality")

    def test_it_is_not_in_the_record(self, site, kernel, ana):
        """Neither an open code nor a used one: the log is read by others."""
        code, request = open_code(kernel)
        ana.attach(code, purpose="quality")
        assert site.gateway.recorded("attach.opened", request=request)
        log = str(site.gateway.recorded())
        assert code not in log
        assert code.replace("-", "") not in log

    def test_another_servers_kernel_cannot_follow_it(self, kernel, site, owned):
        """Also not one that its server gave the same id."""
        _, request = open_code(kernel)
        mine = kernel.whoami().kernel_id
        with pytest.raises(BadRequest, match="no such request"):
            state_of(owned.kernel(mine), request)

    def test_it_ends_with_its_kernel(self, site, ana):
        """A restart between the code and the confirmation asks for a new code."""
        kernel = site.server.kernel("restarted")
        path = ana.look(open_code(kernel)[0])
        site.server.kernel("restarted")
        with pytest.raises(DecisionRefused, match="has gone or was restarted"):
            ana.decide(path, purpose="quality")


class TestRefusing:
    def test_the_kernel_is_told_and_pauses(self, site, kernel, ana):
        """No new code for a minute; recorded with who refused."""
        code, request = open_code(kernel)
        ana.decide(ana.look(code), decision="refuse")
        assert state_of(kernel, request) == "refused"
        with pytest.raises(Busy, match=r"refused; try again in \d+ s"):
            kernel.code()
        (recorded,) = site.gateway.recorded("attach.refused", request=request)
        assert recorded["principal"] == "evaluation|ana"


class TestTheOwner:
    def test_only_they_may_confirm(self, site, owned, ana):
        """A stranger who learns the code is refused and recorded; the owner still can."""
        kernel = owned.kernel("mine")
        code = kernel.code()
        with pytest.raises(DecisionRefused, match="belongs to somebody else"):
            site.people["sam"].look(code)
        ana.attach(code, purpose="quality")
        assert kernel.whoami().principal.name == "ana"
        until(
            lambda: site.gateway.recorded("decision.refused", principal="evaluation|sam"),
            "the stranger's try in the record",
        )


class TestThePage:
    def test_known_stands_apart_from_claimed(self, owned, ana):
        """What the gateway saw on one side; what the server said, escaped, on the other."""
        slot, secret = owned.open_slot("shown", notebook="<b>audit</b>.ipynb")
        kernel = StubKernel.enrol(owned.credential.url, slot, secret)
        page = ana.send("GET", ana.look(kernel.code(agent="recon"))).data.decode()
        known, claimed = re.split(r"<h2>What is only claimed</h2>", page)
        for text in ("Ana&#39;s laptop", "<dd>ana</dd>", "127.0.0.1", "same-user: evaluation"):
            assert text in known
        for text in ("&lt;b&gt;audit&lt;/b&gt;.ipynb", "someone", "recon"):
            assert text in claimed
            assert text not in known

    @pytest.mark.parametrize(
        ("choice", "says"),
        [
            ({"purpose": ""}, "choose a purpose"),
            ({"purpose": "fun"}, "there is no such purpose"),
            ({"purpose": "quality", "agent": "../x"}, "an agent&#39;s name is"),
            ({"purpose": "quality", "lasts": "long"}, "is not a duration"),
            ({"purpose": "quality", "decision": "perhaps"}, "choose to confirm or to refuse"),
        ],
        ids=["no-purpose", "unknown-purpose", "agent-name", "duration", "decision"],
    )
    def test_a_mistake_leaves_the_code_open(self, kernel, ana, choice, says):
        """The form says what is missing, and may be sent again."""
        code, request = open_code(kernel)
        path = ana.look(code)
        with pytest.raises(DecisionRefused, match=says):
            ana.decide(path, **choice)
        assert state_of(kernel, request) == "pending"
        ana.decide(path, own_purpose="looking into a complaint", lasts="1h")
        assert kernel.whoami().purpose == "looking into a complaint"

    def test_a_wrong_password_confirms_nothing(self, site, kernel):
        """The fresh proof fails: recorded, and the code waits for the right one."""
        pat = site.people["pat"]
        code, request = open_code(kernel)
        path, password = pat.look(code), pat.password
        pat.password = "wrong"
        with pytest.raises(DecisionRefused, match="the name or the password is wrong"):
            pat.decide(path, purpose="quality")
        assert state_of(kernel, request) == "pending"
        until(
            lambda: [
                r
                for r in site.gateway.recorded("decision.refused", principal="evaluation|pat")
                if r["says"]["why"].startswith("no fresh proof")
            ],
            "the failed proof in the record",
        )
        pat.password = password
        pat.decide(path, purpose="quality")
        assert state_of(kernel, request) == "confirmed"


class TestAgentAndPerson:
    def test_becoming_an_agent_ends_the_persons_attachment(self, site, kernel, ana):
        """The kernel is the agent, on the person's behalf, and the person's grants are over."""
        kernel.attached(ana)
        con = kernel.connect("clinic")
        con.query("SELECT 1")
        (before,) = kernel.grants()
        kernel.attached(ana, agent="recon")
        principal = kernel.whoami().principal
        assert (principal.kind, principal.name, principal.on_behalf_of) == ("agent", "recon", "ana")
        assert kernel.grants() == ()
        (ended,) = site.gateway.recorded("grant.ended", grant=before.grant)
        assert "attached anew" in ended["says"]["why"]
        record = con.query("SELECT 1").attrs["gov"]["record"]
        (intent,) = site.gateway.recorded("intent", record=record)
        assert intent["principal"] == "evaluation|ana/agents/recon"
        assert intent["on_behalf_of"] == "ana"

    def test_coming_back_takes_a_restart(self, own_server, ana):
        """What the agent put into the kernel's memory must not act as the person."""
        kernel = own_server.kernel("back").attached(ana, agent="recon")
        with pytest.raises(DecisionRefused, match="acts as an agent"):
            kernel.attached(ana)
        kernel = own_server.kernel("back")
        assert kernel.whoami().principal.name == "recon"  # a restart alone changes nobody
        with pytest.raises(DecisionRefused, match="acts as an agent"):
            kernel.attached(ana)
        kernel.logout()
        kernel = own_server.kernel("back").attached(ana)
        assert kernel.whoami().principal.kind == "person"


class TestTheSession:
    def test_it_survives_a_restart_of_its_kernel(self, site, own_server, ana):
        """*Restart and run all* asks nothing; the key before the restart opens nothing."""
        earlier = own_server.kernel("again").attached(ana)
        kernel = own_server.kernel("again")
        assert kernel.whoami().principal.name == "ana"
        assert site.gateway.recorded("session.continued", session=kernel.whoami().session)
        kernel.connect("clinic").query("SELECT 1")
        with pytest.raises(Exception, match="not enrolled"):
            earlier.whoami()

    def test_where_others_act_too_a_restart_ends_it(self, own_server, ana):
        """Whose restart that was is only the server's word: the person confirms again."""
        own_server.kernel("mine").attached(ana)
        own_server.kernel("theirs").attached(ana, agent="recon")
        with pytest.raises(NotAttached, match="somebody else, or an agent, acts too"):
            own_server.kernel("mine").connections()

    def test_it_ends_with_its_kernel(self, site, ana):
        """A shut down kernel leaves no session behind for the next one of its id."""
        site.server.kernel("over").attached(ana)
        site.server.close_slot("over")
        with pytest.raises(NotAttached):
            site.server.kernel("over").connections()

    def test_its_person_ends_it_from_the_page(self, site, kernel):
        """The stream is cut, the grant is over, the kernel is nobody's; only they may."""
        zoe, session = site.people["zoe"], ""
        kernel.attached(zoe)
        session = kernel.whoami().session
        stream = Stream(kernel, numbers(10_000_000))
        record = stream.head.record
        home = zoe.send("GET", "/").data.decode()
        assert f"/sessions/{session}/end" in home
        assert "clinic: " in home
        site.people["ana"].sign_in()
        assert site.people["ana"].send("POST", f"/sessions/{session}/end").status == 403
        assert zoe.send("POST", f"/sessions/{session}/end").status == 303
        with pytest.raises(Exception, match="ended by its person") as over:
            stream.finish()
        assert type(over.value).__name__ in ("SessionOver", "GrantOver")
        assert site.gateway.outcome(record)["says"]["result"] == SessionOver.code
        with pytest.raises(NotAttached, match="ended by its person on the gateway's page"):
            kernel.connections()
        until(
            lambda: [
                r
                for r in site.gateway.recorded("decision.refused", principal="evaluation|ana")
                if r["says"]["why"] == "you have no such session"
            ],
            "the other person's try in the record",
        )

    def test_logging_out_detaches(self, site, kernel, ana):
        """From the kernel's side: recorded, with its grants."""
        kernel.attached(ana).connect("clinic").query("SELECT 1")
        session = kernel.whoami().session
        kernel.logout()
        assert not kernel.whoami().attached
        (ended,) = site.gateway.recorded("session.ended", session=session)
        assert ended["says"]["why"] == "signed out in the kernel"
        assert site.gateway.recorded("grant.ended", session=session)
