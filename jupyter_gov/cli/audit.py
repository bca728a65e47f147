"""audit list, show and verify: read-only, with nothing but the log file (and its key, to show)."""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag

from jupyter_gov.audit.ports import Leaf
from jupyter_gov.audit.sealing import AuditKey
from jupyter_gov.audit.verify import verify
from jupyter_gov.bootstrap.compose import audit_path
from jupyter_gov.bootstrap.keys import load_keys
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.gateway.config import GatewayConfig
from jupyter_gov.store.audit_log import read_leaves


def run(files: list[Path], asked: argparse.Namespace) -> int:
    """`audit VERB`."""
    state_dir = GatewayConfig(files).settings().state_dir
    path = audit_path(state_dir)
    if not path.is_file():
        raise ConfigInvalid((f"there is no audit log at {path}",))
    if asked.verb == "verify":
        return _verify(path, asked.against)
    if asked.verb == "show":
        return _show(state_dir, path, asked.record or "")
    _list(path, asked)
    return 0


def _verify(path: Path, against: str | None) -> int:
    known = None
    if against:
        size, _, root = against.partition(":")
        try:
            known = (int(size), bytes.fromhex(root))
        except ValueError:
            raise ConfigInvalid(("--against takes SIZE:ROOT, as verify prints it",)) from None
    report = verify(read_leaves(path), known)
    for problem in report.problems:
        print(f"PROBLEM {problem}")
    for record in report.unclosed:
        print(f"open: {record} has no outcome yet")
    print(
        f"{report.size} records, root {report.root.hex()}; to check later:"
        f" --against {report.size}:{report.root.hex()}"
    )
    if not report.whole:
        print("the log is NOT whole")
        return 1
    print("the log is whole")
    if known is None:
        print("note the size and root outside: without them, a truncated log looks whole too")
    return 0


def _bodies(leaves: Iterable[Leaf], kind: str | None) -> Iterator[dict[str, Any]]:
    for leaf in leaves:
        if kind is None or leaf.kind == kind:
            yield {"seq": leaf.seq, **json.loads(leaf.body)}


def _list(path: Path, asked: argparse.Namespace) -> None:
    bodies: Iterable[dict[str, Any]] = _bodies(read_leaves(path), asked.kind)
    if asked.last is not None:
        bodies = deque(bodies, maxlen=asked.last)
    for body in bodies:
        print(json.dumps(body, ensure_ascii=False) if asked.json else line(body))


def line(body: dict[str, Any]) -> str:
    """One record as a line of text; untrusted parts are escaped."""
    says = body["says"]
    who = body["principal"].partition("|")[2] or body["kernel"] or "-"
    what = {
        "intent": lambda: says["sql"],
        "refusal": lambda: f"{says['code']}: {says['sql']}",
        "outcome": lambda: f"{says['result']}, {says.get('rows', 0)} rows, of {body['of']}",
        "grant.opened": lambda: f"{body['grant']} until {says['end'][:19]}Z by {says['approval']}",
        "grant.ended": lambda: f"{body['grant']}: {says['why']}",
        "attach.confirmed": lambda: f"by {says['confirmed_by']} for {says['purpose']}",
        "decision.refused": lambda: f"{says['route']}: {says['why']}",
    }.get(body["kind"], lambda: json.dumps(says, ensure_ascii=False) if says else "")()
    text = (
        f"{body['seq']:>6} {body['at'][:19]}Z {body['record']} {body['kind']:<16} {who:<24}"
        f" {body['connection']:<10} {what} [{body['isolation'] or '-'}]"
    )
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _show(state_dir: Path, path: Path, record: str) -> int:
    """One record in full, its statement opened with the audit key."""
    for body in _bodies(read_leaves(path), None):
        if body["record"] != record:
            continue
        sealed = body["says"].get("sealed")
        if sealed:
            try:
                key = AuditKey(load_keys(state_dir).audit)
                body["says"]["opened"] = key.open(record, sealed)
            except InvalidTag:
                print("the sealed statement does not open with this key", file=sys.stderr)
        print(json.dumps(body, ensure_ascii=False, indent=2))
        return 0
    print(f"there is no record {record}", file=sys.stderr)
    return 1
