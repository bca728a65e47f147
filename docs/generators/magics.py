"""docs/reference/magics.md: `%%govsql`, `%gov`, and the Python functions behind them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

import pyarrow as pa

import jupyter_gov
from generators.source import summary
from generators.text import code, document, fenced, table
from jupyter_gov.kernel import client, magics
from jupyter_gov.kernel.frame import Answer
from jupyter_gov.wire import messages as m

_ATTRS = {
    "record": "Id of the audit record.",
    "principal": "Short name of who asked.",
    "on_behalf_of": "The person an agent acts for, or None.",
    "issuer": "Who vouches for the principal; `evaluation` for evaluation identities.",
    "purpose": "The attachment's purpose.",
    "connection": "Name of the connection.",
    "grant": "The grant the statement ran under.",
    "grant_ends": "Its end, exclusive, UTC.",
    "grant_opened": "Whether this statement opened it.",
    "seconds_left": "Its time left when the statement began.",
    "isolation": "`same-user: evaluation` or `separate`, as measured.",
    "treated": "`table.column` → treatment, of what was read and did not come as it is.",
    "guarantees": "`table.column` → what that rests on: `engine-treated`, or which detector scanned"
    " it and what it was measured to find, or why it is withheld.",
    "withheld_cells": "Cells that the gateway's last step withheld.",
    "scanned_cells": "Cells of free text that a detector scanned; what it missed is in them.",
    "replaced_cells": "Cells with a value that the gateway replaced.",
    "unanswered_texts": "Texts that were withheld because no detector answered for them.",
    "rows": "Rows of the answer.",
    "cut": "Whether the answer ended at a limit.",
    "cut_by": "Which limit: `limit`, `max_rows`, `max_bytes`, `budget`; else empty.",
}
_MAGIC_OPTIONS = {
    "NAME <<": "Assign the frame instead of showing it.",
    "CONNECTION": "Name of the connection.",
    "--limit N": "Most rows; a longer answer is cut, and the line under the frame says so. Without"
    " it a cut answer raises `ResultCut`.",
    "--note TEXT": "Why; recorded sealed, with the statement.",
    "--grant G-…": "The one grant to run under; else the narrowest that covers the statement.",
    "--arrow": "`ArrowDtype` columns instead of the dtypes of `pandas.read_sql`.",
    "--explain": "Run nothing: show what would become of the statement.",
}


def attrs() -> dict[str, Any]:
    """`df.attrs["gov"]` of an answer, made by the client's own function."""
    principal = m.PrincipalView(kind="person", name="ana", issuer="evaluation")
    grant = m.GrantView(
        grant="G-29d5008f4ed1", connection="clinic", eligibility="analysts", tables=("patients",),
        actions=("read",), start="2026-03-01T12:00:00.000000Z", end="2026-03-01T12:30:00.000000Z",
        seconds_left=1799, state="active",
    )  # fmt: skip
    head = m.Head(
        record="R-40bf3b2c444b2841", principal=principal, grant=grant, isolation="separate",
        purpose="Quality improvement", opened_grant=True,
    )  # fmt: skip
    answer = Answer(head=head, tables=[pa.table({"n": [1]})], trailer=m.Trailer(rows=1, cut=False))
    found: dict[str, Any] = client._framed(answer, "numpy").attrs["gov"]
    return found


def _function(name: str, function: Any) -> str:
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    node.args.args = [argument for argument in node.args.args if argument.arg != "self"]
    node.args.posonlyargs = [a for a in node.args.posonlyargs if a.arg != "self"]
    word = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    answer = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
    shown = f"{word}{name}({ast.unparse(node.args)}){answer}".replace("m.", "")
    return f"### {name}\n\n" + fenced(f"{shown}\n\n{inspect.cleandoc(function.__doc__ or '')}")


def page() -> str:
    """The page."""
    if attrs().keys() != _ATTRS.keys():
        raise AssertionError(f"attrs have {sorted(attrs())}")
    options = [word for word in _MAGIC_OPTIONS if word.split()[0] not in magics.GOVSQL_USAGE]
    if options:
        raise AssertionError(f"%%govsql has no {options}")
    functions = [name for name in jupyter_gov.__all__ if name != "Connection"]
    methods = [
        name
        for name, value in vars(client.Connection).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]
    return document(
        "Magics and Python functions",
        "`%load_ext jupyter_gov` adds the magics. Agents use the functions: `import jupyter_gov as"
        " gov`.",
        "## %%govsql",
        fenced(magics.GOVSQL_USAGE + "\nSELECT …"),
        table(["part", "meaning"], [[code(part), text] for part, text in _MAGIC_OPTIONS.items()]),
        "`:name` in the statement is bound to the variable of that name in the notebook. Values"
        " travel apart from the statement and never become SQL. Interrupting the cell cancels the"
        " statement in the database.",
        "## %gov",
        fenced(magics.GOV_USAGE),
        '## df.attrs["gov"]',
        "Every frame carries who asked and what it is. pandas keeps `attrs` through most"
        " operations; they are a convenience, and the record is the evidence.",
        table(["key", "meaning"], [[code(key), text] for key, text in _ATTRS.items()]),
        "## Functions of jupyter_gov",
        *(_function(name, getattr(client.Client, name)) for name in functions),
        "## Connection",
        summary(client.Connection),
        *(_function(name, vars(client.Connection)[name]) for name in methods),
    )
