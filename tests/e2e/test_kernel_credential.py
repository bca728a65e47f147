"""What a kernel holds, for how long, and what it opens."""

from __future__ import annotations

import base64
import time

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import API, Enrol, encode
from tests.support.deployment import SERVER_SECRETS
from tests.support.gateway import find_code
from tests.support.waiting import until

INHERITED = """
import os, pathlib
started_with = dict(
    entry.split("=", 1)
    for entry in pathlib.Path("/proc/self/environ").read_bytes().decode().split("\\0")
    if "=" in entry
)
"""
"""What the process was given at its start, which no `del os.environ[…]` takes back."""


def enrol_again(deployment, kernel) -> urllib3.BaseHTTPResponse:
    """Use the kernel's spent secret with a new key, as malware that found it would."""
    kernel.run(INHERITED)
    slot = kernel.value("started_with['JUPYTER_GOV_SLOT']")
    secret = kernel.value("started_with['JUPYTER_GOV_SECRET']")
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    body = encode(Enrol(slot_id=slot, secret=secret, public_key=public))
    url = f"{deployment.gateway.url}{API}/enrol"
    headers = signing.sign(key, slot, "POST", url, body, now=time.time())
    with urllib3.PoolManager(retries=False) as http:
        return http.request("POST", url, body=body, headers=headers)


class TestSecret:
    def test_it_is_gone_before_the_users_first_line(self, analyst):
        """From os.environ, from %env, and from what a child process inherits."""
        names = analyst.value("list(__import__('os').environ)")
        assert not {"JUPYTER_GOV_SECRET", "JUPYTER_GOV_SLOT"} & set(names)
        shown = analyst.run("%env").text
        child = analyst.run("!env; python3 -c 'import os; print(dict(os.environ))'").text
        analyst.run(INHERITED)
        secret = analyst.value("started_with['JUPYTER_GOV_SECRET']")
        assert len(secret) > 40
        assert "JUPYTER_GOV_URL" in shown
        assert "JUPYTER_GOV_URL" in child
        for text in (shown, child):
            assert secret not in text
            assert "JUPYTER_GOV_SECRET" not in text

    def test_a_second_use_is_refused_recorded_and_shown(self, deployment, kernel):
        """What /proc/self/environ still holds opens nothing, and the person is told."""
        answer = enrol_again(deployment, kernel)
        assert answer.status == 401
        assert answer.json()["error"]["code"] == "enrolment_refused"
        slot = kernel.value("started_with['JUPYTER_GOV_SLOT']")
        until(
            lambda: [
                r for r in deployment.records("kernel.enrolment_refused") if r["kernel"] == slot
            ],
            "the refused enrolment in the record",
        )
        kernel.run("%load_ext jupyter_gov")
        assert "WARNING: something tried 1 time(s)" in kernel.run("%gov whoami").stdout
        cell = kernel.begin("%gov login")
        cell.until(r"\b[A-Z]{4}-[A-Z]{4}\b")
        ana = deployment.people["ana"]
        path = ana.look(find_code(cell.stdout))
        page = ana.send("GET", path).data.decode()
        assert "Something tried to use this kernel's secret again" in " ".join(page.split())
        ana.decide(path, decision="refuse")
        assert "the code was refused" in cell.result().error


class TestServerSecrets:
    def test_none_reaches_the_kernel(self, deployment, analyst):
        """Neither the server's own token nor what an admin left in its environment."""
        analyst.run(INHERITED)
        values = analyst.value("list(started_with.values()) + list(os.environ.values())")
        held = "\n".join(values)
        assert deployment.jupyter.token not in held
        for name, value in SERVER_SECRETS.items():
            assert value not in held, name
        assert "LANG" in analyst.value("list(started_with)")  # the rest does reach it


KNOCK = """
import http.client, itertools, json, os, pathlib, sys
from urllib.parse import quote

def held():
    "Every value this process was given, can print, or can take out of its own memory."
    from jupyter_client import find_connection_file
    from jupyter_gov.kernel import enrolment
    own = enrolment._http
    values = set(started_with.values()) | set(os.environ.values()) | set(sys.argv)
    values |= {own._key_id, own._key.private_bytes_raw().hex(), own.public_key.hex()}
    connection = json.loads(pathlib.Path(find_connection_file()).read_text())
    values |= set(map(str, connection.values()))
    return sorted(v for v in values if v and v.isprintable() and len(v) < 2000)

def ask(port, method, path, headers):
    door = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        door.request(method, path, headers=headers)
        return door.getresponse().status
    finally:
        door.close()

def ways(value, port):
    "Every form in which a Jupyter server takes a token."
    yield {"Authorization": f"token {value}"}, ""
    yield {"Authorization": f"Bearer {value}"}, ""
    yield {}, "?token=" + quote(value, safe="")
    yield {"Cookie": f"username-127-0-0-1-{port}={quote(value, safe='')}; _xsrf=a",
           "X-XSRFToken": "a"}, ""

def signed(port, method, path):
    "A signature with the kernel's own key, as the gateway takes it."
    import time
    from jupyter_gov.kernel import enrolment
    from jupyter_gov.wire import signing
    own = enrolment._http
    url = f"http://127.0.0.1:{port}{path}"
    return signing.sign(own._key, own._key_id, method, url, b"", now=time.time())

def knock(port):
    routes = [("GET", "/api/kernels"), ("GET", "/api/contents"), ("POST", "/api/kernels")]
    statuses = []
    for (method, path), value in itertools.product(routes, held()):
        for headers, query in ways(value, port):
            statuses.append(ask(port, method, path + query, headers))
    for method, path in routes:
        statuses.append(ask(port, method, path, {}))
        statuses.append(ask(port, method, path, signed(port, method, path)))
    return statuses
"""


class TestWhatItOpens:
    def test_nothing_the_kernel_holds_opens_the_notebook_server(self, deployment, analyst):
        """No value, spent secret, key or signature, as token, cookie or parameter."""
        analyst.run(INHERITED + KNOCK)
        port = deployment.jupyter.port
        statuses = analyst.value(f"knock({port})")
        assert len(statuses) > 200
        assert set(statuses) <= {401, 403}
        with_token = f"ask({port}, 'GET', '/api/kernels?token={deployment.jupyter.token}', {{}})"
        assert analyst.value(with_token) == 200

    @pytest.mark.parametrize(
        "child",
        [
            "forked(os.fork())",
            "multiprocessing.get_context('fork').Pool(1).apply(tried)",
            "subprocess.run([sys.executable, '-c', SCRIPT], capture_output=True, text=True).stdout",
        ],
        ids=["fork", "multiprocessing", "subprocess"],
    )
    def test_a_child_process_holds_no_key(self, analyst, child):
        """It is not the kernel: it finds no key in reach, and is told so."""
        analyst.run(CHILD)
        said = analyst.value(child)
        assert "this process holds no key" in said
        assert "keys: 0" in said
        assert analyst.value("tried()") == "ana; keys: 1"


CHILD = """
import gc, multiprocessing, os, subprocess, sys, warnings
import jupyter_gov as gov
from jupyter_gov.errors import GovError
from jupyter_gov.kernel.http import GatewayHttp

warnings.simplefilter("ignore")

def tried():
    try:
        says = gov.whoami().principal.name
    except GovError as refusal:
        says = str(refusal)
    keys = sum(isinstance(thing, GatewayHttp) for thing in gc.get_objects())
    return f"{says}; keys: {keys}"

_read, _write = os.pipe()

def forked(pid):
    if pid == 0:
        os.write(_write, tried().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return os.read(_read, 10_000).decode()

SCRIPT = '''
import gc
import jupyter_gov as gov
from jupyter_gov.kernel.http import GatewayHttp
try:
    print(gov.whoami())
except Exception as refusal:
    print(refusal)
print("keys:", sum(isinstance(thing, GatewayHttp) for thing in gc.get_objects()))
'''
"""


class TestLifetime:
    def test_a_restart_enrols_anew_and_keeps_the_attachment(self, deployment, kernel):
        """Another key for the new process; the person is asked nothing."""
        kernel.attach(deployment.people["ana"])
        kernel.run(INHERITED)
        before = kernel.value("started_with['JUPYTER_GOV_SLOT']")
        kernel.restart()
        kernel.run(INHERITED + "import jupyter_gov as gov")
        assert kernel.value("started_with['JUPYTER_GOV_SLOT']") != before
        assert kernel.value("gov.whoami().principal.name") == "ana"

    def test_a_crash_restarts_it_attached(self, deployment, kernel):
        """os._exit: the server starts it again by itself, with a slot of its own."""
        kernel.attach(deployment.people["ana"])
        kernel.run(INHERITED)
        before = kernel.value("started_with['JUPYTER_GOV_SLOT']")
        kernel_id = kernel.kernel_id
        kernel.begin("import os; os._exit(1)")
        kernel.close()

        def enrolled() -> list[object]:
            slots = [
                r["kernel"] for r in deployment.records("kernel.opened")
                if r["says"]["kernel_id"] == kernel_id and r["kernel"] != before
            ]  # fmt: skip
            return [r for r in deployment.records("kernel.enrolled") if r["kernel"] in slots]

        until(enrolled, "the restarted kernel to enrol")
        assert kernel.value("__import__('jupyter_gov').whoami().principal.name") == "ana"

    def test_a_shutdown_revokes_its_key(self, deployment):
        """Even a copy of the private key, taken out of the kernel's memory, opens nothing then."""
        kernel = deployment.kernel()
        kernel.run("from jupyter_gov.kernel import enrolment")
        raw = kernel.value("enrolment._http._key.private_bytes_raw().hex()")
        slot = kernel.value("enrolment._http._key_id")
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(raw))
        url = f"{deployment.gateway.url}{API}/session"

        def status() -> int:
            headers = signing.sign(key, slot, "GET", url, b"", now=time.time())
            with urllib3.PoolManager(retries=False) as http:
                return http.request("GET", url, headers=headers).status

        assert status() == 200
        kernel.shut_down()
        assert status() == 401
        until(
            lambda: deployment.gateway.recorded("kernel.revoked", kernel=slot),
            "the revocation in the record",
        )
