"""Months and shifted dates: as dates, as timestamps, and as the texts that SQLite keeps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.masking.dates import age, date_shift, days_of, month, year

TODAY = date(2026, 3, 2)
KEY = bytes(range(32))


class TestTypes:
    @pytest.mark.parametrize(
        ("value", "of_year", "of_month"),
        [
            (date(1975, 8, 31), date(1975, 1, 1), date(1975, 8, 1)),
            (datetime(1975, 8, 31, 10, 11), datetime(1975, 1, 1), datetime(1975, 8, 1)),
            ("1975-08-31T10:11:12Z", "1975-01-01", "1975-08-01"),
            (
                datetime(1975, 8, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
                datetime(1975, 1, 1, tzinfo=UTC),
                datetime(1975, 9, 1, tzinfo=UTC),
            ),
        ],
        ids=["date", "timestamp", "text", "with a zone, in UTC"],
    )
    def test_a_date_stays_what_it_is(self, value, of_year, of_month):
        """A timestamp at midnight, a text as a text."""
        assert year(TODAY)(value) == of_year
        assert month(TODAY)(value) == of_month

    @pytest.mark.parametrize("day", ["1936-03-01", "1936-02-29", "1935-12-31", "0001-01-01"])
    def test_months_of_90_years_ago_are_one(self, day):
        """Everybody over 89, and those of the month in which one becomes it."""
        assert month(TODAY)(day) == "1936-03-01"
        assert month(TODAY)("1936-04-01") == "1936-04-01"

    @pytest.mark.parametrize("value", [True, 45.0, float("nan"), b"1975-08-31", None])
    def test_what_is_no_date_is_withheld(self, value):
        """By each of them."""
        shift = date_shift(KEY)
        assert month(TODAY)(value) is shift(value, 7) is age(TODAY)(value) is None


class TestShift:
    @given(st.integers(), st.dates(date(2, 1, 1), date(9998, 1, 1)), st.integers(0, 36500))
    def test_intervals_stay(self, subject, day, days):
        """Of one subject, whatever the types."""
        shift = date_shift(KEY)
        other = day + timedelta(days=min(days, (date(9998, 12, 30) - day).days))
        assert shift(other, subject) - shift(day, subject) == other - day
        assert shift(day.isoformat(), subject) == shift(day, subject).isoformat()

    @given(st.integers() | st.text(), st.sampled_from([1, 2, 30, 365]))
    def test_within_its_days_and_never_by_none(self, subject, days):
        """Either way."""
        by = days_of(KEY, days)(subject)
        assert by is not None
        assert 1 <= abs(by) <= days

    def test_every_distance_is_drawn(self):
        """About as often as any other."""
        drawn = [days_of(KEY, 5)(subject) for subject in range(10_000)]
        counts = {by: drawn.count(by) for by in set(drawn)}
        assert counts.keys() == {-5, -4, -3, -2, -1, 1, 2, 3, 4, 5}
        assert all(850 < count < 1150 for count in counts.values())

    def test_subjects_that_sql_calls_equal_move_together(self):
        """A patient id is a number here and a text there."""
        assert days_of(KEY, 365)(17) == days_of(KEY, 365)("17") == days_of(KEY, 365)(17.0)

    def test_the_time_of_day_stays(self):
        """And the zone of a text."""
        shift = date_shift(KEY)
        moved = shift("2024-03-02T10:11:12.5+02:00", 7)
        assert moved[10:] == "T10:11:12.5+02:00"
        assert moved[:10] == shift("2024-03-02", 7) != "2024-03-02"

    @pytest.mark.parametrize(
        "text", ["2024-03-02 Zebulon", "2024-03-02 25:00", "2024-03-02 1:00", "2024-03-02T", "x"]
    )
    def test_what_stands_behind_a_day_must_be_a_time(self, text):
        """Since it stays readable."""
        assert date_shift(KEY)(text, 7) is None

    def test_without_a_subject_nothing_is_shown(self):
        """Nor out of the years that dates have."""
        shift = date_shift(KEY)
        assert shift("2024-03-02", None) is None
        moved = {shift(date.max, subject) is None for subject in range(20)}
        assert moved == {True, False}
        assert {shift(datetime.max, s) is None for s in range(20)} == {True, False}
