"""The two ways to run a gateway, each with a real Jupyter server."""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_gov.testing.person import EvaluationPerson
from tests.support.gateway import ROOT, GatewayProcess, free_port
from tests.support.jupyter import JupyterServer, Kernel
from tests.support.users import OsUser
from tests.support.waiting import until

GATEWAY_UID, SERVER_UID, MANAGED_UID = 61001, 61002, 61003

SERVER_SECRETS = {
    "JUPYTERHUB_API_TOKEN": "hub-token-of-the-server",
    "PGPASSWORD": "password-of-a-database",
    "DATABASE_URL": "postgresql://someone@db.example/clinic",
    "AWS_SECRET_ACCESS_KEY": "key-of-a-bucket",
    "REPORTS_URL": "https://reports:password-in-a-url@reports.example/",
}
"""What a careless admin leaves in the Jupyter server's environment."""

_PASSWORD = re.compile(r"evaluation identity (\w+)[,:] password (\S+)")
_STARTED = re.compile(r"gateway \(pid (\d+)\) at http://127\.0\.0\.1:(\d+)")
_TAGS = "clinic-tags.toml"


@dataclass
class Deployment:
    """A Jupyter server with its gateway and the people who may decide."""

    kind: str
    jupyter: JupyterServer
    gateway: GatewayProcess
    """Started here if separate; if managed only its place, for commands and the record."""
    people: dict[str, EvaluationPerson]
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def apart(self) -> bool:
        """Whether the gateway runs as another user than the kernels."""
        return self.kind == "separate" and self.jupyter.user.uid != self.gateway_uid

    @property
    def gateway_uid(self) -> int:
        return self.gateway.state_dir.stat().st_uid

    @property
    def gateway_pid(self) -> int:
        """Of the gateway that runs now."""
        if self.gateway.process is not None:
            return self.gateway.process.pid
        return int(started(self.jupyter)[-1][0])

    @property
    def database(self) -> Path:
        """The clinic, which only the gateway needs."""
        return self.gateway.config.parent.parent / "clinic.db"

    def stop_gateway(self) -> None:
        """End it in order; a managed one ends with its notebook server."""
        if self.gateway.process is not None:
            self.gateway.stop()
            return
        pid = self.gateway_pid
        self.jupyter.stop()
        until(lambda: not Path(f"/proc/{pid}").exists(), "the gateway to end")

    def start_again(self) -> None:
        """The notebook server after it was stopped; its managed gateway takes another port."""
        starts = len(started(self.jupyter))
        self.jupyter.start()
        until(lambda: len(started(self.jupyter)) > starts, "the next gateway", seconds=60)
        self.gateway.port = int(started(self.jupyter)[-1][1])
        for name, person in self.people.items():
            person.close()
            self.people[name] = self.gateway.person(name, person.password)

    def kernel(self) -> Kernel:
        """A fresh kernel, attached to nobody."""
        return self.jupyter.kernel(f"notebook-{next(self._names)}.ipynb")

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        return self.gateway.recorded(kind)

    def record(self, kind: str, **says: object) -> dict[str, Any]:
        """The newest record of that kind that says so, awaited."""

        def find() -> dict[str, Any] | None:
            return next(
                (r for r in reversed(self.records(kind)) if says.items() <= r["says"].items()), None
            )

        found = until(find, f"a record {kind} {says}")
        assert found is not None
        return found


def started(jupyter: JupyterServer) -> list[tuple[str, str]]:
    """Process id and port of each start of a managed gateway."""
    return _STARTED.findall(jupyter.log)


def _example(name: str) -> str:
    return (ROOT / "examples" / name).read_text()


def _clinic(user: OsUser, clinic_db: Path) -> Path:
    copy = user.home / "clinic.db"
    shutil.copyfile(clinic_db, copy)
    user.own(copy)
    return copy


def _people(gateway: GatewayProcess, said: str) -> dict[str, EvaluationPerson]:
    passwords = dict(_PASSWORD.findall(said))
    return {name: gateway.person(name, password) for name, password in passwords.items()}


@contextlib.contextmanager
def managed(
    user: OsUser, clinic_db: Path, *, more: str = "", env: Mapping[str, str] = SERVER_SECRETS
) -> Iterator[Deployment]:
    """JupyterLab that starts its own gateway."""
    state = user.home / "gov-state"
    given = {"CLINIC_DB": str(_clinic(user, clinic_db)), "JUPYTER_GOV_STATE": str(state)}
    jupyter = JupyterServer(user, env={**given, **env})
    text = _example("jupyter_server_config.py")
    jupyter.configure(f"{text}\n{more}", **{_TAGS: _example(_TAGS)})
    gateway = GatewayProcess(
        config=jupyter.config, state_dir=state, port=0, python=user.python,
        env={**user.env, **given}, cwd=user.home,
    )  # fmt: skip
    try:
        jupyter.start()
        try:
            until(lambda: started(jupyter), "the managed gateway to start", seconds=60)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{jupyter.log}") from None
        gateway.port = int(started(jupyter)[-1][1])
        people = _people(gateway, jupyter.log)
        yield Deployment("managed", jupyter, gateway, people)
    finally:
        jupyter.stop()
    for person in people.values():
        person.close()


@contextlib.contextmanager
def separate(owner: OsUser, user: OsUser, clinic_db: Path) -> Iterator[Deployment]:
    """`jupyter gov gateway` of *owner*, and JupyterLab of *user* enrolled with it."""
    folder = owner.home / "config"
    folder.mkdir()
    config, tags, state = folder / "gateway.py", folder / _TAGS, owner.home / "gov-state"
    config.write_text(_example("jupyter_server_config.py"))
    tags.write_text(_example(_TAGS))
    owner.own(folder, config, tags)
    gateway = GatewayProcess(
        config=config, state_dir=state, port=free_port(), python=owner.python, cwd=owner.home,
        env={
            **owner.env,
            "CLINIC_DB": str(_clinic(owner, clinic_db)),
            "JUPYTER_GOV_STATE": str(state),
        },
    )  # fmt: skip
    jupyter = JupyterServer(user, env=dict(SERVER_SECRETS))
    credential = user.home / "gov-server.json"
    jupyter.configure(f"c.GovServer.credential_file = {str(credential)!r}\n")
    try:
        gateway.start()
        assert gateway.log is not None
        people = _people(gateway, gateway.log.read_text())
        handed = owner.home / "server.json"
        gateway.enroll(handed, name="the analysts' server")
        shutil.move(handed, credential)
        user.own(credential)
        jupyter.start()
        yield Deployment("separate", jupyter, gateway, people)
    finally:
        jupyter.stop()
        gateway.stop()
    for person in people.values():
        person.close()
