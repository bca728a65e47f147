"""
The canonical text of a PostgreSQL value, in SQL: what pseudonyms, shifts and seals are made of.

The same as `masking/canonical.py`, for every type it knows.  No setting of a session changes it:
nothing is cast to text whose text depends on one, and no value makes it fail.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from jupyter_gov.masking.canonical import DIGITS, WHOLE

FIRST_DAY, LAST_DAY = "DATE '0001-01-01'", "DATE '9999-12-31'"
FIRST, AFTER = "TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '10000-01-01 00:00:00'"
NO_TIME = "INTERVAL '0'"
"""A zone that stands in no file and under no name: UTC."""

_MODIFIER = re.compile(r"\((-?[0-9]+(?:,-?[0-9]+)*)\)")


class Family(enum.Enum):
    """What a type is to the treatments."""

    TEXT = enum.auto()
    WHOLE = enum.auto()
    NUMERIC = enum.auto()
    FLOAT = enum.auto()
    BOOLEAN = enum.auto()
    DATE = enum.auto()
    TIMESTAMP = enum.auto()
    TIMESTAMPTZ = enum.auto()
    UUID = enum.auto()
    INET = enum.auto()
    CIDR = enum.auto()
    BYTES = enum.auto()
    JSONB = enum.auto()
    OTHER = enum.auto()


_FAMILIES = {
    "text": Family.TEXT, "character varying": Family.TEXT, "character": Family.TEXT,
    "bpchar": Family.TEXT, "name": Family.TEXT, "citext": Family.TEXT,
    "smallint": Family.WHOLE, "integer": Family.WHOLE, "bigint": Family.WHOLE,
    "numeric": Family.NUMERIC, "real": Family.FLOAT, "double precision": Family.FLOAT,
    "boolean": Family.BOOLEAN, "date": Family.DATE,
    "timestamp without time zone": Family.TIMESTAMP,
    "timestamp with time zone": Family.TIMESTAMPTZ,
    "uuid": Family.UUID, "inet": Family.INET, "cidr": Family.CIDR, "bytea": Family.BYTES,
    "jsonb": Family.JSONB,
}  # fmt: skip

DATED = frozenset({Family.DATE, Family.TIMESTAMP, Family.TIMESTAMPTZ})


@dataclass(frozen=True, slots=True)
class Declared:
    """A type as `format_type` spells it."""

    text: str
    base: str
    """Without modifier and brackets."""
    modifier: tuple[int, ...]
    is_array: bool
    family: Family
    """Of an array: of its elements."""

    @classmethod
    def of(cls, text: str) -> Declared:
        """Read a type; domains are resolved already."""
        plain = text.removesuffix("[]")
        found = _MODIFIER.search(plain)
        base = " ".join(_MODIFIER.sub("", plain).split())
        last = base.rpartition(".")[2]
        family = _FAMILIES.get("citext" if last == "citext" else base, Family.OTHER)
        modifier = tuple(map(int, found[1].split(","))) if found else ()
        return cls(text, base, modifier, plain != text, family)

    @property
    def element(self) -> str:
        """The type of an array's elements, or the type itself."""
        return self.text.removesuffix("[]")


def literal(text: str) -> str:
    """A SQL string, the same whatever the session makes of backslashes."""
    plain = text.replace("'", "''")
    return f"E'{plain}'".replace("\\", "\\\\") if "\\" in plain else f"'{plain}'"


def binary(raw: bytes) -> str:
    """A bytea, the same whatever the session's encoding."""
    return f"pg_catalog.decode('{raw.hex()}', 'hex')"


def utc(x: str, family: Family) -> str:
    """A date or timestamp as a timestamp without zone; of one with a zone in UTC."""
    if family is Family.TIMESTAMPTZ:
        return f"pg_catalog.timezone({NO_TIME}, {x})"
    return f"CAST({x} AS pg_catalog.timestamp)" if family is Family.DATE else x


def within(x: str, family: Family) -> str:
    """Whether a date or timestamp is in the years 1 to 9999."""
    if family is Family.DATE:
        return f"{x} BETWEEN {FIRST_DAY} AND {LAST_DAY}"
    at = utc(x, family)
    return f"{at} >= {FIRST} AND {at} < {AFTER}"


def text_of(x: str, declared: Declared) -> str | None:
    """The canonical text, collated by code points; None if the type has none."""
    made = _text(x, declared.family)
    return None if made is None else f'{made} COLLATE pg_catalog."C"'


def _text(x: str, family: Family) -> str | None:
    plain = f"CAST({x} AS pg_catalog.text)"
    match family:
        case Family.TEXT | Family.WHOLE | Family.UUID | Family.CIDR:
            return plain
        case Family.INET:
            return f"pg_catalog.abbrev({x})"
        case Family.BOOLEAN:
            return f"CASE WHEN {x} THEN '1' WHEN NOT {x} THEN '0' END"
        case Family.NUMERIC:
            return (
                f"CASE WHEN pg_catalog.abs({x}) < 1e{DIGITS} AND pg_catalog.min_scale({x}) <="
                f" {DIGITS} THEN CAST(pg_catalog.trim_scale({x}) AS pg_catalog.text)"
                f" WHEN {x} IN ('NaN', 'Infinity', '-Infinity') THEN {plain} END"
            )
        case Family.FLOAT:
            f = f"CAST({x} AS pg_catalog.float8)"
            return (
                f"CASE WHEN pg_catalog.abs({f}) < CAST({WHOLE} AS pg_catalog.float8)"
                f" AND {f} = pg_catalog.trunc({f})"
                f" THEN CAST(CAST({f} AS pg_catalog.int8) AS pg_catalog.text)"
                f" WHEN {f} = 'NaN' THEN 'NaN' WHEN {f} = 'Infinity' THEN 'Infinity'"
                f" WHEN {f} = '-Infinity' THEN '-Infinity'"
                f" WHEN {f} IS NOT NULL THEN"
                f" pg_catalog.textcat('f', pg_catalog.encode(pg_catalog.float8send({f}), 'hex'))"
                " END"
            )
        case Family.DATE | Family.TIMESTAMP | Family.TIMESTAMPTZ:
            return f"CASE WHEN {within(x, family)} THEN {_moment(x, family)} END"
        case _:
            return None


def _moment(x: str, family: Family) -> str:
    at = utc(x, family)
    if family is Family.DATE:
        return f"pg_catalog.to_char({at}, 'YYYY-MM-DD')"
    exact = f"pg_catalog.to_char({at}, 'YYYY-MM-DD HH24:MI:SS.US')"
    text = f"pg_catalog.rtrim(pg_catalog.rtrim({exact}, '0'), '.')"
    return f"pg_catalog.textcat({text}, '+00')" if family is Family.TIMESTAMPTZ else text


def bytes_of(x: str, declared: Declared) -> str | None:
    """The canonical text in UTF-8, or the bytes themselves; None if the type has neither."""
    if declared.family is Family.BYTES:
        return x
    text = text_of(x, declared)
    return None if text is None else f"pg_catalog.convert_to({text}, 'UTF8')"


def hmac(pads: str, message: str, before: bytes = b"") -> str:
    """
    HMAC-SHA-256 (RFC 2104) of *before* and *message*, as bytea.

    Args:
        pads: ``FROM …`` of the one row with the key's pads.  Each is fetched once a query, since
            such a subquery does not depend on the row.
    """
    inner = "inner_pad"
    if before:
        inner = f"pg_catalog.byteacat(inner_pad, {binary(before)})"
    return (
        f"pg_catalog.sha256(pg_catalog.byteacat((SELECT outer_pad {pads}), pg_catalog.sha256("
        f"pg_catalog.byteacat((SELECT {inner} {pads}), {message}))))"
    )
