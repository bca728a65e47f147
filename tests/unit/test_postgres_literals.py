"""Parameters as literals: only where the server sees a parameter."""

from __future__ import annotations

import pytest

from jupyter_gov.engines.postgres.literals import is_select, with_literals, without_end

KEPT = [
    "SELECT '$1'",
    "SELECT 'it''s $1'",
    "SELECT E'it\\'s $1'",
    "SELECT e'\\\\' || '$1'",
    "SELECT '\\' || '$1'",
    'SELECT "$1"',
    'SELECT "a""$1"',
    "SELECT $$ $1 $$",
    "SELECT $a$ $1 $$ $b$ $1 $a$",
    "SELECT $é$ $1 $é$",
    "SELECT 1 -- $1",
    "SELECT 1 /* $1 /* $1 */ $1 */",
    "SELECT a$1 FROM t",
    "SELECT é$1 FROM t",
]


class TestWithLiterals:
    @pytest.mark.parametrize("sql", KEPT)
    def test_what_is_no_parameter_stays(self, sql: str) -> None:
        """Texts, quoted names, comments and names with a dollar are left as they are."""
        assert with_literals(sql, [b"x"], [25]) == sql
        assert with_literals(sql + "\n, $1", [b"x"], [25]) == sql + "\n, ('x'::pg_catalog.text)"

    def test_by_number(self) -> None:
        """Each takes its own value, also the tenth, twice, or out of order."""
        values = [str(i).encode() for i in range(1, 11)]
        made = with_literals("$10,$1,$1,$2", values, [23] * 10)
        assert made == ",".join(f"('{i}'::pg_catalog.int4)" for i in (10, 1, 1, 2))

    def test_quotes_end_nothing(self) -> None:
        """A quote or a backslash in a value stays in it."""
        assert with_literals("$1", [b"'; --\\"], [25]) == "('''; --\\'::pg_catalog.text)"

    def test_null_keeps_its_type(self) -> None:
        """NULL is cast too, so that what it is compared with stays the same."""
        assert with_literals("$1", [None], [1082]) == "(NULL::pg_catalog.date)"

    def test_a_type_of_ones_own(self) -> None:
        """What the server inferred from the place, it infers again for a bare literal."""
        assert with_literals("$1, $2", [b"icu", None], [99_999, 99_999]) == "'icu', NULL"


class TestWithoutEnd:
    @pytest.mark.parametrize(
        ("sql", "rest"),
        [
            ("SELECT 1;", "SELECT 1 "),
            ("SELECT ';' ; -- ;", "SELECT ';'   -- ;"),
            ('SELECT ";"', 'SELECT ";"'),
            ("SELECT $$;$$;", "SELECT $$;$$ "),
        ],
    )
    def test_places_stay(self, sql: str, rest: str) -> None:
        """The semicolon becomes a space, so the server's positions stay the user's."""
        assert without_end(sql) == rest and len(rest) == len(sql)


class TestIsSelect:
    @pytest.mark.parametrize(
        "sql",
        ["select 1", "(SELECT 1)", "-- a\n/* b /* c */ */ ( ( With x AS (SELECT 1) TABLE x) )",
         "VALUES (1)", "table t"],
    )  # fmt: skip
    def test_queries(self, sql: str) -> None:
        """What can stand in parentheses, however it begins."""
        assert is_select(sql)

    @pytest.mark.parametrize(
        "sql", ["EXPLAIN SELECT 1", "show all", "", "-- select", "'select'", "selectx", "$1"]
    )
    def test_others(self, sql: str) -> None:
        """What cannot."""
        assert not is_select(sql)
