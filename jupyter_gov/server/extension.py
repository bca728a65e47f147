"""The Jupyter server extension."""

from __future__ import annotations

import asyncio
import secrets
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Dict, Unicode

from jupyter_gov.server.environment import secrets_named
from jupyter_gov.server.gateway_client import Credential, GatewayClient
from jupyter_gov.server.handlers import HANDLERS
from jupyter_gov.server.managed import ManagedGateway, trusted_side_installed
from jupyter_gov.server.provisioner import governed_factory


class GovServer(ExtensionApp):
    """Opens kernel slots, and starts a gateway of its own unless told where one is."""

    name = "jupyter_gov"
    extension_url = "/jupyter-gov"
    load_other_extensions = True

    managed = Bool(
        True,
        config=True,
        help="Start and supervise a gateway here, as the same user: for evaluation. Without"
        " effect where credential_file is set.",
    )
    credential_file = Unicode(
        "",
        config=True,
        help="Credential written by `jupyter gov enroll`, for a gateway that runs separately.",
    )
    owner = Unicode(
        "", config=True, help="Whose server this is: only they may confirm its kernels."
    )
    keep_env = Dict(
        config=True,
        help="Environment variables that kernels keep although they look like secrets:"
        " name → reason.",
    )

    def initialize_settings(self) -> None:
        """Before any kernel can start: whose slots they get."""
        self.never_env = frozenset(self._secrets_named())
        self._managed: ManagedGateway | None = None
        self._client: GatewayClient | None = None
        if self.credential_file:
            self._client = GatewayClient(Credential.read(Path(self.credential_file)))
        elif self.managed and not trusted_side_installed():
            self.log.warning(
                "jupyter_gov: kernels are ungoverned: a managed gateway needs the trusted side's"
                " packages (pip install 'jupyter-gov[gateway]'), a separate one"
                " c.GovServer.credential_file"
            )
        elif self.managed:
            credential = Credential(
                server_id="N-" + secrets.token_hex(8), key=Ed25519PrivateKey.generate()
            )
            self._managed = ManagedGateway(
                credential,
                self._config_files(),
                name=f"{socket.gethostname()} ({self.serverapp.root_dir})",
                owner=self.owner,
                log=self.log,
            )
            self._client = GatewayClient(credential)
            self.serverapp.io_loop.add_callback(self._managed.start)
        else:
            self.log.warning("jupyter_gov: neither managed nor enrolled: kernels are ungoverned")
        KernelProvisionerFactory.clear_instance()
        governed_factory(self).instance(parent=self.serverapp)

    def initialize_handlers(self) -> None:
        """The state of kernels, for the front end."""
        self.handlers.extend((path, handler, {"gov": self}) for path, handler in HANDLERS)

    def _secrets_named(self) -> Iterator[str]:
        """Variables that the gateway's part of this configuration reads secrets from."""
        connections = self.serverapp.config.get("GovConnections", {}).get("connections", {})
        yield from secrets_named(connections)
        for path in self._config_files():
            if isinstance(connections, str) and (toml := path.parent / connections).is_file():
                yield from secrets_named(tomllib.loads(toml.read_text(encoding="utf-8")))

    def _config_files(self) -> list[Path]:
        own = [Path(path) for path in self.serverapp.loaded_config_files]
        return list(dict.fromkeys(path for path in own if path.is_file()))

    async def gateway(self) -> GatewayClient | None:
        """The way to the gateway once it is ready; None if there is none."""
        if self._managed is not None and not await self._managed.ready():
            return None
        return self._client

    def client(self) -> GatewayClient | None:
        """The way to the gateway, ready or not."""
        return self._client

    @property
    def kind(self) -> str:
        """``managed`` or ``separate``."""
        return "managed" if self._managed is not None else "separate"

    async def stop_extension(self) -> None:
        """The server shuts down, and before its kernels its managed gateway."""
        if self._managed is not None:
            await self._close_slots()
            await self._managed.stop()

    async def _close_slots(self) -> None:
        client = self._client
        assert client is not None
        kernels = list(self.serverapp.kernel_manager.list_kernel_ids())
        # A gateway that does not answer ends these at its next start.
        await asyncio.gather(*map(client.close_slot, kernels), return_exceptions=True)

    def current_activity(self) -> Any:
        """Nothing here keeps the server from being culled."""
        return None
