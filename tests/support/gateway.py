"""A real gateway in a process of its own, on loopback, ended by its process id."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import urllib3

from jupyter_gov.bootstrap.compose import audit_path
from jupyter_gov.cli.main import main
from jupyter_gov.server.gateway_client import Credential, GatewayClient
from jupyter_gov.store.audit_log import read_leaves
from jupyter_gov.testing.client import PolicyClient
from jupyter_gov.testing.person import EvaluationPerson
from jupyter_gov.wire.messages import OpenSlot

ROOT = Path(__file__).parents[2]
START_SECONDS = 30


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class GatewayProcess:
    """`jupyter gov gateway`, as an admin starts it."""

    config: Path
    state_dir: Path
    port: int
    python: list[str] = field(default_factory=lambda: [sys.executable])
    """The interpreter, after whatever changes the user."""
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path = ROOT
    scheme: str = "http"
    process: subprocess.Popen[bytes] | None = None
    log: Path | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def page_url(self) -> str:
        return f"{self.scheme}://gov.localhost:{self.port}/"

    def command(self, *arguments: str) -> list[str]:
        name, *rest = arguments
        return [
            *self.python, "-m", "jupyter_gov.cli", name, "--config", str(self.config), *rest
        ]  # fmt: skip

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `jupyter gov …` with this gateway's config, as its user."""
        done = subprocess.run(
            self.command(*arguments), env={**os.environ, **self.env}, cwd=self.cwd,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same command in this process: without an interpreter's start of half a second."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.env),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(self.command(*arguments)[len(self.python) + 2 :])
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    def start(self) -> None:
        """Start, and wait until it serves."""
        self.log = self.config.with_suffix(".log")
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command("gateway", "--port", str(self.port)),
                env={**os.environ, **self.env}, cwd=self.cwd, stderr=out, stdout=out,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        http = urllib3.PoolManager(retries=False, timeout=2.0)
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway ended: {self.log.read_text()}")
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if http.request("GET", f"{self.url}/api/v1/health").status == 200:
                    http.clear()
                    return
            time.sleep(0.05)
        raise AssertionError(f"the gateway does not serve: {self.log.read_text()}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it by its process id, and wait."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def passwords(self) -> dict[str, str]:
        """New passwords of every evaluation identity."""
        lines = self.cli("passwd").stdout.splitlines()
        return dict(line.split("\t") for line in lines)

    def first_passwords(self) -> dict[str, str]:
        """The passwords that the gateway showed when it made them, at its first start."""
        assert self.log is not None
        found = re.findall(r"identity (\S+): password (\S+) \(shown once\)", self.log.read_text())
        return dict(found)

    def person(self, name: str, password: str) -> EvaluationPerson:
        return EvaluationPerson(self.url, self.page_url, name, password)

    def enroll(self, out: Path, *, name: str = "test server", owner: str = "") -> Credential:
        """A notebook server's credential."""
        extra = ["--owner", owner] if owner else []
        run = self.here if self.python == [sys.executable] else self.cli
        run("enroll", "--name", name, "--url", self.url, "--out", str(out), *extra)
        return Credential.read(out)

    def records(self, kind: str = "") -> list[dict[str, object]]:
        """The audit log, as `jupyter gov audit list --json` prints it."""
        extra = ["--kind", kind] if kind else []
        out = self.cli("audit", "list", "--json", *extra).stdout
        return [json.loads(line) for line in out.splitlines()]

    def recorded(self, kind: str = "", **fields: object) -> list[dict[str, Any]]:
        """
        The same, read from the log file itself: cheap enough to ask again and again.

        Only those with these *fields*, of the record or of what it says.
        """
        found = []
        for leaf in read_leaves(audit_path(self.state_dir)):
            body = json.loads(leaf.body)
            values = {**body["says"], **body}
            if kind in ("", leaf.kind) and all(values.get(k) == v for k, v in fields.items()):
                found.append({"seq": leaf.seq, **body})
        return found

    def outcome(self, record: str) -> dict[str, Any]:
        """The outcome of an intent, which must be there."""
        (outcome,) = self.recorded("outcome", of=record)
        return outcome

    def verify(self) -> subprocess.CompletedProcess[str]:
        return self.cli("audit", "verify", check=False)


@dataclass
class StubServer:
    """What a notebook server does for its kernels, without Jupyter."""

    credential: Credential

    def open_slot(self, kernel_id: str, notebook: str = "a.ipynb") -> tuple[str, str]:
        """Slot id and secret."""
        asked = OpenSlot(kernel_id=kernel_id, notebook=notebook, user="someone")
        slot = asyncio.run(GatewayClient(self.credential).open_slot(asked))
        return slot.slot_id, slot.secret

    def close_slot(self, kernel_id: str) -> None:
        asyncio.run(GatewayClient(self.credential).close_slot(kernel_id))

    def kernel(self, kernel_id: str) -> StubKernel:
        """A kernel that has enrolled."""
        slot_id, secret = self.open_slot(kernel_id)
        return StubKernel.enrol(self.credential.url, slot_id, secret)


class StubKernel(PolicyClient):
    """The real client, with a key of its own, outside a kernel process."""


@contextlib.contextmanager
def running(gateway: GatewayProcess) -> Iterator[GatewayProcess]:
    """Started, and ended whatever happens."""
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def find_code(text: str) -> str:
    """The code in what a kernel printed."""
    found = re.search(r"\b[A-Z]{4}-[A-Z]{4}\b", text)
    if found is None:
        raise AssertionError(f"no code in {text!r}")
    return found[0]
