"""Format-preserving encryption: NIST's own examples, and what a format is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.masking.ff1 import FF1
from jupyter_gov.masking.fpe import FormatPreserving
from tests.support.keys import KEYS

_KEY = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94")
_SIGNS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LONG = "3737373770717273373737"
NIST = [
    (16, 10, "", "0123456789", "2433477484"),
    (16, 10, "39383736353433323130", "0123456789", "6124200773"),
    (16, 36, _LONG, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (24, 10, "", "0123456789", "2830668132"),
    (24, 10, "39383736353433323130", "0123456789", "2496655549"),
    (24, 36, _LONG, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (32, 10, "", "0123456789", "6657667009"),
    (32, 10, "39383736353433323130", "0123456789", "1001623463"),
    (32, 36, _LONG, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]
"""Key length, radix, tweak, plaintext, ciphertext: the FF1 samples that NIST publishes."""
DIGITS, ALNUM = "fpe:clinic/mrn:digits", "fpe:clinic/mrn:alnum"


def fpe(kind: str, *texts: str | None) -> list[str | None]:
    return FormatPreserving(KEYS.fpe).encrypt(kind, texts)


class TestFF1:
    @pytest.mark.parametrize(("size", "radix", "tweak", "plain", "cipher"), NIST)
    def test_the_samples_of_the_standard(self, size, radix, tweak, plain, cipher):
        """One at a time, and many."""
        ff1 = FF1(_KEY[:size], radix, bytes.fromhex(tweak))
        numerals = [_SIGNS.index(sign) for sign in plain]
        due = [_SIGNS.index(sign) for sign in cipher]
        assert ff1.encrypt(numerals) == due
        assert ff1.encrypt_many(np.array([numerals] * 3, np.uint8)).tolist() == [due] * 3

    @given(
        st.integers(2, 60).flatmap(
            lambda n: st.lists(st.lists(st.integers(0, 9), min_size=n, max_size=n), max_size=5)
        ),
        st.sampled_from([10, 36]),
        st.binary(max_size=40),
    )
    def test_many_are_as_one(self, values, radix, tweak):
        """Of every length, also where the halves need more than 64 bits."""
        ff1 = FF1(_KEY, radix, tweak)
        width = len(values[0]) if values else 2
        many = ff1.encrypt_many(np.array(values, np.uint8).reshape(-1, width))
        assert many.tolist() == [ff1.encrypt(value) for value in values]

    def test_no_two_values_become_one(self):
        """Over a whole domain: it is a permutation."""
        numbers = np.arange(1_000_000)
        columns = [numbers // 10**place % 10 for place in reversed(range(6))]
        made = FF1(_KEY, 10).encrypt_many(np.stack(columns, axis=1).astype(np.uint8))
        back = made.astype(np.int64) @ (10 ** np.arange(5, -1, -1))
        assert len(np.unique(back)) == 1_000_000

    def test_a_radix_beyond_bytes_is_refused(self):
        """It would be computed wrongly."""
        with pytest.raises(ValueError, match="radix"):
            FF1(_KEY, 256)


class TestFormat:
    @pytest.mark.parametrize(
        ("kind", "text", "shape"),
        [
            (DIGITS, "900-12-3456", "ddd-dd-dddd"),
            (DIGITS, "(206) 555-0142", "(ddd) ddd-dddd"),
            (DIGITS, "000000", "dddddd"),
            (DIGITS, "1" * 40, "d" * 40),
            (ALNUM, "MRN-0012345", "UUU-UUUUUUU"),
            (ALNUM, "mrn-0012345", "lll-lllllll"),
            (ALNUM, "0012", "UUUU"),
            (ALNUM, "a" * 60, "l" * 60),
        ],
    )
    def test_it_is_kept(self, kind, text, shape):
        """Dashes stay where they are, signs are of the same sort, and the value is another."""
        (made,) = fpe(kind, text)
        assert made is not None
        assert made != text
        sorts = {
            "d": "0123456789", "U": _SIGNS.upper(), "l": _SIGNS,
        }  # fmt: skip
        for sign, sort in zip(made, shape, strict=True):
            assert sign in sorts.get(sort, sort)

    @pytest.mark.parametrize(
        ("kind", "text"),
        [
            (DIGITS, None), (DIGITS, ""), (DIGITS, "12345"), (DIGITS, "1-2-3-4-5"),
            (DIGITS, "MRN-0012345"), (DIGITS, "12345678 Zebulon"), (DIGITS, "١٢٣٤٥٦٧٨"),
            (DIGITS, "12345678\n"), (DIGITS, "12345678é"), (DIGITS, "1" * 201), (DIGITS, "-----"),
            (ALNUM, "abc"), (ALNUM, "Mrn-0012345"), (ALNUM, "zoë12345"), (ALNUM, "a\x00bcdef"),
            ("fpe:clinic/mrn:latin", "12345678"), ("seal:", "12345678"), ("fpe:", "12345678"),
        ],
    )  # fmt: skip
    def test_what_has_none_is_withheld(self, kind, text):
        """Letters among digits would stay readable; a small domain can be tried out."""
        assert fpe(kind, text) == [None]

    def test_places_and_company_change_nothing(self):
        """A value becomes the same beside others of any format."""
        texts = ["900-12-3456", None, "MRN", "900123456", "x" * 300, "900-12-3456", "123-45-6789"]
        together = fpe(DIGITS, *texts)
        assert together == [fpe(DIGITS, text)[0] for text in texts]
        assert together[0] == together[5] != together[3]

    def test_columns_of_many_formats(self):
        """However many there are of one length."""
        texts = [f"{n:020b}".replace("0", "-").replace("1", "7") + "123456" for n in range(500)]
        assert fpe(DIGITS, *texts) == [fpe(DIGITS, text)[0] for text in texts]

    @pytest.mark.parametrize("kind", ["fpe:other/mrn:digits", "fpe:clinic/ssn:digits"])
    def test_spaces_and_domains_are_apart(self, kind):
        """Values of one do not join those of another."""
        assert fpe(kind, "12345678") != fpe(DIGITS, "12345678")

    def test_cases_do_not_run_into_each_other(self):
        """What was in lower case shows it, so no two values become one."""
        texts = [f"{a}{b}00" for a in _SIGNS[10:] for b in _SIGNS]
        small, large = fpe(ALNUM, *texts), fpe(ALNUM, *map(str.upper, texts))
        assert all(text != text.upper() for text in small)
        assert len({*small, *large}) == 2 * len(texts)
