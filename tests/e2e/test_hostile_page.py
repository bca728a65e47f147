"""
JavaScript in a cell's output decides nothing.

A notebook from elsewhere is run in JupyterLab, while the same browser is signed in on the gateway's
pages with an open question.  Its output knows the code, the ids and even the password, and tries
every route in every way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page

from jupyter_gov.gateway.api import ROUTES
from jupyter_gov.gateway.pages import COOKIE, DECIDING, PAGES
from tests.support.browser import SIZE, GatewayPages, Lab, evaluated
from tests.support.deployment import Deployment
from tests.support.gateway import find_code
from tests.support.hostile import (
    SERVICE_WORKER,
    Target,
    Way,
    attempts_of,
    covering,
    script,
    ways,
)
from tests.support.jupyter import Kernel

API_WAYS = ("fetch_with_cookies", "fetch_delete", "form_into_frame", "fetch_get", "image")
ELSEWHERE_WAYS = ("fetch_no_cors", "form_into_frame")
"""Against the gateway's other host names, on which it has no pages."""


@dataclass
class Attack:
    """What was tried, what the browser sent, and what came of it."""

    deployment: Deployment
    deciding: list[Target]
    plan: dict[Way, list[Target]]
    person: GatewayPages
    victim: Kernel
    """Attached to ana before."""
    session: str
    notebook: Kernel
    """Showed the code."""
    kinds_before: Counter[str]
    got: list[list[str]] = field(default_factory=list)
    sent: list[dict[str, str]] = field(default_factory=list)
    """Headers of the requests of both tabs, as they left the browser."""

    def kinds(self) -> Counter[str]:
        """How many records of each kind came since the attack began."""
        return Counter(r["kind"] for r in self.deployment.records()) - self.kinds_before


def watch(context: BrowserContext, page: Page, into: list[dict[str, str]]) -> None:
    """Note the headers of the page's requests, cookies included."""
    network = context.new_cdp_session(page)
    network.send("Network.enable")

    def note(event: dict[str, Any]) -> None:
        into.append({name.lower(): value for name, value in event["headers"].items()})

    network.on("Network.requestWillBeSentExtraInfo", note)


def planned(origin: str, port: int, deciding: list[Target]) -> dict[Way, list[Target]]:
    """Every way against every route; fewer against the gateway's other names."""
    reading: list[Target] = [(f"{origin}/", {}), (f"{origin}/style.css", {})]
    api: list[Target] = [
        (f"http://127.0.0.1:{port}/api/v1/{path}", {})
        for path in (
            "health", "enrol", "attach", "attach/A-00", "session", "connections",
            "connections/clinic/tables", "connections/clinic/budget", "grants", "grants/G-00",
            "queries", "queries/q-000000", "explanations", "slots", "slots/kernel",
        )
    ]  # fmt: skip
    elsewhere = [
        (f"http://{host}:{port}{urlsplit(to).path}", fields)
        for host in ("127.0.0.1", "localhost")
        for to, fields in deciding
    ]
    plan = {way: [*deciding, *reading] for way in ways()}
    for way in plan:
        if way.name in API_WAYS:
            plan[way] += api
        if way.name in ELSEWHERE_WAYS:
            plan[way] += elsewhere
    return plan


@pytest.fixture(scope="module", params=["managed", "separate"])
def attack(request, fresh_deployment, browser) -> Iterator[Attack]:
    """Carried out once for each kind of deployment; the tests look at what came of it."""
    deployment = fresh_deployment(request.param)
    context = browser.new_context(viewport=SIZE)
    sent: list[dict[str, str]] = []
    victim = deployment.kernel()
    ana = deployment.people["ana"]
    victim.attach(ana)
    session = victim.value("__import__('jupyter_gov').whoami().session")

    person = GatewayPages(context.new_page(), ana, deployment.gateway.page_url)
    watch(context, person.page, sent)
    person.sign_in()

    page = context.new_page()
    watch(context, page, sent)
    host = {"managed": "127.0.0.1", "separate": "localhost"}[request.param]
    lab = Lab(page, deployment.jupyter, host).open(
        "hostile.ipynb",
        "import jupyter_gov as gov; gov.login(wait=False);",
        "from IPython.display import Javascript; Javascript(open('hostile.js').read())",
    )
    code = find_code(lab.run(0).inner_text())
    person.type_code(code)
    person.page.get_by_role("heading", name="Attach this kernel?").wait_for()

    origin = deployment.gateway.page_url.rstrip("/")
    asked = {"decision": "confirm", "purpose": "quality", "as": "me", "agent": "", "for": "1h"}
    deciding: list[Target] = [
        (f"{origin}/sign-in", {"name": "ana", "password": ana.password}),
        (f"{origin}/sign-out", {}),
        (f"{origin}/attach", {"code": code}),
        (person.page.url, {**asked, "password": ana.password}),
        (f"{origin}/sessions/{session}/end", {}),
    ]
    plan = planned(origin, deployment.gateway.port, deciding)
    for name, text in (("hostile.js", script(plan)), ("hostile-worker.js", SERVICE_WORKER)):
        deployment.jupyter.write(name, text)
    before = Counter(r["kind"] for r in deployment.records())
    made = Attack(
        deployment, deciding, plan, person, victim, session, lab.kernel(), before, sent=sent
    )
    page.bring_to_front()
    lab.run(1)
    page.wait_for_function("window.hostile && window.hostile.done", timeout=120_000)
    made.got = evaluated(page, "window.hostile.got")  # type: ignore[assignment]
    yield made
    made.notebook.close()
    victim.close()
    context.close()


class TestHostilePage:
    def test_every_route_is_tried(self, attack):
        """A route that is added must be added here, too."""
        paths = {urlsplit(to).path for targets in attack.plan.values() for to, _ in targets}
        assert covering([pattern for pattern, _ in (*PAGES, *ROUTES)], paths) == []
        assert len(attack.deciding) == len(DECIDING)
        assert len(attack.got) == sum(map(len, attack.plan.values()))

    def test_nothing_is_decided(self, attack):
        """No sign-in, no attachment, no grant, no end: and the question is still open."""
        decided = {
            "signin.succeeded", "signin.failed", "attach.confirmed", "attach.refused",
            "session.ended", "grant.opened", "grant.ended",
        }  # fmt: skip
        assert decided & set(attack.kinds()) == set()
        assert not attack.notebook.value("gov.whoami().attached")
        whoami = "__import__('jupyter_gov').whoami()"
        assert attack.victim.value(f"{whoami}.session") == attack.session

    def test_nothing_is_read(self, attack):
        """No answer, page or frame of the gateway's opens to the script."""
        assert [got for got in attack.got if got[2]] == []

    def test_the_cookies_stay_apart(self, attack):
        """The gateway's never reaches Jupyter, Jupyter's never the gateway, and neither is lost."""
        gateway = urlsplit(attack.deployment.gateway.page_url).netloc
        theirs = f":{attack.deployment.jupyter.port}"
        of_gateway = [h for h in attack.sent if h.get("host") == gateway]
        of_jupyter = [h for h in attack.sent if h.get("host", "").endswith(theirs)]
        assert any(COOKIE in h.get("cookie", "") for h in of_gateway)
        assert any("username-" in h.get("cookie", "") for h in of_jupyter)
        assert not [h for h in of_jupyter if COOKIE in h.get("cookie", "")]
        for name in ("username-", "_xsrf"):
            assert not [h for h in of_gateway if name in h.get("cookie", "")]
        cross_site = [h for h in of_gateway if h.get("sec-fetch-site") == "cross-site"]
        assert len(cross_site) > 50
        assert not [h for h in cross_site if COOKIE in h.get("cookie", "")]

    def test_the_same_form_works_on_the_gateways_own_page(self, attack):
        """Had any of it counted, it would have attached: the person does it now."""
        attack.person.page.bring_to_front()
        attack.person.confirm("Quality improvement")
        attack.person.page.get_by_role("heading", name="Attached").wait_for()
        assert attack.notebook.value("gov.whoami().principal.name") == "ana"

    def test_every_attempt_is_in_the_record(self, attack):
        """One by one up to the rate, beyond it as a number: none is missing."""
        paths = {urlsplit(to).path for to, _ in attack.deciding}
        forms = paths - {urlsplit(attack.person.page.url).path}
        expected = attempts_of(attack.plan, forms)
        attack.deployment.stop_gateway()
        refused = attack.deployment.records("decision.refused")
        assert {r["principal"] for r in refused} == {""}  # none came with her cookie
        says = [r["says"] for r in refused]
        one_by_one = [s for s in says if "route" in s]
        assert {s["route"].split()[1] for s in one_by_one} >= paths
        summed = sum(s.get("left_out", 0) + s.get("left_out_before", 0) for s in says)
        assert len(one_by_one) + summed == expected.total()
        assert expected.total() > 200
