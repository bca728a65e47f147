"""What each route of the gateway is: who may call it, with what, and whether it decides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import TypeVar

from generators.source import own_source
from jupyter_gov.gateway import api, pages
from jupyter_gov.gateway.admin import ADMIN
from jupyter_gov.server.handlers import HANDLERS
from jupyter_gov.wire import messages as m

T = TypeVar("T")
NONE, KERNEL, SERVER = "none", "kernel key", "server key"
STREAM = "stream"
"""The answer is Arrow IPC, not JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one address of the API."""

    method: str
    path: str
    handler: type
    request: type | None = None
    answer: type | str | None = None
    """A message, STREAM, or None for no body."""
    says: str

    @property
    def credential(self) -> str:
        if issubclass(self.handler, api.EnrolHandler):
            return "one-use secret, signed with the key it registers"
        if issubclass(self.handler, api.ServerHandler):
            return SERVER
        if issubclass(self.handler, api.SignedHandler):
            return KERNEL
        return NONE


_API: dict[tuple[str, str], tuple[type | None, type | str | None, str]] = {
    ("GET", "/health"): (None, m.Health, "Whether it serves, and where people decide."),
    ("POST", "/enrol"): (m.Enrol, m.Enrolled, "Exchange the one-use secret for a key."),
    ("POST", "/attach"): (m.OpenCode, m.Code, "A code for a person to type."),
    ("GET", "/attach/{request}"): (None, m.CodeState, "What became of this kernel's code."),
    ("GET", "/session"): (None, m.SessionView, "Who this kernel is."),
    ("DELETE", "/session"): (None, m.SessionView, "Detach this kernel: its grants end."),
    ("GET", "/connections"): (None, m.Listing, "What this session may use or ask for."),
    ("GET", "/connections/{connection}/tables"): (
        None, m.Listing, "Tables and columns, with types before and after their treatment."),
    ("GET", "/connections/{connection}/budget"): (
        None, m.Budget, "What is left under the grant that the next statement would use."),
    ("GET", "/grants"): (None, m.Listing, "This session's grants, over or not."),
    ("POST", "/grants"): (m.RequestGrant, m.GrantView, "Ask for a grant."),
    ("DELETE", "/grants/{grant}"): (None, m.GrantView, "End a grant of this session early."),
    ("POST", "/queries"): (m.Query, STREAM, "Run one statement."),
    ("DELETE", "/queries/{query}"): (None, None, "Cancel a statement of this kernel."),
    ("POST", "/explanations"): (
        m.Query, m.Explanation, "What would become of a statement; nothing runs."),
    ("POST", "/slots"): (m.OpenSlot, m.Slot, "A kernel is about to start."),
    ("GET", "/slots/{kernel}"): (None, m.SessionView, "Who one of this server's kernels is."),
    ("DELETE", "/slots/{kernel}"): (None, None, "The kernel was shut down."),
}  # fmt: skip
_PAGES: dict[tuple[str, str], tuple[str, str, str]] = {
    ("GET", "/"): ("page cookie; without it the sign-in form", "no",
                   "What is attached in one's name, and the field for a code."),
    ("POST", "/sign-in"): ("name and password, Origin", "yes", "Sign in on this browser."),
    ("POST", "/sign-out"): ("page cookie, Origin", "yes", "Forget this browser."),
    ("POST", "/attach"): ("page cookie, Origin", "yes", "Type a code."),
    ("GET", "/attach/{request}"): ("page cookie, and the code typed before", "no",
                                   "What would be attached: known, and only claimed."),
    ("POST", "/attach/{request}"): (
        "page cookie, Origin, the code typed before, fresh proof", "yes",
        "Confirm or refuse: purpose, principal, how long."),
    ("POST", "/sessions/{session}/end"): ("page cookie, Origin", "yes",
                                          "End an attachment of one's own, or of one's agent."),
    ("GET", "/style.css"): (NONE, "no", "The style sheet."),
}  # fmt: skip


_NOTEBOOK = {
    ("GET", "/jupyter-gov/api/v1/gateway"): "Whether this server's gateway serves, and where"
    " people decide.",
    ("GET", "/jupyter-gov/api/v1/kernels/{kernel}"): "Whom a kernel is attached to, and what time"
    " its grants have left.",
}
_ADMIN = {
    ("POST", "/reload"): "Read the configuration again, whole or not at all.",
    ("DELETE", "/servers/{server}"): "Take a notebook server's credential back.",
}
VERBS = ("get", "post", "put", "patch", "delete")


def _shape(path: str) -> str:
    """A pattern or a template with ``{}`` for what varies."""
    return re.sub(r"\{[^}]*\}|\([^)]*\)", "{}", path)


def _served(routes: Iterable[tuple[str, type]]) -> Iterator[tuple[str, str, type]]:
    """Method, shape and handler of what the application answers."""
    for pattern, handler in routes:
        shape = _shape(pattern)
        for verb in VERBS:
            method = vars(handler).get(verb)
            # A handler may serve two patterns: the one with an id takes an argument.
            if method is not None and len(signature(method).parameters) == 1 + shape.count("{}"):
                yield verb.upper(), shape, handler


def _matched(
    routes: Iterable[tuple[str, type]], told: Mapping[tuple[str, str], T]
) -> Iterator[tuple[str, str, type, T]]:
    """Each route with what is told of it.  Fails if one side has what the other has not."""
    by_shape = {(method, _shape(path)): path for method, path in told}
    served = list(_served(routes))
    if odd := {(method, shape) for method, shape, _ in served} ^ by_shape.keys():
        raise AssertionError(f"not described, or not there: {sorted(odd)}")
    for method, shape, handler in served:
        path = by_shape[method, shape]
        yield method, path, handler, told[method, path]


def api_routes() -> list[Route]:
    """Every route of kernels and servers, in the order of the application."""
    own = [(pattern.removeprefix(m.API), handler) for pattern, handler in api.ROUTES]
    routes = []
    for method, path, handler, (request, answer, says) in _matched(own, _API):
        taken = re.findall(r"m\.decode\(m\.(\w+)", own_source(handler, method.lower()))
        if taken and taken != [getattr(request, "__name__", None)]:
            raise AssertionError(f"{method} {path} takes {taken}")
        routes.append(Route(
            method=method, path=m.API + path, handler=handler, request=request, answer=answer,
            says=says,
        ))  # fmt: skip
    return routes


def page_routes() -> list[tuple[str, str, str, str, str]]:
    """Method, path, credential, whether it decides, meaning; of the pages."""
    return [
        (method, path, *told) for method, path, _, told in _matched(pages.PAGES, _PAGES)
    ]  # fmt: skip


def notebook_routes() -> list[tuple[str, str, str]]:
    """Method, path, meaning; of the notebook server's own extension."""
    return [(method, path, says) for method, path, _, says in _matched(HANDLERS, _NOTEBOOK)]


def admin_routes() -> list[tuple[str, str, str]]:
    """Method, path, meaning; of the Unix socket in the state folder."""
    return [(method, path, says) for method, path, _, says in _matched(ADMIN, _ADMIN)]
