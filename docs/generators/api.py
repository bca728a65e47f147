"""docs/reference/api.md: routes, credentials, messages, and the stream."""

from __future__ import annotations

import dataclasses
import inspect

from generators.openapi import schemas
from generators.routes import STREAM, admin_routes, api_routes, notebook_routes, page_routes
from generators.source import field_docs, one_line
from generators.text import code, document, fenced, table
from jupyter_gov.gateway.pages import COOKIE, DECIDING
from jupyter_gov.wire import messages as m
from jupyter_gov.wire.signing import MAX_SKEW_SECONDS


def _message_link(kind: object) -> str:
    if kind is None:
        return ""
    if kind == STREAM:
        return "[Arrow stream](#the-answer-to-a-query)"
    name = kind.__name__  # type: ignore[attr-defined]
    return f"[{name}](#{name.lower()})"


def _type(shape: dict[str, object]) -> str:
    if "$ref" in shape:
        return str(shape["$ref"]).rsplit("/", 1)[1]
    if "oneOf" in shape:
        return " or ".join(_type(part) for part in shape["oneOf"])  # type: ignore[attr-defined]
    kind = shape["type"]
    if kind == "array":
        return f"list of {_type(shape['items'])}"  # type: ignore[arg-type]
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _message(cls: type) -> str:
    told, shape = field_docs(cls), schemas()[cls.__name__]
    rows = [
        [code(name), _type(part), "yes" if name in shape.get("required", ()) else "no",
         told.get(name, "")]
        for name, part in shape["properties"].items()
    ]  # fmt: skip
    doc = one_line(inspect.getdoc(cls) or "")
    return f"### {cls.__name__}\n\n{doc}\n\n" + table(["field", "type", "needed", "meaning"], rows)


def page() -> str:
    """The page."""
    kinds = [
        cls for cls in vars(m).values()
        if dataclasses.is_dataclass(cls) and cls.__module__ == m.__name__
    ]  # fmt: skip
    deciding = [path for method, path, _, decides, _ in page_routes() if decides == "yes"]
    if len(deciding) != len(DECIDING):
        raise AssertionError(f"deciding routes: {deciding}, in the code: {DECIDING}")
    return document(
        "API",
        "The gateway answers on one port. Kernels and notebook servers use the signed API; people"
        " use the pages. They share nothing: the API takes no cookie and refuses any request with"
        " an `Origin`, the pages take no signature. Only pages decide. The same is in"
        " [openapi.json](openapi.json) (OpenAPI 3.1), but for the pages.",
        "## Routes of kernels and notebook servers",
        table(
            ["method", "address", "credential", "request", "answer", "decides", "meaning"],
            [
                [
                    r.method,
                    code(r.path),
                    r.credential,
                    _message_link(r.request),
                    _message_link(r.answer),
                    "no",
                    r.says,
                ]
                for r in api_routes()
            ],
        ),
        "A kernel key opens nothing but its own kernel's session; a server key opens slots for"
        " kernels and reads their state. Asking for a grant decides nothing either: the"
        " configuration's eligibilities did.",
        "## Pages",
        table(
            ["method", "address", "credential", "decides", "meaning"],
            [[method, code(path), *rest] for method, path, *rest in page_routes()],
        ),
        f"Page cookie: `{COOKIE}`, Secure, HttpOnly, SameSite=Strict. *Origin*: the `Origin` header"
        " must be the pages' own, and `Sec-Fetch-Site`, where the browser sends it, `same-origin`."
        " *Fresh proof*: the sign-in of the last five minutes, if no confirmation has used it up;"
        " else the password again. Every page needs the pages' own `Host`, and refuses to be"
        " framed. Each refusal is recorded as `decision.refused`.",
        "## Routes of the notebook server",
        "Added by the Jupyter extension, for JupyterLab's status bar; with Jupyter's own sign-in.",
        table(
            ["method", "address", "decides", "meaning"],
            [[method, code(path), "no", says] for method, path, says in notebook_routes()],
        ),
        "## The admin's socket",
        "`admin.sock` in the state folder, mode 0600: who can open it is the gateway's user."
        " `jupyter gov config reload` and `jupyter gov unenroll` speak to it.",
        table(
            ["method", "address", "meaning"],
            [[method, code(path), says] for method, path, says in admin_routes()],
        ),
        "## Signatures",
        "Every signed request carries `Content-Digest` (RFC 9530, sha-256), `Signature-Input` and"
        " `Signature` (RFC 9421) with one fixed set of covered components, in this order:",
        fenced(
            'Signature-Input: gov=("@method" "@authority" "@path" "@query" "content-digest")'
            ';created=1772366400;nonce="mBUn6RPkWMn3oyb2e4Zq0a1x";keyid="K-0a1b2c3d4e5f6071"'
            ';alg="ed25519"\nSignature: gov=:…:'
        ),
        f"`created` may be {MAX_SKEW_SECONDS} seconds from the gateway's clock. A nonce is taken"
        " once. `keyid` is the kernel's slot or the server's id.",
        "## The answer to a query",
        "One or more Arrow IPC streams, one after the other in one body; a new one begins where a"
        " column's type changes. The schema metadata `gov` of the first holds the"
        " [Head](#head). The metadata `gov` of a last, empty batch holds the [Trailer](#trailer)."
        " An answer without a trailer is a failed statement, whatever arrived; one whose trailer"
        " has an `error` failed with that error. The client hands out nothing in either case."
        " A column with the field metadata `gov.mixed` holds JSON: the database returned several"
        " types in it.",
        "## Messages",
        "A field that is not needed may be left out. A field that is not listed is refused.",
        *(_message(cls) for cls in kinds),
        "### Bind\n\nnull, a boolean, a number, a text, or an object with one key for other types: "
        + ", ".join(code(f'{{"{kind}": "…"}}') for kind in m._TYPED)
        + ". Bytes are base64, dates and times ISO 8601.",
    )
