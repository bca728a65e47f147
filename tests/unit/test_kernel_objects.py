"""Texts that stand for something, and times that no dtype can hold."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from jupyter_gov.kernel.objects import as_shown
from jupyter_gov.wire.cells import DECIMAL, INTERVAL, JSON, JSON_DECIMAL, JSON_FLOAT, KIND

DAY = dt.timedelta(days=1)


def shown(kind: bytes, *chunks: list[Any], exact: bool = False) -> Any:
    field = pa.field("x", pa.string(), metadata={KIND: kind})
    return as_shown(pa.chunked_array(list(chunks), pa.string()), field, exact=exact)


class TestDecimals:
    def test_are_doubles(self) -> None:
        """Decimals come as pandas.read_sql gives them, NaN and infinity included."""
        made = shown(DECIMAL, ["1.10", None], ["-Infinity", "9007199254740991"])
        assert made.type == pa.float64()
        assert made.to_pylist() == [1.1, None, float("-inf"), 9007199254740991.0]

    @pytest.mark.parametrize("large", ["9007199254740993", "-9007199254740993.5"])
    def test_no_identifier_changes(self, large: str) -> None:
        """A number that a double may not hold keeps the whole column exact."""
        assert shown(DECIMAL, ["1.10"], [large, None]) == [Decimal("1.10"), Decimal(large), None]

    def test_what_is_no_number_is_a_text(self) -> None:
        """A column in which something else was put on its way is shown as it is."""
        assert shown(DECIMAL, ["1.5", "withheld"]).to_pylist() == ["1.5", "withheld"]

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            (["1.50", None, "-200.00"], pa.decimal128(5, 2)),
            (["9" * 39], pa.decimal256(39, 0)),
            (["9" * 77], pa.string()),
            (["1", "NaN"], pa.string()),
            ([], pa.decimal128(1, 0)),
        ],
    )
    def test_exact_ones(self, values: list[Any], kind: pa.DataType) -> None:
        """With Arrow's dtypes every digit stays; what no decimal holds stays a text."""
        made = shown(DECIMAL, values, exact=True)
        assert made.type == kind
        assert list(map(str, made.to_pylist())) == list(map(str, values))


class TestIntervals:
    def test_are_durations(self) -> None:
        """Days and clock times of either sign are durations, to the microsecond."""
        made = shown(INTERVAL, ["1 day", "-1 days +02:03:04.5", None], ["-00:00:00.000001"])
        assert made.type == pa.duration("us")
        assert made.to_pylist() == [
            DAY, dt.timedelta(days=-1, hours=2, minutes=3, seconds=4.5), None,
            dt.timedelta(microseconds=-1),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "text", ["1 mon", "-1 years", "1 year 2 mons -3 days +04:05:06", "infinity",
                 "2000000000 days"],
    )  # fmt: skip
    def test_what_has_no_length(self, text: str) -> None:
        """A month has no length in days: it stays a text, beside objects."""
        assert shown(INTERVAL, ["1 day", text, None]) == [DAY, text, None]


class TestJson:
    def test_is_parsed(self) -> None:
        """Values come as Python's; what is no JSON any more stays a text."""
        made = shown(JSON, ['{"a": [1, null]}', None, "broken", "[" * 100_000])
        assert made[:3] == [{"a": [1, None]}, None, "broken"]
        assert isinstance(made[3], str)

    def test_lists_of_numbers(self) -> None:
        """NaN and infinity, which JSON has not, are numbers again, at any depth."""
        made = shown(JSON_FLOAT, ['[[1.5, "Infinity"], [null, 2]]'])
        assert made == [[[1.5, float("inf")], [None, 2.0]]]
        assert shown(JSON_DECIMAL, ["[1.50, 2]"]) == [[Decimal("1.50"), Decimal(2)]]

    def test_stays_a_text_for_arrow(self) -> None:
        """Arrow has no type for it."""
        assert shown(JSON, ["[1]"], exact=True).to_pylist() == ["[1]"]


class TestTimes:
    def test_within_python_they_stay(self) -> None:
        """A column that Python can hold is passed on as it is."""
        column = pa.chunked_array([[dt.date.min, None], [dt.date.max]])
        assert as_shown(column, pa.field("x", pa.date32()), exact=False) is column

    @pytest.mark.parametrize(
        ("days", "text"),
        [
            (2**31 - 1, "infinity"),
            (-(2**31), "-infinity"),
            (2_932_897, "10000-01-01"),
            (-719_163, "0001-12-31 BC"),
            (-735_160, "0044-03-15 BC"),
            (-2_440_588, "4714-11-24 BC"),
        ],
    )
    def test_dates(self, days: int, text: str) -> None:
        """A date out of Python's reach is PostgreSQL's text."""
        column = pa.chunked_array([pa.array([days, 0], pa.int32()).view(pa.date32())])
        made = as_shown(column, pa.field("x", pa.date32()), exact=False)
        assert made == [text, dt.date(1970, 1, 1)]

    @pytest.mark.parametrize("zone", [None, "UTC"])
    def test_timestamps(self, zone: str | None) -> None:
        """So is a timestamp, which says its zone if it has one."""
        kind = pa.timestamp("us", zone)
        us = [2**63 - 1, -(2**63), 253_402_300_800_500_000, 0, None]
        column = pa.chunked_array([pa.array(us, pa.int64()).view(kind)])
        end = "" if zone is None else "+00"
        assert as_shown(column, pa.field("x", kind), exact=False) == [
            "infinity", "-infinity", f"10000-01-01 00:00:00.5{end}",
            dt.datetime(1970, 1, 1, tzinfo=zone and dt.UTC), None,
        ]  # fmt: skip

    def test_the_end_of_a_day(self) -> None:
        """24:00 is a time of PostgreSQL's, and none of Python's."""
        kind = pa.time64("us")
        column = pa.chunked_array([pa.array([86_400_000_000, 1], pa.int64()).view(kind)])
        made = as_shown(column, pa.field("x", kind), exact=False)
        assert made == ["24:00:00", dt.time(0, 0, 0, 1)]
