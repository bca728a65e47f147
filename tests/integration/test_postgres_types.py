"""Every built-in type of PostgreSQL, by both drivers, against psycopg's own plain answer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pytest

from jupyter_gov.engines.postgres.session import Session
from tests.support.postgres import CASES, Server
from tests.support.postgres_rows import DRIVERS, Fetched, fetched, plain

FILE = CASES / "postgres" / "types.jsonl"
TYPES = [json.loads(line) for line in FILE.read_text().splitlines()]
DATABASE = "types"
OWN = """
CREATE SCHEMA own;
CREATE TYPE own.mood AS ENUM ('sad', 'very happy');
CREATE TYPE own.pair AS (a int, b text);
CREATE DOMAIN own.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN own.exact AS numeric;
CREATE TYPE own.span AS RANGE (subtype = text);
CREATE TYPE own.percent;
CREATE FUNCTION own.percent_in(cstring) RETURNS own.percent
    LANGUAGE internal STRICT IMMUTABLE AS 'textin';
CREATE FUNCTION own.percent_out(own.percent) RETURNS cstring
    LANGUAGE internal STRICT IMMUTABLE AS 'textout';
CREATE TYPE own.percent (INPUT = own.percent_in, OUTPUT = own.percent_out);
CREATE FUNCTION own.shout(own.percent) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$ SELECT 'a cast of its own' $$;
CREATE CAST (own.percent AS text) WITH FUNCTION own.shout(own.percent);
"""

OWNERS = {
    "TimeZone": "'Asia/Tokyo'",
    "DateStyle": "'German'",
    "IntervalStyle": "'iso_8601'",
    "bytea_output": "'escape'",
    "extra_float_digits": "0",
    "quote_all_identifiers": "on",
}
"""What a database's owner may have set, and no value may show."""


def _sql(case: dict[str, Any]) -> str:
    if "sql" in case:
        return str(case["sql"])
    rows = ", ".join(f"({value}::{case['type']})" for value in [*case["values"], "NULL"])
    return f"SELECT v FROM (VALUES {rows}) AS t (v)"


def _name(case: dict[str, Any]) -> str:
    return str(case.get("type") or case["sql"])[:40]


@pytest.fixture(scope="module")
def connection(postgres: Server) -> Iterator[psycopg.Connection[Any]]:
    """Psycopg's plain one, with the settings a person would have."""
    postgres.create(DATABASE)
    with postgres.connect(DATABASE) as made:
        made.execute("SET client_min_messages = error")
        made.execute(OWN)
        yield made


@pytest.fixture(scope="module")
def session(postgres: Server, connection: psycopg.Connection[Any]) -> Iterator[Session]:
    for setting, value in OWNERS.items():
        connection.execute(f"ALTER DATABASE {DATABASE} SET {setting} = {value}")
    made = Session(postgres.conninfo(DATABASE))
    yield made
    made.close()


def _bits(column: pa.ChunkedArray) -> pa.Array:
    """To be compared, a NaN being equal to itself and -0 not to 0."""
    whole = column.combine_chunks()
    return whole.view(pa.int64()) if pa.types.is_floating(column.type) else whole


def _both(session: Session, sql: str) -> Fetched:
    one, other = (fetched(session, sql, driver=driver) for driver in DRIVERS)
    assert one.fetch.schema.equals(other.fetch.schema, check_metadata=True)
    for left, right in zip(one.table.columns, other.table.columns, strict=True):
        assert _bits(left).equals(_bits(right))
    return one


def _float(value: Any, text: str | None) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _interval(value: Any, text: str | None) -> Any:
    return text if text is not None and ("mon" in text or "year" in text) else value


def _deep(value: Any) -> Any:
    if isinstance(value, list):
        return [_deep(item) for item in value]
    return value if value is None else str(value)


EXPECTED: dict[str, Callable[[Any, str | None], Any]] = {
    "value": lambda value, text: value,
    "text": lambda value, text: text,
    "float": _float,
    "interval": _interval,
    "strings": lambda value, text: _deep(value),
}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float | Decimal) and isinstance(other, float | Decimal):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return type(one) is type(other) and str(one) == str(other)
    return bool(type(one) is type(other) and one == other)


def _plainly(value: Any) -> Any:
    """What pandas puts around Python's own values, taken off."""
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    if isinstance(value, pd.Timedelta):
        return value.to_pytimedelta()
    return None if value is pd.NaT else value


@pytest.mark.parametrize("case", TYPES, ids=_name)
class TestEveryType:
    def test_both_drivers_bring_what_psycopg_says(
        self, case: dict[str, Any], session: Session, connection: psycopg.Connection[Any]
    ) -> None:
        """Both drivers bring the same column, and a kernel shows psycopg's own value of it."""
        sql = _sql(case)
        whole = _both(session, sql)
        if case["shown"] not in EXPECTED:
            return  # the form is ours: see TestLists
        frame = whole.frame()
        for i, column in enumerate(plain(connection, sql)):
            shown = [_plainly(value) for value in frame.iloc[:, i].tolist()]
            known = [EXPECTED[case["shown"]](*each) for each in column]
            if None in known and None not in shown:
                # A column of numbers or of texts has NaN for NULL, as read_sql has it.
                assert pd.isna(frame.iloc[-1, i])
                shown, known = shown[:-1], known[:-1]
                if all(isinstance(value, int) for value in known):
                    known = [float(value) for value in known]
            bad = [pair for pair in zip(shown, known, strict=True) if not _same(*pair)]
            assert not bad


class TestTheWalk:
    def test_no_built_in_type_is_missing(self, connection: psycopg.Connection[Any]) -> None:
        """Every type PostgreSQL has built in, but for arrays and pseudo-types, has a case."""
        found = connection.execute(
            "SELECT typname FROM pg_catalog.pg_type WHERE typtype IN ('b', 'r', 'm')"
            " AND typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND typcategory <> 'A'"
        ).fetchall()
        spelled = {"char": '"char"', "bpchar": "char"}
        walked = {re.sub(r"\(.*|\[.*", "", case.get("type", "")) for case in TYPES} | {"bpchar"}
        missing = {spelled.get(name, name) for (name,) in found} - walked
        assert not missing - {"char"}


class TestLists:
    @pytest.mark.parametrize(
        ("sql", "shown"),
        [
            ("SELECT '1 2 3'::int2vector", [1, 2, 3]),
            ("SELECT '1 2'::oidvector", ["1", "2"]),
            ("SELECT '{(1,1),(0,0);(2,2),(1,1)}'::box[]", ["(1,1),(0,0)", "(2,2),(1,1)"]),
            ("SELECT '{sad,NULL,\"very happy\"}'::own.mood[]", ["sad", None, "very happy"]),
            ("SELECT array[row(1, 'a b')::own.pair]", ['(1,"a b")']),
        ],
    )
    def test_unknown_elements_are_texts(self, sql: str, shown: list[Any], session: Session) -> None:
        """An array of what Python has no type for is a list of PostgreSQL's texts."""
        assert _both(session, sql).frame().iloc[0, 0] == shown
