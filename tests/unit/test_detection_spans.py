"""From places to text: nothing that was found shows, whatever overlaps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.masking.detection.cache import Cache
from jupyter_gov.masking.detection.model import Operator, Span
from jupyter_gov.masking.detection.spans import covered, places, replaced

TEXT = "Call Ana Ferreira at 555-0134."


def operator(entity: str) -> Operator:
    asked = {"MRN": Operator.SURROGATE, "SSN": Operator.WITHHOLD}
    return asked.get(entity, Operator.REPLACE)


def said(*spans: Span, text: str = TEXT) -> str | None:
    return replaced(text, places(spans, operator), lambda entity, value: f"[{len(value)}]")


class TestReplacing:
    def test_each_place_becomes_its_entity(self):
        """In its order, with what is between."""
        name, phone = Span(5, 17, "PERSON", 0.85), Span(21, 29, "PHONE", 0.4)
        assert said(phone, name) == "Call <PERSON> at <PHONE>."

    def test_what_overlaps_is_one_place(self):
        """All of it, under the name of the longest."""
        assert said(Span(5, 12, "A", 1.0), Span(9, 17, "B", 0.1)) == "Call <B> at 555-0134."
        assert said(Span(5, 17, "B", 0.1), Span(9, 12, "A", 1.0)) == "Call <B> at 555-0134."

    def test_a_place_ends_where_its_longest_span_does(self):
        """Not where the last of those within it ends."""
        long, first, second = Span(0, 20, "L", 0.1), Span(1, 3, "A", 1.0), Span(5, 7, "B", 1.0)
        assert said(long, first, second) == "<L> 555-0134."

    def test_what_touches_is_two(self):
        """Side by side."""
        assert said(Span(5, 8, "A", 1.0), Span(8, 17, "B", 1.0)) == "Call <A><B> at 555-0134."

    def test_one_that_withholds_withholds_all(self):
        """Also where a longer one would replace it."""
        assert said(Span(5, 17, "A", 1.0), Span(9, 12, "SSN", 0.01)) is None

    def test_a_surrogate_stands_for_all_of_the_place(self):
        """What it is asked for is what stood there."""
        assert said(Span(5, 17, "MRN", 1.0), Span(9, 19, "A", 1.0)) == "Call [14]t 555-0134."

    def test_without_a_code_it_is_withheld(self):
        """Rather than shown."""
        found = places([Span(5, 17, "MRN", 1.0)], operator)
        assert replaced(TEXT, found, lambda entity, value: None) is None

    def test_at_its_edges(self):
        """The first and the last sign."""
        first, last = Span(0, 4, "A", 1.0), Span(29, 30, "B", 1.0)
        assert said(first, last) == "<A> Ana Ferreira at 555-0134<B>"

    @given(
        st.lists(
            st.builds(
                lambda start, size, entity: Span(start, start + size, entity, 0.5),
                st.integers(0, 18), st.integers(1, 12), st.sampled_from("AB"),
            ),
            max_size=6,
        )
    )  # fmt: skip
    def test_no_sign_of_a_place_is_left(self, spans):
        """The union is gone, the rest is all there."""
        text = "abcdefghijklmnopqrstuvwxyz0123"
        after = said(*spans, text=text)
        hidden = {i for s in spans for i in range(s.start, s.end)}
        kept = "".join(c for i, c in enumerate(text) if i not in hidden)
        assert after is not None
        assert after.replace("<A>", "").replace("<B>", "") == kept


class TestCovered:
    def test_is_the_union_of_an_entity(self):
        """Contained and touching spans of one entity are one stretch; entities stay apart."""
        spans = [Span(0, 5, "A", 1), Span(2, 3, "A", 1), Span(5, 7, "A", 1), Span(1, 2, "B", 1)]
        assert covered(spans) == {"A": [(0, 7)], "B": [(1, 2)]}


class TestCache:
    def test_tells_profiles_apart(self):
        """What was made under one is unknown under another."""
        cache = Cache(bytes(32), 10_000)
        (name,) = cache.names("P-1", ["text"])
        cache.put(name, "masked")
        assert cache.get([name]) == [(True, "masked")]
        assert cache.get(cache.names("P-2", ["text"])) == [(False, None)]

    def test_stays_within_its_bytes(self):
        """What was used longest ago goes first, and a giant does not come in."""
        cache = Cache(bytes(32), 2_000)
        names = cache.names("P", [str(i) for i in range(20)])
        for name in names:
            cache.put(name, "x" * 100)
            cache.get(names[:1])
        assert cache.bytes <= 2_000
        assert cache.get([names[0], names[1], names[19]]) == [
            (True, "x" * 100), (False, None), (True, "x" * 100),
        ]  # fmt: skip
        cache.put(b"giant", "x" * 3_000)
        assert cache.get([b"giant"]) == [(False, None)]

    def test_knows_what_is_withheld(self):
        """None is an answer too."""
        cache = Cache(bytes(32), 1_000)
        cache.put(b"n", None)
        assert cache.get([b"n", b"m"]) == [(True, None), (False, None)]

    def test_holds_no_text_as_a_key(self):
        """Names are keyed hashes."""
        first, second = (Cache(bytes([i]) * 32, 1_000).names("P", ["a\ud800"]) for i in (1, 2))
        assert first != second
