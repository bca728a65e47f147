"""
How this kernel came to hold a key of its own.

The notebook server leaves a one-use secret in the environment.  It is exchanged as early as
possible, and then removed; the key made here is held in memory and never leaves the process.
"""

from __future__ import annotations

import base64
import os
import threading

from jupyter_gov.errors import GatewayUnreachable, Next, Unauthenticated
from jupyter_gov.kernel.http import GatewayHttp
from jupyter_gov.wire.handover import SECRET, SLOT, URL
from jupyter_gov.wire.messages import Enrol, Enrolled, encode

_lock = threading.Lock()
_http: GatewayHttp | None = None
_enrolled: Enrolled | None = None


def enrol() -> GatewayHttp:
    """
    The signed way to the gateway, enrolling at the first call.

    Raises GatewayUnreachable, EnrolmentRefused, Unauthenticated.
    """
    global _http, _enrolled
    with _lock:
        if _http is not None:
            return _http
        url = os.environ.get(URL)
        if url is None:
            raise GatewayUnreachable(
                "this kernel was not started by a governed notebook server",
                hint="Is the jupyter_gov server extension enabled there, and its gateway running?",
                next=Next("restart_kernel", magic="restart the kernel"),
            )
        secret, slot = os.environ.get(SECRET), os.environ.get(SLOT)
        if secret is None or slot is None:
            raise Unauthenticated(
                "this process holds no key: only the kernel itself does, not its children",
                next=Next("restart_kernel", magic="restart the kernel"),
            )
        http = GatewayHttp(url, slot)
        _enrolled = http.call(
            "POST",
            "/enrol",
            Enrolled,
            encode(
                Enrol(
                    slot_id=slot,
                    secret=secret,
                    public_key=base64.b64encode(http.public_key).decode(),
                )
            ),
        )
        for name in (SECRET, SLOT):
            os.environ.pop(name, None)
        _http = http
        return http


def enrolled() -> Enrolled | None:
    """What the gateway said at enrolment; None before."""
    return _enrolled


def enrol_quietly() -> None:
    """At import: a gateway that is down now is reported when something is asked of it."""
    try:
        enrol()
    except (GatewayUnreachable, Unauthenticated):
        return


def _forget() -> None:
    """A forked child is not the kernel."""
    global _http, _lock
    _http = None
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)
