"""A kernel that is gone before its statement has begun."""

from __future__ import annotations

import json
import socket
import time

from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import API, Query, encode
from tests.support.waiting import until

ENDLESS = "SELECT count(*) AS n FROM encounters a, encounters b, encounters c, encounters d"


def send_and_leave(site, kernel, number: int) -> None:
    """The whole request, and then the connection is closed without a look at the answer."""
    body = encode(Query(query_id=f"gone-at-once-{number}", connection="clinic", sql=ENDLESS))
    url = f"{site.gateway.url}{API}/queries"
    http = kernel.http
    headers = signing.sign(http._key, http._key_id, "POST", url, body, now=time.time())
    headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    host = f"127.0.0.1:{site.gateway.port}"
    head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": host, **headers}.items())
    with socket.create_connection(("127.0.0.1", site.gateway.port)) as wire:
        wire.sendall(f"POST {API}/queries HTTP/1.1\r\n{head}\r\n".encode() + body)


class TestGoneAtOnce:
    def test_its_statement_does_not_run_on(self, site):
        """Whenever it left: the intent has its outcome soon, and nothing is left running."""
        kernel = site.analyst()
        kernel.connect("clinic").query("SELECT 1 AS one")
        session = kernel.whoami().session
        for number in range(4):
            send_and_leave(site, kernel, number)

        def settled() -> list[dict[str, object]]:
            own = site.gateway.recorded(session=session)
            intents = [r["record"] for r in own if r["kind"] == "intent"]
            outcomes = [r for r in own if r["kind"] == "outcome"]
            done = len(intents) == 5 and {r["of"] for r in outcomes} == set(intents)
            return outcomes if done else []

        outcomes = until(settled, "an outcome for each statement", seconds=10)
        assert [json.loads(json.dumps(r["says"]))["result"] for r in outcomes].count(
            "cancelled"
        ) == 4
