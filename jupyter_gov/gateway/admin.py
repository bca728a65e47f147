"""
The admin's door: a Unix socket in the state folder, which only the gateway's user can open.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tornado.web import Application, RequestHandler

from jupyter_gov.errors import ConfigInvalid

if TYPE_CHECKING:
    from jupyter_gov.gateway.serve import Serving


class ReloadHandler(RequestHandler):
    """POST reload: read the configuration again, whole or not at all."""

    serving: Serving

    def initialize(self, serving: Serving) -> None:
        self.serving = serving

    def check_xsrf_cookie(self) -> None:
        """No browser can reach this socket."""

    async def post(self) -> None:
        try:
            difference = await self.serving.reload()
        except ConfigInvalid as wrong:
            self.set_status(422)
            self.finish(json.dumps({"problems": list(wrong.problems)}))
            return
        self.finish(json.dumps({"difference": difference}))


def admin_application(serving: Serving) -> Application:
    """What `jupyter gov config reload` talks to."""
    return Application(
        [(r"/reload", ReloadHandler, {"serving": serving})], log_function=lambda handler: None
    )
