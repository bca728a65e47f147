"""audit list, show and verify: read-only, with nothing but the log file (and its key, to show)."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag

from jupyter_gov.audit.ports import Leaf
from jupyter_gov.audit.sealing import AuditKey
from jupyter_gov.audit.verify import verify
from jupyter_gov.bootstrap.compose import audit_path
from jupyter_gov.bootstrap.keys import audit_keys
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.gateway.config import GatewayConfig
from jupyter_gov.store.audit_log import read_leaves


def run(files: list[Path], asked: argparse.Namespace) -> int:
    """`audit VERB`."""
    path: Path = asked.log or audit_path(GatewayConfig(files).settings().state_dir)
    if not path.is_file():
        raise ConfigInvalid((f"there is no audit log at {path}",))
    try:
        if asked.verb == "verify":
            return _verify(path, asked.against)
        if asked.verb == "show":
            keys = [] if asked.log else audit_keys(GatewayConfig(files).settings().state_dir)
            return _show(path, asked.record or "", keys)
        _list(path, asked)
    except sqlite3.Error as problem:
        print(f"PROBLEM {path} cannot be read as a log: {problem}", file=sys.stderr)
        return 1
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
        print(_json(body) if asked.json else line(body))


def _json(body: dict[str, Any], indent: int | None = None) -> str:
    """For a program as it is; for a terminal without signs that it would obey."""
    return json.dumps(body, ensure_ascii=sys.stdout.isatty(), indent=indent)


def line(body: dict[str, Any]) -> str:
    """One record as a line of text; untrusted parts are escaped."""
    says = body["says"]
    who = body["principal"].partition("|")[2] or body["kernel"] or "-"
    what = {
        "intent": lambda: says["sql"],
        "refusal": lambda: f"{says['code']}: {says['sql']}",
        "explained": lambda: f"{says['code'] or says['decision']}: {says['sql']}",
        "outcome": lambda: f"{says['result']}, {says.get('rows', 0)} rows, of {body['of']}",
        "grant.opened": lambda: f"{body['grant']} until {says['end'][:19]}Z by {says['approval']}",
        "grant.ended": lambda: f"{body['grant']}: {says['why']}",
        "attach.confirmed": lambda: f"by {says['confirmed_by']} for {says['purpose']}",
        "decision.refused": lambda: f"{says.get('route', '')}: {says['why']}",
    }.get(body["kind"], lambda: json.dumps(says, ensure_ascii=False) if says else "")()
    text = (
        f"{body['seq']:>6} {body['at'][:19]}Z {body['record']} {body['kind']:<16} {who:<24}"
        f" {body['connection']:<10} {what} [{body['isolation'] or '-'}]"
    )
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _show(path: Path, record: str, keys: list[bytes]) -> int:
    """One record in full, its statement opened if its audit key is at hand."""
    for body in _bodies(read_leaves(path), None):
        if body["record"] != record:
            continue
        sealed = body["says"].get("sealed")
        if sealed:
            try:
                body["says"]["opened"] = _opened(record, sealed, keys)
            except (KeyError, InvalidTag) as problem:
                why = "no key of that id is here" if isinstance(problem, KeyError) else "altered"
                print(f"the sealed statement does not open: {why}", file=sys.stderr)
        print(_json(body, indent=2))
        return 0
    print(f"there is no record {record}", file=sys.stderr)
    return 1


def _opened(record: str, sealed: Mapping[str, str], keys: list[bytes]) -> dict[str, Any]:
    """Raises KeyError if none of *keys* is the one, InvalidTag if what is sealed was altered."""
    by_id = {key.key_id: key for key in map(AuditKey, keys)}
    return by_id[sealed["key"]].open(record, sealed)
