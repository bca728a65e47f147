"""
A gateway of the server's own: started, supervised, restarted and stopped with it.

For evaluation: it runs as the same user as the kernels, so nothing it holds is safe from them,
and every record says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from jupyter_gov.server.gateway_client import Credential

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_LONGEST_PAUSE = 30.0


def trusted_side_installed() -> bool:
    """Whether this interpreter can start a gateway: the extra `gateway` is not part of the base."""
    needed = ("alembic", "argon2", "jinja2", "sqlalchemy", "sqlglot")
    return all(importlib.util.find_spec(name) is not None for name in needed)


class ManagedGateway:
    """Keeps one gateway process alive until `stop`."""

    def __init__(
        self,
        credential: Credential,
        files: list[Path],
        *,
        name: str,
        owner: str,
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self.credential = credential
        self.page_url = ""
        self._files = files
        self._name = name
        self._owner = owner
        self._log = log
        self._port = 0
        self._process: Process | None = None
        self._stopping = False
        self._ready = asyncio.Event()
        self._settled = asyncio.Event()
        """It serves, or its last start failed: there is nothing to wait for."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to supervise.  Called on the loop."""
        self._task = asyncio.get_running_loop().create_task(self._supervise())

    async def ready(self) -> bool:
        """
        Whether it serves.  Waits for the first start, and for the restart after a crash.

        After a start that failed it does not wait: kernels must start all the same.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), _START_SECONDS)
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        """Of the gateway, while it runs."""
        return self._process.pid if self._process is not None else None

    async def stop(self) -> None:
        """Let go of the leash; the gateway ends in order, or is killed."""
        self._stopping = True
        self._ready.clear()
        self._settled.set()  # nobody waits for it any more
        process = self._process
        if process is not None and process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _supervise(self) -> None:
        pause = 1.0
        while not self._stopping:
            began = asyncio.get_running_loop().time()
            try:
                await self._run_once()
            except (OSError, ValueError, KeyError, TimeoutError) as problem:
                self._log.error("jupyter_gov: the gateway did not start: %s", problem)
            if self._stopping:
                return
            if self._ready.is_set():
                self._ready.clear()
                self._settled.clear()
            else:
                self._settled.set()
            if asyncio.get_running_loop().time() - began > _LONGEST_PAUSE:
                pause = 1.0
            self._log.warning("jupyter_gov: the gateway ended; starting it again in %g s", pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _run_once(self) -> None:
        command = [sys.executable, "-m", "jupyter_gov.cli", "gateway", "--managed"]
        command += ["--port", str(self._port)]
        for path in self._files:
            command += ["--config", str(path)]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=_environment()
        )
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        hello = {
            "server_id": self.credential.server_id,
            "name": self._name,
            "owner": self._owner,
            "public_key": self.credential.public_key,
        }
        try:
            process.stdin.write(json.dumps(hello).encode() + b"\n")
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
            if not line:
                raise OSError("it stopped at once; its message stands above")
            self._announce(json.loads(line))
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _announce(self, ready: dict[str, Any]) -> None:
        self.credential.url = ready["url"]
        self.page_url = ready["page_url"]
        self._port = int(ready["url"].rsplit(":", 1)[1])
        for name, password in ready["passwords"].items():
            self._log.warning(
                "jupyter_gov: evaluation identity %s, password %s (shown once)", name, password
            )
        self._log.info(
            "jupyter_gov: gateway (pid %s) at %s; people decide at %s",
            ready["pid"], ready["url"], ready["page_url"],
        )  # fmt: skip
        self._ready.set()
        self._settled.set()


def _environment() -> dict[str, str]:
    """The gateway needs the databases' secrets, and none of the notebook server's."""
    others = ("JUPYTER_TOKEN", "JUPYTERHUB_", "JPY_", "CONFIGPROXY_")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}
