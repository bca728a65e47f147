"""A person of the evaluation, played over HTTP on the gateway's own origin."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

import urllib3

from jupyter_gov.errors import DecisionRefused

CODE = re.compile(r"\b([A-Z]{4}-[A-Z]{4})\b")
_PROBLEM = re.compile(r'class="problem" role="alert">([^<]*)<')


class EvaluationPerson:
    """
    Signs in and decides as a browser would.

    Args:
        url: where the gateway listens, such as ``http://127.0.0.1:8899``.
        page_url: address of its pages, whose host name need not resolve here.
    """

    def __init__(self, url: str, page_url: str, name: str, password: str) -> None:
        self._url = url.rstrip("/")
        parts = urlsplit(page_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.netloc
        self._http = urllib3.PoolManager(retries=False, timeout=30.0)
        self._cookie = ""
        self.name = name
        self.password = password

    def close(self) -> None:
        """Give the connections back."""
        self._http.clear()

    def send(
        self, method: str, path: str, fields: dict[str, str] | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """One request of this person's browser; *headers* replace what it would send."""
        sent = {"Host": self._host, "Cookie": self._cookie}
        if method == "POST":
            sent["Origin"] = self._origin
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        body = None
        if method == "POST":
            body = urlencode(fields or {})
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        return self._http.request(
            method,
            self._url + path,
            body=body,
            headers={name: value for name, value in sent.items() if value},
            redirect=False,
        )

    def sign_in(self) -> None:
        """Raises DecisionRefused."""
        answer = self.send("POST", "/sign-in", {"name": self.name, "password": self.password})
        if answer.status != 303:
            raise DecisionRefused(problem_of(answer))
        self._cookie = answer.headers["Set-Cookie"].partition(";")[0]

    def look(self, code: str) -> str:
        """Type a code; returns the path of the page that asks.  Raises DecisionRefused."""
        if not self._cookie:
            self.sign_in()
        answer = self.send("POST", "/attach", {"code": code})
        if answer.status != 303:
            raise DecisionRefused(problem_of(answer))
        return answer.headers["Location"]

    def decide(
        self,
        path: str,
        *,
        decision: str = "confirm",
        purpose: str = "",
        own_purpose: str = "",
        agent: str = "",
        lasts: str = "8h",
    ) -> str:
        """Fill in the form on *path* and send it; returns the page.  Raises DecisionRefused."""
        fields = {
            "decision": decision,
            "purpose": purpose,
            "own_purpose": own_purpose,
            "as": "agent" if agent else "me",
            "agent": agent,
            "for": lasts,
            "password": self.password,
        }
        answer = self.send("POST", path, fields)
        if answer.status != 200:
            raise DecisionRefused(problem_of(answer))
        return answer.data.decode()

    def attach(
        self,
        code: str,
        *,
        purpose: str = "",
        own_purpose: str = "",
        agent: str = "",
        lasts: str = "8h",
    ) -> None:
        """Type the code, look, choose and confirm.  Raises DecisionRefused."""
        self.decide(
            self.look(code), purpose=purpose, own_purpose=own_purpose, agent=agent, lasts=lasts
        )


def problem_of(answer: urllib3.BaseHTTPResponse) -> str:
    """What a page of refusal says."""
    found = _PROBLEM.search(answer.data.decode(errors="replace"))
    return found[1] if found else f"status {answer.status}"
