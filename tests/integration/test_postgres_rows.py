"""Results of every shape, parameters of every type: the same by both drivers."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest

from jupyter_gov.engines.postgres.session import Session
from jupyter_gov.errors import QueryFailed
from jupyter_gov.wire.messages import Bind
from tests.support.postgres import Server
from tests.support.postgres_rows import DRIVERS, fetched

DATABASE = "rows"
TABLE = """
CREATE TABLE visit (id int PRIMARY KEY, note text, seen date, amount numeric(8,2));
CREATE FUNCTION told(id int) RETURNS text STABLE LANGUAGE plpgsql AS
    $$ BEGIN RETURN 'told ' || id; END $$;
CREATE TYPE ward AS ENUM ('icu', 'er');
INSERT INTO visit SELECT g, 'note ' || g, date '2020-01-01' + g, g * 1.5
    FROM generate_series(1, 100) AS g;
"""


@pytest.fixture(scope="module")
def session(postgres: Server) -> Iterator[Session]:
    postgres.create(DATABASE)
    with postgres.connect(DATABASE) as connection:
        connection.execute(TABLE)
        connection.execute(f"ALTER DATABASE {DATABASE} SET track_functions = 'all'")
    made = Session(postgres.conninfo(DATABASE))
    yield made
    made.close()


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestShapes:
    def test_no_rows(self, session: Session, driver: str) -> None:
        """A result without rows has its columns and types."""
        got = fetched(session, "SELECT id, note FROM visit WHERE false", driver=driver)
        assert got.table.num_rows == 0 and len(got.batches) == 1
        assert got.table.schema.types == [pa.int64(), pa.string()]

    def test_no_columns(self, session: Session) -> None:
        """A result without columns is one empty batch, whichever driver could bring it."""
        got = fetched(session, "SELECT FROM visit")
        assert (got.fetch.names, got.table.num_rows, len(got.batches)) == ([], 0, 1)

    def test_names_may_repeat(self, session: Session, driver: str) -> None:
        """Columns keep their names and order, also when two are named alike."""
        got = fetched(session, "SELECT 1 AS a, 'x' AS b, interval '1 day' AS a", driver=driver)
        assert got.fetch.names == ["a", "b", "a"]
        assert [column.to_pylist() for column in got.table.columns] == [[1], ["x"], ["1 day"]]

    @pytest.mark.parametrize("name", ["tab\tand\nline", "é" * 31, 'quo"te', "%s {} {0}", "\x7f"])
    def test_any_name(self, name: str, session: Session, driver: str) -> None:
        """A column may have any name that PostgreSQL allows."""
        quoted = name.replace('"', '""')
        got = fetched(session, f"SELECT interval '1 day' AS \"{quoted}\"", driver=driver)
        assert got.fetch.names == [name]
        assert got.table.column(0).to_pylist() == ["1 day"]

    def test_as_many_columns_as_a_table_may_have(self, session: Session, driver: str) -> None:
        """1,600 columns come, of which some need the outer SELECT."""
        some = ", ".join(f"{i} AS a{i}, interval '{i} s' AS b{i}" for i in range(800))
        got = fetched(session, f"SELECT {some}", driver=driver)
        assert got.table.num_columns == 1600
        assert got.table.column(1599).to_pylist() == ["00:13:19"]

    def test_only_nulls(self, session: Session, driver: str) -> None:
        """Columns of nothing but NULL keep their types and their rows."""
        sql = "SELECT NULL::int AS a, NULL::text AS b, NULL::uuid AS c, NULL FROM visit"
        got = fetched(session, sql, driver=driver)
        assert got.table.num_rows == 100
        assert [column.null_count for column in got.table.columns] == [100] * 4
        assert got.table.schema.types == [pa.int64(), pa.string(), pa.string(), pa.string()]

    def test_empty_is_not_null(self, session: Session, driver: str) -> None:
        """An empty text, bytes or list is not NULL."""
        sql = "SELECT v, w, x FROM (VALUES ('', ''::bytea, '{}'::text[]), (NULL, NULL, NULL))"
        got = fetched(session, sql + " AS t (v, w, x)", driver=driver)
        assert got.table.to_pydict() == {
            "v": ["", None], "w": [b"", None], "x": ["[]", None],
        }  # fmt: skip

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 1 -- trailing",
            "SELECT 1; -- trailing ;",
            "/* a /* nested */ ; comment */ SELECT 1 ;",
            "(SELECT 1)",
            "((SELECT 1) UNION (SELECT 1));",
            "WITH x AS (SELECT 1) TABLE x",
            "VALUES (1)",
            "-- first\nSELECT 1\n-- last",
            "SELECT 1 AS a ORDER BY a OFFSET 0",
        ],
    )
    def test_ways_to_write_it(self, sql: str, session: Session, driver: str) -> None:
        """However a query is written, both drivers run it, wrapped or not."""
        got = fetched(session, sql, driver=driver)
        assert got.table.column(0).to_pylist() == [1]
        wrapped = fetched(session, re.sub("1", "interval '1 s'", sql, count=2), driver=driver)
        assert wrapped.table.column(0).to_pylist() == ["00:00:01"]

    def test_order_survives_the_outer_select(self, session: Session, driver: str) -> None:
        """Rows come in the order the statement asks for."""
        sql = "SELECT id, interval '1 s' * id, note FROM visit ORDER BY id % 7, id DESC"
        got = fetched(session, sql, driver=driver)
        expected = sorted(range(1, 101), key=lambda i: (i % 7, -i))
        assert got.table.column(0).to_pylist() == expected

    @pytest.mark.parametrize(
        ("sql", "shown"),
        [
            ("SHOW TimeZone", "UTC"),
            ("EXPLAIN (COSTS OFF) SELECT 1", "Result"),
            ("explain (format json, costs off) select 1", None),
        ],
    )
    def test_what_is_no_select(self, sql: str, shown: str | None, session: Session) -> None:
        """EXPLAIN and SHOW come by psycopg, as texts."""
        got = fetched(session, sql)
        assert got.fetch.driver == "psycopg"
        value = got.frame().iloc[0, 0]
        assert value == shown if shown else value[0]["Plan"]["Node Type"] == "Result"


class TestOrigins:
    def test_plain_columns_name_their_table(self, session: Session) -> None:
        """A plain column says of which table and column it is; an expression says nothing."""
        sql = "SELECT note, v.id AS other, upper(note), 1 FROM visit AS v"
        oid = fetched(session, "SELECT 'visit'::regclass::oid").table.column(0)[0].as_py()
        assert fetched(session, sql).fetch.origins == [(oid, 2), (oid, 1), None, None]

    def test_nothing_runs_to_describe(self, session: Session) -> None:
        """A statement is described without being run: what fails, fails later."""
        session.begin(10)
        from jupyter_gov.engines.postgres.fetch import Fetch

        fetch = Fetch(session, "SELECT 1 / (id - id) FROM visit")
        with pytest.raises(Exception, match="division by zero"):
            list(fetch.batches())
        assert session.end()


UTC2 = dt.timezone(dt.timedelta(hours=2))
NOON = dt.datetime(2020, 2, 29, 12, 0, 0, 1)
BINDS: list[tuple[Bind, str, object]] = [
    (None, "$1::int", None),
    (True, "$1", True),
    (7, "$1", 7),
    (-1, "$1", -1),
    (2**31, "$1", 2**31),
    (-(2**63), "$1", -(2**63)),
    (2**64, "$1", "18446744073709551616"),
    (-(2**200), "$1", str(-(2**200))),
    (1.1, "$1", 1.1),
    (-0.5, "$1", -0.5),
    (float("inf"), "$1", float("inf")),
    ("", "$1", ""),
    ('it\'s \\ "quoted" $1 é 🩺\n', "$1", 'it\'s \\ "quoted" $1 é 🩺\n'),
    ("'; DROP TABLE visit; --", "$1", "'; DROP TABLE visit; --"),
    (b"", "$1", b""),
    (b"\x00'\\\xff", "$1", b"\x00'\\\xff"),
    (dt.date(1, 1, 1), "$1", dt.date(1, 1, 1)),
    (dt.date(2020, 2, 29), "$1", dt.date(2020, 2, 29)),
    (NOON, "$1", NOON),
    (NOON.replace(tzinfo=UTC2), "$1", NOON.replace(hour=10, tzinfo=dt.UTC)),
    (dt.time(12, 0, 0, 5), "$1", dt.time(12, 0, 0, 5)),
    (dt.time(12, tzinfo=UTC2), "$1", "12:00:00+02"),
    (Decimal("1.10"), "$1", "1.10"),
    (Decimal("-1E-20"), "$1", "-0.00000000000000000001"),
    (Decimal("NaN"), "$1", "NaN"),
    ("6f6e1f0e-7f0a-4b6e-8f5e-0123456789ab", "$1::uuid", "6f6e1f0e-7f0a-4b6e-8f5e-0123456789ab"),
    ('{"a": 1}', "$1::jsonb", '{"a": 1}'),
    (5, "-$1", -5),
    (5, '$1::text || \'$1\' || $a$ $1 $a$ || "q"."$1" /* $1 */ -- $1\n', "5$1 $1 c"),
]


class TestParameters:
    @pytest.mark.parametrize(("value", "sql", "shown"), BINDS)
    def test_every_type(
        self, value: Bind, sql: str, shown: object, session: Session, driver: str
    ) -> None:
        """A value of every type arrives as it was sent, whatever is in it."""
        text = f"SELECT {sql} AS v FROM (SELECT 'c' AS \"$1\") AS q"
        got = fetched(session, text, [value], driver=driver)
        assert got.fetch.driver == driver
        assert got.table.column(0).to_pylist() == [shown]
        assert fetched(session, "SELECT count(*) FROM visit").table.column(0)[0].as_py() == 100

    def test_types_are_inferred(self, session: Session, driver: str) -> None:
        """Parameters take the type of what they meet, and may be used twice and out of order."""
        sql = (
            "SELECT id FROM visit WHERE seen >= $2 AND note LIKE $3 AND amount > $4 AND id <> $5"
            " AND $3 = $3 ORDER BY id LIMIT $1"
        )
        got = fetched(session, sql, [2, "2020-01-11", "note%", 1, 11], driver=driver)
        assert got.table.column(0).to_pylist() == [10, 12]

    def test_types_of_ones_own(self, session: Session, driver: str) -> None:
        """A parameter that meets a type nobody knows beforehand becomes one of it."""
        sql = "SELECT $1 = 'icu'::ward, $2 = ANY (array['icu', 'er']::ward[]), $3::ward IS NULL"
        got = fetched(session, sql, ["icu", "er", None], driver=driver)
        assert [column[0].as_py() for column in got.table.columns] == [True, True, True]

    def test_a_wrong_type_is_said(self, session: Session, driver: str) -> None:
        """A number compared with a text fails as the server says it, before anything runs."""
        with pytest.raises(psycopg.errors.UndefinedFunction, match="text = smallint"):
            fetched(session, "SELECT 1 FROM visit WHERE note = $1", [1], driver=driver)

    @pytest.mark.parametrize("value", ["nul \x00", "half \ud83d"])
    def test_what_no_text_can_hold(self, value: str, session: Session, driver: str) -> None:
        """A text that PostgreSQL cannot hold is refused, and the session goes on."""
        with pytest.raises((psycopg.DataError, UnicodeEncodeError)):
            fetched(session, "SELECT $1::text", [value], driver=driver)
        assert fetched(session, "SELECT 1").table.num_rows == 1


class TestHugeRows:
    @pytest.mark.parametrize(
        "value",
        [
            "repeat('x', 900000)",
            "repeat('x', 900000)::bytea",
            "to_json(repeat('x', 900000))",
            "to_jsonb(repeat('x', 900000))",
            "array[repeat('x', 900000)]",
            "row(repeat('x', 900000))",
            "repeat('x', 900000)::varchar",
            "repeat('x', 900000)::char(900000)",
        ],
    )
    def test_one_value(self, value: str, session: Session, driver: str) -> None:
        """A huge value ends the statement, in the server: nobody holds it here."""
        with pytest.raises(QueryFailed, match=r"more than 800,000 bytes"):
            fetched(session, f"SELECT 1, {value}", driver=driver, max_row_bytes=800_000)

    def test_many_values(self, session: Session, driver: str) -> None:
        """Many large values in one row end it as well; NULLs count nothing."""
        sql = "SELECT NULL::text, " + ", ".join(["repeat('x', 90000)"] * 9)
        with pytest.raises(QueryFailed, match=r"more than 800,000 bytes"):
            fetched(session, sql, driver=driver, max_row_bytes=800_000)
        got = fetched(session, sql, driver=driver, max_row_bytes=810_000)
        assert got.table.nbytes > 810_000

    def test_measuring_computes_nothing_twice(self, postgres: Server, driver: str) -> None:
        """What a statement computes is computed once, also where it is measured."""
        calls = "SELECT coalesce(pg_stat_get_function_calls('told(int)'::regprocedure), 0)"
        with postgres.connect(DATABASE) as dba:

            def called() -> int:
                row = dba.execute(calls).fetchone()
                return row[0] if row else 0

            before = called()
            own = Session(postgres.conninfo(DATABASE))
            assert fetched(own, "SELECT told(id) FROM visit", driver=driver).table.num_rows == 100
            own.close()  # only now are its counts surely published
            until = time.monotonic() + 10
            while called() == before and time.monotonic() < until:
                time.sleep(0.02)
            assert called() - before == 100

    def test_up_to_the_limit(self, session: Session, driver: str) -> None:
        """Rows below the limit come, however many, in batches of bounded size."""
        sql = "SELECT repeat('x', 700000) || id FROM visit"
        got = fetched(session, sql, driver=driver, max_row_bytes=800_000)
        assert got.table.num_rows == 100
        assert max(batch.nbytes for batch in got.batches) < 16 * 1024 * 1024
