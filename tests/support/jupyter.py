"""A real Jupyter server with real kernels, ended by its process id."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3
import websocket

from jupyter_gov.testing.person import EvaluationPerson
from tests.support.gateway import find_code, free_port
from tests.support.users import OsUser
from tests.support.waiting import until

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
START_SECONDS = 60
_LOOK_SECONDS = 1.0
"""A look at the clock between two messages; the server's pings alone would keep `recv` busy."""


@dataclass
class JupyterServer:
    """`jupyter lab`, as its user starts it, with the token in the environment."""

    user: OsUser
    env: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def notebooks(self) -> Path:
        """The folder of its notebooks."""
        return self.user.home / "notebooks"

    @property
    def config(self) -> Path:
        """The config file it reads."""
        return self.user.home / "config" / "jupyter_server_config.py"

    @property
    def log(self) -> str:
        return (self.user.home / "jupyter.log").read_text()

    def configure(self, text: str, **files: str) -> None:
        """Write the config file, and files beside it."""
        folder = self.config.parent
        folder.mkdir(parents=True, exist_ok=True)
        self.notebooks.mkdir(exist_ok=True)
        self.config.write_text(text)
        beside = [folder / name for name in files]
        for path, content in zip(beside, files.values(), strict=True):
            path.write_text(content)
        self.user.own(folder, self.notebooks, self.config, *beside, *self._no_news())

    def _no_news(self) -> list[Path]:
        """JupyterLab's user settings: no question about news that covers the page."""
        top = self.user.home / "lab-settings"
        folder = top / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "notification.jupyterlab-settings"
        file.write_text('{"fetchNews": "false", "checkForUpdates": false}')
        return [top, folder.parent, folder, file]

    def write(self, name: str, text: str) -> None:
        """Put a file beside the notebooks, as the server's user."""
        answer = self.call(
            "PUT", f"/api/contents/{name}", {"type": "file", "format": "text", "content": text}
        )
        assert answer.status in (200, 201), answer.data

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [
            *self.user.python, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1",
            f"--port={self.port}", "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.notebooks}", "--ServerApp.allow_root=True",
        ]  # fmt: skip
        with (self.user.home / "jupyter.log").open("ab") as out:
            self.process = subprocess.Popen(
                command, env={**self.user.env, "JUPYTER_TOKEN": self.token, **self.env},
                cwd=self.notebooks, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        until(self._answers, "the Jupyter server to answer", seconds=START_SECONDS)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return self.call("GET", "/api/status").status == 200
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it by its process id, and wait; on SIGTERM it shuts its kernels down first."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def call(
        self, method: str, path: str, body: object = None, *, seconds: float = 90.0
    ) -> urllib3.BaseHTTPResponse:
        """A request in the name of the server's own user."""
        with urllib3.PoolManager(retries=False, timeout=seconds) as http:
            return http.request(
                method, self.url + path, body=None if body is None else json.dumps(body),
                headers={"Authorization": f"token {self.token}"},
            )  # fmt: skip

    def kernel(self, notebook: str = "morning.ipynb") -> Kernel:
        """Start a kernel as JupyterLab does, for a notebook of that name."""
        answer = self.call(
            "POST", "/api/sessions",
            {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"name": "python3"}},
        )  # fmt: skip
        assert answer.status == 201, (answer.status, answer.data)
        session = answer.json()
        return Kernel(self, session["kernel"]["id"], session["id"])


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a cell left behind."""

    status: str
    stdout: str
    shown: list[dict[str, Any]]
    """Mime bundles of displays and of the last expression, in order."""
    error: str
    """Name and rendered traceback, without colours."""

    @property
    def text(self) -> str:
        """Everything a person reads under the cell, as plain text."""
        parts = [str(bundle.get("text/plain", "")) for bundle in self.shown]
        return "\n".join([self.stdout, *parts, self.error])


class Kernel:
    """A kernel of a Jupyter server, driven over the server's websocket."""

    def __init__(self, server: JupyterServer, kernel_id: str, session_id: str) -> None:
        self.server = server
        self.kernel_id = kernel_id
        self._session_id = session_id
        self._socket: websocket.WebSocket | None = None

    def _open(self) -> websocket.WebSocket:
        if self._socket is None:
            self._socket = websocket.create_connection(
                f"ws://127.0.0.1:{self.server.port}/api/kernels/{self.kernel_id}/channels",
                header=[f"Authorization: token {self.server.token}"],
                timeout=90,
            )
        return self._socket

    def close(self) -> None:
        """Let go of the websocket; the kernel runs on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def begin(self, code: str) -> Cell:
        """Send a cell and do not wait for it."""
        message_id = uuid.uuid4().hex
        header = {
            "msg_id": message_id, "msg_type": "execute_request", "username": "test",
            "session": "test", "date": datetime.now(UTC).isoformat(), "version": "5.4",
        }  # fmt: skip
        content = {
            "code": code, "silent": False, "store_history": True, "user_expressions": {},
            "allow_stdin": False, "stop_on_error": True,
        }  # fmt: skip
        message = {
            "header": header, "parent_header": {}, "metadata": {}, "content": content,
            "channel": "shell", "buffers": [],
        }  # fmt: skip
        socket = self._open()
        socket.send(json.dumps(message))
        return Cell(socket, message_id)

    def run(self, code: str) -> Result:
        """Run a cell that must succeed."""
        result = self.begin(code).result()
        assert result.status == "ok", result.text
        return result

    def fail(self, code: str) -> Result:
        """Run a cell that must raise."""
        result = self.begin(code).result()
        assert result.status == "error", result.text
        return result

    def value(self, expression: str) -> Any:
        """The value of an expression, which has a JSON form."""
        result = self.run(f"import json as _json; print(_json.dumps({expression}))")
        return json.loads(result.stdout)

    def attach(
        self, person: EvaluationPerson, *, purpose: str = "quality", agent: str = ""
    ) -> Result:
        """`%gov login`, with the code typed by that person while the cell waits."""
        self.run("%load_ext jupyter_gov")
        cell = self.begin(f"%gov login --agent {agent}" if agent else "%gov login")
        cell.until(r"\b[A-Z]{4}-[A-Z]{4}\b")
        person.attach(find_code(cell.stdout), purpose=purpose, agent=agent)
        result = cell.result()
        assert result.status == "ok", result.text
        return result

    def interrupt(self) -> None:
        """What the stop button does."""
        answer = self.server.call("POST", f"/api/kernels/{self.kernel_id}/interrupt")
        assert answer.status == 204, answer.data

    def restart(self) -> None:
        """What the restart button does; returns when the new process answers."""
        self.close()
        answer = self.server.call("POST", f"/api/kernels/{self.kernel_id}/restart")
        assert answer.status == 200, answer.data

    def shut_down(self) -> None:
        """End the session and with it the kernel."""
        self.close()
        answer = self.server.call("DELETE", f"/api/sessions/{self._session_id}")
        assert answer.status == 204, answer.data

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.shut_down()


class Cell:
    """A cell that runs."""

    def __init__(self, socket: websocket.WebSocket, message_id: str) -> None:
        self._socket = socket
        self._message_id = message_id
        self._shown: list[dict[str, Any]] = []
        self._error = ""
        self._reply = ""
        self._idle = False
        self.stdout = ""

    def _messages(self, seconds: float) -> Iterator[None]:
        """Read one message after the other until the cell is done."""
        deadline = time.monotonic() + seconds
        self._socket.settimeout(_LOOK_SECONDS)
        while not (self._reply and self._idle):
            if time.monotonic() > deadline:
                raise AssertionError(f"the cell still runs; so far: {self.stdout!r}")
            try:
                message = json.loads(self._socket.recv())
            except websocket.WebSocketTimeoutException:
                continue
            if message["parent_header"].get("msg_id") == self._message_id:
                self._take(message)
            yield

    def _take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        match message["header"]["msg_type"]:
            case "stream":
                self.stdout += content["text"]
            case "display_data" | "execute_result":
                self._shown.append(content["data"])
            case "error":
                lines = [content["ename"], *content["traceback"]]
                self._error = _ANSI.sub("", "\n".join(lines))
            case "status":
                self._idle = self._idle or content["execution_state"] == "idle"
            case "execute_reply":
                self._reply = content["status"]

    def until(self, pattern: str, *, seconds: float = 30.0) -> re.Match[str]:
        """Wait until the output so far matches; the cell runs on."""
        for _ in self._messages(seconds):
            if found := re.search(pattern, self.stdout):
                return found
        raise AssertionError(f"{pattern!r} never came: {self.result().text}")

    def result(self, *, seconds: float = 60.0) -> Result:
        """Wait for its end."""
        for _ in self._messages(seconds):
            pass
        return Result(status=self._reply, stdout=self.stdout, shown=self._shown, error=self._error)
