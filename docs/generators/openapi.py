"""docs/reference/openapi.json: the API of kernels and servers, from the message types."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from typing import Any

from generators.routes import NONE, SERVER, STREAM, Route, api_routes
from generators.source import field_docs, one_line
from jupyter_gov import __version__, errors
from jupyter_gov.gateway.handlers import STATUS, status_of
from jupyter_gov.wire import messages as m
from jupyter_gov.wire.signing import COVERED, MAX_SKEW_SECONDS

_SIMPLE = {str: "string", int: "integer", bool: "boolean", float: "number"}
_BINDS = {
    "type": "object",
    "description": "Parameter values by name.",
    "additionalProperties": {"$ref": "#/components/schemas/Bind"},
}
_BIND = {
    "description": "A parameter's value; types that JSON lacks as an object with one key.",
    "oneOf": [
        {"type": ["null", "boolean", "number", "string"]},
        *(
            {
                "type": "object",
                "required": [kind],
                "additionalProperties": False,
                "properties": {kind: {"type": "string"}},
            }
            for kind in m._TYPED
        ),
    ],
}


def schema(hint: Any) -> dict[str, Any]:
    """JSON Schema of a field's type."""
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if dataclasses.is_dataclass(hint):
        return {"$ref": f"#/components/schemas/{typing.cast(type, hint).__name__}"}
    origin = typing.get_origin(hint)
    if origin is tuple:
        return {"type": "array", "items": schema(typing.get_args(hint)[0])}
    if origin in (types.UnionType, typing.Union):
        (other,) = (part for part in typing.get_args(hint) if part is not types.NoneType)
        inner = schema(other)
        if "type" in inner and len(inner) == 1:
            return {"type": [inner["type"], "null"]}
        return {"oneOf": [inner, {"type": "null"}]}
    if origin is dict:
        return {"type": "object"}
    raise AssertionError(f"no schema for {hint}")


def message(cls: type) -> dict[str, Any]:
    """JSON Schema of a message."""
    hints, told = typing.get_type_hints(cls), field_docs(cls)
    properties: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        made = _BINDS if (cls, field.name) == (m.Query, "binds") else schema(hints[field.name])
        if (cls, field.name) == (m.Trailer, "error"):
            made = {"oneOf": [{"$ref": "#/components/schemas/Error"}, {"type": "null"}]}
        if told.get(field.name):
            made = {**made, "description": told[field.name]}
        properties[field.name] = made
    needed = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    shape: dict[str, Any] = {"type": "object", "additionalProperties": False}
    doc = inspect.getdoc(cls) or ""
    if not doc.startswith(f"{cls.__name__}("):
        shape["description"] = one_line(doc)
    if needed:
        shape["required"] = needed
    return {**shape, "properties": properties}


def _error() -> dict[str, Any]:
    carried = {
        "code": {
            "enum": sorted(cls.code for cls in errors.tree() if issubclass(cls, tuple(STATUS)))
        },
        "message": {"type": "string"},
        "hint": {"type": "string"},
        "record": {"type": "string"},
        "near": {"type": "array", "items": {"type": "string"}},
        "next": {"oneOf": [{"$ref": "#/components/schemas/Next"}, {"type": "null"}]},
        "position": {"oneOf": [{"$ref": "#/components/schemas/Position"}, {"type": "null"}]},
    }
    if carried.keys() != m.encode_error(errors.Denied("")).keys():
        raise AssertionError("an error carries other fields than those described")
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(carried),
        "properties": carried,
    }


def schemas() -> dict[str, Any]:
    """Every message of the API by its name."""
    found = {
        cls.__name__: message(cls)
        for cls in vars(m).values()
        if dataclasses.is_dataclass(cls) and cls.__module__ == m.__name__
    }
    return {
        **found,
        "Bind": _BIND,
        "Error": _error(),
        "Next": message(errors.Next),
        "Position": message(errors.Position),
    }


def _problems() -> dict[str, Any]:
    """Status → the answer that carries an error."""
    body = {
        "type": "object",
        "additionalProperties": False,
        "required": ["error"],
        "properties": {"error": {"$ref": "#/components/schemas/Error"}},
    }
    codes: dict[int, list[str]] = {}
    for cls in errors.tree():
        if issubclass(cls, tuple(STATUS)):
            codes.setdefault(status_of(cls("")), []).append(cls.code)
    return {
        f"Status{status}": {
            "description": ", ".join(sorted(codes[status])),
            "content": {"application/json": {"schema": body}},
        }
        for status in sorted(codes)
    }


def _operation(route: Route) -> dict[str, Any]:
    made: dict[str, Any] = {"summary": route.says, "operationId": _operation_id(route)}
    made["security"] = [] if route.credential == NONE else [
        {"serverSignature" if route.credential == SERVER else "kernelSignature": []}
    ]  # fmt: skip
    names = re.findall(r"\{(\w+)\}", route.path)
    if names:
        made["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if route.request is not None:
        made["requestBody"] = {"required": True, "content": _json(route.request)}
    if route.answer is None:
        made["responses"] = {"204": {"description": "Done."}}
    elif route.answer == STREAM:
        made["responses"] = {
            "200": {
                "description": "Arrow IPC streams, one after the other. The schema metadata `gov`"
                " of the first holds a Head; the metadata `gov` of the last, empty batch holds a"
                " Trailer. Without a trailer, or with an error in it, the statement failed.",
                "content": {"application/vnd.apache.arrow.stream": {}},
            }
        }
    else:
        made["responses"] = {"200": {"description": "Done.", "content": _json(route.answer)}}
    if route.credential != NONE:
        only_queries = () if route.answer == STREAM else ("Status409", "Status422")
        made["responses"] |= {
            name.removeprefix("Status"): {"$ref": f"#/components/responses/{name}"}
            for name in _problems()
            if name not in only_queries
        }
    return made


def _json(kind: Any) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


def _operation_id(route: Route) -> str:
    words = [word for word in re.split(r"[/{}]+", route.path.removeprefix(m.API)) if word]
    return "_".join([route.method.lower(), *words])


def document() -> dict[str, Any]:
    """The OpenAPI description."""
    paths: dict[str, Any] = {}
    for route in api_routes():
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    signature = (
        "RFC 9421 HTTP message signature `gov` with Ed25519 over"
        f" {COVERED.strip('()')}, with created, nonce, keyid and alg, in the headers"
        " Signature-Input and Signature, and RFC 9530 Content-Digest (sha-256). Good for one"
        f" request, within {MAX_SKEW_SECONDS} seconds."
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jupyter_gov gateway",
            "version": __version__,
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
            "description": "What kernels and notebook servers may ask of the gateway. Nothing here"
            " decides anything: attaching and ending are pages of the gateway, for people, and no"
            " part of this description. A request with an Origin header is refused.",
        },
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas().items())),
            "responses": _problems(),
            "securitySchemes": {
                name: {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Signature",
                    "description": f"{signature} keyid is {keyid}.",
                }
                for name, keyid in (
                    ("kernelSignature", "the kernel's slot, K-…"),
                    ("serverSignature", "the notebook server, N-…"),
                )
            },
        },
    }


def page() -> str:
    """The page."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
