"""Statements that double with every line are counted, not tried."""

from __future__ import annotations

import time

import pytest
import sqlglot

from jupyter_gov.errors import StatementRefused
from jupyter_gov.sql.expansion import MAX_NODES, nodes_expanded
from jupyter_gov.sql.gate import read

FIRST = "WITH a0(x) AS (SELECT 1)"
DOUBLINGS = {
    "join": "SELECT l.x FROM a{0} l, a{0} r",
    "parenthesised join": "SELECT l.x FROM (a{0} l JOIN a{0} r)",
    "union": "SELECT x FROM a{0} UNION ALL SELECT x FROM a{0}",
    "scalar subqueries": "SELECT (SELECT x FROM a{0}) + (SELECT x FROM a{0})",
    "in a table": "SELECT 1 WHERE 1 IN a{0} AND 2 IN a{0}",
    "exists": "SELECT 1 WHERE EXISTS (SELECT 1 FROM a{0}) OR EXISTS (SELECT 1 FROM a{0})",
    "on": "SELECT b.x FROM a{0} b JOIN t ON t.y IN (SELECT x FROM a{0})",
    "order by": "SELECT x FROM a{0} ORDER BY (SELECT x FROM a{0})",
    "limit": "SELECT x FROM a{0} LIMIT (SELECT x FROM a{0})",
    "filter": "SELECT sum(x) FILTER (WHERE x IN (SELECT x FROM a{0})) FROM a{0}",
    "table function": "SELECT j.value FROM json_each((SELECT x FROM a{0})) j, a{0}",
    "values": "VALUES ((SELECT x FROM a{0})), ((SELECT x FROM a{0}))",
    "columns": "SELECT x + x FROM a{0}",
    "columns by a star": "SELECT x + x FROM (SELECT * FROM a{0})",
}


def chain(link: str, length: int) -> list[str]:
    """CTEs, each made of the one before it."""
    return [f"a{i}(x) AS ({link.format(i - 1)})" for i in range(1, length)]


class TestDoublings:
    @pytest.mark.parametrize("link", DOUBLINGS.values(), ids=DOUBLINGS.keys())
    def test_thirty_doublings_are_refused_before_a_database_sees_them(self, link):
        """Less than 3 KB of SQL that would fill the memory of any machine does not pass."""
        sql = ", ".join([FIRST, *chain(link, 30)]) + " SELECT x FROM a29"
        began = time.monotonic()
        with pytest.raises(StatementRefused, match="too large"):
            read(sql, "sqlite")
        assert time.monotonic() - began < 2

    def test_the_order_of_the_ctes_does_not_hide_them(self):
        """SQLite lets a CTE name a later one, so that is counted as well."""
        links = chain(DOUBLINGS["join"], 30)
        sql = f"WITH {', '.join(reversed(links))}, a0(x) AS (SELECT 1) SELECT x FROM a29"
        with pytest.raises(StatementRefused, match="too large"):
            read(sql, "sqlite")

    def test_nested_subqueries_that_repeat_a_column_are_refused(self):
        """The flattener puts a column's expression in wherever it is named."""
        sql = "SELECT x FROM t"
        for _ in range(7):
            sql = f"SELECT x+x+x+x+x+x+x+x AS x FROM ({sql})"
        with pytest.raises(StatementRefused, match="too large"):
            read(sql, "sqlite")

    def test_a_chain_too_long_to_follow_is_refused(self):
        """What cannot be counted does not pass."""
        sql = ", ".join([FIRST, *chain("SELECT x FROM a{0}", 1500)]) + " SELECT x FROM a1499"
        with pytest.raises(StatementRefused, match="too large"):
            read(sql, "sqlite")

    def test_a_thousand_different_windows_are_refused(self):
        """Each becomes a subquery in the one before, which takes quadratic time."""
        each = ", ".join(f"sum(a) OVER (PARTITION BY b + {i})" for i in range(1_000))
        with pytest.raises(StatementRefused, match="too large"):
            read(f"SELECT {each} FROM t", "sqlite")


class TestHonestSizes:
    def test_many_functions_over_one_window_pass(self):
        """They share it, named or not."""
        named = ", ".join(f"lag(a, {i}) OVER w" for i in range(150))
        plain = ", ".join(f"lag(a, {i}) OVER (ORDER BY a)" for i in range(150))
        assert read(f"SELECT {named} FROM t WINDOW w AS (ORDER BY a)", "sqlite").relations
        assert read(f"SELECT {plain} FROM t", "sqlite").relations

    def test_a_pipeline_of_ctes_weighs_about_what_is_written(self):
        """Twenty steps, each over the one before, stay small."""
        link = "SELECT x, row_number() OVER (ORDER BY x) AS n FROM a{0} WHERE x > 1 GROUP BY 1"
        sql = ", ".join([FIRST, *chain(link, 20)]) + " SELECT x FROM a19"
        assert nodes_expanded(sqlglot.parse_one(sql, dialect="sqlite")) < 2_000
        assert read(sql, "sqlite").binds == ()

    def test_a_recursive_cte_is_counted_once(self):
        """Its own name inside it is a table of its own."""
        sql = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT n FROM c"
        assert nodes_expanded(sqlglot.parse_one(sql, dialect="sqlite")) < 50

    def test_a_long_list_of_ids_passes(self):
        """Fifteen thousand literals are less than the limit."""
        sql = f"SELECT a FROM t WHERE b IN ({','.join(map(str, range(15_000)))})"
        assert 15_000 < nodes_expanded(sqlglot.parse_one(sql, dialect="sqlite")) < MAX_NODES
        assert read(sql, "sqlite").relations == ("t",)
