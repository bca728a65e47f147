"""Fixtures that every layer may use: a small clinic, a gateway over it, people and kernels."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from jupyter_gov.testing.person import EvaluationPerson
from tests.support import ner
from tests.support import postgres as postgres_support
from tests.support.gateway import ROOT, GatewayProcess, StubKernel, StubServer, free_port, running


def example(name: str) -> ModuleType:
    """A module of `examples/`, which is no package."""
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def clinic_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clinic of 500 patients."""
    path = tmp_path_factory.mktemp("clinic") / "clinic.db"
    example("clinic").generate(path, patients=500)
    return path


@pytest.fixture(scope="session")
def ner_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small spaCy model that finds names in generated notes, trained here: some seconds."""
    return ner.train(tmp_path_factory.mktemp("ner") / "model")


@dataclass
class Site:
    """A running gateway over the demo clinic, with its people and an enrolled server."""

    gateway: GatewayProcess
    people: dict[str, EvaluationPerson]
    server: StubServer
    _ids: Iterator[int]

    def kernel(self) -> StubKernel:
        """A fresh kernel that has enrolled and is attached to nobody."""
        return self.server.kernel(f"kernel-{next(self._ids)}")

    def analyst(self, **how: str) -> StubKernel:
        """A fresh kernel attached to ana."""
        return self.kernel().attached(self.people["ana"], **how)


def demo_config(folder: Path, more: str = "") -> Path:
    """The demo's own config file, with lines added at its end."""
    path = folder / "jupyter_server_config.py"
    text = (ROOT / "examples" / "jupyter_server_config.py").read_text()
    path.write_text(text + "\n" + more)
    path.chmod(0o600)
    tags = folder / "clinic-tags.toml"
    tags.write_text((ROOT / "examples" / "clinic-tags.toml").read_text())
    tags.chmod(0o600)
    return path


@pytest.fixture(scope="session")
def make_site(
    tmp_path_factory: pytest.TempPathFactory, clinic_db: Path
) -> Callable[..., GatewayProcess]:
    """Makes gateways that are not started yet: `make_site(more_config, state_dir=…)`."""

    def make(more: str = "", *, state_dir: Path | None = None) -> GatewayProcess:
        folder = tmp_path_factory.mktemp("gateway")
        state = state_dir or folder / "state"
        return GatewayProcess(
            config=demo_config(folder, more),
            state_dir=state,
            port=free_port(),
            env={"CLINIC_DB": str(clinic_db), "JUPYTER_GOV_STATE": str(state)},
        )

    return make


def populate(gateway: GatewayProcess, **enroll: str) -> Site:
    """People with passwords and an enrolled server, for a running gateway."""
    passwords = gateway.first_passwords() or gateway.passwords()
    people = {name: gateway.person(name, pw) for name, pw in passwords.items()}
    credential = gateway.enroll(gateway.config.with_name("server.json"), **enroll)
    return Site(gateway, people, StubServer(credential), itertools.count(1))


@pytest.fixture(scope="session")
def site(make_site: Callable[..., GatewayProcess]) -> Iterator[Site]:
    """One gateway for the tests that leave it as they found it."""
    with running(make_site()) as gateway:
        yield populate(gateway)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_support.Server]:
    """A PostgreSQL of the tests' own; every test that writes makes itself a database."""
    with postgres_support.server() as running_server:
        yield running_server


@pytest.fixture(scope="session")
def hospital_template(postgres: postgres_support.Server) -> str:
    """A database with the cases' small hospital, to make others from; nobody connects to it."""
    postgres.create("hospital_template")
    postgres.load("hospital_template", postgres_support.CASES / "schema.sql")
    return "hospital_template"
