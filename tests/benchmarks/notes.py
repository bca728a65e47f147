"""
Notes of 300 characters: scanned against plain presidio with the same recognisers, one after
the other, as often as there are pairs.

Plain presidio is `BatchAnalyzerEngine` in this process, on a sample, told per note; ours is what
a statement pays: processes, messages to and from them, and the text put together again.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable

import pyarrow as pa

from jupyter_gov.masking.detection.analyzer import nlp_engine, registry
from jupyter_gov.masking.detection.detector import Detector
from jupyter_gov.masking.detection.model import DetectorSpec, Engine
from jupyter_gov.masking.detection.pool import Pool
from jupyter_gov.masking.frame import NO_SURROGATES, FrameCounts, FrameMask
from jupyter_gov.masking.seals import Seals
from tests.benchmarks.ground import Ground
from tests.support import ner
from tests.support.notes import MRN_PATTERN, Author

NOTES, SAMPLE = 4_000, 300
CELLS, DISTINCT = 20_000, 1_000
BATCH = 5_000


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def plain(spec: DetectorSpec) -> Callable[[list[str]], object]:
    from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine

    engine, _ = nlp_engine(spec)
    batch = BatchAnalyzerEngine(AnalyzerEngine(registry=registry(spec, engine), nlp_engine=engine))
    return lambda texts: batch.analyze_iterator(texts, spec.language)


SEALS = Seals(bytes(64))


def opened(detector: Detector, tokens: list[str | None]) -> None:
    """A sealed column through the frame, as a statement's batches come."""
    seals, counts = SEALS, FrameCounts()
    mask = FrameMask(seals, {detector.spec.name: detector}, NO_SURROGATES, counts)
    for start in range(0, len(tokens), BATCH):
        mask.mask(pa.record_batch({"note": pa.array(tokens[start : start + BATCH])}), [None])
    assert counts.scanned == len(tokens), counts


def show(name: str, theirs: list[float], ours: list[float]) -> None:
    """Seconds a note, of each pair."""
    ratio = statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
    print(
        f"  {name:<34} plain {statistics.median(theirs) * 1e6:>7,.0f} µs/note"
        f"  ours {statistics.median(ours) * 1e6:>7,.1f} µs/note  {ratio:>6.1f}×",
        flush=True,
    )


def run(ground: Ground) -> None:
    """The median of the pairs."""
    model = ner.train(ground.folder / "ner")
    texts = list(dict.fromkeys(n.text for n in Author(5, held_out=True).notes(NOTES + 100)))[:NOTES]
    few = texts[:DISTINCT] * (CELLS // DISTINCT)
    patterns = DetectorSpec(
        name="codes", engine=Engine.PATTERNS, entities={}, patterns={"MRN": (MRN_PATTERN,)},
        timeout=120.0,
    )  # fmt: skip
    spacy = dataclasses.replace(patterns, name="notes", engine=Engine.SPACY, model=str(model))
    for spec in (patterns, spacy):
        scan = plain(spec)
        scan(texts[:20])
        pool = Pool(spec)
        pool.start()
        pool.spans(texts[:200])
        theirs, ours = [], []
        for _ in range(ground.pairs):
            theirs.append(seconds(lambda: scan(texts[:SAMPLE])) / SAMPLE)  # noqa: B023
            ours.append(seconds(lambda: pool.spans(texts)) / len(texts))  # noqa: B023
        pool.close()
        show(f"{spec.engine}, all distinct", theirs, ours)
        if not spec.releases:
            continue
        masked, repeated = [], []
        for _ in range(ground.pairs):
            for cells, times in ((texts, masked), (few, repeated)):
                detector = Detector(spec)  # with nothing remembered
                detector.start()
                detector.pool.spans(texts[:50])
                tokens = [SEALS.seal(text, f"seal:{spec.name}") for text in cells]
                times.append(seconds(lambda: opened(detector, tokens)) / len(cells))  # noqa: B023
                detector.close()
        show(f"{spec.engine}, frame, all distinct", theirs, masked)
        show(f"{spec.engine}, frame, 5% distinct", theirs, repeated)
