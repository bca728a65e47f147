"""Seals are opened where they stand, what was in them is scanned or replaced, the rest withheld."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from jupyter_gov.engines.arrow import BatchBuilder
from jupyter_gov.masking.detection.detector import Found
from jupyter_gov.masking.frame import FrameCounts, FrameMask
from jupyter_gov.masking.model import Treatment
from jupyter_gov.masking.seals import EngineSeals, Seals

SEALS = Seals(bytes(64))
OTHER = Seals(bytes([1]) * 64)


class Shouts:
    """A detector at the port: replaces names by their entity, cannot answer for "poison"."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def mask(self, texts: Sequence[str], profile: str, surrogates: Any) -> Found:
        self.asked.append(list(texts))
        said = [None if "poison" in text else text.replace("Ana", "<PERSON>") for text in texts]
        return Found(said, Counter(PERSON=sum("Ana" in t for t in texts)), said.count(None))


class Codes:
    """Surrogates at the port."""

    def codes(self, domain: str, values: Sequence[str]) -> list[str | None]:
        return [None if value == "lost" else f"s_{domain}{len(value)}" for value in values]


def token(text: str | bytes, kind: str = "seal:notes", seals: Any = SEALS) -> str:
    made: str | None = seals.seal(text, kind)
    assert made is not None
    return made


def opened(
    column: pa.Array, treatment: Treatment | None = None, *, opener: Any = SEALS, **more: Any
) -> tuple[list[Any], FrameCounts, Shouts]:
    counts, detector = FrameCounts(), Shouts()
    mask = FrameMask(opener, {"notes": detector}, Codes(), counts, **more)
    batch = pa.record_batch({"x": column})
    after = mask.mask(batch, [treatment])
    assert after.schema.equals(batch.schema)
    return after.column(0).to_pylist(), counts, detector


ANA = token("Ana came.")
POISON = token("poison")


class TestACellThatIsASeal:
    @pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
    @pytest.mark.parametrize("treatment", [None, Treatment.SEAL], ids=["unknown", "sealed"])
    def test_is_scanned(self, kind, treatment):
        """Whether or not the column is known to be one."""
        column = pa.array([ANA, None, POISON], pa.string()).cast(kind)
        after, counts, _ = opened(column, treatment)
        assert after == ["<PERSON> came.", None, None]
        assert (counts.scanned, counts.sealed, counts.unanswered) == (1, 1, 1)
        assert counts.entities == {"PERSON": 1}

    def test_is_scanned_once_however_often_it_comes(self):
        """Distinct texts only, and each cell counts."""
        after, counts, detector = opened(pa.array([ANA, ANA, token("b"), ANA]))
        assert after == ["<PERSON> came.", "<PERSON> came.", "b", "<PERSON> came."]
        assert detector.asked == [["Ana came.", "b"]]
        assert counts.scanned == 4

    @pytest.mark.parametrize(
        ("sealed", "said"),
        [
            (token("Ana", "surrogate:staff"), "s_staff3"),
            (token("lost", "surrogate:staff"), None),
            (token("123", "fpe:s/d:digits"), None),
            (token("Ana", "seal:"), None),
            (token("Ana", "seal:another"), None),
            (token("Ana", "no such kind"), None),
            (token(b"Ana"), None),
            (token("Ana", seals=OTHER), None),
        ],
        ids=["surrogate", "no code", "fpe without a key", "no detector", "unknown detector",
             "unknown kind", "bytes", "of another grant"],
    )  # fmt: skip
    def test_becomes_what_its_kind_says(self, sealed, said):
        """And nothing leaves where its kind says nothing."""
        after, counts, _ = opened(pa.array([sealed]))
        assert after == [said]
        assert counts.sealed == (said is None)
        assert counts.replaced == (said is not None)

    def test_of_fpe_is_encrypted(self):
        """By what the gateway has for it."""

        class Reverse:
            def encrypt(self, kind: str, values: Sequence[str]) -> list[str | None]:
                assert kind == "fpe:s/d:digits"
                return [value[::-1] for value in values]

        after, counts, _ = opened(pa.array([token("123", "fpe:s/d:digits")]), fpe=Reverse())
        assert after == ["321"]
        assert counts.replaced == 1

    def test_of_an_engine(self):
        """PostgreSQL's own seals, under the grant's key."""
        seals = EngineSeals(bytes(range(64)))
        column = pa.array([token("Ana came.", seals=seals), ANA])
        assert opened(column, opener=seals)[0] == ["<PERSON> came.", None]


class TestASealWithinAText:
    @pytest.mark.parametrize(
        ("cell", "said"),
        [
            (f"note: {ANA}!", "note: <PERSON> came.!"),
            (f"{ANA} | {ANA}", "<PERSON> came. | <PERSON> came."),
            (f"{ANA}{token('b')}", "<PERSON> came.b"),
            (f"{ANA} {POISON}", None),
            (f"{ANA} ⟧", None),
            (f"⟦gov:{ANA}", None),
            (ANA.upper(), None),
            (ANA[:-1], None),
            (ANA.replace("gov:", "gov: "), None),
            (f"{ANA[:20]}A{ANA[20:]}", None),
        ],
        ids=["around", "two", "side by side", "one does not open", "a closing mark",
             "an opening mark", "upper case", "without its end", "spaced", "altered"],
    )  # fmt: skip
    def test_is_opened_in_place(self, cell, said):
        """What is around it stays; one that does not open withholds the cell."""
        after, counts, _ = opened(pa.array([cell, "plain"]))
        assert after == [said, "plain"]
        assert counts.sealed == (said is None)

    def test_is_a_mismatch_where_only_seals_may_be(self):
        """A sealed column holds seals, whole: anything else is a hole in the wall."""
        after, counts, _ = opened(pa.array([ANA, f"x{ANA}", "Ana"]), Treatment.SEAL)
        assert after == ["<PERSON> came.", None, None]
        assert (counts.mismatched, counts.sealed) == (2, 0)

    @pytest.mark.parametrize("inside", ['He said "Ana"\n\\', "⟧ and ⟦gov:x⟧", "{}", "\u2028é"])
    def test_in_json_leaves_it_json(self, inside):
        """Quotes, line ends, backslashes and marks of what was in it."""
        cell = json.dumps({"a": [token(inside)], "b": 1}, ensure_ascii=False)
        (after,), _, _ = opened(pa.array([cell]))
        assert json.loads(after) == {"a": [inside.replace("Ana", "<PERSON>")], "b": 1}

    def test_that_looks_like_json_and_is_none(self):
        """Is a text."""
        assert opened(pa.array([f"[{ANA}"]))[0] == ["[<PERSON> came."]

    def test_marks_in_what_was_sealed_open_nothing(self):
        """A note that holds the token of another value shows the token's letters, at most."""
        secret = token("Ana's secret")
        (after,), _, _ = opened(pa.array([token(f"see {secret}")]))
        assert "secret" not in after.replace(secret, "")

    def test_marks_in_a_clear_column_are_withheld(self):
        """A forger gains nothing."""
        assert opened(pa.array(["⟦gov:AAAA⟧"]))[0] == [None]


class TestOtherShapes:
    @pytest.mark.parametrize(
        ("column", "said"),
        [
            (pa.array([[ANA, "b"], [POISON, "b"]]), [["<PERSON> came.", "b"], [None, "b"]]),
            (pa.array([[[ANA], None]]), [[["<PERSON> came."], None]]),
            (pa.array([{"a": ANA, "b": 1}]), [{"a": "<PERSON> came.", "b": 1}]),
            (pa.array([[("k", ANA)]], pa.map_(pa.string(), pa.string())),
             [[("k", "<PERSON> came.")]]),
            (pa.array([[(ANA, "v")]], pa.map_(pa.string(), pa.string())), [None]),
            (pa.array([ANA.encode()]), [None]),
            (pa.array([[ANA.encode()]]), [[None]]),
            (pa.array([ANA, "b"]).dictionary_encode(), ["<PERSON> came.", "b"]),
        ],
        ids=["list", "nested list", "struct", "map value", "map key", "bytes", "list of bytes",
             "dictionary"],
    )  # fmt: skip
    def test_are_opened_item_by_item(self, column, said):
        """What cannot be rewritten is withheld, alone where that can be."""
        assert opened(column)[0] == said

    def test_a_list_of_a_sealed_column(self):
        """An array of seals."""
        after, counts, _ = opened(pa.array([[ANA, None], ["Ana"], []]), Treatment.SEAL)
        assert after == [["<PERSON> came.", None], None, []]
        assert (counts.scanned, counts.mismatched) == (1, 1)

    def test_a_mixed_column(self):
        """Texts among numbers."""
        batch = BatchBuilder(["x"]).build([(1,), (ANA,), (ANA.encode(),), (None,), ("é",)])
        mask = FrameMask(SEALS, {"notes": Shouts()}, Codes(), counts := FrameCounts())
        after = mask.mask(batch, [None]).column(0).to_pylist()
        assert after == ["1", '"<PERSON> came."', None, None, '"é"']
        assert (counts.scanned, counts.sealed) == (1, 1)

    @pytest.mark.parametrize("start", range(3))
    def test_a_slice(self, start):
        """Only its own cells."""
        column = pa.array([ANA, "a", POISON, ANA]).slice(start, 2)
        after, counts, _ = opened(column)
        whole = ["<PERSON> came.", "a", None, "<PERSON> came."]
        assert after == whole[start : start + 2]
        assert counts.scanned == sum("PERSON" in str(cell) for cell in after)


class TestAStatementThatEnds:
    def test_stops_before_the_next_portion(self):
        """A revoked grant does not wait for a long column to be scanned."""
        asked: list[int] = []

        def check() -> None:
            asked.append(1)
            if len(asked) == 2:
                raise TimeoutError

        column = pa.array([token(f"note {i}") for i in range(1000)])
        with pytest.raises(TimeoutError):
            opened(column, check=check)
        assert len(asked) == 2
