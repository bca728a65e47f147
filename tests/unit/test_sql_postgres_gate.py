"""The doorman in front of PostgreSQL: it reads what the server reads, and calls what is listed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gov.engines.postgres.functions import FUNCTIONS
from jupyter_gov.errors import BadSyntax, GovError, StatementRefused
from jupyter_gov.kernel import magics
from jupyter_gov.sql.gate import Source, Statement
from jupyter_gov.sql.gate import read as read_any
from jupyter_gov.sql.postgres_lexemes import Kind, lexemes
from tests.support.gateway import ROOT

CASES = ROOT / "tests" / "cases" / "postgres"


def cases(name: str) -> list[dict[str, Any]]:
    """The lines of a case file."""
    return [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8").splitlines()]


def read(sql: str, *more: str) -> Statement:
    """With PostgreSQL's own list, and *more* functions."""
    return read_any(sql, "postgres", FUNCTIONS | set(more))


class TestAttacks:
    @pytest.mark.parametrize("case", cases("gate.jsonl"), ids=lambda case: case["id"])
    def test_each_is_refused(self, case):
        """For its own reason, where the case says which."""
        with pytest.raises((StatementRefused, BadSyntax)) as refused:
            read(case["sql"])
        assert case.get("says", "") in str(refused.value)

    def test_there_are_many_and_each_once(self):
        """A case that stands twice tests nothing more."""
        attacks = cases("gate.jsonl")
        assert len({case["id"] for case in attacks}) == len(attacks)
        assert len({case["sql"] for case in attacks}) == len(attacks) > 200


class TestOrdinary:
    @pytest.mark.parametrize("case", cases("gate_passes.jsonl"), ids=lambda case: case["id"])
    def test_each_passes(self, case):
        """As it is written, character by character."""
        statement = read(case["sql"])
        assert statement.text == case["sql"]
        assert statement.binds == tuple(case.get("binds", ()))

    @pytest.mark.parametrize(
        "line",
        (ROOT / "tests" / "cases" / "legit.jsonl").read_text().splitlines(),
        ids=lambda line: json.loads(line)["id"],
    )
    def test_so_do_the_hospitals_own(self, line):
        """With the one function of its own that they call."""
        assert read(json.loads(line)["sql"], "fn_stay_hours").action == "read"


class TestFunctions:
    def test_a_function_of_ones_own_may_be_listed(self):
        """With its schema, without it, or both."""
        assert read("SELECT fn_x(1)", "fn_x")
        assert read("SELECT public.fn_x(1)", "public.fn_x")
        with pytest.raises(StatementRefused):
            read("SELECT public.fn_x(1)", "fn_x")

    def test_a_refusal_names_it_its_place_and_what_is_near(self):
        """The next word to try."""
        with pytest.raises(StatementRefused) as refused:
            read("SELECT 1,\n  strng_agg(a, ',') FROM t")
        assert refused.value.position.line == 2
        assert refused.value.position.column == 3
        assert "string_agg" in refused.value.near

    def test_without_a_list_nothing_may_be_called(self):
        """It fails closed."""
        with pytest.raises(StatementRefused):
            read_any("SELECT lower('x')", "postgres")

    @pytest.mark.parametrize("name", ["name", "value", "date", "id", "order", "user", "has_it"])
    def test_columns_after_a_dot_are_columns(self, name):
        """Though `t.f` could call the function f."""
        assert read(f"SELECT t.{name}, (t).{name} FROM t")


class TestRelations:
    @pytest.mark.parametrize(
        ("sql", "relations"),
        [
            ("SELECT * FROM Patients, public.Claims, \"Odd\"",
             ("patients", "public.claims", "Odd")),
            ("SELECT * FROM \"Public\".\"a.b\"", ('Public."a.b"',)),
            ("WITH a AS (SELECT 1) SELECT * FROM a, public.a", ("public.a",)),
            ("WITH a AS (SELECT 1) SELECT * FROM \"A\"", ("A",)),
            ("WITH A AS (SELECT 1) SELECT * FROM a", ()),
            ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b", ("b",)),
            ("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", ()),
            ("WITH patients AS (SELECT * FROM patients) SELECT * FROM patients", ("patients",)),
            ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a", ("a",)),
            ("(WITH a AS (SELECT 1) SELECT * FROM a) UNION SELECT * FROM a", ("a",)),
            ("WITH a AS (SELECT 1) SELECT * FROM a UNION SELECT * FROM a", ()),
            ("WITH a AS (SELECT 1) SELECT (SELECT max(x) FROM a, c)", ("c",)),
            ("TABLE patients", ("patients",)),
            ("SELECT * FROM ONLY patients", ("patients",)),
            ("SELECT * FROM generate_series(1, 2) AS g, unnest(array[1]) u", ()),
            ("SELECT * FROM ROWS FROM (generate_series(1, 2)) t", ()),
            ("SELECT x IN (SELECT y FROM b), x = ANY (SELECT z FROM c) FROM a", ("a", "b", "c")),
            ("EXPLAIN SELECT * FROM patients", ("patients",)),
        ],
    )  # fmt: skip
    def test_what_a_statement_names(self, sql, relations):
        """Folded, with the schema where one is written; a WITH counts only where it is seen."""
        assert set(read(sql).relations) == set(relations)

    def test_sources_are_named_alike(self):
        """So that a column can be looked up."""
        assert read("SELECT p.Name FROM public.Patients p").sources == (
            Source("public.patients", "name"),
        )


class TestExplain:
    @pytest.mark.parametrize(
        ("sql", "begins"),
        [
            ("EXPLAIN SELECT 1", "SELECT 1"),
            ("explain (costs off) (SELECT 1)", "(SELECT 1)"),
            ("EXPLAIN (FORMAT json, COSTS) -- so\n WITH a AS (SELECT 1) TABLE a", "WITH a"),
            ("EXPLAIN (SELECT 1)", "(SELECT 1)"),
        ],
    )
    def test_the_query_of_it_is_told_apart(self, sql, begins):
        """An engine explains it in its own way."""
        statement = read(sql)
        assert statement.kind == "explain"
        assert statement.text[statement.begin :].startswith(begins)

    def test_a_query_is_none(self):
        """Its query begins where it does."""
        assert read(" SELECT 1").kind == "query"


class TestHints:
    def test_each_magic_in_a_reason_is_one(self):
        """The next step must be one that can be taken."""
        for case in cases("gate.jsonl"):
            with pytest.raises(GovError) as refused:
                read(case["sql"])
            for verb in re.findall(r"%gov ([a-z]+)", str(refused.value)):
                assert verb in magics._VERBS


class TestPlaces:
    @pytest.mark.parametrize(
        ("sql", "word"),
        [
            ("SELECT :from, 'é',\n pg_sleep(1)", "pg_sleep"),
            ("SELECT $$a\nb$$ FRM patients", "patients"),
            ("SELECT /* x\n */ * FROM pg_class", "pg_class"),
            ("SELECT 1 FROM public.t, information_schema . tables", "information_schema"),
            ("SELECT 1\n; SELECT 2", ";"),
            ("SELECT a FROM t WHERE b FOR UPDATE", "FOR"),
        ],
    )
    def test_they_are_places_of_the_users_own_text(self, sql, word):
        """Whatever the parser was given instead."""
        with pytest.raises(GovError) as refused:
            read(sql)
        assert sql[refused.value.position.offset :].startswith(word)


class TestNames:
    @pytest.mark.parametrize(
        "word", ["qualify", "regexp", "glob", "drop", "lock", "semi", "top", "final", "sample"]
    )
    def test_other_databases_words_are_names_here(self, word):
        """As a column, an alias, a table and a WITH."""
        sql = f"SELECT {word}, t.{word}, 1 AS {word} FROM {word}, t {word}"
        assert read(sql).relations == (word, "t")
        assert read(f"WITH {word} AS (SELECT 1) SELECT * FROM {word}").relations == ()

    @pytest.mark.parametrize("word", ["end", "left", "user", "select", "limit", "grant", "from"])
    def test_words_of_the_language_are_names_after_as_and_a_dot(self, word):
        """PostgreSQL takes them there without quotes."""
        assert read(f"SELECT 1 AS {word}, t.{word} FROM t").sources == (None, Source("t", word))


class TestBinds:
    @pytest.mark.parametrize(
        ("sql", "binds"),
        [
            ("SELECT :from, :grant, :select, :user, :a", ("from", "grant", "select", "user", "a")),
            ("SELECT a[1:n], a[:n], a[:n:m], a[(1):n], a[f:n]", ("n",)),
            ("SELECT a[lower(:x):2]", ("x",)),
            ("SELECT 'a'::text, ':x', $$:y$$, \":z\", E':w' -- :v", ()),
            ("SELECT 1 WHERE a=:b AND c<:b::int OR d=ANY(:e)", ("b", "e")),
        ],
    )
    def test_where_they_are(self, sql, binds):
        """Not in texts, casts, slices or comments; and a word of SQL is as good a name as any."""
        assert read(sql).binds == binds


class TestTheServersTokens:
    @pytest.mark.parametrize(
        ("sql", "values"),
        [
            ("a+-b", ["a", "+", "-", "b"]),
            ("a@-b", ["a", "@-", "b"]),
            ("a<--b\nc", ["a", "<", "c"]),
            ("a*/*x*/b", ["a", "*", "b"]),
            ("1-1", ["1", "-", "1"]),
            ("a::b", ["a", "::", "b"]),
            ("É_é$1", ["É_é$1"]),
            ('ABC "ABC" "a""b"', ["abc", "ABC", 'a"b']),
            ("$a$ $b$ $a$ 1", ["$a$ $b$ $a$", "1"]),
            ("'a''b'c", ["'a''b'", "c"]),
            ("E'a\\'b'c", ["E'a\\'b'", "c"]),
            ("a -- x\rb", ["a", "b"]),
        ],
    )
    def test_they_are_cut_as_the_scanner_cuts_them(self, sql, values):
        """Operators are as long as they can be, but for a sign at the end and a comment."""
        assert [lexeme.value for lexeme in lexemes(sql)] == values

    @given(st.text(alphabet="ab_1$'\"/*-+@.:;[]() \n\r\\Ee", max_size=30))
    def test_tokens_do_not_overlap_and_leave_only_space(self, sql):
        """Nothing of a text is lost between them."""
        try:
            found = lexemes(sql)
        except GovError:
            return
        at = 0
        for lexeme in found:
            assert lexeme.start >= at
            gap = sql[at : lexeme.start]
            assert not gap.strip(" \n\r") or gap.lstrip(" \n\r").startswith(("--", "/*"))
            at = lexeme.end

    @settings(max_examples=300)
    @given(st.text(max_size=100))
    def test_any_text_passes_or_is_refused(self, sql):
        """Whatever comes, nothing but the tree's own errors leaves the gate."""
        try:
            statement = read(sql)
        except GovError:
            return
        assert statement.text == sql

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT " + "(" * 5000 + "1" + ")" * 5000,
            "SELECT " + "lower(" * 3000 + "'a'" + ")" * 3000,
            "SELECT " + "- " * 40_000 + "1",
            "SELECT " + "/*" * 20_000 + "*/" * 20_000,
            "SELECT " + "/*" * 20_000 + "*/" * 19_999,
            "SELECT " + "'" * 50_001,
            "SELECT " + "+-" * 40_000 + "1",
            "SELECT " + "a[" * 20_000,
            "SELECT * FROM " + "(SELECT * FROM " * 4000 + "t" + ")" * 4000,
        ],
        ids=["parentheses", "calls", "minus", "comments", "open", "quotes", "signs", "[", "deep"],
    )
    def test_depth_takes_no_time(self, sql):
        """It is refused, or passes, without taking the gateway down."""
        try:
            read(sql)
        except GovError:
            return

    def test_a_parameter_of_the_gateways_own_is_read_where_asked(self):
        """In the text that runs, and only there."""
        assert lexemes("$1", numbered=True)[0].kind is Kind.PARAMETER
        with pytest.raises(StatementRefused):
            lexemes("$1")
