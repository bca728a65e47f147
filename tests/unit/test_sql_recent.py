"""Statements that were read a moment ago."""

from __future__ import annotations

import pytest

from jupyter_gov.errors import BadSyntax
from jupyter_gov.sql.recent import KEPT, LONGEST, remembering


@pytest.fixture
def reader():
    """Counts what is really read."""

    class Reader:
        def __init__(self):
            self.texts = []
            self.read = remembering(self._read)

        def _read(self, sql, dialect):
            self.texts.append(sql)
            if sql.startswith("!"):
                raise BadSyntax("no")
            return sql.upper()

    return Reader()


class TestRemembering:
    def test_the_same_is_read_once(self, reader):
        """Of each dialect."""
        assert [reader.read("a", "x"), reader.read("a", "x"), reader.read("a", "y")] == ["A"] * 3
        assert reader.texts == ["a", "a"]

    def test_what_is_refused_is_not_kept(self, reader):
        """A refusal belongs to one request: its record's id is put into it."""
        for _ in range(2):
            with pytest.raises(BadSyntax):
                reader.read("!", "x")
        assert len(reader.texts) == 2

    def test_what_is_long_is_not_kept(self, reader):
        """It would take a hundred times its size."""
        for _ in range(2):
            reader.read("a" * LONGEST, "x")
            reader.read("a" * (LONGEST + 1), "x")
        assert len(reader.texts) == 3

    def test_only_so_many_are_kept(self, reader):
        """The oldest go."""
        for number in range(KEPT + 1):
            reader.read(str(number), "x")
        reader.read("0", "x")
        assert len(reader.texts) == KEPT + 2
