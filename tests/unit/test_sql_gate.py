"""The doorman: one statement, of an allowed kind, understood as the database understands it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gov.errors import BadSyntax, GovError, StatementRefused
from jupyter_gov.sql import gate
from jupyter_gov.sql.gate import Source, read

PATIENTS = Source("patients", "name")


class TestOneStatement:
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 1",
            "select 1;",
            "SELECT 1;;",
            "VALUES (1), (2)",
            "(SELECT 1)",
            "SELECT 1 UNION SELECT 2",
            "WITH x AS (SELECT 1) SELECT * FROM x",
            "SELECT ';' AS a -- ; DROP TABLE x",
            "/* leading */ SELECT 1",
        ],
    )
    def test_reads_pass(self, sql):
        """With a semicolon at its end or none; one in a string or a comment is none."""
        assert read(sql, "sqlite").action == "read"

    def test_the_text_that_runs_is_the_users_own(self):
        """Nothing is regenerated, so that places in it stay places in it."""
        sql = "select  a  -- b\n from t ;"
        assert read(sql, "sqlite").text == sql

    def test_a_second_statement_is_refused_at_its_semicolon(self):
        """And neither of them runs."""
        with pytest.raises(StatementRefused, match="exactly one") as refused:
            read("SELECT 1 FROM t\n; DROP TABLE t", "sqlite")
        assert (refused.value.position.line, refused.value.position.column) == (2, 1)

    @pytest.mark.parametrize("sql", ["", " \n", ";", ";;", "-- only a comment", "/* so */"])
    def test_no_statement(self, sql):
        """Nothing to run."""
        with pytest.raises(BadSyntax, match="no statement"):
            read(sql, "sqlite")

    def test_a_limit_of_length(self):
        """Values belong into binds."""
        assert read("SELECT 1" + " " * (gate.MAX_SQL - 8), "sqlite")
        with pytest.raises(StatementRefused, match="longer than 100,000"):
            read("SELECT 1" + " " * (gate.MAX_SQL - 7), "sqlite")

    def test_no_nul(self):
        """The database would end the text there."""
        with pytest.raises(StatementRefused, match="NUL"):
            read("SELECT 1 \0 FROM patients", "sqlite")

    @pytest.mark.parametrize(
        ("sql", "kind"),
        [
            ("PRAGMA user_version", "PRAGMA"),
            ("EXPLAIN SELECT 1", "EXPLAIN"),
            ("DELETE FROM t", "DELETE"),
            ("CREATE TABLE t (a)", "CREATE"),
            ("CHECKPOINT", "no query"),
        ],
    )
    def test_what_it_is_is_named(self, sql, kind):
        """In the hint, which shows nothing of the statement but a word of the language."""
        with pytest.raises(StatementRefused) as refused:
            read(sql, "sqlite")
        assert f"This is {kind}," in refused.value.hint


class TestPlaces:
    @pytest.mark.parametrize(
        ("sql", "line", "column"),
        [
            ("SELECT 1 FRM patients", 1, 14),
            ("SELECT abs((1)", 1, 14),
            ("SELECT a,\n  b FROM\n  t WHERE )", 3, 11),
            ("SELECT\r\n a FROM t WHERE )", 2, 17),
            ("SELECT 'é', \N{PILE OF POO}x FRM t", 1, 20),
        ],
    )
    def test_a_syntax_error_points_at_the_start_of_the_word(self, sql, line, column):
        """Line and column count from 1, in characters; the offset from 0."""
        with pytest.raises(BadSyntax) as refused:
            read(sql, "sqlite")
        place = refused.value.position
        assert (place.line, place.column) == (line, column)
        assert sql.split("\n")[line - 1][column - 1 :] == sql[place.offset :]

    @given(st.text(alphabet="ab \n\r\t", max_size=40), st.data())
    def test_line_column_and_offset_agree(self, sql, data):
        """For every place in every text."""
        offset = data.draw(st.integers(0, len(sql)))
        place = gate.position_of(sql, offset)
        before = "".join(line + "\n" for line in sql.split("\n")[: place.line - 1])
        assert len(before) + place.column - 1 == offset == place.offset


class TestBinds:
    def test_they_are_named_once_each_in_order(self):
        """Strings, comments and quoted names hold none."""
        sql = """SELECT :b, ':x', ":y", [:z], :a /* :c */ FROM t WHERE d > :b -- :e"""
        assert read(sql, "sqlite").binds == ("b", "a")

    @pytest.mark.parametrize(
        "word",
        ["start", "end", "date", "year", "state", "limit", "type", "from", "grant", "select", "by"],
    )
    def test_ordinary_words_are_names(self, word):
        """People's variables have the names of columns."""
        assert read(f"SELECT 1 WHERE 1 < :{word}", "sqlite").binds == (word,)

    @pytest.mark.parametrize("form", ["?", "?1", "@name", "$name", "$a::b", "$$"])
    def test_other_forms_are_refused_where_they_stand(self, form):
        """They would be bound by position or not at all."""
        with pytest.raises(StatementRefused, match="are written :name") as refused:
            read(f"SELECT\n {form} FROM t", "sqlite")
        assert (refused.value.position.line, refused.value.position.column) == (2, 2)

    def test_their_signs_in_texts_are_texts(self):
        """A dollar in a string is a dollar."""
        assert read("""SELECT '$1', "?a", '@', [$b] FROM t""", "sqlite").binds == ()


class TestRelations:
    @pytest.mark.parametrize(
        ("sql", "relations"),
        [
            ("SELECT 1", ()),
            ("SELECT * FROM Patients p, claims", ("Patients", "claims")),
            ('SELECT * FROM "odd name" JOIN [b] USING (id)', ("odd name", "b")),
            ("SELECT (SELECT max(x) FROM a) FROM (SELECT * FROM b)", ("b", "a")),
            ("WITH c AS (SELECT * FROM a) SELECT * FROM c JOIN b", ("a", "b")),
            ("SELECT * FROM a WHERE x IN (SELECT y FROM b UNION SELECT z FROM c)",
             ("a", "b", "c")),
            ("SELECT * FROM json_each('[1]')", ()),
            ("SELECT 1 IN a, 2 IN main.b, 3 IN 'c', 4 IN \"d\"", ("a", "b", "c", "d")),
            ("WITH a AS (SELECT 1) SELECT 1 IN a", ()),
            ("SELECT x IN (y, 1) FROM a", ("a",)),
            ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a", ("a",)),
            ("WITH b AS (WITH a AS (SELECT 1) SELECT * FROM a) SELECT * FROM A, b", ("A",)),
            ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", ()),
        ],
    )  # fmt: skip
    def test_every_table_is_named(self, sql, relations):
        """As the user spelled it; names of the statement's own WITH are left out."""
        assert set(read(sql, "sqlite").relations) == set(relations)

    def test_a_qualified_name_is_never_a_cte(self):
        """`main.patients` means the table, whatever WITH calls itself."""
        sql = "WITH patients AS (SELECT 1) SELECT * FROM main.patients"
        assert read(sql, "sqlite").relations == ("patients",)


class TestSources:
    @pytest.mark.parametrize(
        ("sql", "sources"),
        [
            ("SELECT name FROM patients", (PATIENTS,)),
            ("SELECT p.name AS x, 1 FROM patients p", (PATIENTS, None)),
            ("SELECT * FROM patients", (Source("patients", "*"),)),
            ("SELECT p.*, c.id FROM patients p JOIN claims c ON 1",
             (Source("patients", "*"), Source("claims", "id"))),
            ("SELECT upper(name) FROM patients", (None,)),
            ("SELECT name FROM patients, claims", (None,)),
            ("SELECT name FROM (SELECT name FROM patients)", None),
            ("SELECT name FROM patients UNION SELECT 1", None),
            ("WITH p AS (SELECT 1) SELECT * FROM p", None),
            ("SELECT * FROM patients JOIN claims USING (id)", None),
            ("SELECT * FROM patients NATURAL JOIN claims", None),
        ],
    )  # fmt: skip
    def test_where_plain_columns_come_from(self, sql, sources):
        """What cannot be said is not said: it is a net, and the engine is the wall."""
        assert read(sql, "sqlite").sources == sources


FRAGMENTS = [
    "SELECT ", "1", "name", "x", ", ", " , name ", " FROM patients ", " FROM claims ", " WHERE 1 ",
    "/*", "*/", "--", "\n", "\r", " ", "'", "''", '"', "[", "]", "`", "(", ")", ";", "\\", "{#",
    "#}", "{%", "$$", "$a$", "x'", "e'", "N'", " AS ", " UNION SELECT ", " IN claims ",
    "\t", "\x0b", "\x0c", "\xa0", "/*+", "/**/", "::", "q'", "#", "!", "U&'", "b'", "r'",
]  # fmt: skip


@pytest.fixture(scope="module")
def plain_database() -> Iterator[tuple[sqlite3.Connection, set[str]]]:
    """The tables the fragments name, and a set in which SQLite notes what it reads."""
    connection = sqlite3.connect(":memory:", cached_statements=0)
    connection.execute("CREATE TABLE patients (name, x)")
    connection.execute("CREATE TABLE claims (name, x)")
    reads: set[str] = set()

    def note(action: int, first: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_READ and first:
            reads.add(first)
        return sqlite3.SQLITE_OK

    connection.set_authorizer(note)
    yield connection, reads
    connection.close()


class TestHostileText:
    @settings(max_examples=300)
    @given(st.text(max_size=200))
    def test_any_text_passes_or_is_refused(self, sql):
        """Whatever comes, nothing but the tree's own errors leaves the gate."""
        try:
            statement = read(sql, "sqlite")
        except GovError:
            return
        assert statement.text == sql

    @settings(max_examples=500)
    @given(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join))
    def test_the_doorman_and_the_database_read_the_same(self, plain_database, text):
        """
        Where SQLite finds a table, the gate has named it.

        Quotes and comments that the two end at different places would hide one from the record.
        """
        connection, reads = plain_database
        sql = "SELECT " + text
        reads.clear()
        try:
            statement = read(sql, "sqlite")
            connection.execute(sql, dict.fromkeys(statement.binds)).close()
        except (GovError, sqlite3.Error, sqlite3.Warning):
            return
        assert reads <= set(statement.relations)

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT " + "(" * 5000 + "1" + ")" * 5000,
            "SELECT " + "abs(" * 3000 + "1" + ")" * 3000,
            "SELECT " + "NOT " * 20_000 + "1",
            "SELECT " + "CASE WHEN 1 THEN " * 4000 + "1" + " END" * 4000,
            "SELECT * FROM " + "(SELECT * FROM " * 4000 + "t" + ")" * 4000,
            "SELECT " + "[" * 50_000,
            "SELECT " + "'" * 50_001,
            "(" * 99_000,
        ],
        ids=["parentheses", "functions", "not", "case", "subqueries", "[", "'", "open"],
    )
    def test_depth_is_refused(self, sql):
        """Quickly, and without taking the gateway down."""
        with pytest.raises(GovError):
            read(sql, "sqlite")
