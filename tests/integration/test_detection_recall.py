"""Fast is not less: what plain presidio covers, this covers, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine
from presidio_analyzer.predefined_recognizers import PhoneRecognizer

from jupyter_gov.masking.detection.analyzer import Analyzer, nlp_engine, registry
from jupyter_gov.masking.detection.model import DetectorSpec, Engine, Span
from jupyter_gov.masking.detection.phone import OncePhoneRecognizer
from jupyter_gov.masking.detection.spans import covered
from tests.support.notes import MRN_PATTERN, Author

Covered = dict[str, list[tuple[int, int]]]
PATTERNS = DetectorSpec(
    name="codes", engine=Engine.PATTERNS, entities={}, patterns={"MRN": (MRN_PATTERN,)}
)
_SIGNS = [
    *"0123456789" * 3, *" -./()+xX[]~", *"–—−  \u00a0\u2009：＋（）", *"٠١٢३४５", *"ab№é\n\t\x1f",
]  # fmt: skip
_PIECES = (
    "+1 ", "00", "0", "011 ", "(", ") ", " ext. 12", " x3", "800-", "555", "-0199", "20 7946 0958",
    "030 1234567", "01 23 45 67 89", "172.16.", "12/03/", "2019-04-12", " 08:30", "fe80::1",
    "DE89370400440532013000", "4111 1111 1111 1111", "ſſn 123-45-6789", "K123456", "a@b.co",
    "www.exa", "mple.com/x?y", "http://ü.de", "'https://x.io'", "10.0.0.1/24", "::", "İ12345678",
    "00:1B:44:11:3A:B7", "９９９-99-9999", "1-JAN-2020", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzz",
)  # fmt: skip


def plain_of(spec: DetectorSpec) -> BatchAnalyzerEngine:
    """Presidio as its documentation has it, with the same recognisers."""
    engine, _ = nlp_engine(spec)
    return BatchAnalyzerEngine(AnalyzerEngine(registry=registry(spec, engine), nlp_engine=engine))


def differing(spec: DetectorSpec, texts: list[str], **how: float) -> Iterator[tuple[str, Covered]]:
    """Each text in which the two differ, and what plain presidio covers there."""
    ours = Analyzer(spec).spans(texts)
    for text, mine, theirs in zip(
        texts, ours, plain_of(spec).analyze_iterator(texts, spec.language, **how), strict=True
    ):
        expected = covered(Span(r.start, r.end, r.entity_type, r.score) for r in theirs)
        if mine is None or covered(mine) != expected:
            yield text, expected


def noise(seed: int, count: int) -> list[str]:
    """Texts of nothing but what recognisers look for, in pieces, in any order."""
    r = random.Random(seed)
    return [
        "".join(
            r.choice(_PIECES) if r.random() < 0.25 else r.choice(_SIGNS)
            for _ in range(r.randint(1, 60))
        )
        for _ in range(count)
    ]


class TestEverySpan:
    def test_of_generated_notes(self):
        """Names, phones, mails, SSNs, record numbers, dates, addresses: none lost, none added."""
        texts = [note.text for note in Author(11).notes(1000)]
        texts += [note.text for note in Author(12, held_out=True, odd=True).notes(1200, 200)]
        assert not list(differing(PATTERNS, texts))

    def test_of_noise(self):
        """Digits and signs of many scripts, where a phone number may or may not be one."""
        assert not list(differing(PATTERNS, noise(77, 1500)))

    def test_with_names(self, ner_model):
        """With a model that finds names, batched and without the pipes that nobody reads."""
        spec = DetectorSpec(
            name="notes", engine=Engine.SPACY, model=str(ner_model), entities={},
            patterns={"MRN": (MRN_PATTERN,)},
        )  # fmt: skip
        texts = [note.text for note in Author(13, held_out=True, odd=True).notes(500)]
        assert not list(differing(spec, texts))

    def test_above_a_threshold(self, ner_model):
        """Where the words around a place decide whether it counts."""
        spec = DetectorSpec(
            name="notes", engine=Engine.SPACY, model=str(ner_model), entities={}, patterns={},
            threshold=0.5,
        )  # fmt: skip
        texts = [note.text for note in Author(14).notes(300)]
        texts += [f"call his cell phone number {n}" for n in ("212-555-0134", "20 7946 0958")]
        assert not list(differing(spec, texts, score_threshold=0.5))

    @pytest.mark.soak
    def test_at_length(self, ner_model: Path):
        """The same, over twenty thousand notes and as much noise."""
        texts = [note.text for note in Author(21, odd=True).notes(20_000)] + noise(2, 20_000)
        assert not list(differing(PATTERNS, texts))


class TestPhoneNumbers:
    def test_in_everyday_forms(self):
        """Each is found whole, as presidio finds it."""
        ours, theirs = OncePhoneRecognizer(), PhoneRecognizer()
        for number in (
            "(212) 555-0134", "+44 20 7946 0958", "030 1234567", "01 23 45 67 89",
            "+972 50-234-5678", "+55 11 96123-4567", "98765 43210", "1-800-555-0199",
            "212-555-0134 x12", "tel:+1-201-555-0123", "011442079460958", "00 44 20 7946 0958",
            "+91 (98765) 43210", "123-45-678984~3",
        ):  # fmt: skip
            text = f"Call {number} now, or 555-0199."
            assert {(r.start, r.end) for r in ours.analyze(text, [])} == {
                (r.start, r.end) for r in theirs.analyze(text, [])
            }
