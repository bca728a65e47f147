"""`jupyter gov detector measure`: how much of what is there a configured detector finds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_gov.bootstrap import detectors
from jupyter_gov.bootstrap.reader import near
from jupyter_gov.bootstrap.settings import PATHS, mapping_of
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.gateway.config import GatewayConfig
from jupyter_gov.masking.detection.measure import BadNotes, Measured, measured, read_notes
from jupyter_gov.masking.detection.model import DetectorSpec
from jupyter_gov.masking.detection.pool import DetectorUnusable, Pool


def measure(files: list[Path], name: str, notes: Path, out: Path | None) -> int:
    """`detector measure`: print the figures, and write them for the configuration."""
    spec = _spec(files, name)
    try:
        labelled = read_notes(notes)
    except (BadNotes, OSError, ValueError) as error:
        said = str(error) if isinstance(error, BadNotes) else f"{notes}: cannot be read"
        raise ConfigInvalid((said,)) from None
    pool = Pool(spec)
    try:
        pool.start()
        result = measured(labelled, pool.spans([note.text for note in labelled]))
    except DetectorUnusable as error:
        raise ConfigInvalid((f'{PATHS["detectors"]}["{name}"]: {error}',)) from None
    finally:
        pool.close()
    _show(result)
    if out is not None:
        out.write_text(json.dumps(_written(spec, pool.version, result), indent=1) + "\n")
        print(f'Written. Add "recall": "{out}" to {PATHS["detectors"]}["{name}"].')
    return 0


def _spec(files: list[Path], name: str) -> DetectorSpec:
    settings = GatewayConfig(files).settings()
    problems: list[str] = []
    given: Mapping[str, Any] = mapping_of(settings, "detectors", problems)
    if name not in given:
        raise ConfigInvalid((*problems, f"there is no detector {name!r}{near(name, given)}"))
    own = given[name]
    if isinstance(own, Mapping):  # what was measured before does not matter now
        own = {key: value for key, value in own.items() if key != "recall"}
    specs = detectors.read({name: own}, settings.base, problems)
    if problems:
        raise ConfigInvalid(tuple(problems))
    return specs[name]


def _show(result: Measured) -> None:
    for entity in sorted(result.labelled):
        found, there = result.found[entity], result.labelled[entity]
        print(f"{entity:<24} {found / there:>7.3f}  {found:,} of {there:,}")
    print(f"{result.notes:,} notes; {result.unanswered:,} without an answer")


def _written(spec: DetectorSpec, version: str, result: Measured) -> dict[str, Any]:
    return {
        "detector": spec.name,
        "model": version,
        "fingerprint": spec.fingerprint,
        "recall": {e: round(share, 4) for e, share in sorted(result.recall.figures.items())},
        "labels": dict(sorted(result.labelled.items())),
        "notes": result.notes,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
