"""A statement's parameters as literals, for COPY, which takes none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

TYPES = {
    16: "bool", 17: "bytea", 18: '"char"', 19: "name", 20: "int8", 21: "int2", 23: "int4",
    25: "text", 26: "oid", 114: "json", 700: "float4", 701: "float8", 869: "inet", 1042: "bpchar",
    1043: "varchar", 1082: "date", 1083: "time", 1114: "timestamp", 1184: "timestamptz",
    1186: "interval", 1266: "timetz", 1700: "numeric", 2950: "uuid", 3802: "jsonb",
}  # fmt: skip
"""What a parameter may be taken as, by the OID the server found for it."""

_TOKEN = re.compile(
    r"""
      [eE]'(?:[^'\\]|''|\\.)*'
    | '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | \$(?P<tag>[A-Za-z_\x80-\U0010ffff][A-Za-z_0-9\x80-\U0010ffff]*)?\$ .*? \$(?(tag)(?P=tag))\$
    | --[^\n\r]*
    | (?P<comment>/\*)
    | [A-Za-z_\x80-\U0010ffff][A-Za-z_0-9$\x80-\U0010ffff]*
    | \$(?P<number>[0-9]+)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*|\*/")
_FIRST = re.compile(r"[A-Za-z]+")
_SELECTS = frozenset({"select", "with", "values", "table"})


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """Those that hide others, and those looked for; standard_conforming_strings is on."""
    at = 0
    while found := _TOKEN.search(text, at):
        at = found.end()
        if found["comment"]:
            depth = 1
            while depth and (mark := _COMMENT.search(text, at)):
                at = mark.end()
                depth += 1 if mark[0] == "/*" else -1
            continue
        yield found


def is_select(text: str) -> bool:
    """Whether it can stand in parentheses, as EXPLAIN and SHOW cannot."""
    for token in _tokens(text):
        if word := _FIRST.fullmatch(token[0]):
            return word[0].lower() in _SELECTS
        if not token[0].startswith("--"):
            return False
    return False


def _replaced(text: str, replace: Callable[[re.Match[str]], str | None]) -> str:
    parts, at = [], 0
    for token in _tokens(text):
        by = replace(token)
        if by is not None:
            parts += [text[at : token.start()], by]
            at = token.end()
    return "".join([*parts, text[at:]])


def without_end(text: str) -> str:
    """One statement without its semicolon."""
    return _replaced(text, lambda token: " " if token["end"] else None)


def with_literals(text: str, values: Sequence[bytes | None], oids: Sequence[int]) -> str:
    """
    Each ``$n`` replaced by its value, cast to the type the server found for it.

    A type that is not in TYPES was inferred from where the parameter stands: there a bare
    literal gets the same.
    """
    literals = [_literal(value, TYPES.get(oid)) for value, oid in zip(values, oids, strict=True)]
    return _replaced(
        text, lambda token: literals[int(token["number"]) - 1] if token["number"] else None
    )


def _literal(value: bytes | None, kind: str | None) -> str:
    quoted = "NULL" if value is None else "'" + value.decode().replace("'", "''") + "'"
    return f"({quoted}::pg_catalog.{kind})" if kind else quoted
