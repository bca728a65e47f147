"""
Try jupyter_gov on this machine: an invented clinic, JupyterLab, and a gateway that it manages.

    python examples/demo.py            starts everything and prints where to go
    python examples/demo.py --check    plays both notebooks without a browser, and prints what came

Everything it makes lies in `.demo/` beside this folder; remove that to begin anew.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clinic
import nbformat
import urllib3
from jupyter_client.asynchronous.client import AsyncKernelClient
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from jupyter_gov.errors import GovError
from jupyter_gov.testing.person import CODE, EvaluationPerson

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / ".demo"
CONFIG = HERE / "jupyter_server_config.py"
NOTEBOOKS = {"01-analyst.ipynb": "", "02-agent.ipynb": "recon"}
"""Notebook → the agent's name that is confirmed for it; empty: the person."""
PERSON, PURPOSE = "ana", "quality"
START_SECONDS = 90


class DemoFailed(Exception):
    """Why the demo cannot go on."""


def environment() -> dict[str, str]:
    """This process's, with every folder of Jupyter's inside `.demo`: nobody's own is touched."""
    own = {
        "CLINIC_DB": HOME / "clinic.db",
        "JUPYTER_GOV_STATE": HOME / "gov-state",
        "JUPYTER_CONFIG_DIR": HOME / "jupyter",
        "JUPYTER_DATA_DIR": HOME / "jupyter-data",
        "JUPYTER_RUNTIME_DIR": HOME / "jupyter-runtime",
        "IPYTHONDIR": HOME / "ipython",
    }
    return {**os.environ, **{name: str(path) for name, path in own.items()}}


def gov(*arguments: str) -> str:
    """What `jupyter gov …` prints.  Raises DemoFailed."""
    verb, *rest = arguments
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_gov.cli", verb, "--config", str(CONFIG), *rest],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DemoFailed(f"jupyter gov {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def prepare() -> dict[str, str]:
    """
    The clinic's database, if there is none yet, and new passwords: identity → password.

    JupyterLab is told not to ask for news, so that nothing here reaches for the network.
    """
    HOME.mkdir(mode=0o700, exist_ok=True)
    quiet = HOME / "jupyter" / "labconfig" / "page_config.json"
    quiet.parent.mkdir(parents=True, exist_ok=True)
    news = "@jupyterlab/apputils-extension:announcements"
    quiet.write_text(json.dumps({"disabledExtensions": {news: True}}))
    database = HOME / "clinic.db"
    if not database.exists():
        counts = clinic.generate(database)
        print(f"made a clinic: {counts.patients:,} patients, {counts.encounters:,} encounters")
    return dict(line.split("\t") for line in gov("passwd").splitlines())


@dataclass
class Lab:
    """A JupyterLab that runs, with the gateway it manages."""

    url: str
    token: str
    page_url: str
    process: subprocess.Popen[bytes]
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The server's REST API.  Raises DemoFailed."""
        answer = self.http.request(
            method, f"{self.url}{path}", json=body, timeout=60,
            headers={"Authorization": f"token {self.token}"},
        )  # fmt: skip
        if answer.status >= 400:
            raise DemoFailed(f"{method} {path}: status {answer.status}")
        return answer.json() if answer.data else None


@contextlib.contextmanager
def lab(*, port: int) -> Iterator[Lab]:
    """Start JupyterLab, wait until its gateway serves, and end it whatever happens."""
    token = secrets.token_urlsafe(24)
    log = HOME / "jupyter.log"
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--config", str(CONFIG),
        f"--ServerApp.root_dir={HERE}", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
    ]  # fmt: skip
    if os.geteuid() == 0:
        command.append("--allow-root")
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env={**environment(), "JUPYTER_TOKEN": token}, stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield _ready(process, token, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(process: subprocess.Popen[bytes], token: str, log: Path) -> Lab:
    told = HOME / "jupyter-runtime" / f"jpserver-{process.pid}.json"
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        if told.exists() and (url := _read_url(told)):
            found = Lab(url, token, "", process)
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                state = found.ask("GET", "jupyter-gov/api/v1/gateway")
                if state["gateway"] == "managed":
                    found.page_url = state["page_url"]
                    return found
        time.sleep(0.1)
    last = "\n  ".join(log.read_text(errors="replace").splitlines()[-15:])
    raise DemoFailed(f"JupyterLab or its gateway did not start; the end of {log}:\n  {last}")


def _read_url(path: Path) -> str:
    try:
        return str(json.loads(path.read_text())["url"])
    except ValueError:
        return ""  # it is being written


# ---------------------------------------------------------------- with a browser


def show(passwords: dict[str, str]) -> None:
    """Start everything, say where it is, and wait for Ctrl-C."""
    with lab(port=8888) as running:
        print("\nJupyterLab, with two notebooks to run:")
        for name in NOTEBOOKS:
            print(f"  {running.url}lab/tree/{name}?token={running.token}")
        print(
            f"\nThe gateway's own pages, where a person signs in and decides:\n  {running.page_url}"
        )
        print("\nEvaluation identities (not for production):")
        for name, password in passwords.items():
            print(f"  {name:<6} {password}")
        print("\nThe record, while it runs or after:")
        print(f"  export JUPYTER_GOV_STATE={HOME / 'gov-state'}")
        print(f"  {Path(sys.executable).parent}/jupyter gov audit list --config {CONFIG}")
        print("\nThe gateway runs as the same user as the kernels here: for evaluation only.")
        print("Ctrl-C ends it all.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            running.process.wait()
        if (code := running.process.poll()) is not None:
            raise DemoFailed(f"JupyterLab ended with code {code}; see {HOME / 'jupyter.log'}")


# ---------------------------------------------------------------- without one


class Played(NotebookClient):
    """Executes a notebook in a kernel of the server, and types the code a cell shows."""

    def __init__(self, notebook: nbformat.NotebookNode, person: EvaluationPerson, agent: str):
        super().__init__(notebook, timeout=120, resources={})
        self._person = person
        self._agent = agent
        self.confirmations: list[asyncio.Task[None]] = []

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """A message of the kernel; one that shows a code makes the person confirm it."""
        if msg["msg_type"] == "stream" and (found := CODE.search(msg["content"]["text"])):
            confirm = asyncio.to_thread(
                self._person.attach, found[1], purpose=PURPOSE, agent=self._agent
            )
            self.confirmations.append(asyncio.ensure_future(confirm))
        return super().process_message(msg, cell, cell_index)

    async def play(self, connection_file: Path) -> None:
        """Every cell, in order.  Raises CellExecutionError, GovError."""
        self.kc = AsyncKernelClient(connection_file=str(connection_file))
        self.kc.load_connection_file()
        self.kc.start_channels()
        try:
            await self.kc.wait_for_ready(timeout=60)
            for index, cell in enumerate(self.nb.cells):
                await self.async_execute_cell(cell, index)
            await asyncio.gather(*self.confirmations)
        finally:
            self.kc.stop_channels()


def text_of(output: Any) -> str:
    """What a terminal shows of an output."""
    match output["output_type"]:
        case "stream":
            return str(output["text"])
        case "error":
            return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output["traceback"]))
        case _:
            return str(output["data"].get("text/plain", ""))


def play(running: Lab, name: str, person: EvaluationPerson, agent: str) -> nbformat.NotebookNode:
    """Execute one notebook in a kernel that the server starts; print what it shows."""
    notebook = nbformat.read(HERE / name, as_version=4)
    session = running.ask(
        "POST", "api/sessions",
        {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}},
    )  # fmt: skip
    connection_file = HOME / "jupyter-runtime" / f"kernel-{session['kernel']['id']}.json"
    print(f"\n{'=' * 100}\n{name}")
    try:
        asyncio.run(Played(notebook, person, agent).play(connection_file))
    except (CellExecutionError, GovError) as problem:
        raise DemoFailed(f"{name}: {problem}") from None
    finally:
        running.ask("DELETE", f"api/sessions/{session['id']}")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            print("\n>>> " + cell.source.replace("\n", "\n... "))
            for output in cell.outputs:
                print(text_of(output).rstrip())
    return notebook


def check(passwords: dict[str, str]) -> None:
    """Play both notebooks; print frames, grants and records.  Raises DemoFailed."""
    before = len(records())
    shown = ""
    with lab(port=0) as running:
        person = EvaluationPerson(_gateway_of(running), running.page_url, PERSON, passwords[PERSON])
        for name, agent in NOTEBOOKS.items():
            notebook = play(running, name, person, agent)
            outputs = (o for cell in notebook.cells for o in cell.get("outputs", ()))
            shown += "\n".join(map(text_of, outputs))
        person.close()
    made = records()[before:]
    print(f"\n{'=' * 100}\nThe record\n\n" + gov("audit", "list", "--last", str(len(made))))
    print(gov("audit", "verify"))
    problems = [*leaks(shown), *gaps(made)]
    if problems:
        raise DemoFailed("; ".join(problems))
    done = sum(record["kind"] == "intent" for record in made)
    refused = sum(record["kind"] == "refusal" for record in made)
    print(f"the demo is good: {done} statements ran, {refused} were refused, all are in the record")


def _gateway_of(running: Lab) -> str:
    """Where the pages listen: their host name need not resolve outside a browser."""
    return f"http://127.0.0.1:{urllib3.util.parse_url(running.page_url).port}"


def records() -> list[dict[str, Any]]:
    """The audit log so far."""
    if not (HOME / "gov-state" / "audit" / "log.sqlite").exists():
        return []
    return [json.loads(line) for line in gov("audit", "list", "--json").splitlines()]


def leaks(shown: str) -> list[str]:
    """Values of treated columns that stand in what the notebooks showed."""
    import sqlite3

    with contextlib.closing(sqlite3.connect(HOME / "clinic.db")) as database:
        rows = database.execute("SELECT full_name, ssn, mrn, phone, email, notes FROM patients")
        values = {value for row in rows for value in row if value}
    return (
        [f"{len(found)} raw values were shown"]
        if (found := [v for v in values if v in shown])
        else []
    )


def gaps(made: list[dict[str, Any]]) -> list[str]:
    """What the record lacks."""
    problems = []
    closed = {record["of"] for record in made if record["kind"] == "outcome"}
    intents = {record["record"] for record in made if record["kind"] == "intent"}
    if not intents or intents != closed:
        problems.append("not every statement has its outcome in the record")
    who = {record["principal"] for record in made if record["kind"] == "intent"}
    wanted = {f"evaluation|{PERSON}"} | {
        f"evaluation|{PERSON}/agents/{agent}" for agent in NOTEBOOKS.values() if agent
    }
    if who != wanted:
        problems.append(f"statements ran as {sorted(who)}, not as {sorted(wanted)}")
    if any(record["isolation"] != "same-user: evaluation" for record in made if record["of"]):
        problems.append("a record does not say that this is an evaluation")
    return problems


def _interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description="Try jupyter_gov on this machine.")
    parser.add_argument("--check", action="store_true", help="without a browser, and end")
    asked = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)  # a closed terminal must not leave a server behind
    try:
        passwords = prepare()
        check(passwords) if asked.check else show(passwords)
    except DemoFailed as problem:
        print(f"the demo failed: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
