"""The source's own views, made again over the projections, or not shown at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_gov.errors import DatabaseUnavailable, EngineRefused
from tests.support.wall import Wall, bare, wall

SECRET = "Quartermain"
TABLES = f"""
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, city TEXT, born TEXT);
    INSERT INTO people VALUES (1, '{SECRET}', 'Keene', '1950-05-05'), (2, 'Petrova', 'Rye', NULL);
    CREATE TABLE "odd name" ("a b" INTEGER, "c""d" TEXT);
    INSERT INTO "odd name" VALUES (1, 'x'), (3, 'y');
    CREATE TABLE hidden (id INTEGER, name TEXT);
    INSERT INTO hidden VALUES (1, '{SECRET}');
    CREATE VIRTUAL TABLE words USING fts5(name);
    INSERT INTO words VALUES ('{SECRET}');
"""
TAGS = {
    "people": {"id": "fact", "name": "name", "city": "fact", "born": "birth_date"},
    "odd name": {"a b": "fact", 'c"d': "fact"},
}
TREATMENTS = {"fact": "clear", "name": "withhold", "birth_date": "year"}

CLEAR = {
    "plain": "SELECT id, city FROM people",
    "column list": "(n, c) AS SELECT id, city FROM people",
    "alias": "SELECT p.id, p.city FROM people AS p WHERE p.city LIKE 'K%'",
    "qualified": "SELECT people.id FROM people",
    "join": "SELECT a.id, b.city FROM people a JOIN people b USING (id)",
    "comma join": 'SELECT city, o."c""d" FROM people, "odd name" o WHERE o."a b" = people.id',
    "natural join": "SELECT city FROM people NATURAL JOIN (SELECT 1 AS id)",
    "cte": "WITH x AS (SELECT city FROM people) SELECT city, count(*) AS n FROM x GROUP BY 1",
    "cte named like a table": "WITH people AS (SELECT 7 AS id) SELECT id FROM people",
    "recursive": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n<3)"
    " SELECT n, city FROM c JOIN people ON id = n",
    "union": "SELECT id FROM people UNION ALL SELECT \"a b\" FROM 'odd name'",
    "subquery": "SELECT (SELECT max(id) FROM people) AS m, city FROM people",
    "exists": "SELECT id FROM people p WHERE EXISTS (SELECT 1 FROM people q WHERE q.id > p.id)",
    "window": "SELECT id, row_number() OVER (ORDER BY id DESC) AS k FROM people",
    "case and text": "SELECT CASE id WHEN 1 THEN 'from people' ELSE \"city\" END AS x FROM people",
    "json": "SELECT value FROM people, json_each('[' || people.id || ']')",
    "comments": "SELECT /* from people; */ id -- people\n FROM people",
    "functions": "SELECT substr(city, 1, 2), iif(id > 1, 'b', 'a'), strftime('%Y', '2020-01-01')"
    " FROM people",
    "no table": "SELECT 1 AS one",
    "of a view": "SELECT id FROM v_base WHERE city IS NOT NULL",
    "of a view of a view": "SELECT count(*) AS n FROM (SELECT id FROM v_top)",
}
TREATED = {
    "name": "SELECT name FROM people",
    "renamed": "(department) AS SELECT name FROM people",
    "combined": "SELECT name || ' ' || city AS label FROM people",
    "star": "SELECT * FROM people",
    "aggregate": "SELECT group_concat(name) AS names, max(born) AS born FROM people",
    "view of a view": "SELECT label FROM v_label",
    "condition": f"SELECT id FROM people WHERE name = '{SECRET}'",
}
NOT_SHOWN = {
    "a function that is not listed": "SELECT soundex(name) AS s FROM people",
    "a virtual table": "SELECT name FROM words",
    "a shadow table": "SELECT c0 FROM words_content",
    "the schema": "SELECT name FROM sqlite_master",
    "a pragma": "SELECT name FROM pragma_table_info('people')",
    "row ids": "SELECT rowid FROM people",
    "statistics": "SELECT * FROM sqlite_stat1",
    "chance": "SELECT random() AS r FROM people",
}
BASES = """
    CREATE VIEW v_base AS SELECT id, city FROM people;
    CREATE VIEW v_top AS SELECT id FROM v_base;
    CREATE VIEW v_label AS SELECT name AS label FROM people;
"""


def database(path: Path, view: str) -> Path:
    body = view if view.startswith("(") else f"AS {view}"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES + BASES + "ANALYZE;")
        connection.execute(f'CREATE VIEW "a view" {body}')
        connection.commit()
    return path


def ask(path: Path, made: Wall):
    return made.ask('SELECT * FROM "a view"')


class TestViews:
    @pytest.mark.parametrize("view", CLEAR.values(), ids=CLEAR.keys())
    def test_a_view_of_clear_columns_shows_what_it_always_showed(self, tmp_path, view):
        """Names, rows and their order, by its own text."""
        path = database(tmp_path / "a.db", view)
        with wall(path, TAGS, TREATMENTS) as made:
            seen = ask(path, made)
        truth = bare(path, 'SELECT * FROM "a view"')
        assert truth.rows
        assert seen.error is None, str(seen.error)
        assert seen.rows == truth.rows
        assert list(seen.frame.columns) == list(truth.frame.columns)

    @pytest.mark.parametrize("view", TREATED.values(), ids=TREATED.keys())
    def test_a_view_shows_no_more_than_its_tables(self, tmp_path, view):
        """Neither a value nor which row has it."""
        path = database(tmp_path / "a.db", view)
        with wall(path, TAGS, TREATMENTS) as made:
            seen = ask(path, made)
        assert seen.error is None, str(seen.error)
        assert SECRET not in seen.everything
        assert seen.rows != bare(path, 'SELECT * FROM "a view"').rows
        assert "people.name" in seen.reads

    @pytest.mark.parametrize("view", NOT_SHOWN.values(), ids=NOT_SHOWN.keys())
    def test_a_view_that_cannot_be_made_again_is_refused_by_name(self, tmp_path, view):
        """It fails closed, and says which view it is; the others work."""
        path = database(tmp_path / "a.db", view)
        with wall(path, TAGS, TREATMENTS) as made:
            seen = ask(path, made)
            assert isinstance(seen.error, EngineRefused)
            assert "a view" in seen.error.message
            assert SECRET not in seen.everything
            assert made.ask("SELECT id FROM v_top").rows == [(1,), (2,)]

    def test_a_view_of_a_table_outside_the_grant_shows_its_projection(self, tmp_path):
        """The view is what was granted; an untagged table behind it is withheld."""
        path = database(tmp_path / "a.db", "SELECT id, name FROM hidden")
        with wall(path, TAGS, TREATMENTS, tables=frozenset({"a view"})) as made:
            assert ask(path, made).rows == [(None, None)]

    def test_a_view_outside_the_grant_is_out_of_reach(self, tmp_path):
        """Though its tables are in it."""
        path = database(tmp_path / "a.db", "SELECT id FROM people")
        with wall(path, TAGS, TREATMENTS, tables=frozenset({"people"})) as made:
            for doorman in (True, False):
                seen = made.ask('SELECT count(*) FROM "a view"', doorman=doorman)
                assert seen.error is not None

    def test_a_view_that_names_the_schema_is_said_to_stand_in_the_way(self, tmp_path):
        """SQLite itself cannot attach such a file under another name."""
        path = database(tmp_path / "a.db", "SELECT id FROM main.people")
        with wall(path, TAGS, TREATMENTS) as made:
            seen = ask(path, made)
        assert isinstance(seen.error, DatabaseUnavailable)
        assert "without main." in seen.error.hint
