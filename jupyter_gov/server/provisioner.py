"""
Kernel slots, whatever provisioner a kernelspec names.

At each start a slot is opened at the gateway and its one-use secret handed to the kernel; at
shutdown it is revoked.  A kernel starts also when the gateway is down: it is then nobody.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_server import CallContext

from jupyter_gov.errors import GatewayUnreachable, GovError
from jupyter_gov.server.environment import scrubbed
from jupyter_gov.wire.handover import SECRET, SLOT, URL
from jupyter_gov.wire.messages import OpenSlot

if TYPE_CHECKING:
    from jupyter_gov.server.extension import GovServer

STARTUP = "jupyter_gov.kernel.startup"
_AGAIN_SECONDS = 1.0
_RANDOM_USER = re.compile(r"[0-9a-f]{32}")
"""What Jupyter calls someone who came with the token: it names nobody, and says nothing."""


def _claims() -> tuple[str, str]:
    """Notebook and user name of the request that starts a kernel: claims, no more."""
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    if handler is None:
        return "", ""
    user = getattr(getattr(handler, "current_user", None), "username", "") or ""
    try:
        notebook = notebook_of(json.loads(handler.request.body or b"{}"))
    except (ValueError, AttributeError):
        notebook = ""
    return notebook, "" if _RANDOM_USER.fullmatch(str(user)) else str(user)


def notebook_of(asked: Mapping[str, object]) -> str:
    """
    The notebook that a request for a session names.

    JupyterLab sends a random path at first, and the notebook's file name beside it.
    """
    path, name = str(asked.get("path") or ""), str(asked.get("name") or "")
    return path if path.endswith(name) else name


class GovernedProvisioner:
    """Mixed into the provisioner that a kernelspec names."""

    server: ClassVar[GovServer]
    _claimed: tuple[str, str] | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        if self._claimed is None:
            self._claimed = _claims()
        handed = await self._open_slot(*self._claimed)
        made: dict[str, Any] = await super().pre_launch(**kwargs)  # type: ignore[misc]
        made["env"] = {
            **scrubbed(made["env"], self.server.keep_env, self.server.never_env),
            **handed,
        }
        if handed:
            made["cmd"] = with_startup(made["cmd"])
        return made

    async def _open_slot(self, notebook: str, user: str) -> dict[str, str]:
        """What the kernel is handed; nothing if no gateway gives it a slot."""
        asked = OpenSlot(kernel_id=self.kernel_id, notebook=notebook, user=user)  # type: ignore[attr-defined]
        for pause in (_AGAIN_SECONDS, 0.0):
            gateway = await self.server.gateway()
            if gateway is None:
                break
            try:
                slot = await gateway.open_slot(asked)
            except GovError as problem:
                if isinstance(problem, GatewayUnreachable) and pause:
                    await asyncio.sleep(pause)  # it may just have crashed, and be on its way back
                    continue
                self.server.log.error("jupyter_gov: no slot for this kernel: %s", problem)
                break
            return {URL: gateway.credential.url, SLOT: slot.slot_id, SECRET: slot.secret}
        return {}

    async def cleanup(self, restart: bool = False) -> None:
        gateway = await self.server.gateway() if not restart else None
        if gateway is not None:
            try:
                await gateway.close_slot(self.kernel_id)  # type: ignore[attr-defined]
            except GovError as problem:
                self.server.log.warning("jupyter_gov: slot not closed: %s", problem)
        await super().cleanup(restart)  # type: ignore[misc]


def with_startup(command: list[str]) -> list[str]:
    """Let an IPython kernel enrol before its user's first line runs."""
    if any("ipykernel" in part for part in command):
        return [*command, f"--InteractiveShellApp.extra_extensions={STARTUP}"]
    return command


def governed_factory(server: GovServer) -> type[KernelProvisionerFactory]:
    """A factory whose provisioners open slots through *server*."""

    class GovernedProvisionerFactory(KernelProvisionerFactory):
        """Makes what the kernelspec asks for, governed."""

        _made: ClassVar[dict[type, type]] = {}

        def create_provisioner_instance(self, kernel_id: str, kernel_spec: Any, parent: Any) -> Any:
            wanted = self._get_provisioner_config(kernel_spec)
            name = wanted["provisioner_name"]
            if not self._check_availability(name):
                raise ModuleNotFoundError(f"kernel provisioner {name} is not installed")
            base = self.provisioners[name].load()
            made = self._made.get(base)
            if made is None:
                own = {"server": server}
                made = type(f"Governed{base.__name__}", (GovernedProvisioner, base), own)
                self._made[base] = made
            return made(
                kernel_id=kernel_id, kernel_spec=kernel_spec, parent=parent, **wanted["config"]
            )

    return GovernedProvisionerFactory
