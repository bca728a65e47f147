"""The magics' own parts: parameters found as the gate finds them, and arguments read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.error import UsageError

from jupyter_gov.errors import BindMissing, GovError
from jupyter_gov.kernel import api
from jupyter_gov.kernel.magics import _ASSIGN, _VERBS, GOV_USAGE, GovMagics, bind_names
from jupyter_gov.sql.gate import read


class TestBindNames:
    @pytest.mark.parametrize(
        ("sql", "names"),
        [
            ("SELECT :a, :b, :a", ["a", "b"]),
            ("SELECT ':a', \":b\", [:c], `:d`", []),
            ("SELECT 'it''s :a', :b", ["b"]),
            ("SELECT 1 -- :a\n, :b", ["b"]),
            ("SELECT 1 /* :a\n:b */, :c", ["c"]),
            ("SELECT a::text, :b::int", ["b"]),
            ("SELECT '10:30', :a_1, :é", ["a_1", "é"]),
            ("SELECT :1, :", []),
            ("", []),
        ],
    )
    def test_outside_of_strings_comments_and_names(self, sql, names):
        """Once each, in order."""
        assert bind_names(sql) == names

    @settings(max_examples=400)
    @given(
        st.lists(
            st.sampled_from(
                [":a", ":b", "'", '"', "`", "[", "]", "--", "/*", "*/", "\n", "''", " , ", "1",
                 " AS x ", "::", "||", " ", "(", ")", "\r", "\\"]
            ),
            max_size=10,
        ).map("".join)
    )  # fmt: skip
    def test_as_the_gate_and_the_database_find_them(self, text):
        """What the gateway will ask for is what the notebook sends; no more, no less."""
        sql = "SELECT 1" + text
        try:
            statement = read(sql, "sqlite")
            with closing(sqlite3.connect(":memory:")) as connection:
                connection.execute(sql, dict.fromkeys("ab"))
        except (GovError, sqlite3.Error, sqlite3.Warning):
            return
        assert set(bind_names(sql)) == set(statement.binds)


class TestTheFirstLine:
    @pytest.mark.parametrize(
        ("line", "name", "rest"),
        [
            ("df << clinic", "df", "clinic"),
            ("  df<<clinic --limit 5", "df", "clinic --limit 5"),
            ("données << clinic", "données", "clinic"),
        ],
    )
    def test_a_name_to_assign_to(self, line, name, rest):
        """Before the arrow; what follows is read as without it."""
        assert _ASSIGN.fullmatch(line).groups() == (name, rest)

    @pytest.mark.parametrize("line", ["clinic", "clinic --note 'a << b'", "2df << clinic", "<< x"])
    def test_none(self, line):
        """An arrow elsewhere is a note's own."""
        assert _ASSIGN.fullmatch(line) is None


@pytest.fixture
def magics(monkeypatch):
    """Over a namespace, and a connection that only notes what it is asked."""
    asked = []

    class Noted:
        def query(self, sql, **options):
            asked.append((sql, options))
            raise GovError("not today")

        explain = query

    monkeypatch.setattr(api, "connect", lambda name: asked.append(name) or Noted())
    made = GovMagics(SimpleNamespace(user_ns={}))
    made.asked = asked
    return made


class TestGovsql:
    def run(self, magics, line, cell="SELECT 1"):
        with pytest.raises(GovError, match="not today"):
            magics.govsql(line, cell)
        return magics.asked[-1][1]

    def test_values_come_from_the_namespace(self, magics):
        """As parameters: the statement is sent as it was typed."""
        magics.shell.user_ns["state"] = "'; DROP TABLE x; --"
        options = self.run(magics, "clinic", "SELECT :state")
        assert magics.asked[0] == "clinic"
        assert magics.asked[1][0] == "SELECT :state"
        assert options["binds"] == {"state": "'; DROP TABLE x; --"}

    def test_a_variable_that_is_missing(self, magics):
        """Is named; nothing is sent."""
        with pytest.raises(BindMissing, match="no variable state"):
            magics.govsql("clinic", "SELECT :state")
        assert magics.asked == []

    @pytest.mark.parametrize(
        ("line", "option", "value"),
        [
            ("clinic", "on_limit", "raise"),
            ("clinic --limit 5", "on_limit", "truncate"),
            ("clinic --limit 5", "limit", 5),
            ("clinic --note 'two words'", "note", "two words"),
            ("clinic --grant G-1", "grant", "G-1"),
            ("clinic --arrow", "dtype_backend", "pyarrow"),
            ("df << clinic --limit 0", "limit", 0),
        ],
    )
    def test_options(self, magics, line, option, value):
        """A limit that was asked for may cut; none may not."""
        assert self.run(magics, line)[option] == value

    def test_explain_runs_nothing(self, magics):
        """Parameters are sent without values: none is looked up."""
        with pytest.raises(GovError, match="not today"):
            magics.govsql("clinic --explain --grant G-1", "SELECT :state")
        assert magics.asked == ["clinic", ("SELECT :state", {"grant": "G-1"})]

    @pytest.mark.parametrize(
        "line", ["", "clinic --limit many", "clinic --limit", "clinic x", "clinic --note 'open"]
    )
    def test_a_slip_shows_the_usage(self, magics, line):
        """And sends nothing."""
        with pytest.raises(UsageError, match="CONNECTION"):
            magics.govsql(line, "SELECT 1")
        assert magics.asked == []


class TestGov:
    def test_alone_it_lists_its_commands(self, magics, capsys):
        """Each with a word on what it does."""
        magics.gov("")
        assert capsys.readouterr().out.strip() == GOV_USAGE.strip()
        assert {line.split()[1] for line in GOV_USAGE.splitlines()} == set(_VERBS)

    @pytest.mark.parametrize("sql", ["SELECT 'it''s', \"a b\"", "SELECT 1 -- it's"])
    def test_explain_takes_the_statement_as_it_is(self, magics, sql):
        """Its quotations are SQL's own."""
        with pytest.raises(GovError, match="not today"):
            magics.gov(f"explain clinic {sql}")
        assert magics.asked == ["clinic", (sql, {})]

    @pytest.mark.parametrize(
        "line",
        ["logn", "__class__", "table", "\x1b[2J", "request", "tables", "tables 'open",
         "request clinic --until 5", "login --agent", "explain", "explain clinic"],
    )  # fmt: skip
    def test_a_slip_shows_the_usage(self, magics, line):
        """In place of a stack, and without what a terminal would obey."""
        with pytest.raises(UsageError) as refused:
            magics.gov(line)
        assert "%gov" in str(refused.value)
        assert "\x1b" not in str(refused.value)
