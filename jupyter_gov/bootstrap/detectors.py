"""Detectors of free text, as an admin writes them; started before anything relies on them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_gov.bootstrap.reader import Reader, named, near
from jupyter_gov.bootstrap.settings import PATHS
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.masking.detection.detector import Detector
from jupyter_gov.masking.detection.model import DetectorSpec, Engine, Operator, Recall
from jupyter_gov.masking.detection.pool import DetectorUnusable
from jupyter_gov.masking.model import Profile, Treatment

_KEYS = (
    "engine", "model", "language", "entities", "patterns", "threshold", "workers", "timeout",
    "cache_mb", "recall",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_ENTITY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_MOST_WORKERS = 64


def read(value: Mapping[str, Any], base: Path, problems: list[str]) -> dict[str, DetectorSpec]:
    """Name → detector; *base* is where relative paths start."""
    where = PATHS["detectors"]
    return {
        name: _detector(f'{where}["{name}"]', name, given, base, problems)
        for name, given in named(where, value, problems)
    }


def _detector(where: str, name: str, given: Any, base: Path, problems: list[str]) -> DetectorSpec:
    reader = Reader(where, given, problems, _KEYS)
    given = given if isinstance(given, Mapping) else {}
    if not _NAME.fullmatch(name):
        reader.bad("", "a detector's name is letters, digits, dots, - and _")
    engines = [str(engine) for engine in Engine]
    engine = reader.text("engine", str(Engine.SPACY))
    if engine not in engines:
        reader.bad('["engine"]', f"{engine!r} is no engine{near(engine, engines)}")
        engine = Engine.PATTERNS
    model = ""
    if engine != Engine.PATTERNS:
        model = _model(reader.text("model"), base)
    elif "model" in given:
        reader.bad('["model"]', "the engine patterns has no model; remove it")
    spec = DetectorSpec(
        name=name,
        engine=Engine(engine),
        model=model,
        language=reader.text("language", "en"),
        entities=_entities(reader, given.get("entities", {})),
        patterns=_patterns(reader, given.get("patterns", {})),
        threshold=_threshold(reader, given.get("threshold", 0.0)),
        workers=min(reader.count("workers", 2) or 2, _MOST_WORKERS),
        timeout=reader.duration("timeout", "10s").total_seconds(),
        cache_bytes=(reader.count("cache_mb", 64) or 64) * 1_000_000,
    )
    if "recall" in given:
        spec = replace(spec, recall=_recall(reader, given["recall"], base, spec))
    return spec


def _model(text: str, base: Path) -> str:
    """A folder's path from the root, or the name of a package."""
    folder = base / Path(text).expanduser()
    return str(folder.absolute()) if text and folder.is_dir() else text


def _entities(reader: Reader, given: Any) -> dict[str, Operator]:
    known = [str(operator) for operator in Operator]
    if not isinstance(given, Mapping):
        reader.bad('["entities"]', 'write {ENTITY: "replace", "surrogate" or "withhold"}')
        return {}
    entities = {}
    for entity, operator in given.items():
        if operator not in known:
            reader.bad(
                f'["entities"]["{entity}"]', f"{operator!r} is no operator{near(operator, known)}"
            )
        elif _entity(reader, "entities", entity):
            entities[entity] = Operator(operator)
    return entities


def _patterns(reader: Reader, given: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, Mapping):
        reader.bad('["patterns"]', "write {ENTITY: regular expression, or a list of them}")
        return {}
    patterns = {}
    for entity, texts in given.items():
        texts = [texts] if isinstance(texts, str) else texts
        place = f'["patterns"]["{entity}"]'
        if not isinstance(texts, list | tuple) or not all(isinstance(t, str) and t for t in texts):
            reader.bad(place, "write a regular expression, or a list of them")
            continue
        for text in texts:
            try:
                re.compile(text)
            except re.error as error:
                reader.bad(place, f"is no regular expression ({error})")
        if _entity(reader, "patterns", entity):
            patterns[entity] = tuple(texts)
    return patterns


def _entity(reader: Reader, key: str, entity: Any) -> bool:
    if isinstance(entity, str) and _ENTITY.fullmatch(entity):
        return True
    reader.bad(f'["{key}"][{entity!r}]', "an entity is letters, digits and _")
    return False


def _threshold(reader: Reader, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < 1:
        reader.bad('["threshold"]', "write a number from 0 (everything counts) to below 1")
        return 0.0
    return float(given)


def _recall(reader: Reader, given: Any, base: Path, spec: DetectorSpec) -> Recall | None:
    """A mapping, or the file that `jupyter gov detector measure` wrote."""
    notes = 0
    if isinstance(given, str):
        path = base / given
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            given, notes, measured = said["recall"], int(said["notes"]), said["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            reader.bad(
                '["recall"]',
                f"{path} is no measurement ({type(error).__name__}); write it with jupyter gov"
                " detector measure",
            )
            return None
        if measured != spec.fingerprint:
            reader.bad(
                '["recall"]',
                f"{path} was measured with another model or other patterns; measure again with"
                " jupyter gov detector measure",
            )
    if not isinstance(given, Mapping) or not all(
        isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1
        for share in given.values()
    ):
        reader.bad('["recall"]', "write {ENTITY: share from 0 to 1}, or a measurement's path")
        return None
    return Recall(figures={str(e): float(share) for e, share in given.items()}, notes=notes)


def unknown(
    profiles: Mapping[str, Profile], detectors: Mapping[str, DetectorSpec]
) -> Iterator[str]:
    """Detectors that a treatment names and nobody configured."""
    missing = {
        leaf.detector
        for profile in profiles.values()
        for policy in profile.policies()
        for leaf in policy.leaves()
        if leaf.treatment is Treatment.SEAL and leaf.detector and leaf.detector not in detectors
    }
    for name in sorted(missing):
        yield (
            f"{PATHS['treatments']}: there is no detector {name!r}; add it to"
            f" {PATHS['detectors']}{near(name, detectors)}"
        )


def started(
    specs: Mapping[str, DetectorSpec], running: Mapping[str, Detector]
) -> dict[str, Detector]:
    """
    Each of them ready to scan; one that did not change goes on.

    Raises ConfigInvalid; those that were started by then are ended.
    """
    made: dict[str, Detector] = {}
    problems = []
    for name, spec in specs.items():
        before = running.get(name)
        if before is not None and before.spec == spec:
            made[name] = before
            continue
        detector = made[name] = Detector(spec)
        try:
            detector.start()
        except DetectorUnusable as error:
            problems.append(f'{PATHS["detectors"]}["{name}"]: {error}')
    if problems:
        end(made, running)
        raise ConfigInvalid(tuple(problems))
    return made


def end(detectors: Mapping[str, Detector], but: Mapping[str, Detector]) -> None:
    """End those that are not among *but*."""
    for detector in detectors.values():
        if all(detector is not other for other in but.values()):
            detector.close()
