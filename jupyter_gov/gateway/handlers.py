"""What every handler shares: security headers, errors in one place, signed requests."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tornado import web

from jupyter_gov import errors
from jupyter_gov.audit.events import Actor, Event
from jupyter_gov.bootstrap.compose import Gateway
from jupyter_gov.broker.caller import SignedRequest
from jupyter_gov.gateway.attempts import Attempts
from jupyter_gov.gateway.isolation import measure
from jupyter_gov.wire import signing
from jupyter_gov.wire.messages import encode, encode_error

log = logging.getLogger("jupyter_gov.gateway")
T = TypeVar("T")

STATUS: dict[type[errors.GovError], int] = {
    errors.Unauthenticated: 401,
    errors.NotFound: 404,
    errors.BadRequest: 400,
    errors.Busy: 429,
    errors.Denied: 403,
    errors.QueryFailed: 422,
    errors.Cancelled: 409,
    errors.Unavailable: 503,
}


def status_of(error: errors.GovError) -> int:
    """The HTTP status of an error of the tree."""
    return next((code for cls, code in STATUS.items() if isinstance(error, cls)), 500)


@dataclass(slots=True, kw_only=True)
class Service:
    """What handlers need: the gateway's parts, where it is reached, and threads to work in."""

    gateway: Gateway
    page_url: str
    """Address of the pages, with a slash at its end."""
    attempts: Attempts
    control: ThreadPoolExecutor
    """For short calls that touch the store."""
    queries: ThreadPoolExecutor
    """One thread for each running statement."""
    managed: bool = False

    @property
    def page_origin(self) -> str:
        parts = urlsplit(self.page_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def shared_host(self) -> bool:
        """
        Whether a browser would give the pages' cookie to other programs of this machine.

        It sends a Secure cookie to every port of a loopback name without TLS, and elsewhere only
        to who holds a certificate.
        """
        parts = urlsplit(self.page_url)
        host = parts.hostname or ""
        loopback = host == "localhost" or host.endswith(".localhost") or host == "::1"
        return parts.scheme != "https" or loopback or host.startswith("127.")


class GovHandler(web.RequestHandler):
    """Maps errors of the tree to answers, once."""

    service: Service

    def initialize(self, service: Service) -> None:
        self.service = service

    def set_default_headers(self) -> None:
        self.set_header("Server", "jupyter-gov")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def check_xsrf_cookie(self) -> None:
        """No handler trusts a cookie without checking the Origin itself (see `pages`)."""

    async def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a blocking step off the loop."""
        return await asyncio.get_running_loop().run_in_executor(
            self.service.control, partial(function, *args, **kwargs)
        )

    def answer(self, message: Any) -> None:
        """A message of the API, as JSON."""
        self.set_header("Content-Type", "application/json")
        self.finish(encode(message))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, errors.GovError | web.HTTPError):
            # Only the place: messages of libraries may contain values.
            while tb is not None and tb.tb_next is not None:
                tb = tb.tb_next
            where = f"{tb.tb_frame.f_code.co_filename}:{tb.tb_lineno}" if tb else "?"
            log.error("fault %s at %s", typ.__name__, where)

    def _error(self, kwargs: dict[str, Any], status: int) -> errors.GovError:
        raised = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(raised, errors.GovError):
            return raised
        if status == 404:
            return errors.NotFound("there is no such address here")
        if 400 <= status < 500:
            return errors.BadRequest("the request does not follow the API")
        return errors.Unavailable("the gateway failed; its own log says where")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = self._error(kwargs, status_code)
        if isinstance(kwargs.get("exc_info", (None, None))[1], errors.GovError):
            self.set_status(status_of(error))
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"error": encode_error(error)}))


class SignedHandler(GovHandler):
    """A request of a kernel or of a notebook server: signed, never by cookie, never from a page."""

    def signed(self) -> SignedRequest:
        """The request to be believed or not.  Raises Unauthenticated."""
        return SignedRequest(
            method=self.request.method or "",
            authority=self.request.host,
            target=self.request.uri or "/",
            body=self.request.body,
            claim=signing.read_claim(self.request.headers),
            address=self.request.remote_ip or "",
        )

    def measured(self) -> str:
        """The isolation class of whoever sent this."""
        connection = self.request.connection.stream.socket  # type: ignore[union-attr]
        return measure(connection, self.service.gateway.files())

    async def prepare(self) -> None:
        if self.request.headers.get("Origin") is not None:
            # Neither kernels nor servers send one: this is a page trying.
            self.service.attempts.refused(
                self.request, "an API call from a page", self.request.path
            )
            raise errors.DecisionRefused("this API is not for pages")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = self._error(kwargs, status_code)
        if isinstance(error, errors.EnrolmentRefused):
            kind = "kernel.enrolment_refused"
        elif isinstance(error, errors.Unauthenticated):
            kind = "request.refused"
        else:
            return super().write_error(status_code, **kwargs)
        claimed = _claimed_key(self.request.headers.get("Signature-Input", ""))
        self.service.attempts.note(
            Event(
                kind=kind,
                at=self.service.gateway.clock(),
                actor=Actor(kernel=claimed),
                says={
                    "why": error.message,
                    "address": self.request.remote_ip or "",
                    "path": self.request.path[:200],
                },
            )
        )
        return super().write_error(status_code, **kwargs)


def _claimed_key(header: str) -> str:
    try:
        return signing.read_claim({"Signature-Input": header, "Signature": _ANY}).key_id
    except errors.Unauthenticated:
        return ""


_ANY = f"gov=:{'A' * 86}==:"
