"""
A real gateway for policy tests: a process of its own, on loopback, under the admin's own config.

Nothing of the configuration is replaced but what says where the gateway is: its address, its
folder, and how often one kernel may ask, since tests ask faster than people.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import secrets
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jupyter_gov.bootstrap.settings import PATHS, Settings, mapping_of
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.gateway.config import GatewayConfig
from jupyter_gov.kernel.http import GatewayHttp
from jupyter_gov.testing.client import PolicyClient
from jupyter_gov.testing.person import EvaluationPerson
from jupyter_gov.wire.messages import OpenSlot, Slot, encode

START_SECONDS = 60.0
STOP_SECONDS = 20.0
OWN_PURPOSE = "policy test"


class GatewayFailed(Exception):
    """The gateway did not start; the text is what it said."""


class PolicyGateway:
    """
    `jupyter gov gateway` over the given config, until `close`.

    It ends with this process too, however that ends: the pipe to it is its leash.

    Args:
        config: the admin's config files, lowest priority first.
        people: more evaluation identities, person → groups; those of the config are there anyway,
            and so is everybody whom an eligibility names.
        state_dir: keys, grants and the record; a new folder that is removed again if not given.
    """

    def __init__(
        self,
        config: str | Path | Iterable[str | Path],
        *,
        people: Mapping[str, Iterable[str]] | None = None,
        state_dir: Path | None = None,
    ) -> None:
        files = [config] if isinstance(config, str | Path) else config
        self._files = [Path(file).absolute() for file in files]
        self._people = {name: list(groups) for name, groups in (people or {}).items()}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._state_dir = state_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._server = GatewayHttp("", "N-" + secrets.token_hex(8))
        self._persons: dict[str, EvaluationPerson] = {}
        self._clients: list[PolicyClient] = []
        self._numbers = itertools.count(1)
        self._purposes: list[str] = []

    # ------------------------------------------------------------ its life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start, and wait until it serves.  Raises GatewayFailed, ConfigInvalid."""
        self._folder = tempfile.TemporaryDirectory(prefix="jupyter-gov-test-")
        try:
            self._start(Path(self._folder.name))
        except BaseException:
            self.close()
            raise

    def _start(self, folder: Path) -> None:
        settings = GatewayConfig(self._files).settings()
        self._purposes = list(mapping_of(settings, "purposes", []))
        over = folder / "over.py"
        over.write_text(self._over(settings, self._state_dir or folder / "state"))
        command = [sys.executable, "-m", "jupyter_gov.cli", "gateway", "--managed", "--port", "0"]
        for file in (*self._files, over):
            command += ["--config", str(file)]
        log = folder / "gateway.log"
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
            )
        try:
            ready = self._greet()
        except (OSError, ValueError):
            told = log.read_text(errors="replace").strip() or "nothing was said"
            raise GatewayFailed(f"the gateway did not start:\n{told}") from None
        self._server.url = ready["url"]
        self._persons = {
            name: EvaluationPerson(ready["url"], ready["page_url"], name, password)
            for name, password in ready["passwords"].items()
        }

    def _greet(self) -> dict[str, Any]:
        """Say who may open kernel slots, and read where it serves.  Raises OSError, ValueError."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        hello = {
            "server_id": self._server.key_id,
            "name": "policy tests",
            "owner": "",
            "public_key": base64.b64encode(self._server.public_key).decode(),
        }
        process.stdin.write(json.dumps(hello).encode() + b"\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], START_SECONDS)[0]:
            raise OSError("it does not answer")
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        return ready

    def _over(self, settings: Settings, state_dir: Path) -> str:
        """The config file that stands above the admin's."""
        lines = {
            "c.GovGateway.state_dir": str(state_dir),
            "c.GovGateway.address": "127.0.0.1",
            "c.GovGateway.page_host": "gov.localhost",
            "c.GovGateway.page_url": "",
            "c.GovGateway.certfile": "",
            "c.GovGateway.keyfile": "",
            "c.GovGateway.requests_per_second": 10_000.0,
            PATHS["evaluation_identities"]: _identities(settings, self._people),
            PATHS["detectors"]: _detectors(settings),
        }
        for name, path in PATHS.items():
            value = getattr(settings, name)
            if name != "untagged" and value and isinstance(value, str):
                lines.setdefault(path, str(settings.base / value))
        return "".join(f"{path} = {value!r}\n" for path, value in lines.items())

    def close(self) -> None:
        """End it by its process id, and wait."""
        for client in self._clients:
            client.close()
        for person in self._persons.values():
            person.close()
        self._server.close()
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    # ------------------------------------------------------------ what tests ask of it

    @property
    def people(self) -> tuple[str, ...]:
        """Whom a client may be of."""
        return tuple(sorted(self._persons))

    def client(self, person: str, *, agent: str = "", purpose: str = "") -> PolicyClient:
        """
        A fresh kernel, attached to *person*, or to their agent of that name.

        Args:
            purpose: one of the configured purposes, or a text; without it the first configured.

        Raises ValueError for somebody whom the configuration does not know, DecisionRefused.
        """
        if person not in self._persons:
            raise ValueError(
                f"the configuration knows no {person}; it knows {', '.join(self.people)}."
                " Others can be added by the fixture gov_people."
            )
        chosen = purpose or next(iter(self._purposes), OWN_PURPOSE)
        listed = chosen if chosen in self._purposes else ""
        name = f"test-{next(self._numbers)}"
        slot = self._server.call(
            "POST", "/slots", Slot, encode(OpenSlot(kernel_id=name, notebook="policy test"))
        )
        client = PolicyClient.enrol(self._server.url, slot.slot_id, slot.secret)
        self._clients.append(client)
        own = "" if listed else chosen
        return client.attached(self._persons[person], purpose=listed, own_purpose=own, agent=agent)


def _detectors(settings: Settings) -> dict[str, object]:
    """As they are, with paths that do not depend on where the last config file lies."""

    def absolute(key: str, value: object) -> object:
        if key not in ("model", "recall") or not isinstance(value, str):
            return value
        path = settings.base / Path(value).expanduser()
        return str(path) if path.exists() else value

    return {
        name: {key: absolute(key, value) for key, value in says.items()}
        if isinstance(says, Mapping)
        else says
        for name, says in mapping_of(settings, "detectors", []).items()
    }


def _identities(
    settings: Settings, people: Mapping[str, Iterable[str]]
) -> dict[str, dict[str, object]]:
    """The config's own, everybody an eligibility names, and *people*.  Raises ConfigInvalid."""
    problems: list[str] = []
    own = mapping_of(settings, "evaluation_identities", problems)
    eligibilities = mapping_of(settings, "eligibilities", problems)
    if problems:
        raise ConfigInvalid(tuple(problems))
    made: dict[str, dict[str, object]] = {
        str(name): dict(says) if isinstance(says, Mapping) else says for name, says in own.items()
    }
    for eligibility in eligibilities.values():
        who = eligibility.get("who", ()) if isinstance(eligibility, Mapping) else ()
        for name in [who] if isinstance(who, str) else who:
            if not str(name).startswith("group:"):
                made.setdefault(str(name), {})
    for name, groups in people.items():
        made[name] = {**made.get(name, {}), "groups": list(groups)}
    return made
