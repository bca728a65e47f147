"""enroll, unenroll, config and passwd."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jupyter_gov.audit.events import NOBODY, Actor, Event
from jupyter_gov.bootstrap.check import Checked
from jupyter_gov.bootstrap.check import check as check_settings
from jupyter_gov.bootstrap.compose import (
    check_databases,
    open_keys,
    open_log,
    open_store,
    protected_files,
)
from jupyter_gov.bootstrap.notes import notes
from jupyter_gov.bootstrap.settings import Settings
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.gateway.config import GatewayConfig, state_dir_of
from jupyter_gov.gateway.isolation import exposed, own, own_code
from jupyter_gov.identity.evaluation import EvaluationIdentities
from jupyter_gov.identity.model import Server
from jupyter_gov.store.clock import ForwardClock


def check(files: list[Path]) -> int:
    """`config check`: every mistake, or what the configuration says."""
    if not files:
        raise ConfigInvalid(("no config file was found; name one with --config",))
    settings = GatewayConfig(files).settings()
    checked = check_settings(settings)
    check_databases(checked, settings.state_dir)
    print(f"the configuration is good (digest {checked.digest})")
    for name, spec in checked.connections.items():
        columns = sum(len(columns) for columns in spec.tags.values())
        print(f"  connection {name}: {len(spec.tags)} tables, {columns} tagged columns")
    for name, eligibility in checked.eligibilities.items():
        print(f"  eligibility {name}: {', '.join(eligibility.who)} on {eligibility.connection}")
    for problem in (*exposed(protected_files(settings, checked), own_code()), *notes(checked)):
        print(f"  note: {problem}")
    return 0


def reload(files: list[Path]) -> int:
    """`config reload`: whole or not at all; prints the difference that is recorded."""
    answer = _ask_gateway(files, "POST", "/reload")
    if answer is None:
        return 1
    if "problems" in answer:
        raise ConfigInvalid(tuple(answer["problems"]))
    print("\n".join(answer["difference"]) or "nothing changed")
    for line in answer["waits"]:
        print(f"waits for the next start: {line}")
    for name, password in answer["passwords"].items():
        print(f"evaluation identity {name}: password {password} (shown once)")
    return 0


def unenroll(files: list[Path], server_id: str) -> int:
    """`unenroll`: a notebook server's credential opens nothing any more."""
    answer = _ask_gateway(files, "DELETE", f"/servers/{quote(server_id, safe='')}")
    if answer is None:
        return 1
    if "problems" in answer:
        print("\n".join(answer["problems"]), file=sys.stderr)
        return 1
    print(f"removed {server_id}; its kernels and their sessions have ended")
    return 0


def _ask_gateway(files: list[Path], method: str, target: str) -> dict[str, Any] | None:
    """What the running gateway answers; None, and a word to the admin, if there is none."""
    # Only where the gateway is: whether the rest is right is for the gateway to say, and record.
    path = state_dir_of(files) / "admin.sock"
    connection = HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    with contextlib.closing(connection):
        try:
            connection.sock.connect(str(path))
        except OSError as problem:
            print(f"no gateway answers at {path}: {problem.strerror}", file=sys.stderr)
            return None
        connection.request(method, target, body=b"")
        data: dict[str, Any] = json.loads(connection.getresponse().read())
    return data


def enroll(files: list[Path], name: str, owner: str, url: str, out: Path) -> int:
    """`enroll`: a credential for a notebook server; the gateway keeps the public half."""
    settings = GatewayConfig(files).settings()
    checked = check_settings(settings)
    if owner and owner not in checked.identities:
        raise ConfigInvalid((f"--owner {owner}: there is no such person in the configuration",))
    key = Ed25519PrivateKey.generate()
    server = Server(
        server_id="N-" + secrets.token_hex(8),
        name=name,
        owner=owner or None,
        public_key=key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw),
    )
    credential = {
        "server_id": server.server_id,
        "url": url.rstrip("/"),
        "private_key": base64.b64encode(key.private_bytes_raw()).decode(),
    }
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(credential, file)
    who = Actor(server=server.server_id)
    record(settings, checked, "server.enrolled", {"name": name, "owner": owner}, who)
    with contextlib.closing(open_store(settings.state_dir)) as store:
        store.add_server(server)
    print(f"enrolled {server.server_id}; give {out} to the notebook server's user (mode 0600) and")
    print(f'set c.GovServer.credential_file = "{out}" in its jupyter_server_config.py')
    return 0


def record(
    settings: Settings,
    checked: Checked,
    kind: str,
    says: dict[str, Any],
    who: Actor = NOBODY,
    connection: str = "",
) -> None:
    """Into the log, beside a gateway that may be serving.  Raises AuditUnavailable."""
    open_keys(settings.state_dir)  # before there is a log, so that a first start finds them
    log = open_log(settings.state_dir, own(protected_files(settings, checked)))
    with contextlib.closing(log):
        log.append(
            Event(kind=kind, at=ForwardClock()(), actor=who, connection=connection, says=says)
        )


def passwd(files: list[Path], names: list[str]) -> int:
    """`passwd`: new passwords of evaluation identities."""
    settings = GatewayConfig(files).settings()
    checked = check_settings(settings)
    if unknown := set(names) - checked.identities.keys():
        raise ConfigInvalid((f"there is no evaluation identity {sorted(unknown)[0]}",))
    identities = EvaluationIdentities(
        checked.identities, settings.state_dir / "evaluation.json", ForwardClock()
    )
    renew = sorted(names or checked.identities)
    record(settings, checked, "password.renewed", {"names": renew})
    for name, password in identities.generate(renew=renew).items():
        print(f"{name}\t{password}")
    return 0
