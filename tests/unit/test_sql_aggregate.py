"""Statements that may only count and average, over groups of at least so many people."""

from __future__ import annotations

import pytest

from jupyter_gov.engines.postgres.functions import FUNCTIONS
from jupyter_gov.errors import GovError, StatementRefused
from jupyter_gov.sql.aggregate import Grouped
from jupyter_gov.sql.aggregate import grouped as group_any
from jupyter_gov.sql.gate import read
from jupyter_gov.sql.places import position_of

SUBJECTS = {
    "patients": "patient_id",
    "public.patients": "patient_id",
    "encounters": "patient_id",
    "providers": None,
    "Odd Table": 'The "Id"',
}
BOTH = pytest.mark.parametrize("dialect", ["sqlite", "postgres"])


def grouped(sql: str, dialect: str = "postgres", least: int = 11) -> Grouped:
    """With the small hospital's subjects."""
    return group_any(read(sql, dialect, FUNCTIONS), SUBJECTS, least, FUNCTIONS)


PEOPLE = 'count(DISTINCT patients."patient_id") >= 11'


class TestWhatMayBeAsked:
    @BOTH
    @pytest.mark.parametrize(
        ("sql", "expected"),
        [
            ("SELECT count(*) FROM patients", f"SELECT count(*) FROM patients HAVING {PEOPLE}"),
            (
                "SELECT state, count(*) FROM patients GROUP BY state ORDER BY 2 DESC LIMIT 5 ;",
                "SELECT state, count(*) FROM patients GROUP BY state"
                f" HAVING {PEOPLE} ORDER BY 2 DESC LIMIT 5 ;",
            ),
            (
                "SELECT state AS s, count(*) FROM patients GROUP BY s HAVING count(*) > 5 OR 1 = 1"
                " ORDER BY s",
                "SELECT state AS s, count(*) FROM patients GROUP BY s"
                f" HAVING {PEOPLE} AND ( count(*) > 5 OR 1 = 1) ORDER BY s",
            ),
            (
                "SELECT count(*) -- how many\nFROM patients -- of all\n",
                f"SELECT count(*) -- how many\nFROM patients HAVING {PEOPLE} -- of all\n",
            ),
        ],
    )
    def test_the_condition_goes_where_it_must(self, sql, expected, dialect):
        """The rest of the text stays as it was, comments and all."""
        assert grouped(sql, dialect).statement.text == expected

    def test_names_that_are_words_of_the_language_are_names(self):
        """After AS and in quotes."""
        sql = "SELECT count(*) AS \"order\", 'limit' AS having, 1 AS limit FROM patients"
        assert grouped(sql).statement.text == f"{sql} HAVING {PEOPLE}"

    @BOTH
    def test_each_table_about_people_counts_its_own(self, dialect):
        """So that a join cannot bring one person beside many."""
        text = grouped(
            "SELECT p.state, count(*) FROM patients p JOIN encounters AS e"
            " ON e.patient_id = p.patient_id JOIN providers pr ON pr.provider_id = e.provider_id"
            " GROUP BY 1",
            dialect,
        ).statement.text
        assert 'count(DISTINCT p."patient_id") >= 11' in text
        assert 'count(DISTINCT e."patient_id") >= 11' in text
        assert "pr." not in text.partition("HAVING")[2]

    @BOTH
    def test_so_many_people_must_have_a_value(self, dialect):
        """A sum over one value is that value, however many rows are beside it."""
        text = grouped("SELECT avg(p.risk) FROM patients p", dialect, 5).statement.text
        assert 'count(DISTINCT CASE WHEN p.risk IS NOT NULL THEN p."patient_id" END) >= 5' in text

    @BOTH
    def test_a_table_about_nobody_counts_rows(self, dialect):
        """Also where a value is summed."""
        text = grouped("SELECT sum(fee) FROM providers", dialect).statement.text
        assert text.endswith(" HAVING count(*) >= 11 AND count(fee) >= 11")

    @BOTH
    def test_odd_names_are_quoted(self, dialect):
        """As they are in the catalog."""
        text = grouped('SELECT count(*) FROM "Odd Table"', dialect).statement.text
        assert text.endswith('HAVING count(DISTINCT "Odd Table"."The ""Id""") >= 11')

    @BOTH
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT count(DISTINCT zip), sum(a), avg(DISTINCT a) FROM patients",
            "SELECT state, round(avg(risk), 2), 100.0 * count(a) / count(*) FROM patients"
            " WHERE sex IN ('F', 'M') AND NOT (risk BETWEEN 3 AND :most) AND state LIKE 'A%'"
            " AND vip AND email IS NOT NULL GROUP BY state",
            "SELECT lower(state), coalesce(sex, '?'), count(*) FROM patients"
            " GROUP BY lower(state), coalesce(sex, '?') ORDER BY count(*) DESC",
            "SELECT DISTINCT state, count(*) FROM patients GROUP BY 1 LIMIT :n OFFSET 2",
            "SELECT count(*) FROM patients p, encounters e WHERE p.patient_id = e.patient_id",
            "SELECT count(*) FROM patients LEFT JOIN encounters USING (patient_id)",
            "SELECT cast(sum(a) AS integer) - 1 FROM patients HAVING avg(a) > 2 AND count(*) < 9",
        ],
    )
    def test_ordinary_counts_pass(self, sql, dialect):
        """Filters compare columns with constants; what is made of an aggregate is free."""
        assert " >= 11" in grouped(sql, dialect).statement.text

    @pytest.mark.parametrize(
        ("sql", "dialect"),
        [
            ("SELECT date_trunc('month', at), count(*) FROM encounters GROUP BY 1", "postgres"),
            ("SELECT left(zip, 2), stddev(a), variance(a) FROM patients GROUP BY 1", "postgres"),
            ("SELECT count(*) FROM patients WHERE at >= date '2024-01-01' - interval '1 day'",
             "postgres"),
            ("SELECT count(*) FROM patients WHERE at > current_date - interval '90 days'"
             " AND b < current_date - 30 AND c >= cast(:since as date) AND a = 1 + 2"
             " AND d <> '2024-01-01 12:00+02'::timestamptz AND e > current_timestamp::date"
             " AND coalesce(at, date '1900-01-01') < :until AND b > -5", "postgres"),
            ("SELECT count(e.a) FROM patients p LEFT JOIN encounters e ON e.b = p.b"
             " AND e.kind = 'x' WHERE (p.state = 'AK' OR p.state = 'WA')"
             " AND NOT (e.a = 1 OR e.b IS NULL) AND (risk = 1 OR risk = 2)", "postgres"),
            ("SELECT strftime('%Y', at), count(*) FROM encounters GROUP BY 1", "sqlite"),
            ("SELECT substr(zip, 1, 2), count(*) FROM patients GROUP BY 1", "sqlite"),
            ("EXPLAIN SELECT count(*) FROM patients", "postgres"),
        ],
    )  # fmt: skip
    def test_each_databases_own_ways(self, sql, dialect):
        """Parts of dates and texts, as it has them."""
        assert " >= 11" in grouped(sql, dialect).statement.text


REFUSED = [
    "SELECT * FROM patients",
    "SELECT name FROM patients",
    "SELECT name, count(*) FROM patients GROUP BY state",
    "SELECT patient_id, count(*) FROM patients GROUP BY patient_id",
    "SELECT PATIENT_ID, count(*) FROM patients GROUP BY 1",
    "SELECT min(dob) FROM patients",
    "SELECT max(dob) FROM patients",
    "SELECT count(CASE WHEN patient_id = 7 THEN 1 END) FROM patients",
    "SELECT sum(a * b) FROM patients",
    "SELECT sum(a = 'x') FROM patients",
    "SELECT count(*) FILTER (WHERE patient_id = 7) FROM patients",
    "SELECT count(*) OVER () FROM patients",
    "SELECT sum(count(*)) OVER () FROM patients",
    "SELECT count(*) FROM patients WHERE patient_id = 7",
    "SELECT count(*) FROM patients p WHERE p.Patient_Id <> 7",
    "SELECT count(*) FROM patients WHERE abs(risk) = 7",
    "SELECT count(*) FROM patients WHERE risk + 1 = 7",
    "SELECT count(*) FROM patients WHERE risk = name",
    "SELECT count(*) FROM patients WHERE 1 / (risk - 7) = 1",
    "SELECT count(*) FROM patients WHERE CASE WHEN risk = 7 THEN 1 ELSE 0 END = 1",
    "SELECT count(*) FROM patients WHERE name LIKE :pattern",
    "SELECT count(*) FROM patients WHERE name LIKE 'a\\'",
    "SELECT count(*) FROM patients WHERE name LIKE '" + "%" * 101 + "'",
    "SELECT count(*) FROM patients WHERE risk IN (SELECT 7)",
    "SELECT count(*) FROM patients WHERE EXISTS (SELECT 1 FROM encounters)",
    "SELECT count(*) FROM (SELECT * FROM patients LIMIT 1) x",
    "WITH x AS (SELECT * FROM patients LIMIT 1) SELECT count(*) FROM x",
    "SELECT count(*) FROM patients UNION SELECT 1",
    "SELECT (SELECT count(*) FROM patients)",
    "SELECT count(*) FROM patients LIMIT (SELECT 1)",
    "SELECT count(*) FROM patients HAVING count(*) / (count(*) - 1) > 0",
    "SELECT count(*) FROM patients HAVING max(risk) > 0",
    "SELECT state, count(*) FROM patients GROUP BY state ORDER BY max(risk)",
    "SELECT state, count(*) FROM patients GROUP BY risk / 10, state",
    "SELECT count(*) FROM patients NATURAL JOIN encounters",
    "SELECT count(*) FROM patients p JOIN encounters e ON e.patient_id = 7",
    "SELECT count(*) FROM patients p JOIN encounters e ON p.patient_id < e.patient_id",
    "SELECT count(*), 'x' || name FROM patients",
    "VALUES (1)",
    "SELECT 1",
]
REFUSED_POSTGRES = [
    # Each counts the rows of one person more often than the rest.
    "SELECT count(*) FROM patients p LEFT JOIN encounters r ON p.risk = 41",
    "SELECT count(*) FROM patients p LEFT JOIN encounters r ON r.a = p.a AND risk = 41",
    "SELECT count(*) FROM encounters r RIGHT JOIN patients p ON r.a = p.a AND p.risk = 41",
    "SELECT count(*) FROM encounters e FULL JOIN patients p ON e.a = p.a AND e.b = 7",
    "SELECT count(*) FROM patients p, encounters r WHERE p.risk = 41 OR r.a = 'one'",
    "SELECT count(*) FROM patients p JOIN encounters r ON NOT (p.risk = 41 AND r.a = 'one')",
    "SELECT count(*) FROM patients p, encounters r WHERE risk = 41 OR kind = 'one'",
    "SELECT count(*) FROM patients p, encounters r WHERE p.a = r.a OR p.risk = 41",
    "SELECT state, count(*) FROM patients GROUP BY ROLLUP (state)",
    "SELECT state, count(*) FROM patients GROUP BY GROUPING SETS ((state), ())",
    "SELECT DISTINCT ON (state) state, count(*) FROM patients GROUP BY state",
    "SELECT array_agg(name) FROM patients",
    "SELECT string_agg(name, ',') FROM patients",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY risk) FROM patients",
    "SELECT any_value(name) FROM patients",
    "SELECT sum(a ORDER BY b) FROM patients",
    "SELECT count(*) FROM patients WHERE name ~ '('",
    "SELECT count(*) FROM patients WHERE extract(hour from at) = 1",
    "SELECT count(*) FROM patients WHERE date_trunc('century', at) = '2000-01-01'",
    "SELECT count(*) FROM patients WHERE date_trunc(name, at) = '2000-01-01'",
    "SELECT count(*) FROM patients WHERE notes::date = '2000-01-01'",
    "SELECT count(*) FROM patients WHERE substring(name, 1, -1) = 'x'",
    "SELECT count(*) FROM patients AS p(a, b) WHERE a = 7",
    "SELECT count(*) FROM ONLY patients",
    "SELECT count(*) FROM patients, generate_series(1, 100) g",
    "SELECT count(*) FROM patients, LATERAL (SELECT 1) x",
    "SELECT (p).state, count(*) FROM patients p GROUP BY 1",
    "SELECT count(*) FROM patients WHERE ctid = '(0,1)'",
    "SELECT pg_catalog.count(*) FROM patients",
    "SELECT count(*) FROM patients WINDOW w AS (ORDER BY risk)",
    "TABLE patients",
    # Each fails for the first row that comes to it: so it tells that there is one.
    "SELECT count(*) FROM patients WHERE a = 7"
    " AND coalesce(current_timestamp - interval '300000 years', at) IS NOT NULL",
    "SELECT count(*) FROM patients WHERE a = 7"
    " AND coalesce(cast(cast('x' AS text) AS date), at) IS NOT NULL",
    "SELECT count(*) FROM patients WHERE a = 7 AND coalesce(date '5874897-12-31', at) > :d",
    "SELECT count(*) FROM patients WHERE a = 7 AND coalesce(cast(:d AS date), at) IS NOT NULL",
    "SELECT count(*) FROM patients WHERE a = 7 AND at > current_date - 300000000",
    "SELECT count(*) FROM patients WHERE a = 7 AND at > current_date - :days",
    "SELECT count(*) FROM patients WHERE at > current_date - interval '999 years'"
    " - interval '999 years' - interval '999 years' - interval '999 years' - interval '999 years'",
    "SELECT count(*) FROM patients WHERE at > timestamptz '294276-12-31' + interval '1 year'",
    "SELECT count(*) FROM patients p LEFT JOIN encounters e ON e.a = p.a"
    " AND cast(cast(current_timestamp AS text) AS boolean) WHERE p.b = 7",
    "SELECT count(*) FROM patients WHERE a = 7 AND coalesce(cast(1e30 AS money), b) IS NOT NULL",
]
REFUSED_SQLITE = [
    "SELECT count(*) FROM patients WHERE rowid = 7",
    "SELECT count(*) FROM patients WHERE _rowid_ = 7",
    "SELECT total(a) FROM patients",
    "SELECT group_concat(name) FROM patients",
    "SELECT count(*) FROM patients WHERE name GLOB '*'",
    "SELECT count(*) FROM patients WHERE 7 IN encounters",
]


class TestWhatMayNot:
    @BOTH
    @pytest.mark.parametrize("sql", REFUSED)
    def test_what_could_tell_of_few_is_refused(self, sql, dialect):
        """Rows, extremes, conditions inside aggregates, errors that tell, and the subject."""
        with pytest.raises(StatementRefused):
            grouped(sql, dialect)

    @pytest.mark.parametrize("sql", REFUSED_POSTGRES)
    def test_so_are_postgresqls_own_ways(self, sql):
        """Subtotals would give what is left out by a difference."""
        with pytest.raises(StatementRefused):
            grouped(sql)

    @pytest.mark.parametrize("sql", REFUSED_SQLITE)
    def test_and_sqlites(self, sql):
        """A row's id is its subject's, by another name."""
        with pytest.raises(StatementRefused):
            grouped(sql, "sqlite")

    def test_the_refusal_says_where_and_what_may_be_asked(self):
        """In the user's own text."""
        with pytest.raises(StatementRefused) as refused:
            grouped("SELECT state,\n  max(risk) FROM patients GROUP BY state")
        assert (refused.value.position.line, refused.value.position.column) == (2, 7)
        assert "count, sum, avg" in refused.value.hint


class TestSize:
    @BOTH
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT count(*) FROM patients WHERE " + " AND ".join(["risk > 1"] * 1000),
            "SELECT count(*) FROM patients WHERE risk IN (" + ", ".join(["1"] * 2_000) + ")",
            "SELECT count(*)" + " + 1" * 1000 + " FROM patients",
            "SELECT count(*) FROM patients WHERE " + "NOT " * 200 + "vip",
        ],
        ids=["and", "in", "plus", "not"],
    )
    def test_a_large_one_passes_or_is_refused(self, sql, dialect):
        """And nothing else happens."""
        try:
            assert " >= 11" in grouped(sql, dialect).statement.text
        except GovError:
            return


class TestPlaces:
    def test_a_place_in_the_longer_text_is_one_in_the_users(self):
        """So that an error of the database points at what the user wrote."""
        sql = "SELECT count(*)\nFROM patients HAVING count(*) > 1\nORDER BY nope"
        made = grouped(sql.replace("nope", "1"))
        text = made.statement.text
        where = made.own_place(position_of(text, text.index("ORDER")), sql)
        assert (where.line, where.column) == (3, 1)
        assert made.own_place(position_of(text, text.index("DISTINCT")), sql) is None
        assert made.own_place(position_of(text, 7), sql).offset == 7
