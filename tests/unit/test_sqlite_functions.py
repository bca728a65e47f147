"""The functions made anew give what SQLite's own give, in time in proportion to the text."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from jupyter_gov.engines.sqlite.functions import MAX_VALUE, install

VALUES = [
    "NULL", "''", "'abc'", "'aXbXc'", "'X'", "'éaé'", "'é'", "1", "-12", "0", "1.0", "1e20",
    "-0.1", "1e-7", "123456789.125", "9e999", "x'6162'", "x'62'", "x''", "'a' || char(0) || 'b'",
    "char(0)", "'  a '", "' '", "'ab'", "9223372036854775807", "'😀a😀'",
]  # fmt: skip
NOTHING = ("''", "char(0)", "x''")


@pytest.fixture
def ours() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
        install(connection)
        yield connection


@pytest.fixture
def theirs() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


class TestSameResults:
    @pytest.mark.parametrize("name", ["instr", "trim", "ltrim", "rtrim"])
    def test_two_arguments_of_every_type_give_the_same_value_and_type(self, ours, theirs, name):
        """Numbers, blobs, empty texts and NUL included."""
        for pair in itertools.product(VALUES, VALUES):
            call = f"{name}({', '.join(pair)})"
            sql = f"SELECT {call}, typeof({call})"
            assert ours.execute(sql).fetchone() == theirs.execute(sql).fetchone(), sql

    def test_replace_gives_the_same_value_and_type(self, ours, theirs):
        """What is replaced, by what, and when nothing is."""
        third = ["'-'", "''", "1.5", "NULL", "x'63'"]
        for parts in itertools.product(VALUES, VALUES, third):
            if parts[1] in NOTHING and parts[0][0] in "-0123456789":
                continue  # a number stays one, or becomes a text: SQLite changed its mind
            call = f"replace({', '.join(parts)})"
            sql = f"SELECT {call}, typeof({call})"
            assert ours.execute(sql).fetchone() == theirs.execute(sql).fetchone(), sql


class TestBoundedTime:
    @pytest.mark.parametrize(
        "call",
        [
            "instr({whole}, {half} || 'b')",
            "replace({whole}, {half} || 'b', '')",
            "trim({whole}, {half} || 'a')",
            "ltrim({whole}, {half} || 'a')",
            "rtrim({whole}, {half} || 'a')",
        ],
    )
    def test_the_worst_texts_take_seconds_at_most(self, ours, call):
        """4 MB against 2 MB: SQLite's own take minutes to hours, and cannot be interrupted."""
        whole = f"printf('%.{MAX_VALUE - 10}c', 'a')"
        half = f"printf('%.{MAX_VALUE // 2}c', 'a')"
        began = time.monotonic()
        ours.execute(f"SELECT length({call.format(whole=whole, half=half)})").fetchone()
        assert time.monotonic() - began < 10

    def test_a_replacement_that_grows_beyond_the_limit_is_refused_before_it_is_made(self, ours):
        """4 MB of letters, each replaced by 4 MB, would be 16 TB."""
        whole = f"printf('%.{MAX_VALUE - 10}c', 'a')"
        with pytest.raises(sqlite3.DataError, match="too big"):
            ours.execute(f"SELECT replace({whole}, 'a', {whole})").fetchone()
