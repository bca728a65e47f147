"""
The process: listen, watch the clock, obey signals, end in order.

Managed, it serves the notebook server that started it and ends with it: the parent's pipe on
standard input is the leash, so that no crash leaves a gateway behind.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import ssl
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import Application

from jupyter_gov.bootstrap.compose import Gateway
from jupyter_gov.bootstrap.exchange import Exchange
from jupyter_gov.bootstrap.keys import opening, private_folder
from jupyter_gov.broker.end import Target
from jupyter_gov.errors import AuditUnavailable, ConfigInvalid
from jupyter_gov.gateway.admin import admin_application
from jupyter_gov.gateway.api import ROUTES
from jupyter_gov.gateway.attempts import Attempts
from jupyter_gov.gateway.config import GatewayConfig
from jupyter_gov.gateway.handlers import Service
from jupyter_gov.gateway.isolation import exposed, harden_process, own, own_code
from jupyter_gov.gateway.limited import LIMITS, CappedServer, raise_file_limit
from jupyter_gov.gateway.pages import PAGES, NothingPage, WebSessions
from jupyter_gov.identity.model import Server

log = logging.getLogger("jupyter_gov.gateway")

_CONTROL_THREADS = 16
_STOP_SECONDS = 15.0
_TICK = 0.5
"""Seconds between looks at the clock: how late, at most, something is ended that time ends."""


def application(service: Service) -> Application:
    """Kernels' and servers' API, and the pages."""
    web = WebSessions()
    rules: list[Any] = [(path, handler, {"service": service}) for path, handler in ROUTES]
    rules += [(path, handler, {"service": service, "web": web}) for path, handler in PAGES]
    rules.append((r".*", NothingPage, {"service": service, "web": web}))
    return Application(rules, log_function=lambda handler: None)


class Serving:
    """One gateway while it serves."""

    def __init__(self, config: GatewayConfig, managed: dict[str, Any] | None) -> None:
        self.config = config
        self._managed = managed
        isolation = partial(own, managed=managed is not None)
        self.gateway = Gateway(config.settings(), isolation)
        self._control = ThreadPoolExecutor(_CONTROL_THREADS, thread_name_prefix="control")
        most = config.gateway.statements_in_all
        self._queries = ThreadPoolExecutor(most + 8, thread_name_prefix="statement")
        self._attempts = Attempts(self.gateway.log, self.gateway.clock, self._control)
        self._stop = asyncio.Event()
        self._why = "it was told to stop"

    async def run(self) -> None:
        """Serve until told to stop.  Raises ConfigInvalid, AuditUnavailable before it listens."""
        gateway, settings = self.gateway, self.config.gateway
        sockets = _listen(settings.port, settings.address)
        await asyncio.to_thread(gateway.start)
        passwords = await asyncio.to_thread(gateway.identities.generate)
        port = sockets[0].getsockname()[1]
        scheme = "https" if settings.certfile else "http"
        service = Service(
            gateway=gateway,
            page_url=settings.page_url or f"{scheme}://{settings.page_host}:{port}/",
            attempts=self._attempts,
            control=self._control,
            queries=self._queries,
            managed=self._managed is not None,
        )
        server = CappedServer(application(service), ssl_options=self._tls(), **LIMITS)
        serves_from = gateway.doorkeeper.enrolment.serves_from
        await asyncio.sleep(max(serves_from - gateway.clock().timestamp(), 0))
        server.add_sockets(sockets)
        admin = HTTPServer(admin_application(self))
        admin_path = gateway.settings.state_dir / "admin.sock"
        admin.add_socket(bind_unix_socket(str(admin_path), mode=0o600))
        if self._managed is not None:
            await asyncio.to_thread(self._adopt, self._managed)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, signal.Signals(number).name)
        clock = asyncio.create_task(self._watch_clock())
        self._say(
            {
                "url": f"{scheme}://{settings.address}:{port}",
                "page_url": service.page_url,
                "pid": os.getpid(),
                "passwords": passwords,
            }
        )
        await self._stop.wait()
        server.stop()
        admin.stop()
        clock.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await clock
        await asyncio.to_thread(gateway.stop, self._why)
        if not await self._statements_over():
            self._leave(admin_path)
        await server.close_all_connections()
        await asyncio.to_thread(self._control.shutdown)
        await asyncio.to_thread(self._attempts.sum_up, everything=True)
        await asyncio.to_thread(gateway.close, self._why)
        with contextlib.suppress(OSError):
            admin_path.unlink()

    async def _statements_over(self) -> bool:
        """Whether every statement ended, within a while; an engine may be deaf to its cancel."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def wait() -> None:
            self._queries.shutdown()
            loop.call_soon_threadsafe(over.set)

        threading.Thread(target=wait, daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _STOP_SECONDS)
        return over.is_set()

    def _leave(self, admin_path: Path) -> NoReturn:
        """End although statements go on: the next start closes their intents as interrupted."""
        left = len(list(self.gateway.running))
        log.error("%d statements did not end when cancelled; the gateway leaves all the same", left)
        admin_path.unlink(missing_ok=True)
        self.gateway.close(f"{self._why}; {left} statements had not ended")
        os._exit(1)

    def stop(self, why: str) -> None:
        """End in order."""
        self._why = why
        self._stop.set()

    async def reload(self) -> Exchange:
        """Read the files again.  Raises ConfigInvalid; the old configuration then stays."""
        try:
            settings = GatewayConfig(self.config.files, port=self.config.port).settings()
        except ConfigInvalid as wrong:
            await asyncio.to_thread(self.gateway.refuse_config, wrong)
            raise
        # Where it listens is for the next start to change, and so is what depends on it.
        loopback = settings.loopback and self.config.loopback
        return await asyncio.to_thread(self.gateway.reload, replace(settings, loopback=loopback))

    def _tls(self) -> ssl.SSLContext | None:
        settings = self.config.gateway
        if not settings.certfile:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings.certfile, settings.keyfile or None)
        return context

    def _adopt(self, managed: dict[str, Any]) -> None:
        """
        The notebook server that started this gateway may open slots in it.

        Those that started it before have ended, maybe without a word: so have their kernels.
        """
        gateway = self.gateway
        for session in gateway.store.sessions():
            server = gateway.store.server(session.server_id)
            if server is None or not server.managed or server.server_id == managed["server_id"]:
                continue
            gateway.doorkeeper.enrolment.close_slot(server, session.kernel_id)
            gateway.ender.end(Target("session", session.session_id), "its notebook server ended")
        if gateway.store.server(managed["server_id"]) is None:
            gateway.store.add_server(
                Server(
                    server_id=managed["server_id"],
                    name=managed["name"],
                    owner=managed["owner"] or None,
                    public_key=base64.b64decode(managed["public_key"]),
                    managed=True,
                )
            )

    def _say(self, ready: dict[str, Any]) -> None:
        if self._managed is not None:
            print(json.dumps(ready), flush=True)
            asyncio.get_running_loop().add_reader(0, self._leash)
            return
        print(f"jupyter gov gateway: serving {ready['url']}", file=sys.stderr)
        print(f"people decide at {ready['page_url']}", file=sys.stderr)
        for name, password in ready["passwords"].items():
            print(f"evaluation identity {name}: password {password} (shown once)",
                  file=sys.stderr)  # fmt: skip
        for problem in (*exposed(self.gateway.files(), own_code()), *self.gateway.notes()):
            print(f"warning: {problem}", file=sys.stderr)

    def _leash(self) -> None:
        if not os.read(0, 1024):
            asyncio.get_running_loop().remove_reader(0)
            self.stop("the notebook server that managed it ended")

    def _tick(self) -> datetime | None:
        following = self.gateway.ender.end_what_is_over()
        self._attempts.sum_up()
        self.gateway.store.settle()
        return following

    async def _watch_clock(self) -> None:
        """End grants and sessions at their time."""
        while True:
            try:
                following = await asyncio.to_thread(self._tick)
            except Exception as fault:
                log.error("ending what is over: %s", type(fault).__name__)
                following = None
            left = _TICK
            if following is not None:
                left = min((following - self.gateway.clock()).total_seconds(), _TICK)
            await asyncio.sleep(max(left, 0.01))


def _listen(port: int, address: str) -> list[socket.socket]:
    """Before anything is recorded: who connects now waits.  Raises ConfigInvalid."""
    try:
        return bind_sockets(port, address)
    except OSError as wrong:
        raise ConfigInvalid(
            (f"c.GovGateway.port: cannot listen on {address}:{port} ({wrong.strerror})",)
        ) from None


def _hold(state_dir: Path) -> int:
    """One gateway per state folder: a second one would close the first one's statements."""
    with opening(state_dir):
        handle = os.open(private_folder(state_dir) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ConfigInvalid(
            (f"c.GovGateway.state_dir: another gateway uses {state_dir}; give this one its own",)
        ) from None
    return handle


def serve(files: list[Path], *, managed: bool, port: int | None = None) -> int:
    """`jupyter gov gateway`.  Returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    harden_process()
    raise_file_limit()
    os.umask(0o077)
    leash = json.loads(sys.stdin.readline()) if managed else None

    async def main() -> None:
        config = GatewayConfig(files, port=port)
        _hold(config.settings().state_dir)
        await Serving(config, leash).run()

    try:
        asyncio.run(main())
    except (ConfigInvalid, AuditUnavailable) as wrong:
        print(f"jupyter gov gateway: {wrong}", file=sys.stderr)
        return 2
    return 0
