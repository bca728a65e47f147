"""
PostgreSQL's own tokens, as its scanner (`scan.l`) cuts them with standard_conforming_strings on.

What runs is the user's own text, so what the gate understands must be what the server reads.
Here the text is cut as the server cuts it; what is rare and easily misread (``U&"…"``, national
strings, odd spaces, names that the server would shorten) is refused rather than followed.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from dataclasses import dataclass

from jupyter_gov.errors import BadSyntax, Next, StatementRefused
from jupyter_gov.sql.places import folded, position_of

_FIX = Next("fix_sql")

_RESERVED_LIST = """
    all analyse analyze and any array as asc asymmetric both case cast check collate column
    constraint create current_catalog current_date current_role current_time current_timestamp
    current_user default deferrable desc distinct do else end except false fetch for foreign from
    grant group having in initially intersect into lateral leading limit localtime localtimestamp
    not null offset on only or order placing primary references returning select session_user some
    symmetric system_user table then to trailing true union unique user using variadic when where
    window with
"""
RESERVED = frozenset(_RESERVED_LIST.split())
"""Words that are never a name unless quoted, after AS or after a dot."""

_NO_TABLE_LIST = """
    authorization binary collation concurrently cross current_schema freeze full ilike inner is
    isnull join left like natural notnull outer overlaps right similar tablesample verbose
"""
NO_TABLE = frozenset(_NO_TABLE_LIST.split())
"""Words that may name a function or a type, and no table or column."""

_VALUES_LIST = """
    end null true false current_date current_time current_timestamp localtime localtimestamp
    current_user session_user user current_role current_catalog current_schema default
"""
_VALUES = frozenset(_VALUES_LIST.split())
"""Reserved words that end an expression."""

_NAME = r"[A-Za-z_\u0080-\U0010ffff]"
_SPACE = re.compile(r"[ \t\n\r\f]+")
_LINE_COMMENT = re.compile(r"--[^\n\r]*")
_WORD = re.compile(_NAME + r"[A-Za-z0-9_$\u0080-\U0010ffff]*")
_BIND = re.compile(r"[A-Za-z_]\w*")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_PLAIN = re.compile(r"'(?:[^']|'')*'")
_ESCAPED = re.compile(r"[eE]'(?:[^\\']|\\.|'')*'", re.DOTALL)
_BITS = re.compile(r"[bBxX]'[^']*'")
_CONTINUED = re.compile(r"(?:[ \t\f]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f]|--[^\n\r]*[\n\r])*'")
_DOLLAR = re.compile(rf"\$(?:{_NAME}[A-Za-z0-9_\u0080-\U0010ffff]*)?\$")
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_OPERATOR = re.compile(r"[~!@#^&|`?+\-*/%<>=]{1,64}")
_MARKS = ",()[].;:"
_NAME_BYTES = 63
"""A longer name would be cut there, and be another one."""


class Kind(enum.Enum):
    """What a lexeme is."""

    WORD = enum.auto()
    QUOTED = enum.auto()
    STRING = enum.auto()
    NUMBER = enum.auto()
    BIND = enum.auto()
    PARAMETER = enum.auto()
    OPERATOR = enum.auto()
    MARK = enum.auto()


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A token and where it stands; *end* is exclusive."""

    kind: Kind
    start: int
    end: int
    value: str
    """Of a name: as the server folds it; of a bind: its name; else the text."""

    @property
    def named(self) -> bool:
        """Whether it may be a name."""
        return self.kind in (Kind.WORD, Kind.QUOTED)

    def word(self, *words: str) -> bool:
        """Whether it is one of these words of the language."""
        return self.kind is Kind.WORD and self.value in words

    def mark(self, mark: str) -> bool:
        return self.kind is Kind.MARK and self.value == mark


def lexemes(sql: str, *, numbered: bool = False) -> list[Lexeme]:
    """
    The tokens of a statement.  Raises BadSyntax, StatementRefused.

    Args:
        numbered: take ``$1`` for a parameter, as in a text of the gateway's own.
    """
    return _Scanner(sql, numbered).scan()


class _Scanner:
    def __init__(self, sql: str, numbered: bool) -> None:
        self._sql = sql
        self._numbered = numbered
        self._at = 0
        self._found: list[Lexeme] = []
        self._open: list[str] = []

    def scan(self) -> list[Lexeme]:
        while self._at < len(self._sql):
            if not self._skip():
                self._one()
        return self._found

    # ------------------------------------------------------------ spaces and comments

    def _skip(self) -> bool:
        for pattern in (_SPACE, _LINE_COMMENT):
            if found := pattern.match(self._sql, self._at):
                self._at = found.end()
                return True
        if self._sql.startswith("/*", self._at):
            self._at = self._comment_end(self._at)
            return True
        return False

    def _comment_end(self, start: int) -> int:
        """Comments nest."""
        depth, at, closed = 1, start + 2, -1
        while depth:
            if closed < at:
                closed = self._sql.find("*/", at)
            opened = self._sql.find("/*", at, max(closed, 0))
            if closed < 0:
                raise self._broken("a comment does not end", start)
            if 0 <= opened < closed:
                depth, at = depth + 1, opened + 2
            else:
                depth, at = depth - 1, closed + 2
        return at

    # ------------------------------------------------------------ tokens

    def _one(self) -> None:
        sql, at = self._sql, self._at
        sign = sql[at]
        if sign == "'":
            self._string(_PLAIN)
        elif sign == '"':
            self._quoted()
        elif sign == "$":
            self._dollar()
        elif found := _NUMBER.match(sql, at):
            self._number(found)
        elif _WORD.match(sql, at):
            self._word()
        elif sign == ":" and self._is_bind():
            self._bind()
        elif sign in _MARKS:
            self._mark()
        elif _OPERATOR.match(sql, at):
            self._operator()
        else:
            raise self._broken("there is a sign that SQL does not have", at)

    def _word(self) -> None:
        sql, at = self._sql, self._at
        following = sql[at + 1 : at + 3]
        escapes = {"e": _ESCAPED, "b": _BITS, "x": _BITS}.get(sql[at].lower())
        if following[:1] == "'" and escapes is not None:
            self._string(escapes, continued=False)
            return
        if following[:1] == "'" and sql[at] in "nN":
            raise self._refused("national strings (N'…') are not taken: leave out the N", at)
        if sql[at] in "uU" and following in ("&'", '&"'):
            raise self._refused("names and texts with U& are not taken: write the signs", at)
        found = _WORD.match(sql, at)
        assert found is not None
        for offset, char in enumerate(found[0]):
            if char > "\x7f" and unicodedata.category(char)[0] in "ZC":
                raise self._refused(
                    "a sign that looks like a space, or like nothing, is part of a name here",
                    at + offset,
                )
        self._name(Kind.WORD, found.end(), folded(found[0]))

    def _quoted(self) -> None:
        found = _QUOTED.match(self._sql, self._at)
        if found is None:
            raise self._broken("a quoted name does not end", self._at)
        if not found[1]:
            raise self._broken("a quoted name is empty", self._at)
        self._name(Kind.QUOTED, found.end(), found[1].replace('""', '"'))

    def _name(self, kind: Kind, end: int, value: str) -> None:
        if len(value.encode("utf-8", "surrogatepass")) > _NAME_BYTES:
            raise self._refused(f"a name is longer than {_NAME_BYTES} bytes", self._at)
        self._add(kind, end, value)

    def _string(self, pattern: re.Pattern[str], *, continued: bool = True) -> None:
        found = pattern.match(self._sql, self._at)
        if found is None:
            raise self._broken("a text does not end", self._at)
        if not continued and _CONTINUED.match(self._sql, found.end()):
            # The next part would be read with the same escapes, though it does not show them.
            raise self._refused("a text with escapes goes on in another line", found.end())
        self._add(Kind.STRING, found.end(), found[0])

    def _dollar(self) -> None:
        found = _DOLLAR.match(self._sql, self._at)
        if found is None:
            number = re.compile(r"\$\d+(?![\w$])", re.ASCII).match(self._sql, self._at)
            if number is None or not self._numbered:
                raise StatementRefused(
                    "parameters are written :name",
                    hint="Other forms (?, ?1, @name, $name) are not taken.",
                    position=position_of(self._sql, self._at),
                    next=_FIX,
                )
            self._add(Kind.PARAMETER, number.end(), number[0])
            return
        close = self._sql.find(found[0], found.end())
        if close < 0:
            raise self._broken("a text in dollar quotes does not end", self._at)
        end = close + len(found[0])
        self._add(Kind.STRING, end, self._sql[self._at : end])

    def _number(self, found: re.Match[str]) -> None:
        end = found.end()
        after = self._sql[end : end + 1]
        if after == "." or after == "$" or _WORD.match(self._sql, end):
            raise self._broken("a number is followed by something that is not part of it", end)
        self._add(Kind.NUMBER, end, found[0])

    def _operator(self) -> None:
        found = _OPERATOR.match(self._sql, self._at)
        assert found is not None
        text = found[0]
        for comment in ("/*", "--"):
            if (cut := text.find(comment)) > 0:
                text = text[:cut]
        if len(text) > _NAME_BYTES:
            raise self._refused("an operator is too long", self._at)
        if not re.search(r"[~!@#^&|`?%]", text):
            text = text[0] + text[1:].rstrip("+-")
        self._add(Kind.OPERATOR, self._at + len(text), text)

    def _mark(self) -> None:
        sql, at = self._sql, self._at
        sign = sql[at : at + 2] if sql[at : at + 2] in ("::", ":=", "..") else sql[at]
        if sign == "..":
            raise self._broken("there are two dots", at)
        if sign in "([":
            self._open.append(sign)
        elif sign in ")]" and self._open:
            self._open.pop()
        self._add(Kind.MARK, at + len(sign), sign)

    # ------------------------------------------------------------ parameters

    def _is_bind(self) -> bool:
        """Whether ``:name`` is a parameter here and not the middle of a slice ``a[x:name]``."""
        if self._sql[self._at + 1 : self._at + 2] in (":", "="):
            return False
        if not _BIND.match(self._sql, self._at + 1):
            return False
        return not (self._open and self._open[-1] == "[" and self._ends_expression())

    def _ends_expression(self) -> bool:
        last = self._found[-1]
        if last.kind is Kind.WORD:
            return last.value not in RESERVED or last.value in _VALUES
        return last.kind not in (Kind.OPERATOR, Kind.MARK) or last.value in (")", "]")

    def _bind(self) -> None:
        found = _BIND.match(self._sql, self._at + 1)
        assert found is not None
        if not found[0].isidentifier() or self._sql[found.end() : found.end() + 1] == "$":
            raise self._refused("parameters are written :name", self._at)
        self._add(Kind.BIND, found.end(), found[0])

    # ------------------------------------------------------------ words

    def _add(self, kind: Kind, end: int, value: str) -> None:
        self._found.append(Lexeme(kind, self._at, end, value))
        self._at = end

    def _broken(self, text: str, offset: int) -> BadSyntax:
        return BadSyntax(text, position=position_of(self._sql, offset), next=_FIX)

    def _refused(self, text: str, offset: int) -> StatementRefused:
        return StatementRefused(text, position=position_of(self._sql, offset), next=_FIX)
