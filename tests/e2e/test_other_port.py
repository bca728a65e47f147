"""
A page beside the gateway's: the same host name, another port, served by a kernel.

Cookies ignore ports, so what is served there is sent the gateway's cookie.  It must not be enough.
"""

from __future__ import annotations

import json

import pytest

from jupyter_gov.gateway.pages import COOKIE
from tests.support.browser import SIZE, GatewayPages
from tests.support.gateway import find_code
from tests.support.waiting import until

SERVED = """
import http.client, http.server, json, threading
from urllib.parse import urlencode

class Beside(http.server.BaseHTTPRequestHandler):
    page, cookies = b"", set()

    def do_GET(self):
        Beside.cookies.add(self.headers.get("Cookie", ""))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(Beside.page)

    def do_POST(self):  # a redirect that keeps the method and the fields
        self.send_response(307)
        self.send_header("Location", self.path.partition("?to=")[2])
        self.end_headers()

    def log_message(self, *_):
        pass

served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Beside)
threading.Thread(target=served.serve_forever, daemon=True).start()

def ask(gateway, host, cookie, method, path, fields=None):
    "What a program with the cookie can send: any header it likes."
    door = http.client.HTTPConnection("127.0.0.1", gateway, timeout=30)
    headers = {"Host": host, "Cookie": cookie, "Origin": f"http://{host}",
               "Sec-Fetch-Site": "same-origin",
               "Content-Type": "application/x-www-form-urlencoded"}
    door.request(method, path, urlencode(fields or {}), headers)
    answer = door.getresponse()
    try:
        return [answer.status, answer.headers.get("Location", ""), answer.read().decode()]
    finally:
        door.close()
"""

PAGE = """<!doctype html><body><script>
(async () => {
  await fetch('/again');  // same origin: with every cookie of this host name
  for (const [to, fields] of TARGETS) {
    await fetch(to, {method: 'POST', mode: 'no-cors', credentials: 'include',
                     body: new URLSearchParams(fields)}).catch(() => {});
    await fetch('/?to=' + to, {method: 'POST', credentials: 'include',
                               body: new URLSearchParams(fields)}).catch(() => {});
    const form = document.createElement('form');
    const frame = document.createElement('iframe');
    Object.assign(frame, {name: 'f' + Math.random()});
    document.body.append(frame, form);
    Object.assign(form, {action: to, method: 'POST', target: frame.name});
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement('input');
      Object.assign(input, {name, value});
      form.append(input);
    }
    form.submit();
    await new Promise(resolve => { frame.onload = resolve; setTimeout(resolve, 2000); });
  }
  document.title = 'done';
})();
</script>"""


@pytest.fixture
def ana(deployment, browser):
    """ana's browser, signed in a moment ago."""
    context = browser.new_context(viewport=SIZE)
    made = GatewayPages(context.new_page(), deployment.people["ana"], deployment.gateway.page_url)
    made.sign_in()
    yield made
    context.close()


class TestOtherPort:
    def test_its_page_is_another_origin(self, deployment, kernel, ana):
        """The browser sends the cookie along, since it is the same site; the origin is wrong."""
        kernel.run(SERVED + "import jupyter_gov as gov")
        code = find_code(kernel.run("gov.login(wait=False);").stdout)
        ana.type_code(code)
        ana.page.get_by_role("heading", name="Attach this kernel?").wait_for()
        asked = {"decision": "confirm", "purpose": "quality", "as": "me", "for": "1h"}
        targets = [
            (ana.page.url, {**asked, "password": ana.person.password}),
            (f"{ana.url}attach", {"code": code}),
            (f"{ana.url}sign-out", {}),
        ]
        page = PAGE.replace("TARGETS", json.dumps(targets))
        kernel.run(f"Beside.page = {page!r}.encode()")
        before = len(deployment.records("decision.refused"))
        other = ana.page.context.new_page()
        other.goto(f"http://gov.localhost:{kernel.value('served.server_port')}/")
        other.wait_for_function("document.title === 'done'")
        refused = until(
            lambda: (
                len(deployment.records("decision.refused")) >= before + 3 * len(targets)
                and deployment.records("decision.refused")[before:]
            ),
            "each of the attempts in the record",
        )
        assert {r["says"]["site"] for r in refused} <= {"same-site", "cross-site"}
        assert not kernel.value("gov.whoami().attached")
        ana.page.bring_to_front()
        ana.confirm("Quality improvement")
        ana.page.get_by_role("heading", name="Attached").wait_for()

    def test_the_cookie_that_it_is_sent_attaches_nothing(self, deployment, kernel, ana):
        """With the cookie a program may look and type codes; confirming takes the password."""
        kernel.run(SERVED + "import jupyter_gov as gov")
        code = find_code(kernel.run("gov.login(wait=False);").stdout)
        kernel.run(f"Beside.page = {PAGE.replace('TARGETS', '[]')!r}.encode()")
        other = ana.page.context.new_page()
        other.goto(f"http://gov.localhost:{kernel.value('served.server_port')}/")
        other.wait_for_function("document.title === 'done'")
        stolen = [c for c in kernel.value("list(Beside.cookies)") if COOKIE in c]
        assert stolen, "chromium no longer sends cookies to other ports: the docs say it does"

        host = f"gov.localhost:{deployment.gateway.port}"
        to = f"ask({deployment.gateway.port}, {host!r}, {stolen[0]!r}, "
        status, path, _ = kernel.value(f"{to} 'POST', '/attach', {{'code': {code!r}}})")
        assert status == 303
        for password in ({}, {"password": "guessed"}):
            fields = {"decision": "confirm", "purpose": "quality", "as": "me", **password}
            status, _, page = kernel.value(f"{to} 'POST', {path!r}, {fields!r})")
            assert status == 403
            assert "password is wrong" in page
        assert not kernel.value("gov.whoami().attached")
        assert deployment.record("decision.refused", route="POST " + path)["principal"].endswith(
            "|ana"
        )
