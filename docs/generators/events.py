"""docs/reference/audit-events.md: kinds of events, and what each says."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from generators.source import event_keys
from generators.text import code, document, fenced, table
from jupyter_gov.audit.events import KINDS, Actor, Event, canonical
from jupyter_gov.audit.merkle import leaf_hash
from jupyter_gov.gateway.attempts import PER_MINUTE

_FIELDS = {
    "v": "Version of this form: 1.",
    "kind": "What happened; see below.",
    "at": "When, by the gateway's clock: UTC, six decimals. The clock never goes back while the"
    " gateway runs.",
    "record": "The record's id: `R-` and 16 random hex digits.",
    "principal": "`issuer|subject`. An agent's subject is `PERSON/agents/NAME`. Empty where nobody"
    " is known.",
    "on_behalf_of": "Subject of the person an agent acts for.",
    "session": "The attachment, `S-…`.",
    "kernel": "The kernel slot, `K-…`; a new one at each restart. In `request.refused` and"
    " `kernel.enrolment_refused` it is what the request claimed.",
    "server": "The enrolled notebook server, `N-…`.",
    "isolation": "`same-user: evaluation` or `separate`, as measured.",
    "of": "In an outcome: the intent it closes.",
    "connection": "Name of the connection. Empty for a name that the configuration does not have.",
    "grant": "The grant, `G-…`.",
    "says": "The rest, by kind.",
}
_SAYS = {
    "action": "What the statement does: `read`. What was done to the database: `provision`, `keys`,"
    " `remove`.",
    "actions": "Actions that the grant covers.",
    "address": "Address of the other end of the connection.",
    "approval": "How the grant came about: `auto`.",
    "asked": "What was refused: to `run` the statement, or to `explain` it.",
    "body": "SHA-256 of a request that is no query.",
    "bytes": "Its size.",
    "bytes_produced": "Bytes of the answer that were made, up to the trailer.",
    "bytes_sent": "Bytes that were handed to the network. What arrived may be less.",
    "claimed_notebook": "Path of the notebook, as its server claims.",
    "claimed_user": "User of the notebook server, as it claims.",
    "client_address": "Address from which the kernel enrolled.",
    "code": "[Error code](errors.md).",
    "confirmed_by": "`issuer|subject` of the person who confirmed.",
    "columns": "How many columns were looked at.",
    "cut": "Whether the answer ended at a limit.",
    "cut_by": "Which limit: `limit` (asked for), `max_rows` or `max_bytes` (of the connection),"
    " `budget` (of the grant); else empty.",
    "database_role": "The login it ran as in PostgreSQL, one for each grant: the server's own log"
    " names it too. Empty on SQLite.",
    "data_use_agreement": "Reference of the agreement that the eligibility names; else empty.",
    "dest": "The browser's `Sec-Fetch-Dest`.",
    "difference": "Lines added (`+`), removed (`-`) and changed (`~`), by config path.",
    "decision": "What was told: `allow`, `open` (a default grant), `deny` or `fail`.",
    "digest": "SHA-256 of the answer's bytes up to the trailer.",
    "eligibility": "Name of the eligibility.",
    "end": "The grant's end, exclusive.",
    "from": "Digest of the configuration that was in force before.",
    "interrupted_before": "Statements that a crash left open, closed now as `interrupted`.",
    "kernel_id": "Jupyter's id of the kernel.",
    "kernel_started": "When the kernel's slot was opened.",
    "keys": "Ids of the gateway's keys. An id that changed is a key that was exchanged.",
    "limit": "Rows asked for at most, or null.",
    "milliseconds": "From the intent to the outcome.",
    "mismatched_cells": "Cells withheld because they did not have their treatment's shape. Above"
    " 0, the wall had a hole: report it.",
    "name": "Name given at enrolment, or at sign-in if it is a known one.",
    "names": "Evaluation identities that got new passwords.",
    "note": "The note of the request, in the clear.",
    "notes": "What an administrator should know of the configuration.",
    "origin": "The browser's `Origin`.",
    "owner": "The only person who may confirm the server's kernels; empty: anybody.",
    "path": "Path of the request.",
    "policy": "Digest of the configuration in force.",
    "preset": "[Preset](presets.md) that the eligibility is held to; else empty.",
    "problems": "What is wrong, each with its config path.",
    "profile": "Id of the profile: a digest of every column's treatment.",
    "purpose": "The purpose of the attachment, in the clear.",
    "reads": "`table.column` that the database read, as its authorizer saw it; also through"
    " views. Empty for a statement that reads no column, such as `count(*)`.",
    "relations": "Tables and views that the statement names.",
    "request": "Id of the code's request, `A-…`; never the code.",
    "restart": "How often the kernel has been restarted.",
    "result": "`completed`, `interrupted`, or an [error code](errors.md).",
    "profiles": "Ids of the profiles that were provisioned.",
    "script": "SHA-256 of the SQL script that was run, which `--dry-run` prints.",
    "roles_swept": "Login roles that a crashed gateway's grants left in PostgreSQL, ended now.",
    "route": "Method and address.",
    "rows": "Rows that were sent, of the statement or of the whole grant.",
    "rule": "The refusal's text.",
    "sampled_rows": "Rows of each table that were looked at, at most.",
    "sealed": "Statement, parameters and note under the audit key: `key` (its id) and `bytes`.",
    "settings": "Number of lines of the configuration.",
    "site": "The browser's `Sec-Fetch-Site`.",
    "sql": "The statement without literals, comments and unknown names.",
    "start": "The grant's start.",
    "statements": "Statements that ran under the grant.",
    "tables": "Tables and views that the grant covers.",
    "treated": "`table.column` → treatment, of what was read and did not come as it is.",
    "until": "When the code or the attachment ends.",
    "waits_for_start": "Changes that only a start puts in force.",
    "why": "The reason, as a text or a code.",
    "withheld_cells": "Cells that the last step withheld: sealed or mismatched.",
    "scanned_cells": "Cells of free text that a detector scanned and that left as it masked them.",
    "replaced_cells": "Cells with a value that the gateway replaced.",
    "unanswered_texts": "Texts withheld because no detector answered for them.",
    "entities": "Entity → how many places a detector found in texts it had not seen before.",
    "scanned": "Column of free text → which detector scans it and what it was measured to find,"
    " or why it is withheld.",
    "server_id": "Id of the notebook server.",
}


def _example() -> tuple[str, str]:
    event = Event(
        kind="session.ended",
        at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        record="R-0123456789abcdef",
        actor=Actor(
            principal="evaluation|ana", session="S-1f2e3d4c5b6a7988", kernel="K-0a1b2c3d4e5f6071",
            server="N-89abcdef01234567", isolation="separate",
        ),
        says={"why": "signed out in the kernel"},
    )  # fmt: skip
    body = canonical(event)
    if json.loads(body).keys() != _FIELDS.keys():
        raise AssertionError("an event has other fields than those described")
    return body.decode(), leaf_hash(body).hex()


def _keys(kind: str) -> str:
    names = sorted(event_keys().get(kind, set()))
    return ", ".join(map(code, names)) or "nothing more"


def page() -> str:
    """The page."""
    used = set().union(*event_keys().values())
    if missing := used - _SAYS.keys():
        raise AssertionError(f"no meaning is given for {sorted(missing)}")
    if unmade := KINDS.keys() - event_keys().keys():
        raise AssertionError(f"nothing makes {sorted(unmade)}")
    body, leaf = _example()
    return document(
        "Audit events",
        "The log is append-only. Each event is one leaf of a Merkle tree (RFC 6962): its canonical"
        " bytes are hashed when they are written, and never change. `jupyter gov audit list --json`"
        " prints them with their place in the log, `seq`, which counts from 0 without gaps.",
        "## Kinds",
        table(
            ["kind", "happened", "says"],
            [[code(kind), text, _keys(kind)] for kind, text in KINDS.items()],
        ),
        "## Fields",
        table(["field", "meaning"], [[code(name), text] for name, text in _FIELDS.items()]),
        "## What `says` may hold",
        table(
            ["key", "meaning"],
            [[code(name), _SAYS[name]] for name in sorted(used)],
        ),
        "What strangers try (`request.refused`, `kernel.enrolment_refused`, `signin.failed`,"
        f" `decision.refused`) is recorded at most {PER_MINUTE} times a minute for each kind, and"
        " as often for people who are known. What is left out is counted: the next such record has"
        " `left_out_before`, or one of its own has `left_out`.",
        "## Canonical bytes",
        "JSON with sorted keys, no spaces, UTF-8; whole numbers, texts, booleans, null, lists and"
        " objects only. For these this is RFC 8785. The leaf is SHA-256 of a zero byte and the"
        " body. For example:",
        fenced(body, "json"),
        "has the leaf",
        fenced(leaf),
        "## Sealed statements",
        "`sealed.bytes` is base64 of a 12-byte nonce and AES-256-GCM of the JSON `{sql, binds}`,"
        " with the record's id as associated data, so that it can't be moved to another record."
        " The note is among the binds as `--note`. `sealed.key` names the key: the start of"
        " SHA-256 of `audit key id` and the key.",
    )
