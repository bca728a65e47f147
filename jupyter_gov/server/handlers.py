"""What the front end may see.  Nothing here decides anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_gov.errors import GovError, NotFound

if TYPE_CHECKING:
    from jupyter_gov.server.extension import GovServer


class StateHandler(APIHandler):
    """What both have."""

    auth_resource = "jupyter_gov"

    def initialize(self, gov: GovServer) -> None:
        self.gov = gov


class GatewayStateHandler(StateHandler):
    """GET gateway: whether this server's gateway serves, and where people decide."""

    @web.authenticated
    @authorized(action="read", resource="jupyter_gov")
    async def get(self) -> None:
        client = self.gov.client()
        if client is None:
            raise web.HTTPError(404, "this server has no gateway")
        try:
            health = await client.health()
        except GovError:
            self.finish(json.dumps({"gateway": "unreachable", "page_url": ""}))
            return
        self.finish(json.dumps({"gateway": self.gov.kind, "page_url": health.page_url}))


class KernelStateHandler(StateHandler):
    """GET kernels/ID: whom a kernel is attached to, and what time its grants have left."""

    @web.authenticated
    @authorized(action="read", resource="jupyter_gov")
    async def get(self, kernel_id: str) -> None:
        client = self.gov.client()
        if client is None:
            raise web.HTTPError(404, "this server has no gateway")
        try:
            view = await client.state(kernel_id)
        except NotFound:
            raise web.HTTPError(404, "the gateway does not know this kernel") from None
        except GovError:
            self.finish(json.dumps(_UNREACHABLE))
            return
        principal: dict[str, Any] | None = None
        if view.principal is not None:
            principal = {
                "kind": view.principal.kind,
                "name": view.principal.name,
                "on_behalf_of": view.principal.on_behalf_of,
            }
        self.finish(
            json.dumps(
                {
                    "gateway": self.gov.kind,
                    "page_url": view.page_url,
                    "isolation": view.isolation,
                    "principal": principal,
                    "purpose": view.purpose or None,
                    "grants": [
                        {
                            "grant": grant.grant,
                            "connection": grant.connection,
                            "ends_at": grant.end,
                            "seconds_left": grant.seconds_left,
                        }
                        for grant in view.grants
                    ],
                    "notices": list(view.notices),
                }
            )
        )


_UNREACHABLE: dict[str, Any] = {
    "gateway": "unreachable",
    "page_url": "",
    "isolation": None,
    "principal": None,
    "purpose": None,
    "grants": [],
    "notices": [],
}
HANDLERS = [
    (r"/jupyter-gov/api/v1/gateway", GatewayStateHandler),
    (r"/jupyter-gov/api/v1/kernels/([A-Za-z0-9_.-]+)", KernelStateHandler),
]
