"""The pre-filter says yes too often, never too seldom."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.masking.detection.prefilter import Prefilter, flags_for, kept_by_nearest

FLAGS = int(regex.DOTALL | regex.MULTILINE | regex.IGNORECASE)
PATTERNS = [
    r"\b\d{3}-\d{2}-\d{4}\b", r"(?<!\d)\d{5}(?!\d)", r"[a-k]+@\w+\.(?:com|org)", r"([:-])x\1",
    r"\bMRN[:#\s]*\d+", r"^k\S+$", r"[^\s<>]*ss[^\s<>]*", r"(?:a{2,3}|b)\W\w", r"",
    r"[^a]b", r"\s\d\s", r"K\.S\.", r"x{e<=1}y", r"[[:alpha:]]q", r"a{,2}b", r"\p{Lu}z", r"é",
    r"\x41b", r"q++", r"(?i)h(?#c)i", r"\Aab\Z",
]  # fmt: skip
_ALPHABET = "aAbkKsSſ KİıxyMRNmrnqhiz@.:-#<>\n\t \x1c\x1f\u00a0\u2028é٣５05_9co mrg–"


def takes(pattern: str, text: str) -> bool:
    """Whether it matches more than nothing somewhere: presidio skips empty matches."""
    return any(found.group() for found in regex.finditer(pattern, text, FLAGS))


class TestHits:
    @given(st.text(alphabet=_ALPHABET, max_size=40), st.text(max_size=10))
    def test_every_pattern_that_matches_is_among_them(self, near, far):
        """Whatever `regex` finds, in any script, with white space and case as it sees them."""
        text = near + far
        hits = FILTER.hits(text)
        for number, pattern in enumerate(PATTERNS):
            if takes(pattern, text):
                assert number in hits, (pattern, text)

    @pytest.mark.parametrize("text", ["nothing here", "nichts für ungut – „hier“", "\x1f..\ud800"])
    def test_most_texts_need_few_of_them(self, text):
        """Or it would filter nothing."""
        assert 0 not in FILTER.hits(text)
        assert 1 not in FILTER.hits(text)
        assert 4 not in FILTER.hits(text)

    @pytest.mark.parametrize(
        "text", ["ſſ", "123-45-678９", "1\u00a02\u2003 3 ", "\x1c5\x1c", "\u212a.s."]
    )
    def test_of_signs_that_only_regex_takes_for_others(self, text):
        """Long s, digits of other scripts, separators, the Kelvin sign."""
        for number, pattern in enumerate(PATTERNS):
            if takes(pattern, text):
                assert number in FILTER.hits(text)


class TestWhatIsNotAskedOfHyperscan:
    @pytest.mark.parametrize(
        "pattern",
        ["x{e<=1}y", "[[:alpha:]]q", "a{,2}b", r"\p{Lu}z", "é", r"\x41b", r"[a--b]", r"(?r)ab",
         r"\u00e9", r"(?>a)b", "(?", r"\m\w+"],
    )  # fmt: skip
    def test_always_runs(self, pattern):
        """Where `regex` and Hyperscan do not read a pattern alike."""
        assert flags_for(pattern, FLAGS) is None

    def test_neither_with_other_flags(self):
        """Verbose patterns, ASCII only, or a locale."""
        assert flags_for("a b", FLAGS | int(regex.VERBOSE)) is None
        assert flags_for("ab", FLAGS) is not None

    @pytest.mark.parametrize(
        ("pattern", "kept"),
        [(r"[^\s<>]x", True), ("[^a]", True), ("[^ ]", False), ("[^0-9]", False), ("[^_]", False),
         (r"[^\n]", False), (r"\[^ ]", True), ("[^a-z]", False), ("plain", True)],
    )  # fmt: skip
    def test_classes_that_name_a_sign_which_stands_for_others(self, pattern, kept):
        """Those are tried on every text that is not plain ASCII."""
        assert kept_by_nearest(pattern) is kept


FILTER = Prefilter([(pattern, FLAGS) for pattern in PATTERNS])
