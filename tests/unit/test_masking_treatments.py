"""What each treatment makes of each value: of the ordinary, the odd, and the hostile."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.masking.canonical import Memory, Value
from jupyter_gov.masking.model import ColumnPolicy, Treatment
from jupyter_gov.masking.seals import Seals
from jupyter_gov.masking.treatments import (
    OLDEST_AGE,
    SHAPES,
    SMALL_ZIP3,
    Treats,
    age,
    partial,
    pseudonym,
    year,
    zip3,
)
from tests.support.keys import KEYS

TODAY = date(2026, 3, 2)
KEY = bytes(range(32))
anything = (
    st.none() | st.integers() | st.floats() | st.text(st.characters(), max_size=60)
    | st.binary(max_size=60)
)  # fmt: skip
likely = anything | st.sampled_from(
    ["123-45-6789", "02139", "02139-4307", "1950-06-01", "2024-02-29T10:00:00Z", 2139, 89, 200]
)


def fits(treatment: str, value: str) -> bool:
    """As the frame's last look tests it, where `$` is the very end."""
    return re.search(SHAPES[treatment].removesuffix("$") + r"\Z", value) is not None


class TestPseudonym:
    @pytest.mark.parametrize(
        "value", ["MRN0000017", "", "é", "\N{PILE OF POO}", 17, -1, 0.5, b"\xff"]
    )
    def test_a_token_of_one_shape(self, value):
        """Whatever it stands for, its length and signs are the same."""
        assert re.fullmatch(r"p_[0-9a-f]{20}", pseudonym(KEY, "mrn")(value))

    def test_null_stays_null(self):
        """As in a join."""
        assert pseudonym(KEY, "mrn")(None) is None

    def test_equal_values_are_equal_and_others_are_not(self):
        """So counts and joins work."""
        token = pseudonym(KEY, "mrn")
        assert token("A") == token("A")
        assert len({token(str(number)) for number in range(5000)}) == 5000

    def test_over_restarts_it_is_the_same(self):
        """By key and domain alone; here the value that must never change without an act."""
        assert pseudonym(KEY, "mrn")("MRN0000017") == "p_dfb1e8ac887a03832d14"

    @pytest.mark.parametrize("other", [(KEY, "member"), (bytes(32), "mrn")], ids=["domain", "key"])
    def test_another_domain_or_key_is_another_space(self, other):
        """Nothing joins between them."""
        assert pseudonym(*other)("A") != pseudonym(KEY, "mrn")("A")

    def test_domains_do_not_run_into_values(self):
        """`mr` with `n…` is not `mrn`."""
        assert pseudonym(KEY, "mr")("nA") != pseudonym(KEY, "mrn")("A")

    @pytest.mark.parametrize(
        "same",
        [("17", 17, 17.0, b"17", Decimal("17.00")), ("0.5", Decimal("0.50")), ("0", 0, 0.0, -0.0)],
    )
    def test_numbers_join_as_sql_joins_them(self, same):
        """In whatever order they come: what is remembered decides nothing."""
        expected = pseudonym(KEY, "id")(same[0])
        for order in (same, same[::-1]):
            token = pseudonym(KEY, "id")
            assert [token(value) for value in order] == [expected] * len(order)

    @given(st.lists(anything, max_size=20))
    def test_memory_changes_nothing(self, values):
        """A fresh function gives each value what a used one does."""
        used = pseudonym(KEY, "x")
        assert [used(v) for v in values] == [pseudonym(KEY, "x")(v) for v in values]

    def test_it_forgets(self):
        """So that a scan of millions does not fill the gateway."""
        memory = Memory(pseudonym(KEY, "x"), numbers=True, size=10)
        first = [memory[number] for number in range(100)]
        assert [memory[number] for number in range(100)] == first
        assert len(memory) <= 10

    @pytest.mark.parametrize("order", [(0.5, Decimal("0.5")), (Decimal("0.5"), 0.5)])
    def test_a_fraction_is_another_value_as_a_float(self, order):
        """Though Python calls them equal: memory must not take one for the other."""
        token = pseudonym(KEY, "x")
        assert [token(value) for value in order] == [pseudonym(KEY, "x")(v) for v in order]
        assert token(0.5) != token(Decimal("0.5"))

    def test_a_short_key_is_refused(self):
        """It would be guessed."""
        with pytest.raises(ValueError, match="32 bytes"):
            pseudonym(bytes(31), "x")


class TestPartial:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("123-45-6789", "***-**-6789"),
            ("123456789", "*****6789"),
            (123456789, "*****6789"),
            ("1234567", "*******"),  # of seven, four would be most of it
            ("12345678", "****5678"),
            ("12-34", "**-**"),
            ("Zebulon Quartermain", "******* *******main"),
            ("", ""),
            ("  --  ", "  --  "),
            ("日本語テキストです", "*********"),
            ("日本 MRN-0012345 号", "** ***-***2345 *"),
            ("e\N{COMBINING ACUTE ACCENT}mail1234", "**" + "****" + "1234"),
            ("NaN", "***"),
            (None, None),
            (b"123-45-6789", None),
            (0.5, None),
            (float("inf"), None),
            (Decimal("NaN"), None),
            (123456789.0, "*****6789"),
            (Decimal("-12345678.50"), "-*****678.5"),
            (date(1975, 8, 31), None),
            ("1" * 10_001, None),
        ],
    )
    def test_the_last_four_of_eight_or_more(self, value, shown):
        """Signs between stay where they are."""
        assert partial(value) == shown

    @given(likely)
    def test_never_more_than_four_signs_of_it(self, value):
        """And never more than half."""
        shown = partial(value)
        if shown is not None:
            kept = [c for c in shown if c.isalnum()]
            whole = [c for c in str(value) if c.isascii() and c.isalnum()]
            assert len(kept) <= min(4, len(whole) // 2)


class TestYear:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("1975-08-31", "1975-01-01"),
            ("1975-08-31 10:11:12", "1975-01-01"),
            ("1975-08-31T10:11:12.5+02:00", "1975-01-01"),
            ("1937-12-31", "1937-01-01"),
            ("1936-12-31", "1936-01-01"),  # 89 or 90 in 2026, and so are all before it
            ("1936-01-01", "1936-01-01"),
            ("1935-12-31", "1936-01-01"),
            ("1899-01-01", "1936-01-01"),
            ("2030-01-01", "2030-01-01"),
            ("2024-02-29", "2024-01-01"),
        ],
    )
    def test_1_january_and_everybody_over_89_together(self, value, shown):
        """45 CFR 164.514(b)(2)(i)(C)."""
        assert year(TODAY)(value) == shown

    @pytest.mark.parametrize(
        "value",
        [
            None, "", "1975", "1975-8-31", "31.08.1975", "08/31/1975", "1975-02-30", "1975-13-01",
            "0000-01-01", " 1975-08-31", "1975-08-31x", "about 1975-08-31", "1975-08-31\n", 1975,
            19750831, 2442655.5, b"1975-08-31", "١٩٧٥-٠٨-٣١", "unknown",
        ],
    )  # fmt: skip
    def test_what_is_not_a_date_is_withheld(self, value):
        """Not passed on, and not guessed."""
        assert year(TODAY)(value) is None


class TestAge:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("1975-03-02", 51),  # today
            ("1975-03-03", 50),  # tomorrow
            ("1937-03-02", 89),
            ("1936-03-03", 89),
            ("1936-03-02", 90),
            ("1910-01-01", 90),
            ("2026-03-02", 0),
            ("2026-03-03", None),  # not born yet
            ("2024-02-29", 2),
            (89, 89),
            (90, 90),
            (91, 90),
            (10**30, 90),
            (0, 0),
            (-1, None),
            (45.0, None),
            ("45", None),
            (None, None),
            (b"1975-03-02", None),
            ("1975-02-30", None),
        ],
    )
    def test_whole_years_and_90_for_all_above(self, value, shown):
        """From a date of birth, or an age as it is stored."""
        assert age(TODAY)(value) == shown

    @pytest.mark.parametrize(("today", "shown"), [(date(2026, 2, 28), 1), (date(2026, 3, 1), 2)])
    def test_born_on_29_february(self, today, shown):
        """A year older on 1 March."""
        assert age(today)("2024-02-29") == shown


class TestZip3:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("02139", "021"),
            ("02139-4307", "021"),
            ("021394307", "021"),
            (" 02139 ", "021"),
            (2139, "021"),
            (97201, "972"),
            ("03601", "000"),
            (3601, "000"),
            ("20301-1234", "000"),
            (None, None),
            ("", None),
            ("2139", None),
            ("0213", None),
            ("02139-", None),
            ("02139-43", None),
            ("SW1A 1AA", None),
            ("K1A 0B1", None),
            (-2139, None),
            (123456, None),
            (2139.0, None),
            (b"02139", None),
            ("٠٣٦٠١", None),
        ],
    )
    def test_three_digits_and_000_for_the_small_areas(self, value, shown):
        """45 CFR 164.514(b)(2)(i)(B); what is not a US ZIP code is withheld."""
        assert zip3()(value) == shown

    @pytest.mark.parametrize("area", sorted(SMALL_ZIP3))
    def test_every_small_area(self, area):
        """All seventeen of them."""
        assert len(SMALL_ZIP3) == 17
        assert zip3()(f"{area}42") == zip3()(int(f"{area}42")) == "000"


FUNCTIONS = {
    Treatment.PSEUDONYM: pseudonym(KEY, "x"),
    Treatment.PARTIAL: partial,
    Treatment.YEAR: year(TODAY),
    Treatment.ZIP3: zip3(),
}


class TestShapes:
    @given(likely)
    @pytest.mark.parametrize("treatment", FUNCTIONS)
    def test_what_a_treatment_gives_has_its_shape(self, treatment, value):
        """Otherwise the frame's last look would withhold what is well."""
        shown = FUNCTIONS[treatment](value)
        assert shown is None or fits(treatment, shown)

    @given(likely)
    def test_an_age_has_its_range(self, value):
        """Whole years up to 90."""
        shown = age(TODAY)(value)
        assert shown is None or (type(shown) is int and 0 <= shown <= OLDEST_AGE)

    @pytest.mark.parametrize(
        ("treatment", "raw"),
        [
            ("pseudonym", "MRN0000017"), ("pseudonym", "p_0123456789abcdef012"),
            ("pseudonym", "P_0123456789ABCDEF0123"), ("pseudonym", "p_0123456789abcdef0123 "),
            ("pseudonym", "x p_0123456789abcdef0123"), ("partial", "é"), ("partial", "123-45-6789"),
            ("partial", "12345"), ("partial", "Ana Ferreira"), ("year", "1975-08-31"),
            ("year", "1975"), ("year", "1975-01-01 10:00"), ("zip3", "02139"), ("zip3", "٠٣٦"),
        ],
    )  # fmt: skip
    def test_what_is_untreated_has_it_not(self, treatment, raw):
        """So a hole in the wall shows."""
        assert not fits(treatment, raw)


class CountingSeals(Seals):
    """Seals that count how often they were made."""

    made = 0

    def seal(self, value: Value, kind: str = "seal:") -> str | None:
        self.made += 1
        return super().seal(value, kind)


class TestSealedIdentifiers:
    @pytest.mark.parametrize("treatment", [Treatment.SURROGATE, Treatment.FPE])
    def test_one_that_recurs_is_sealed_once(self, treatment):
        """A join of 500 patients and 2,000 visits asks a million times."""
        seals = CountingSeals(bytes(64))
        policy = ColumnPolicy(treatment, domain="mrn", space="clinic", alphabet="digits")
        treat = Treats(KEYS).of(policy, today=date(2026, 3, 1), small=frozenset(), seals=seals)
        tokens = [treat(value) for value in (17, 17.0, "17", 17, "17")]
        assert len(set(tokens)) == 1
        assert seals.made == 2
