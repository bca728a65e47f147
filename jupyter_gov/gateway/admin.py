"""
The admin's door: a Unix socket in the state folder, which only the gateway's user can open.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from tornado.web import Application, RequestHandler

from jupyter_gov.errors import ConfigInvalid, GovError

if TYPE_CHECKING:
    from jupyter_gov.gateway.serve import Serving


class AdminHandler(RequestHandler):
    """A request of the gateway's own user."""

    serving: Serving

    def initialize(self, serving: Serving) -> None:
        self.serving = serving

    def check_xsrf_cookie(self) -> None:
        """No browser can reach this socket."""


class ReloadHandler(AdminHandler):
    """POST reload: read the configuration again, whole or not at all."""

    async def post(self) -> None:
        try:
            done = await self.serving.reload()
        except ConfigInvalid as wrong:
            self.set_status(422)
            self.finish(json.dumps({"problems": list(wrong.problems)}))
            return
        self.finish(json.dumps(asdict(done)))


class ServerHandler(AdminHandler):
    """DELETE servers/ID: take a notebook server's credential back."""

    async def delete(self, server_id: str) -> None:
        try:
            await asyncio.to_thread(self.serving.gateway.remove_server, server_id)
        except GovError as refusal:
            self.set_status(422)
            self.finish(json.dumps({"problems": [refusal.message]}))
            return
        self.finish(json.dumps({"removed": server_id}))


ADMIN: list[tuple[str, type[AdminHandler]]] = [
    (r"/reload", ReloadHandler),
    (r"/servers/(.+)", ServerHandler),
]


def admin_application(serving: Serving) -> Application:
    """What `jupyter gov config reload` and `jupyter gov unenroll` talk to."""
    return Application(
        [(path, handler, {"serving": serving}) for path, handler in ADMIN],
        log_function=lambda handler: None,
    )
