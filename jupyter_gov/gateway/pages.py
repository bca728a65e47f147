"""
The pages on which people decide.  Decisions happen here and nowhere else.

A deciding request counts only if it comes from this very origin (Origin header, Fetch Metadata),
with this origin's own SameSite=Strict cookie, and with a fresh proof of the person: a sign-in
serves as the proof of one confirmation, the next one asks for the password again.

On loopback it does not serve: cookies ignore ports, so a browser that a hostile page leads to
another port of the same host name hands the cookie to whoever listens there, and any kernel of
the machine may.  With the cookie alone nothing can be confirmed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jupyter_gov import errors
from jupyter_gov.audit.events import Actor, Event
from jupyter_gov.gateway.handlers import GovHandler, Service, status_of
from jupyter_gov.identity.attachment import Choice
from jupyter_gov.identity.model import AttachRequest, Kernel, Principal
from jupyter_gov.wire.times import parse_duration, show_duration

TEMPLATES = Path(__file__).parent / "templates"
COOKIE = "__Host-gov"
WEB_SESSION = timedelta(hours=8)
DURATIONS = ("1h", "4h", "8h", "12h")

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
_environment = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
)


@dataclass(slots=True, kw_only=True)
class WebSession:
    """A person signed in on these pages.  Kept in memory: a restart signs everyone out."""

    person: Principal
    signed_in: datetime
    secret: str
    """Version of the password they signed in with: another one signs them out."""
    proof_at: datetime | None
    """When they last proved who they are, if no confirmation has used it up."""
    claimed: set[str] = field(default_factory=set)
    """Requests whose code they typed."""


class WebSessions:
    """Who is signed in, by the cookie's random value."""

    def __init__(self) -> None:
        self._sessions: dict[str, WebSession] = {}

    def open(self, person: Principal, now: datetime, secret: str) -> str:
        value = secrets.token_urlsafe(32)
        self._sessions = {
            key: s for key, s in self._sessions.items() if now < s.signed_in + WEB_SESSION
        }
        self._sessions[value] = WebSession(
            person=person, signed_in=now, secret=secret, proof_at=now
        )
        return value

    def find(self, value: str, now: datetime) -> WebSession | None:
        found = self._sessions.get(value)
        return found if found is not None and now < found.signed_in + WEB_SESSION else None

    def close(self, value: str) -> None:
        self._sessions.pop(value, None)


class PageHandler(GovHandler):
    """A page, or a form sent from one."""

    web: WebSessions

    def initialize(self, service: Service, web: WebSessions | None = None) -> None:
        super().initialize(service)
        assert web is not None
        self.web = web

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Permissions-Policy", "publickey-credentials-get=(self)")

    async def prepare(self) -> None:
        """Before anything is looked at: the right host, and for forms the right origin."""
        if self.service.page_url.startswith("https:"):
            self.set_header("Strict-Transport-Security", "max-age=31536000")
        reads = self.request.method in ("GET", "HEAD")
        if self.request.host != self.service.page_origin.partition("://")[2]:
            if not reads:
                self._refuse("the form was sent to another host name than the pages'")
            raise errors.NotFound("the pages are not here", hint=f"Open {self.service.page_url}")
        site = self.request.headers.get("Sec-Fetch-Site", "")
        if not reads:
            if self.request.headers.get("Origin") != self.service.page_origin:
                self._refuse("the form did not come from the gateway's own page")
            if site not in ("", "same-origin"):
                self._refuse("another site sent the form")
        elif self.request.headers.get("Sec-Fetch-Dest", "") in (
            "iframe",
            "frame",
            "object",
            "embed",
        ):
            self._refuse("the page was put into a frame")

    def _refuse(self, why: str) -> None:
        who = ""
        if (session := self.session) is not None:
            who = f"{session.person.issuer}|{session.person.subject}"
        self.service.attempts.refused(self.request, why, self.request.path, who)
        raise errors.DecisionRefused(why)

    @property
    def session(self) -> WebSession | None:
        gateway = self.service.gateway
        found = self.web.find(self.get_cookie(COOKIE, "") or "", gateway.clock())
        if found is None or found.person.subject not in gateway.identities.identities:
            return None  # also for someone whom a changed configuration no longer knows
        return found if found.secret == gateway.identities.version(found.person.subject) else None

    def signed_in(self) -> WebSession:
        """Raises DecisionRefused, recorded, for a form without a person behind it."""
        session = self.session
        if session is None:
            self._refuse("nobody is signed in")
        assert session is not None
        return session

    def show(self, template: str, **values: Any) -> None:
        session = self.session
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(
            _environment.get_template(template).render(
                person=session.person.subject if session else "",
                evaluation=bool(self.service.gateway.identities.identities),
                **values,
            )
        )

    def set_session(self, value: str) -> None:
        self.set_cookie(COOKIE, value, path="/", secure=True, httponly=True, samesite="Strict")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = self._error(kwargs, status_code)
        if isinstance(kwargs.get("exc_info", (None, None))[1], errors.GovError):
            self.set_status(status_of(error))
        self.show("problem.html", message=error.message, hint=error.hint)

    async def prove(self, session: WebSession) -> None:
        """A fresh proof: the unused sign-in of the last minutes, or the password again."""
        gateway = self.service.gateway
        unproven = self.needs_password(session)
        session.proof_at = None
        if not unproven:
            return
        password = self.get_body_argument("password", "", strip=False)
        try:
            await self.call(gateway.identities.prove, session.person.subject, password, again=True)
        except errors.GovError as refusal:
            self.service.attempts.refused(
                self.request, f"no fresh proof: {refusal.message}", self.request.path,
                f"{session.person.issuer}|{session.person.subject}",
            )  # fmt: skip
            raise

    def needs_password(self, session: WebSession) -> bool:
        """Whether the sign-in cannot stand for the person any more."""
        gateway = self.service.gateway
        return (
            self.service.shared_host
            or session.proof_at is None
            or gateway.clock() >= session.proof_at + gateway.settings.lifetimes.proof
        )


class FormHandler(PageHandler):
    """A route that only decides."""

    async def get(self, *ids: str) -> None:
        """There is no page here: a person is led home, another site's try is recorded."""
        headers = self.request.headers
        site = headers.get("Sec-Fetch-Site", "none")
        own = self.service.page_origin
        if site not in ("none", "same-origin") or headers.get("Origin", own) != own:
            self._refuse("another site asked for a deciding route")
        self.redirect("/", status=303)


class HomePage(PageHandler):
    """What is attached in my name, and the field for a code."""

    async def get(self) -> None:
        session = self.session
        if session is None:
            self.show("sign_in.html", problem="")
            return
        self.show("home.html", problem="", attached=await self.call(self._attached, session))

    def _attached(self, session: WebSession) -> list[dict[str, Any]]:
        gateway = self.service.gateway
        now = gateway.clock()
        rows = []
        for own in gateway.store.sessions(person=session.person.subject):
            kernel = gateway.store.current_kernel(own.server_id, own.kernel_id)
            grants = [
                g for g in gateway.store.grants_of(own.session_id) if g.state(now) == "active"
            ]
            rows.append(
                {
                    "id": own.session_id,
                    "as": f"agent {own.principal.name}" if own.principal.is_agent else "you",
                    "purpose": own.purpose,
                    "ends": own.ends_at,
                    "isolation": kernel.isolation if kernel else "(restarting)",
                    "claimed": kernel.claimed_notebook if kernel else "",
                    "grants": [
                        f"{g.connection}: {show_duration(g.end - now)} left" for g in grants
                    ],
                }
            )
        return rows


class SignInPage(FormHandler):
    """POST: a name and a password."""

    async def post(self) -> None:
        gateway = self.service.gateway
        name = self.get_body_argument("name", "")[:80]
        try:
            person = await self.call(
                gateway.identities.prove, name, self.get_body_argument("password", "", strip=False)
            )
        except errors.GovError as refusal:
            self.service.attempts.note(
                Event(
                    kind="signin.failed",
                    at=gateway.clock(),
                    says={
                        "name": name if name in gateway.identities.identities else "(unknown)",
                        "why": refusal.code,
                        "address": self.request.remote_ip or "",
                    },
                )
            )
            self.set_status(status_of(refusal))
            self.show("sign_in.html", problem=refusal.message)
            return
        await self.call(
            gateway.log.append,
            Event(
                kind="signin.succeeded",
                at=gateway.clock(),
                actor=Actor(principal=f"{person.issuer}|{person.subject}"),
                says={"address": self.request.remote_ip or ""},
            ),
        )
        self.web.close(self.get_cookie(COOKIE, "") or "")
        secret = gateway.identities.version(person.subject)
        self.set_session(self.web.open(person, gateway.clock(), secret))
        self.redirect("/", status=303)


class SignOutPage(FormHandler):
    """POST: forget this browser."""

    async def post(self) -> None:
        self.signed_in()
        self.web.close(self.get_cookie(COOKIE, "") or "")
        self.clear_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        self.redirect("/", status=303)


class CodePage(FormHandler):
    """POST: the code, as typed."""

    async def post(self) -> None:
        session = self.signed_in()
        attachment = self.service.gateway.attach.attachment
        try:
            request = await self.call(
                attachment.find, session.person.subject, self.get_body_argument("code", "")
            )
            await self.call(attachment.check_person, request, session.person)
        except errors.GovError as refusal:
            self.service.attempts.refused(
                self.request, refusal.message, "/attach",
                f"{session.person.issuer}|{session.person.subject}",
            )  # fmt: skip
            self.set_status(status_of(refusal))
            self.show("problem.html", message=refusal.message, hint=refusal.hint)
            return
        session.claimed.add(request.request_id)
        self.redirect(f"/attach/{request.request_id}", status=303)


class AttachPage(PageHandler):
    """GET: what would be attached.  POST: confirm or refuse."""

    def _request(self, session: WebSession, request_id: str) -> tuple[AttachRequest, Kernel]:
        gateway = self.service.gateway
        request = gateway.store.request(request_id)
        if request is None or request_id not in session.claimed:
            raise errors.DecisionRefused("type the code first")
        return request, gateway.attach.attachment.kernel_of(request)

    async def get(self, request_id: str) -> None:
        session = self.session
        if session is None:
            self.redirect("/", status=303)
            return
        gateway = self.service.gateway
        request, kernel = await self.call(self._request, session, request_id)
        server = await self.call(gateway.store.server, kernel.server_id)
        self.show(
            "attach.html",
            request=request,
            kernel=kernel,
            server=server,
            purposes=gateway.policy.purposes,
            durations=DURATIONS,
            longest=show_duration(gateway.settings.lifetimes.session_max),
            needs_password=self.needs_password(session),
        )

    async def post(self, request_id: str) -> None:
        session = self.signed_in()
        gateway = self.service.gateway
        try:
            request, kernel = await self.call(self._request, session, request_id)
            choice = self._choice()
            if choice.decision == "confirm":  # saying no takes no proof
                await self.prove(session)
            made = await self.call(gateway.attach.decide, request, session.person, choice)
        except (errors.DecisionRefused, errors.BadRequest) as refusal:
            self.service.attempts.refused(
                self.request, refusal.message, "/attach/…",
                f"{session.person.issuer}|{session.person.subject}",
            )  # fmt: skip
            raise
        self.show("decided.html", session=made, kernel=kernel)

    def _choice(self) -> Choice:
        decision = self.get_body_argument("decision", "")
        if decision not in ("confirm", "refuse"):
            raise errors.BadRequest("choose to confirm or to refuse")
        if decision == "refuse":
            return Choice(decision="refuse", purpose="", lasts=timedelta())
        own = self.get_body_argument("own_purpose", "").strip()
        listed = self.get_body_argument("purpose", "")
        purposes = self.service.gateway.policy.purposes
        if listed and listed not in purposes:
            raise errors.BadRequest("there is no such purpose")
        as_agent = self.get_body_argument("as", "me") == "agent"
        agent = self.get_body_argument("agent", "").strip()
        if as_agent and not agent:
            raise errors.BadRequest("give the agent a name")
        return Choice(
            decision="confirm",
            purpose=own or purposes.get(listed, ""),
            agent=agent if as_agent else "",
            lasts=parse_duration(self.get_body_argument("for", "8h")),
        )


class EndPage(FormHandler):
    """POST: end one of my sessions."""

    async def post(self, session_id: str) -> None:
        session = self.signed_in()
        try:
            await self.call(
                self.service.gateway.attach.end_own, session.person, session_id,
                "ended by its person on the gateway's page",
            )  # fmt: skip
        except errors.DecisionRefused as refusal:
            self.service.attempts.refused(
                self.request, refusal.message, "/sessions/…/end",
                f"{session.person.issuer}|{session.person.subject}",
            )  # fmt: skip
            raise
        self.redirect("/", status=303)


class StylePage(PageHandler):
    """The style sheet."""

    async def get(self) -> None:
        self.set_header("Content-Type", "text/css")
        self.finish((TEMPLATES / "style.css").read_bytes())


class NothingPage(PageHandler):
    """Any other address."""

    async def get(self) -> None:
        raise errors.NotFound("there is no such page")

    post = put = delete = patch = get


PAGES: list[tuple[str, type[PageHandler]]] = [
    (r"/", HomePage),
    (r"/sign-in", SignInPage),
    (r"/sign-out", SignOutPage),
    (r"/attach", CodePage),
    (r"/attach/(A-[0-9a-f]+)", AttachPage),
    (r"/sessions/(S-[0-9a-f]+)/end", EndPage),
    (r"/style.css", StylePage),
]
DECIDING = ("/sign-in", "/sign-out", "/attach", "/attach/A-…", "/sessions/S-…/end")
"""Every route that changes something on a person's word; the hostile-page test tries them all."""
