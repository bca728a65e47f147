"""
A stand-in for the user's text that the parser cannot read otherwise than the database does.

It has the same length, so that every place in it is a place in the user's text: comments become
spaces, texts become plain ones, a parameter ``:from`` becomes ``:_rom``, a word that is a name
only because of where it stands loses its meaning, and operators that the parser does not know
become one that it does.  The stand-in is parsed; what runs is never made of it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from jupyter_gov.sql.postgres_lexemes import NO_TABLE, RESERVED, Kind, Lexeme

_OPERATORS_LIST = """
    !! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * + - -> ->> -|- / < <-> << <<= <<| <= <>
    <@ <^ = != > >= >> >>= >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ | |&> |/ |>> || ||/ ~ ~*
    ~<=~ ~<~ ~= ~>=~ ~>~ ~~ ~~* =>
"""
OPERATORS = frozenset(_OPERATORS_LIST.split())
"""Of pg_catalog, and ``=>`` of named arguments.  Others are some extension's functions."""

_PARSED_LIST = """
    !~ !~* !~~ !~~* # #> #>> % & && * + - -> ->> / < << <= <> <@ = != > >= >> @> ^ | || ~ ~* ~~
    ~~* =>
"""
_PARSED = frozenset(_PARSED_LIST.split())
_PREFIX = frozenset(["@", "|/", "||/", "!!", "@-@", "?-", "?|", "#"])
_GRAMMAR_LIST = """
    between bit by char character coalesce cube dec decimal except exists extract filter first
    float generate_series greatest grouping groups interval json json_array json_arrayagg
    json_exists json_object json_objectagg json_query json_scalar json_serialize json_table
    json_value least materialized nchar next normalize nullif numeric of over overlay position
    range recursive rollup row rows set sets substring time timestamp timestamptz timetz trim
    unnest values varbit varchar varying bpchar within zone escape
"""
_GRAMMAR = frozenset(_GRAMMAR_LIST.split())
"""What a parenthesis follows that is no ordinary call."""
_PLAIN_LIST = """
    alter anti apply asof cluster connect describe div drop final glob kill lock minus pivot
    prewhere qualify regexp revoke rlike rollback sample semi settings show straight_join top
    unpivot xor
"""
_PLAIN = frozenset(_PLAIN_LIST.split())
"""Words that the parser knows and that are plain names in a query of PostgreSQL."""
_UNSAFE = re.compile(r"[^A-Za-z0-9 _:.,+-]")
_NOT_A_NAME = RESERVED | NO_TABLE


def shadow(sql: str, found: Sequence[Lexeme], *, plain_calls: bool = False) -> str:
    """
    The stand-in of a PostgreSQL statement.

    Args:
        plain_calls: functions lose their names, for a parser that has its own ideas of what
            arguments they take.
    """
    parts: list[str] = []
    at = 0
    for index, lexeme in enumerate(found):
        parts.append(re.sub(r"[^\n]", " ", sql[at : lexeme.start]))
        text = sql[lexeme.start : lexeme.end]
        if plain_calls and _plain_call(index, found):
            parts.append("_" * len(text))
        else:
            parts.append(_part(text, index, found))
        at = lexeme.end
    parts.append(re.sub(r"[^\n]", " ", sql[at:]))
    return "".join(parts)


def _is_plain(index: int, found: Sequence[Lexeme]) -> bool:
    """Whether a word is a name there whatever else it may be."""
    value = found[index].value
    if value in _PLAIN:
        return not (index + 1 < len(found) and found[index + 1].mark("("))
    return value in _NOT_A_NAME and is_label(index, found)


def _plain_call(index: int, found: Sequence[Lexeme]) -> bool:
    lexeme = found[index]
    called = index + 1 < len(found) and found[index + 1].mark("(")
    return (
        called
        and lexeme.kind is Kind.WORD
        and lexeme.value not in _NOT_A_NAME | _GRAMMAR
        and len(lexeme.value) > 1
    )


def is_label(index: int, found: Sequence[Lexeme]) -> bool:
    """Whether any word may stand there as a name: after AS or a dot."""
    if index == 0:
        return False
    before = found[index - 1]
    materialized = index + 1 < len(found) and found[index + 1].word("materialized")
    return before.mark(".") or (before.word("as") and not materialized)


def _part(text: str, index: int, found: Sequence[Lexeme]) -> str:
    lexeme = found[index]
    match lexeme.kind:
        case Kind.STRING:
            return "'" + _UNSAFE.sub("x", text[1:-1]) + "'"
        case Kind.BIND:
            return ":_" + "x" * (len(text) - 2)
        case Kind.QUOTED:
            return '"' + re.sub(r"[^A-Za-z0-9_ ]", "x", text[1:-1]) + '"'
        case Kind.NUMBER if not text.isdigit():
            return text if re.fullmatch(r"\d+\.\d+", text) else "1" * len(text)
        case Kind.OPERATOR if text not in _PARSED:
            prefix = text in _PREFIX and begins_operand(index, found)
            return ("-" if prefix else "+").ljust(len(text))
        case Kind.WORD if _is_plain(index, found):
            return "_" + text[1:]
        case Kind.WORD:
            return re.sub(r"[^A-Za-z0-9_]", "_", text)
    return text


def begins_operand(index: int, found: Sequence[Lexeme]) -> bool:
    """Whether no operand stands before, so that an operator there stands before its own."""
    if index == 0:
        return True
    before = found[index - 1]
    if before.kind is Kind.WORD:
        return before.value in RESERVED or before.value in ("by", "like", "ilike", "zone")
    return before.kind is Kind.OPERATOR or before.value in ("(", "[", ",", ":")


def shadow_of_tokens(sql: str, tokens: Sequence[Token]) -> str:
    """The stand-in of a statement that the parser's own tokens were made of: parameters only."""
    edited = list(sql)
    for token, after in itertools.pairwise(tokens):
        if token.token_type != TokenType.COLON or after.start != token.end + 1:
            continue
        word = re.compile(r"[A-Za-z]\w*").match(sql, after.start)
        if word is not None:
            edited[after.start : word.end()] = "_" + "x" * (len(word[0]) - 1)
    return "".join(edited)
