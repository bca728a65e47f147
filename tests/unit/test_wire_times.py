"""Durations and instants: what people write, what is carried, and that texts sort as times do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.errors import BadRequest
from jupyter_gov.wire.times import from_utc, parse_duration, show_duration, utc

instants = st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(UTC))


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("90s", 90), ("30m", 1800), ("4h", 14_400), ("2d", 172_800), ("1h30m", 5400),
            ("1h 30m", 5400), (" 5m ", 300), ("30 m", 1800),
        ],
    )  # fmt: skip
    def test_what_people_write(self, text, seconds):
        """Numbers with a unit, one after another."""
        assert parse_duration(text) == timedelta(seconds=seconds)

    @pytest.mark.parametrize(
        "text",
        ["", " ", "30", "m", "1w", "-5m", "1.5h", "30min", "5 minutes", "0s", "0h0m", "1h,2m",
         "PT5M", "5m;", "٣m", "1234567m", "9" * 5000 + "s"],
    )  # fmt: skip
    def test_what_is_not_a_duration(self, text):
        """A naive number, a fraction or no time at all is refused, never guessed."""
        with pytest.raises(BadRequest):
            parse_duration(text)

    def test_a_length_nobody_means(self):
        """More than a hundred years: it would overflow the calendar later."""
        with pytest.raises(BadRequest):
            parse_duration("999999d" * 5)

    @given(st.integers(min_value=1, max_value=10**8))
    def test_what_is_shown_is_read_back(self, seconds):
        """For whole seconds."""
        length = timedelta(seconds=seconds)
        assert parse_duration(show_duration(length)) == length

    def test_less_than_a_second_is_shown_as_none(self):
        """Nothing of it is left in whole seconds."""
        assert show_duration(timedelta(milliseconds=10)) == "0s"


class TestInstants:
    @given(instants)
    def test_there_and_back(self, at):
        """To the microsecond."""
        assert from_utc(utc(at)) == at

    @given(instants, instants)
    def test_texts_sort_as_times_do(self, one, other):
        """The store compares them as texts."""
        assert (utc(one) < utc(other)) is (one < other)

    def test_other_zones_become_utc(self):
        """One zone in every record."""
        lisbon = datetime(2026, 7, 1, 10, 0, tzinfo=timezone(timedelta(hours=1)))
        assert utc(lisbon) == "2026-07-01T09:00:00.000000Z"

    def test_a_naive_time_is_not_carried(self):
        """It would be read in the zone of whoever runs the gateway."""
        with pytest.raises(ValueError, match="zone"):
            utc(datetime(2026, 7, 1, 9))

    @pytest.mark.parametrize("text", ["2026-07-01T09:00:00", "2026-07-01", "", "now"])
    def test_a_naive_time_is_refused(self, text):
        """A time without its zone is not an instant."""
        with pytest.raises(ValueError, match=r"zone|isoformat"):
            from_utc(text)
