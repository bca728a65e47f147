"""
Request and response types of the API: one source for the gateway, the client and the reference.

Each type is a frozen dataclass; `decode` builds one from JSON and refuses what does not fit, so
nothing past the edge handles a loose dictionary.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import json
import types
import typing
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from jupyter_gov import errors

Bind = None | bool | int | float | str | bytes | dt.date | dt.datetime | dt.time | decimal.Decimal
"""The values a statement's parameters may take."""

API = "/api/v1"
MAX_BODY = 1024 * 1024
"""Bytes of a request: a statement and its parameters are less."""
TRAILER = b"gov"
"""Arrow metadata key of the last, empty batch: the outcome.  No trailer: the query failed."""

_MAX_BITS = 4096
"""Of a whole number: how many fit in a column is the database's to say; no reader takes more."""
_NO_TEXT = "a text holds half of a surrogate pair, which is not Unicode"

T = TypeVar("T")


# ------------------------------------------------------------------ the gateway itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Gateway → anyone who can reach it."""

    serving: bool
    page_url: str
    """Address of the pages on which people decide."""


# ------------------------------------------------------------------ slots and enrolment


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSlot:
    """Server → gateway: a kernel is about to start."""

    kernel_id: str
    notebook: str = ""
    """Path as the notebook's client gave it: a claim, shown as one."""
    user: str = ""
    """Name as the notebook server knows it: a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Gateway → server: the one-use secret for the kernel's environment."""

    slot_id: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrol:
    """Kernel → gateway: the secret, exchanged for a registered key.  Signed by that key."""

    slot_id: str
    secret: str
    public_key: str
    """Ed25519, 32 raw bytes, base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """Gateway → kernel."""

    key_id: str
    page_url: str
    isolation: str
    version: str


# ------------------------------------------------------------------ attaching


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCode:
    """Kernel → gateway: show me a code for a person to confirm."""

    agent: str = ""
    """A suggestion only: the person decides in which name the kernel acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Gateway → kernel: what to show."""

    request_id: str
    code: str
    url: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeState:
    """Gateway → kernel: pending, confirmed, refused or expired."""

    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalView:
    """A named person or agent."""

    kind: str
    name: str
    issuer: str
    on_behalf_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """A grant as its holder may see it.  Times are ISO 8601 UTC; the end is exclusive."""

    grant: str
    connection: str
    eligibility: str
    tables: tuple[str, ...]
    actions: tuple[str, ...]
    start: str
    end: str
    seconds_left: int
    state: str
    preset: str = ""
    """Rules that its treatments are held to."""
    data_use_agreement: str = ""
    """Reference of the agreement it is given under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """Gateway → kernel, server: who this kernel is."""

    kernel_id: str
    isolation: str
    page_url: str
    attached: bool
    session: str = ""
    principal: PrincipalView | None = None
    purpose: str = ""
    ends_at: str = ""
    grants: tuple[GrantView, ...] = ()
    notices: tuple[str, ...] = ()


# ------------------------------------------------------------------ catalog and grants


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionView:
    """A connection the session may use or ask for."""

    name: str
    description: str
    dialect: str
    active: bool
    """Whether a grant is active now."""
    may_request: bool
    default_duration: str = ""
    max_duration: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnView:
    """One column of a projection: type before and after its treatment."""

    name: str
    tag: str
    treatment: str
    type: str
    treated_type: str
    enforcement: str
    """``clear``, ``engine-treated``, ``scanned`` or ``withheld``; a view's: ``as its tables``."""
    guarantee: str = ""
    """The same in a sentence: what scans it and its measured recall, or why it is withheld."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """One table under the grant's profile."""

    name: str
    kind: str
    columns: tuple[ColumnView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestGrant:
    """Kernel → gateway: ask for a grant.  ``duration`` such as ``30m``; empty for the default."""

    connection: str
    duration: str = ""
    eligibility: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is left under the grant that the next statement would run under."""

    grant: str
    seconds_left: int
    statements_left: int | None
    """None: not limited."""
    rows_left: int | None
    rows_per_statement: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list of one kind of view."""

    grants: tuple[GrantView, ...] = ()
    connections: tuple[ConnectionView, ...] = ()
    tables: tuple[TableView, ...] = ()


# ------------------------------------------------------------------ queries


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Kernel → gateway: run one statement, stream the masked frame as Arrow IPC."""

    query_id: str
    """Chosen by the kernel, so that it can cancel before the first byte arrives."""
    connection: str
    sql: str
    binds: dict[str, Any] = field(default_factory=dict)
    """Encoded by `encode_bind`."""
    grant: str = ""
    limit: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatedColumn:
    """A column of a base table that the statement read and that did not come as it is."""

    column: str
    treatment: str
    guarantee: str = ""
    """As in a column's description: ``engine-treated``, or what scanned it and how well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """First part of the answer, in the schema metadata: under whose name and grant it runs."""

    record: str
    principal: PrincipalView
    grant: GrantView
    purpose: str
    isolation: str
    opened_grant: bool
    """The statement opened its default grant: worth one printed line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailer:
    """Last part of the answer: the outcome, or the error that ended the stream."""

    rows: int
    cut: bool
    cut_by: str = ""
    """``limit``, ``max_rows``, ``max_bytes`` or ``budget``; empty if it is whole."""
    treated: tuple[TreatedColumn, ...] = ()
    withheld_cells: int = 0
    scanned_cells: int = 0
    """Cells of free text that a detector scanned and that came, as it was masked."""
    replaced_cells: int = 0
    """Cells with a value that the gateway replaced."""
    unanswered_texts: int = 0
    """Texts withheld because no detector answered for them: the same query may bring them."""
    error: dict[str, Any] | None = None


# ------------------------------------------------------------------ explanations


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """
    Gateway → kernel: what would become of a statement, which was not run.

    It says no more than running it would.
    """

    decision: str
    """
    ``allow``; ``open``: allowed, and a default grant would be opened first; ``deny``: the policy
    refuses; ``fail``: the policy has nothing against it, and the database could not run it.
    """
    rule: str
    """What decided, in a sentence."""
    connection: str
    principal: PrincipalView
    purpose: str = ""
    grant: GrantView | None = None
    """The grant it would run under; null if one would be opened or none covers it."""
    eligibility: str = ""
    """What the grant comes from, or would come from."""
    opens_for: str = ""
    """How long the default grant would last, such as ``30m``."""
    min_group: int = 0
    """Groups of fewer people would be left out; 0: rows may be seen."""
    kind: str = ""
    """
    What the statement does: ``read``, ``write``, ``ddl``, ``admin``, ``transaction``, or
    ``unsafe`` if that cannot be told; empty if it was not looked at.
    """
    risk: str = ""
    """How much it could do: ``low``, ``medium``, ``high`` or ``critical``."""
    binds: tuple[str, ...] = ()
    """Names of its parameters."""
    relations: tuple[str, ...] = ()
    """The tables and views it names, as it spells them."""
    tables: tuple[TableView, ...] = ()
    """What it would read, also through views: of each table those columns."""
    exact: bool = True
    """Whether the database itself said what it would read; else these columns at most."""
    refusal: dict[str, Any] | None = None
    """The error that running it would raise, with its code, hint, next step and position."""
    record: str = ""
    """The audit record of this explanation; empty where nothing is recorded."""


# ------------------------------------------------------------------ coding


def encode(message: Any) -> bytes:
    """
    JSON of a message.  ``None`` fields stay, so that both sides see the same shape.

    Raises BadRequest for a text that is not Unicode.
    """
    try:
        return json.dumps(message, ensure_ascii=False, default=_members).encode()
    except UnicodeEncodeError:
        raise errors.BadRequest(_NO_TEXT) from None


def _members(message: Any) -> dict[str, Any]:
    """Of a message within a message; its own copies of everything are not needed."""
    return {
        name: getattr(message, name) for name in _names(typing.cast(typing.Hashable, type(message)))
    }


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind))


def decode(kind: type[T], body: bytes | str) -> T:
    """Build *kind* from JSON.  Raises BadRequest naming the field that does not fit."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise errors.BadRequest("the body is not JSON") from None
    return typing.cast(T, _build(kind, data, kind.__name__))


@cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(kind)
    return {
        f.name: (
            hints[f.name],
            f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING,
        )
        for f in dataclasses.fields(kind)
    }


def _build(kind: Any, data: Any, where: str) -> Any:
    if type(data) is kind:  # a scalar, as most are
        if kind is str and not _is_unicode(data):
            raise errors.BadRequest(f"{where}: {_NO_TEXT}")
        return data
    if dataclasses.is_dataclass(kind):
        if not isinstance(data, dict):
            raise errors.BadRequest(f"{where} is not an object")
        known = _fields(typing.cast(typing.Hashable, kind))
        if extra := set(data) - set(known):
            raise errors.BadRequest(f"{where} has no field {sorted(map(str, extra))[0]!r}")
        if missing := {n for n, (_, required) in known.items() if required} - set(data):
            raise errors.BadRequest(f"{where} needs the field {min(missing)!r}")
        make = typing.cast(Any, kind)
        return make(**{n: _build(known[n][0], v, f"{where}.{n}") for n, v in data.items()})
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        for option in typing.get_args(kind):
            try:
                return _build(option, data, where)
            except errors.BadRequest:
                continue
        raise errors.BadRequest(f"{where} is of the wrong type")
    if origin is tuple:
        if not isinstance(data, list):
            raise errors.BadRequest(f"{where} is not a list")
        return tuple(_build(typing.get_args(kind)[0], v, where) for v in data)
    if origin is dict:
        if not isinstance(data, dict):
            raise errors.BadRequest(f"{where} is not an object")
        return data
    if kind is Any:
        return data
    if kind is types.NoneType:
        if data is not None:
            raise errors.BadRequest(f"{where} is of the wrong type")
        return None
    raise errors.BadRequest(f"{where} is of the wrong type")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encode_bind(name: str, value: object) -> Any:
    """
    A bind value as JSON.

    Scalars of numpy and pandas are taken as what they stand for, their missing values as NULL.
    Raises BindMissing for a type that has no place in SQL.
    """
    value = _scalar(value)
    if value is None:
        return None
    for kind in (bool, int, float):
        if isinstance(value, kind):
            if isinstance(value, int) and value.bit_length() > _MAX_BITS:
                raise errors.BindMissing(
                    f"the value of :{name} is a whole number of more than {_MAX_BITS} bits"
                )
            return kind(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dt.datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    if isinstance(value, dt.time):
        return {"time": value.isoformat()}
    if isinstance(value, decimal.Decimal):
        return {"decimal": str(value)}
    raise errors.BindMissing(
        f"the value of :{name} is a {type(value).__name__}, which cannot be a bind parameter",
        hint="Bind None, bool, int, float, str, bytes, date, time, datetime or Decimal.",
    )


def _scalar(value: Any) -> Any:
    """What a scalar of numpy or pandas stands for, without importing either."""
    made_in, made_by = type(value).__module__.partition(".")[0], type(value).__name__
    if made_in == "pandas" and made_by in ("NaTType", "NAType"):
        return None
    if made_in == "numpy" and getattr(value, "ndim", 1) == 0:
        if value.dtype.kind == "M":
            # Nanoseconds would come out as a bare number.
            value = value.astype("datetime64[us]")
        if value.dtype.kind != "m":
            return value.item()
    return value


_TYPED: dict[str, Any] = {
    "bytes": lambda s: base64.b64decode(s, validate=True),
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "decimal": decimal.Decimal,
}


def decode_bind(name: str, value: Any) -> Bind:
    """The other side of `encode_bind`.  Raises BadRequest."""
    if value is None or type(value) in (bool, int, float, str):
        return typing.cast(Bind, value)
    if isinstance(value, dict) and len(value) == 1:
        ((kind, text),) = value.items()
        if kind in _TYPED and isinstance(text, str):
            try:
                return typing.cast(Bind, _TYPED[kind](text))
            except (ValueError, decimal.InvalidOperation):
                pass
    raise errors.BadRequest(f"the value of :{name} is not a bind parameter")


def encode_error(error: errors.GovError) -> dict[str, Any]:
    """What the other side needs to raise the same error."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "record": error.record,
        "near": list(error.near),
        "next": dataclasses.asdict(error.next) if error.next else None,
        "position": dataclasses.asdict(error.position) if error.position else None,
    }


def decode_error(data: dict[str, Any]) -> errors.GovError:
    """The error the gateway answered with, as an exception to raise."""
    step, place = data.get("next"), data.get("position")
    return errors.by_code(str(data.get("code")))(
        str(data.get("message", "the gateway refused")),
        hint=str(data.get("hint", "")),
        record=str(data.get("record", "")),
        near=tuple(map(str, data.get("near", ()))),
        next=_known(errors.Next, step),
        position=_known(errors.Position, place),
    )


def _known(kind: type[T], data: Any) -> T | None:
    """*kind* from what of *data* this version knows: a newer gateway may say more."""
    if not isinstance(data, dict):
        return None
    names = {f.name for f in dataclasses.fields(typing.cast(Any, kind))}
    try:
        return kind(**{name: value for name, value in data.items() if name in names})
    except TypeError:
        return None
