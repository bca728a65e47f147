"""The statement without its literals: what may stand in the record in the clear."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot.dialects.sqlite import SQLite

from jupyter_gov.sql.strip import MAX_STRIPPED, UNREADABLE, strip_literals

KNOWN = frozenset({"patients", "name", "mrn", "count", "upper"})
WORDS = {word.lower() for word in re.findall(r"\w+", " ".join(SQLite.tokenizer_class.KEYWORDS))}


def strip(sql: str) -> str:
    return strip_literals(sql, "sqlite", KNOWN)


class TestWhatStays:
    @pytest.mark.parametrize(
        ("sql", "shown"),
        [
            ("select name from patients", "SELECT name FROM patients"),
            ("SELECT count(*) FROM Patients", "SELECT count ( * ) FROM Patients"),
            ("SELECT name FROM patients WHERE mrn = 'MRN0000017'",
             "SELECT name FROM patients WHERE mrn = ?"),
            ("SELECT 1, 1.5, 1e9, x'41', 0x41, NULL", "SELECT ? , ? , ? , ? , ? , NULL"),
            ("SELECT name -- Zebulon\n, mrn /* Quartermain */ FROM patients",
             "SELECT name , mrn FROM patients"),
            ("SELECT :zebulon FROM patients", "SELECT : _1 FROM patients"),
            ('SELECT name AS "Zebulon Quartermain" FROM patients',
             "SELECT name AS _1 FROM patients"),
            ("SELECT z.name, y.mrn FROM patients z, patients y",
             "SELECT _1 . name , _2 . mrn FROM patients _1 , patients _2"),
        ],
    )  # fmt: skip
    def test_the_shape_of_the_statement(self, sql, shown):
        """Words of the language and names of the catalog; unknown names are numbered."""
        assert strip(sql) == shown

    def test_the_same_unknown_name_has_the_same_number(self):
        """So that the shape can still be read."""
        assert strip("SELECT a, b, A") == "SELECT _1 , _2 , _1"


class TestWhatDoesNot:
    @pytest.mark.parametrize(
        "text",
        ["Grant", "ALL", "Case", "Cross", "*", "1", "Day", "Mark", "year", "DELETE", "%", ";"],
    )
    def test_a_literal_that_is_a_word_of_the_language(self, text):
        """People are called Grant and Case."""
        assert strip(f"SELECT '{text}', \"{text} x\" FROM patients") == (
            "SELECT ? , _1 FROM patients"
        )

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 'Zebulon",
            'SELECT "Zebulon',
            "SELECT /* Zebulon",
            "SELECT [Zebulon",
            "\0Zebulon'",
        ],
    )
    def test_what_does_not_end_is_not_shown_at_all(self, sql):
        """No guess where the literal would have ended."""
        assert strip(sql) == UNREADABLE

    @pytest.mark.parametrize(
        "sql",
        ["EXPLAIN SELECT 'Zebulon'", "SHOW Zebulon", "CALL Zebulon(1)", "VACUUM INTO 'Zebulon'",
         "ATTACH 'Zebulon' AS Zebulon", "COPY Zebulon FROM 'Zebulon'",
         "SELECT {Zebulon: 'Zebulon'}",
         "SELECT {{ Zebulon }} {% Zebulon %} {# Zebulon #}", "SELECT 1Zebulon, $Zebulon, #Zebulon",
         ".read Zebulon", "SELECT 'Zebulon' 'Zebulon'", "SELECT E'Zebulon', N'Zebulon'"],
    )  # fmt: skip
    @pytest.mark.parametrize("dialect", ["sqlite", "", "postgres"])
    def test_other_places_for_a_name(self, sql, dialect):
        """Refused statements are recorded too, also on connections that do not exist."""
        assert "zebulon" not in strip_literals(sql, dialect, KNOWN).lower()

    def test_a_long_statement_is_cut_before_it_is_read(self):
        """The record has an end."""
        long = "SELECT name, " * 5000 + "'Zebulon'"
        assert strip(long) == strip(long[:MAX_STRIPPED]) + " …"
        assert strip("SELECT '" + "x" * 50_000 + "'") == UNREADABLE


secrets = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=3)


def words_of(text: str) -> set[str]:
    """What of a text a reader would recognise: words of three letters or digits and more."""
    return {word for word in re.findall(r"\w{3,}", text.lower()) if word not in WORDS | KNOWN}


class TestNothingOfAnyLiteral:
    @given(secrets)
    def test_a_string(self, secret):
        """Of any content, in quotes as SQLite wants them."""
        quoted = secret.replace("'", "''")
        shown = strip(f"SELECT name FROM patients WHERE mrn = '{quoted}' AND name <> 'x'")
        assert shown == "SELECT name FROM patients WHERE mrn = ? AND name <> ?"

    @given(secrets)
    def test_an_alias_in_double_quotes(self, secret):
        """As good a place for a name as a string."""
        quoted = secret.replace('"', '""')
        if secret.lower() not in KNOWN:
            assert strip(f'SELECT name AS "{quoted}" FROM patients') == (
                "SELECT name AS _1 FROM patients"
            )

    @given(secrets)
    def test_a_comment(self, secret):
        """To the end of its line, or to its mark."""
        line = secret.replace("\n", " ").replace("\r", " ")
        block = secret.replace("*/", "")
        while "*/" in block:
            block = block.replace("*/", "")
        block = block.rstrip("*").removeprefix("/")
        sql = f"SELECT name -- {line}\nFROM patients /* {block} */"
        assert strip(sql) == "SELECT name FROM patients"

    @given(secrets, secrets, st.sampled_from(["'", '"', "`", "--", "/*", "(", "[", "", "$$", "{#"]))
    def test_anywhere_else(self, secret, other, mark):
        """Whatever it is written into, no word of it that nobody knows is in the clear."""
        shown = strip(f"SELECT {mark}{secret}{mark} FROM patients WHERE {mark}{other}").lower()
        assert not words_of(secret + " " + other) & set(re.findall(r"\w+", shown))


class TestPostgres:
    @pytest.mark.parametrize(
        ("sql", "shown"),
        [
            ("SELECT $$Zebulon$$, $a$Quartermain$a$ FROM patients", "SELECT ? , ? FROM patients"),
            ("SELECT E'\\'Zebulon', 'a\\', name", "SELECT ? , ? , name"),
            ("SELECT /* a /* Zebulon */ b */ name -- Quartermain\r, mrn", "SELECT name , mrn"),
            ("SELECT name FROM patients WHERE mrn = :zebulon::text",
             "SELECT name FROM patients WHERE mrn = : _1 :: TEXT"),
            ('SELECT "Zebulon", zebulon', "SELECT _1 , _1"),
            ("SELECT U&'Zebulon'", UNREADABLE),
            ("SELECT 'Zebulon", UNREADABLE),
        ],
    )  # fmt: skip
    def test_texts_end_where_the_server_ends_them(self, sql, shown):
        """Else what is a text to the server would stand in the record."""
        assert strip_literals(sql, "postgres", KNOWN) == shown

    @given(st.text(alphabet="aZ'\"$\\-/*\n\r (),:E;", max_size=40))
    def test_nothing_of_a_text_stays(self, middle):
        """Wherever quotes stand before it."""
        shown = strip_literals(f"SELECT {middle}'zebulon'", "postgres", KNOWN)
        assert "zebulon" not in shown
