"""docs/reference/errors.md: the error tree."""

from __future__ import annotations

import dataclasses
import inspect

from generators.source import field_docs, one_line
from generators.text import code, document, fenced, table
from jupyter_gov import errors
from jupyter_gov.gateway.handlers import STATUS, status_of
from jupyter_gov.wire.messages import encode_error


def _status(cls: type[errors.GovError]) -> str:
    if not issubclass(cls, tuple(STATUS)):
        return ""
    return str(status_of(cls("")))


def _parents(cls: type[errors.GovError]) -> str:
    return " › ".join(
        parent.__name__
        for parent in reversed(cls.__mro__[1:])
        if issubclass(parent, errors.GovError)
    )


def _row(cls: type[errors.GovError]) -> list[str]:
    return [
        code(cls.code), code(cls.__name__), _parents(cls), _status(cls),
        "yes" if cls.retryable else "no", one_line(inspect.getdoc(cls) or ""),
    ]  # fmt: skip


def _fields(cls: type) -> str:
    told = field_docs(cls)
    rows = [[code(field.name), told.get(field.name, "")] for field in dataclasses.fields(cls)]
    return table(["field", "meaning"], rows)


def page() -> str:
    """The page."""
    known = [cls for cls in errors.tree() if cls is not errors.GovError]
    sample = errors.UnknownName(
        "there is no column full_nam",
        next=errors.Next("fix_sql"),
        position=errors.Position(line=1, column=8, offset=7),
        record="R-cd2f45bacb2a1ad9",
        near=("full_name",),
    )
    shown = encode_error(sample)
    rows = {
        "code": "Stable. Programs may branch on it.",
        "message": "What was refused, and which rule did it. Never a value of a database.",
        "hint": "What to do, in words; may be empty.",
        "record": "The audit record of the refused or failed command; empty if none was written.",
        "near": "Names close to the one that was not found, from the grant's own projections.",
        "next": "What to do now, for a program; null if there is nothing.",
        "position": "The place in the user's own statement, or null.",
    }
    if rows.keys() != shown.keys():
        raise AssertionError(f"an error carries {sorted(shown)}")
    return document(
        "Errors",
        "Every refusal and failure is one of these, in the kernel as an exception from"
        " `jupyter_gov.errors`, over HTTP as JSON. `jupyter_gov.errors.GovError` is the root and"
        " is never raised itself.",
        "An empty status means that the class is not sent by the gateway: the client or the"
        " command line raises it. *Retryable* says that the same call may succeed later without"
        " a change.",
        "## The tree",
        table(["code", "class", "parents", "status", "retryable", "meaning"], map(_row, known)),
        "## What an error carries",
        table(["attribute", "meaning"], [[code(name), text] for name, text in rows.items()]),
        "`retryable` is an attribute of the class. In the kernel an error has `statement` too: the"
        " SQL it is about, so that `position` can be shown in it.",
        "## next",
        _fields(errors.Next),
        "## position",
        _fields(errors.Position),
        "## Over HTTP",
        "The body of every answer with status 400 or above, and the `error` of a stream's"
        " [trailer](api.md#the-answer-to-a-query):",
        fenced(_json({"error": shown}), "json"),
    )


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=2)
