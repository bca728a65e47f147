"""Buckets and rounding: exact, in the column's type, and never beyond it."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.masking.numbers import bucket, rounded

D = Decimal
numbers = st.integers(-(2**63), 2**63 - 1)
widths = st.integers(1, 10**15).map(D)


class TestBucket:
    @pytest.mark.parametrize(
        ("value", "width", "start", "edge"),
        [
            (42, 10, 0, 40),
            (40, 10, 0, 40),
            (-1, 10, 0, -10),
            (42, 10, 3, 33),
            (2, 10, 3, -7),
            (D("12.99"), D("0.25"), 0, D("12.75")),
            (D("9.99999999999999999999999999"), 10, 0, D(0)),
            (0.3, D("0.1"), 0, 0.3),  # though 0.3 / 0.1 is less than 3 in binary
            (-0.05, D("0.1"), 0, -0.1),
            (17.5, 5, 0, 15.0),
        ],
    )
    def test_the_lower_edge(self, value, width, start, edge):
        """In the type of the value."""
        made = bucket(D(width), D(start))(value)
        assert made == edge
        assert type(made) is type(edge)

    @given(numbers, widths, st.integers(-(10**15), 10**15).map(D))
    def test_a_bucket_holds_its_values(self, value, width, start):
        """Or the value is withheld, where its edge is no 64-bit number."""
        edge = bucket(width, start)(value)
        if edge is None:
            assert value - width < -(2**63)
        else:
            assert edge <= value < edge + width
            assert (edge - start) % width == 0
            assert bucket(width, start)(edge) == edge


class TestRound:
    @pytest.mark.parametrize(
        ("value", "to", "made"),
        [
            (42, 5, 40), (43, 5, 45), (-42, 5, -40), (-43, 5, -45), (5, 10, 10), (-5, 10, -10),
            (4, 10, 0), (D("0.15"), D("0.1"), D("0.2")), (D("-0.15"), D("0.1"), D("-0.2")),
            (0.15, D("0.1"), 0.2), (2.4, 1, 2.0),
        ],
    )  # fmt: skip
    def test_the_nearest_multiple(self, value, to, made):
        """From the middle away from zero."""
        assert rounded(D(to))(value) == made
        assert type(rounded(D(to))(value)) is type(made)

    @given(numbers, widths)
    def test_it_is_near_and_a_multiple(self, value, to):
        """Or withheld at the very ends."""
        made = rounded(to)(value)
        if made is None:
            assert abs(value) + to > 2**63 - 1
        else:
            assert abs(made - value) * 2 <= to
            assert made % to == 0


class TestBoth:
    @pytest.mark.parametrize(
        "value",
        [
            None, "42", b"42", True, math.nan, math.inf, -math.inf, 1e15, -1e300, D("NaN"),
            D("Infinity"), D("1e30"), D("1e999999"),
        ],
    )  # fmt: skip
    def test_what_is_withheld(self, value):
        """No number, or too large to be exact."""
        assert bucket(D(10))(value) is None
        assert rounded(D(10))(value) is None

    def test_without_a_step_everything_is_withheld(self):
        """The check refuses it; if it is there nevertheless, nothing is shown."""
        assert bucket(D(0))(42) is rounded(D(0))(42) is bucket(D(-5))(42) is None

    def test_whole_numbers_want_whole_steps(self):
        """Else they would have to become others."""
        assert bucket(D("0.5"))(42) is bucket(D(1), D("0.5"))(42) is rounded(D("0.5"))(42) is None

    @given(st.floats() | st.decimals(allow_nan=True, allow_infinity=True))
    def test_no_number_breaks_them(self, value):
        """Subnormal, huge or none."""
        if isinstance(value, D) and value.is_snan():
            return
        for treat in (bucket(D(10), D(3)), rounded(D("0.1"))):
            made = treat(value)
            assert made is None or math.isfinite(made)
