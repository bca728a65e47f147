"""Edits of the user's text: numbers for parameters, other schemas, and the places afterwards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.engines.postgres.functions import FUNCTIONS
from jupyter_gov.errors import GovError
from jupyter_gov.sql.binds import numbered
from jupyter_gov.sql.edits import Edit, edited, origin
from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.gate import read as read_any
from jupyter_gov.sql.qualify import requalified, same_place

SCHEMAS = {"public": "gov_x_public", "billing": 'gov"b', "Odd": "o"}


def read(sql: str) -> Statement:
    return read_any(sql, "postgres", FUNCTIONS | {"public.fn", "fn"})


class TestNumbered:
    @pytest.mark.parametrize(
        ("sql", "text", "names"),
        [
            ("SELECT :a, :b, :a", "SELECT $1, $2, $1", ("a", "b")),
            ("SELECT :from::int, a::int", "SELECT $1::int, a::int", ("from",)),
            ("SELECT a[1:n], a[:n]", "SELECT a[1:n], a[$1]", ("n",)),
            ("SELECT ':a', $$:b$$ /* :c */, E'\\':d'", None, ()),
            ("SELECT 1 WHERE x=:a", "SELECT 1 WHERE x=$1", ("a",)),
        ],
    )
    def test_where_parameters_stand(self, sql, text, names):
        """And nowhere else."""
        assert numbered(sql, "postgres") == (text or sql, names)

    def test_an_order_may_be_given(self):
        """What it does not name comes after."""
        assert numbered("SELECT :a, :b", "postgres", ["b"]) == ("SELECT $2, $1", ("b", "a"))

    def test_in_another_dialect(self):
        """By the parser's own tokens."""
        assert numbered("SELECT :group, [:x], ':y'", "sqlite") == (
            "SELECT $1, [:x], ':y'", ("group",),
        )  # fmt: skip


class TestRequalified:
    @pytest.mark.parametrize(
        ("sql", "text"),
        [
            ("SELECT * FROM public.patients", 'SELECT * FROM "gov_x_public".patients'),
            ('SELECT 1 FROM "public" . "P" p', 'SELECT 1 FROM "gov_x_public" . "P" p'),
            ("SELECT * FROM PUBLIC.patients", 'SELECT * FROM "gov_x_public".patients'),
            ("SELECT * FROM billing.g, patients", 'SELECT * FROM "gov""b".g, patients'),
            ('SELECT * FROM "Odd".t, odd.t', 'SELECT * FROM "o".t, odd.t'),
            ("SELECT public.patients.mrn, public.patients.* FROM public.patients",
             'SELECT "gov_x_public".patients.mrn, "gov_x_public".patients.*'
             ' FROM "gov_x_public".patients'),
            ("SELECT public.fn(1), fn(2)", 'SELECT "gov_x_public".fn(1), fn(2)'),
            ("SELECT public.a, 'public.a' FROM t public", None),
            ("SELECT p.public, public FROM t p -- public.t", None),
            ("SELECT x.public.y FROM t", None),
            ("WITH public AS (SELECT 1 AS a) SELECT public.a FROM public", None),
        ],
    )  # fmt: skip
    def test_schemas_and_nothing_else(self, sql, text):
        """Before tables, columns with their table's schema, and called functions."""
        assert requalified(read(sql), SCHEMAS) == (text or sql)

    @given(st.lists(st.sampled_from(
        ["public", ".", " ", "patients", "(", ")", ",", "'public.x'", '"public"', "SELECT", "FROM",
         "--\n", ":a", "/*public.*/", "AS", "1"]
    ), max_size=12).map(" ".join))  # fmt: skip
    def test_only_schemas_change(self, text):
        """Whatever the statement."""
        try:
            statement = read("SELECT 1 FROM public.t WHERE 1 = " + text)
        except GovError:
            return
        other = requalified(statement, {"public": "p"})
        plain = other.replace('"p"', "public").replace('"public"', "public")
        assert plain == statement.text.replace('"public"', "public")


class TestPlaces:
    def test_a_place_in_what_ran_is_one_in_what_was_written(self):
        """Tokens are counted from the end, so that another beginning does no harm."""
        written = "EXPLAIN SELECT :a,\n p.mrn FROM public.patients p WHERE p.x = :b;"
        text = requalified(read(written), SCHEMAS)
        ran = "EXPLAIN (FORMAT JSON, COSTS off) " + numbered(text, "postgres")[0][8:]
        for word in ("mrn", "WHERE", "patients"):
            assert same_place(ran, ran.index(word), written) == written.index(word)
        assert same_place(ran, ran.index("$2"), written) == written.index(":b")
        assert same_place(ran, ran.index('"gov_x'), written) == written.index("public")

    def test_what_has_none_is_not_guessed(self):
        """A sign of ours, or a text that is another."""
        assert same_place("SELECT 1 FROM x", 9, "SELECT 1") is None
        assert same_place("SELECT a", 7, "SELECT b") is None
        assert same_place("SELECT a", 100, "SELECT a") is None


class TestEdits:
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.text("xy", max_size=4))))
    def test_a_place_finds_its_way_back(self, parts):
        """Every sign that was not edited."""
        text, edits, at = "", [], 0
        for gap, length, new in parts:
            at += gap
            edits.append(Edit(at, at + length, new))
            at += length
        text = "".join(chr(0x100 + i) for i in range(at + 3))
        made = edited(text, edits)
        for offset, sign in enumerate(made):
            if sign in text:
                assert origin(edits, offset) == text.index(sign)
            else:
                assert origin(edits, offset) is None
