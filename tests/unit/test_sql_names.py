"""Where a name stands in the user's own statement, and which known names look like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.sql.names import near_matches, place_of


class TestPlaces:
    @pytest.mark.parametrize(
        ("name", "sql", "place"),
        [
            ("nmae", "SELECT nmae FROM t", (1, 8)),
            ("NMAE", "SELECT 1,\n  nmae FROM t", (2, 3)),
            ("p.nmae", "SELECT nmae, p.nmae FROM t p", (1, 14)),
            ("nmae", 'SELECT "nmae" FROM t', (1, 8)),
            ("nmae", "SELECT 'x' -- nmae\n, nmae FROM t", (2, 3)),
            ("nmae", "SELECT 'nmae', nmae FROM t", (1, 16)),
        ],
        ids=["plain", "other case", "qualified", "quoted", "not in a comment", "not in a string"],
    )
    def test_the_first_place(self, name, sql, place):
        """Line and column from 1; a qualified name is found whole."""
        found = place_of(name, sql, "sqlite")
        assert (found.line, found.column) == place

    @pytest.mark.parametrize(
        ("name", "sql"),
        [
            ("secret", "SELECT 1"),
            ("patients.name", "SELECT name FROM patients"),
            ("x", "SELECT 'unterminated x"),
            ("", "SELECT 1"),
            ("nmae", "SELECT 1 /* nmae */"),
        ],
    )
    def test_none_for_what_the_user_did_not_write(self, name, sql):
        """Then the database's text about it must not be shown."""
        assert place_of(name, sql, "sqlite") is None

    @given(st.text(max_size=40), st.text(max_size=80))
    def test_no_text_breaks_it(self, name, sql):
        """It only helps to explain; it never fails."""
        found = place_of(name, sql, "sqlite")
        assert found is None or 0 <= found.offset < len(sql)


class TestNearMatches:
    @pytest.mark.parametrize(
        ("name", "near"),
        [
            ("brith_date", ("birth_date",)),
            ("p.MNR", ("MRN",)),
            ("zzz", ()),
            ("", ()),
        ],
    )
    def test_known_names_that_look_like_it(self, name, near):
        """In their own spelling; a qualifier is not compared."""
        assert near_matches(name, ["birth_date", "MRN", "street"]) == near

    def test_at_most_three(self):
        """A help, not a listing."""
        assert len(near_matches("col", [f"col{i}" for i in range(9)])) == 3


class TestPostgres:
    def test_a_parameter_is_found_by_its_name(self):
        """Though it is a word of the language elsewhere."""
        place = place_of("from", "SELECT 1 FROM t WHERE a > :from", "postgres")
        assert place.column == 10  # the first place is the word itself
        assert place_of("n", "SELECT 'n', $$n$$ /* n */, :n", "postgres").offset == 27

    def test_names_in_texts_are_not_found(self):
        """As the server ends its texts."""
        assert place_of("ssn", "SELECT E'\\' ssn', 'ssn\\', name FROM t", "postgres") is None
