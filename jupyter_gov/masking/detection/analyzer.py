"""
presidio-analyzer with only the recognisers that can find something.

Runs in a detection process and nowhere else: importing it takes a second, and loads models.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Before tldextract is imported: it would ask the network for the list of domains.
os.environ["TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS"] = ""

import spacy
from presidio_analyzer import (
    AnalyzerEngine,
    EntityRecognizer,
    Pattern,
    PatternRecognizer,
    RecognizerRegistry,
)
from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import IbanRecognizer, PhoneRecognizer

from jupyter_gov.masking.detection.model import PERSON, DetectorSpec, Engine, Span
from jupyter_gov.masking.detection.phone import OncePhoneRecognizer
from jupyter_gov.masking.detection.prefilter import Prefilter
from jupyter_gov.masking.detection.url import DOTTED, WordUrlRecognizer, is_known

_log = logging.getLogger("presidio-analyzer")
SITE_SCORE = 0.85
"""Of a pattern that the admin wrote."""
_CHARACTERS_KEPT = 3_000_000
"""Of texts whose words the vocabulary may remember: tokenising known words takes half the time."""
_QUANTITIES = frozenset({"CARDINAL", "ORDINAL", "QUANTITY", "PERCENT", "MONEY", "LANGUAGE"})
"""Labels of common models that name no person; every other label of a model counts."""
_FOR_CONTEXT = ("tagger", "morphologizer", "attribute_ruler", "lemmatizer")
_FOR_NOTHING = ("parser", "senter", "sentencizer", "textcat", "textcat_multilabel")
_MANY_DIGITS = r"(?:\d[^0-9A-WYZa-wyz]{0,4}){%d}\d"
"""Where a phone number may be: phonenumbers allows four signs between two digits."""


class ModelUnusable(Exception):
    """What is wrong with the model, in words for the admin."""


class _Engine(SpacyNlpEngine):
    """A spaCy pipeline that is there already: presidio would download what it misses."""

    def __init__(self, nlp: Any, language: str, labels: Sequence[str]) -> None:
        mapping = {
            **NerModelConfiguration().model_to_presidio_entity_mapping,
            "NORP": "NRP",
        }
        mapping.update({label: label for label in labels if label not in mapping})
        super().__init__(
            models=[{"lang_code": language, "model_name": "given"}],
            ner_model_configuration=NerModelConfiguration(
                model_to_presidio_entity_mapping=mapping,
                labels_to_ignore=sorted(_QUANTITIES & set(labels)),
            ),
        )
        self.nlp = {language: nlp}


def _spacy_model(spec: DetectorSpec) -> Any:
    if not (spacy.util.is_package(spec.model) or Path(spec.model).is_dir()):
        raise ModelUnusable(
            f"{spec.model} is neither an installed spaCy package nor a folder; install the"
            " package into the gateway's environment, or write the model's folder"
        )
    return spacy.load(spec.model)


def _leaned(nlp: Any, threshold: float) -> Any:
    """Without the pipes whose results nobody reads, where it is plain which they are."""
    unneeded = _FOR_NOTHING if threshold else _FOR_NOTHING + _FOR_CONTEXT
    known = {*_FOR_NOTHING, *_FOR_CONTEXT, "tok2vec", "transformer", "ner"}
    if set(nlp.pipe_names) <= known:
        for name in nlp.pipe_names:
            if name in unneeded:
                nlp.disable_pipe(name)
    return nlp


def _transformers_engine(spec: DetectorSpec) -> Any:
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
    try:
        from presidio_analyzer.nlp_engine import TransformersNlpEngine

        nlp = spacy.blank(spec.language)
        mapping = dict(NerModelConfiguration().model_to_presidio_entity_mapping)
        from transformers import AutoConfig

        labels = {
            label.removeprefix("B-").removeprefix("I-")
            for label in AutoConfig.from_pretrained(spec.model).id2label.values()
        }
        mapping.update({label: label for label in labels if label not in mapping})
        engine = TransformersNlpEngine(
            models=[
                {
                    "lang_code": spec.language,
                    "model_name": {"spacy": "given", "transformers": spec.model},
                }
            ],
            ner_model_configuration=NerModelConfiguration(
                model_to_presidio_entity_mapping=mapping, labels_to_ignore=["O"]
            ),
        )
        settings = engine.ner_model_configuration
        nlp.add_pipe(
            "hf_token_pipe",
            config={
                "model": spec.model, "stride": settings.stride,
                "alignment_mode": settings.alignment_mode,
                "aggregation_strategy": settings.aggregation_strategy,
                "spans_key": engine.entity_key,
            },
        )  # fmt: skip
    except (ImportError, ValueError) as error:
        raise ModelUnusable(
            "the engine transformers needs the packages transformers and"
            f" spacy-huggingface-pipelines, and a model that is here already ({error})"
        ) from None
    engine.nlp = {spec.language: nlp}
    return engine


def nlp_engine(spec: DetectorSpec) -> tuple[Any, str]:
    """The engine that finds names, and what its model calls itself.  Raises ModelUnusable."""
    if spec.engine is Engine.TRANSFORMERS:
        return _transformers_engine(spec), Path(spec.model).name
    if spec.engine is Engine.PATTERNS:
        return _Engine(spacy.blank(spec.language), spec.language, ()), "patterns"
    nlp = _leaned(_spacy_model(spec), spec.threshold)
    if nlp.lang != spec.language:
        raise ModelUnusable(f"{spec.model} is a model for {nlp.lang!r}, not {spec.language!r}")
    labels = sorted({label for name in nlp.pipe_names for label in nlp.pipe_labels.get(name, ())})
    ner = nlp.pipe_labels.get("ner", ())
    engine = _Engine(nlp, spec.language, [*ner, *_ruled(nlp)])
    found = {engine.ner_model_configuration.model_to_presidio_entity_mapping.get(n) for n in ner}
    if PERSON not in found:
        raise ModelUnusable(
            f"{spec.model} does not find people: its labels are {', '.join(labels) or 'none'};"
            " name a model with a ner pipe that labels PERSON"
        )
    meta = nlp.meta
    return engine, f"{meta['lang']}_{meta['name']} {meta['version']}"


def _ruled(nlp: Any) -> list[str]:
    return [
        label
        for name in nlp.pipe_names
        if name in ("entity_ruler", "span_ruler")
        for label in nlp.get_pipe(name).labels
    ]


def registry(spec: DetectorSpec, engine: Any) -> RecognizerRegistry:
    """Presidio's own recognisers for the language, the model's, and the site's patterns."""
    made = RecognizerRegistry(supported_languages=[spec.language])
    made.load_predefined_recognizers(languages=[spec.language], nlp_engine=engine)
    if spec.engine is Engine.PATTERNS:
        made.recognizers = [r for r in made.recognizers if not _reads_artifacts(r)]
    for entity, patterns in sorted(spec.patterns.items()):
        made.add_recognizer(
            PatternRecognizer(
                supported_entity=entity,
                supported_language=spec.language,
                name=f"site {entity}",
                patterns=[Pattern(f"{entity} {i}", p, SITE_SCORE) for i, p in enumerate(patterns)],
            )
        )
    return made


def _reads_artifacts(recognizer: EntityRecognizer) -> bool:
    return type(recognizer).__name__ in (
        "SpacyRecognizer", "StanzaRecognizer", "TransformersRecognizer",
    )  # fmt: skip


class _TimedOut(logging.Handler):
    """Presidio skips a pattern that took too long and logs that it did: it must not go unseen."""

    seen = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0] is TimeoutError:
            self.seen = True


class Analyzer:
    """Finds places in texts.  Used by one thread.  Raises ModelUnusable."""

    def __init__(self, spec: DetectorSpec) -> None:
        self._spec = spec
        self.engine, self.version = nlp_engine(spec)
        self._batched = spec.engine is not Engine.PATTERNS
        plain = registry(spec, self.engine)
        self._presidio = AnalyzerEngine(
            registry=plain, nlp_engine=self.engine, supported_languages=[spec.language]
        )
        self.entities = sorted(set(self._presidio.get_supported_entities(spec.language)))
        self._timed_out = _TimedOut(logging.WARNING)
        _log.handlers[:] = [self._timed_out]
        _log.propagate = False
        _log.setLevel(logging.WARNING)
        self._recognizers: list[EntityRecognizer] = []
        self._phones: list[OncePhoneRecognizer] = []
        self._of_pattern: list[tuple[int, int]] = []
        """Pattern → recogniser and the pattern's place in it; -1 for one of no single place."""
        patterns: list[tuple[str, int]] = []
        self._ungated: list[int] = []
        for recognizer in plain.recognizers:
            self._add(recognizer, patterns)
        self._prefilter = Prefilter(patterns)
        self._plans: dict[frozenset[int], list[EntityRecognizer]] = {}
        self._memory: Any = None
        self._read = 0

    def _add(self, recognizer: EntityRecognizer, patterns: list[tuple[str, int]]) -> None:
        number = len(self._recognizers)
        kind = type(recognizer)
        if kind is PhoneRecognizer:
            recognizer = OncePhoneRecognizer(
                context=recognizer.context, supported_language=recognizer.supported_language,
                supported_entity=recognizer.supported_entities[0],
                supported_regions=recognizer.supported_regions, leniency=recognizer.leniency,
                name=recognizer.name,
            )  # fmt: skip
            recognizer._id = f"{recognizer.name}_{number}"
            self._phones.append(recognizer)
            patterns.append((_MANY_DIGITS % (recognizer.least_digits - 1), 0))
            self._of_pattern.append((number, -1))
        elif is_known(recognizer):
            recognizer = WordUrlRecognizer(
                context=recognizer.context, supported_language=recognizer.supported_language,
                supported_entity=recognizer.supported_entities[0], name=recognizer.name,
            )  # fmt: skip
            patterns.append((DOTTED, int(recognizer.global_regex_flags or 0)))
            self._of_pattern.append((number, -1))
        elif isinstance(recognizer, PatternRecognizer) and (
            kind.analyze is PatternRecognizer.analyze or kind is IbanRecognizer
        ):
            one_by_one = kind is not IbanRecognizer
            for place, pattern in enumerate(recognizer.patterns):
                patterns.append((pattern.regex, int(recognizer.global_regex_flags or 0)))
                self._of_pattern.append((number, place if one_by_one else -1))
        else:
            self._ungated.append(number)
        self._recognizers.append(recognizer)

    def _plan(self, hits: frozenset[int]) -> list[EntityRecognizer]:
        """The recognisers to run, each with those of its patterns that can match."""
        if hits not in self._plans:
            if len(self._plans) > 4_096:
                self._plans.clear()
            wanted: dict[int, list[int]] = {number: [] for number in self._ungated}
            for hit in sorted(hits):
                number, place = self._of_pattern[hit]
                wanted.setdefault(number, []).append(place)
            plan = []
            for number, chosen in sorted(wanted.items()):
                recognizer = self._recognizers[number]
                if chosen and -1 not in chosen:
                    part = copy.copy(recognizer)
                    part.patterns = [recognizer.patterns[i] for i in chosen]
                    recognizer = part
                plan.append(recognizer)
            self._plans[hits] = plan
        return self._plans[hits]

    def spans(self, texts: Sequence[str]) -> list[list[Span] | None]:
        """For each text what was found; None where it is not certain that all was looked for."""
        for phone in self._phones:
            phone.forget()
        if not self._batched:
            return [self._one(text, None) for text in texts]
        nlp = self._zone(sum(map(len, texts)))
        try:
            docs: list[Any] = list(nlp.pipe(texts, batch_size=64))
        except Exception:
            docs = [None] * len(texts)
        return [self._one(text, doc) for text, doc in zip(texts, docs, strict=True)]

    def _zone(self, more: int) -> Any:
        """The pipeline, whose vocabulary forgets the notes' words before it has grown too far."""
        nlp = self.engine.nlp[self._spec.language]
        self._read += more
        if self._memory is None or self._read > _CHARACTERS_KEPT:
            if self._memory is not None:
                self._memory.__exit__(None, None, None)
            self._memory, self._read = nlp.memory_zone(), more
            self._memory.__enter__()
        return nlp

    def _one(self, text: str, doc: Any) -> list[Span] | None:
        self._timed_out.seen = False
        try:
            artifacts = None
            if self._batched:
                if doc is None:
                    doc = self.engine.nlp[self._spec.language](text)
                artifacts = self._artifacts(doc)
            results = []
            for recognizer in self._plan(self._prefilter.hits(text)):
                results += recognizer.analyze(text, self.entities, artifacts)
            results = self._above(text, results, artifacts)
        except Exception:  # whatever it says may quote the text
            return None
        if self._timed_out.seen:
            return None
        return [Span(int(r.start), int(r.end), str(r.entity_type), float(r.score)) for r in results]

    def _artifacts(self, doc: Any) -> Any:
        if self._spec.threshold:
            return self.engine._doc_to_nlp_artifact(doc, self._spec.language)
        return _Found(
            *self.engine._get_updated_entities(
                self.engine._get_entities(doc), self.engine._get_scores_for_entities(doc)
            )
        )

    def _above(self, text: str, results: list[Any], artifacts: Any) -> list[Any]:
        """Those that count; words around a place may lift its score, and never lower it."""
        least = self._spec.threshold
        if any(result.score < least for result in results):
            if artifacts is None:
                artifacts = self.engine.process_text(text, self._spec.language)
            results = self._presidio._enhance_using_context(
                text, results, artifacts, self._recognizers, None
            )
        return [result for result in results if result.score >= least and result.score > 0]


class _Found:
    """What the model's recogniser reads of the artifacts; words are read for a threshold only."""

    def __init__(self, entities: Sequence[Any], scores: Sequence[float]) -> None:
        self.entities = entities
        self.scores = scores
