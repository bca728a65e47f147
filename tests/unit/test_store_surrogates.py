"""Codes in place of values: random, lasting, the same for all who ask at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from jupyter_gov.errors import Unavailable
from jupyter_gov.store.database import open_state
from jupyter_gov.store.surrogates import Surrogates
from jupyter_gov.store.tables import surrogate

KEY = bytes(range(32))


@pytest.fixture
def engine(memory: Path) -> Iterator[Engine]:
    opened = open_state(memory / "state.sqlite")
    yield opened
    opened.dispose()


class TestCodes:
    def test_are_one_for_a_value(self, engine):
        """Repeated or not, in any order; and none for nothing."""
        codes = Surrogates(engine, KEY).codes
        first = codes("staff", ["ana", "rui", "ana"])
        assert first[0] == first[2] != first[1]
        assert codes("staff", ["rui", "ana"]) == [first[1], first[0]]
        assert codes("staff", []) == []
        assert all(re.fullmatch(r"s_[a-z2-7]{16}", code) for code in first)

    def test_differ_by_domain(self, engine):
        """What joins in one domain does not join across two."""
        codes = Surrogates(engine, KEY).codes
        assert codes("a", ["ana"]) != codes("b", ["ana"])

    def test_are_not_derived_from_the_value(self, memory):
        """Under the same key another store gives another code (45 CFR 164.514(c))."""
        made = []
        for name in ("one", "two"):
            engine = open_state(memory / name)
            made.append(Surrogates(engine, KEY).codes("staff", ["ana"]))
            engine.dispose()
        assert made[0] != made[1]

    def test_last(self, engine):
        """Over a restart."""
        before = Surrogates(engine, KEY).codes("staff", ["ana"])
        assert Surrogates(engine, KEY).codes("staff", ["ana"]) == before

    def test_of_any_text(self, engine):
        """Empty, long, of any script, and what is not Unicode."""
        values = ["", "x" * 100_000, "naïve ⟦gov:", "a\0b", "\ud800"]
        assert len(set(Surrogates(engine, KEY).codes("d", values))) == len(values)

    def test_of_many_values(self, engine):
        """More than one statement may name."""
        codes = Surrogates(engine, KEY).codes("d", [str(i) for i in range(3_000)])
        assert len(set(codes)) == 3_000

    def test_of_values_that_many_name_at_once(self, engine):
        """Nobody gets another's code, and nobody an error."""
        store = Surrogates(engine, KEY)
        values = [str(i) for i in range(200)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: store.codes("d", values), range(16)))
        assert all(answer == answers[0] for answer in answers)


class TestTheStore:
    def test_names_no_value(self, engine, memory):
        """Not in the table, and not in the file."""
        Surrogates(engine, KEY).codes("staff", ["Quartermain"])
        with engine.connect() as c:
            ((name, code),) = c.execute(select(surrogate.c.name, surrogate.c.code)).all()
        assert len(name) == 32
        assert b"Quartermain" not in name + code.encode()
        engine.dispose()
        assert b"Quartermain" not in (memory / "state.sqlite").read_bytes()

    def test_that_cannot_be_read_answers_nothing(self, engine, memory):
        """The statement fails; no value stands in for a code."""
        store = Surrogates(engine, KEY)
        with engine.begin() as c:
            surrogate.drop(c)
        with pytest.raises(Unavailable):
            store.codes("staff", ["ana"])

    def test_takes_no_short_key(self, engine):
        """A key that can be tried out is none."""
        with pytest.raises(ValueError, match="32 bytes"):
            Surrogates(engine, b"short")
