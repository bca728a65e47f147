"""Detectors over a reload: what did not change goes on, and a mistake ends nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_gov.bootstrap import detectors
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.masking.detection.model import DetectorSpec, Operator, Recall


def specs(**given: dict[str, Any]) -> dict[str, DetectorSpec]:
    problems: list[str] = []
    said = {name: {"engine": "patterns", **more} for name, more in given.items()}
    read = detectors.read(said, Path(), problems)
    assert problems == []
    return read


class TestReading:
    def test_of_everything_there_is_to_say(self, tmp_path):
        """Each key has its place."""
        (tmp_path / "model").mkdir()
        given = {
            "engine": "spacy", "model": "model", "language": "de", "threshold": 0.4, "workers": 3,
            "entities": {"PERSON": "surrogate"}, "patterns": {"MRN": "a", "TCK": ["b", "c"]},
            "timeout": "30s", "cache_mb": 1, "recall": {"PERSON": 0.9},
        }  # fmt: skip
        problems: list[str] = []
        spec = detectors.read({"notes": given}, tmp_path, problems)["notes"]
        assert problems == []
        assert spec.model == str(tmp_path / "model")
        assert spec.operator("PERSON") is Operator.SURROGATE
        assert spec.operator("ANYTHING") is Operator.REPLACE
        assert spec.patterns == {"MRN": ("a",), "TCK": ("b", "c")}
        assert (spec.workers, spec.timeout, spec.cache_bytes) == (3, 30.0, 1_000_000)
        assert spec.recall == Recall(figures={"PERSON": 0.9})
        assert spec.releases

    def test_without_a_measurement_says_so(self):
        """Nobody takes silence for a figure."""
        problems: list[str] = []
        (spec,) = detectors.read({"n": {"model": "m"}}, Path(), problems).values()
        assert spec.guarantee() == "scanned by n (spacy m): recall not measured"


class TestFingerprint:
    @pytest.mark.parametrize(
        ("change", "same"),
        [({"workers": 1}, True), ({"timeout": "1s"}, True), ({"threshold": 0.3}, False),
         ({"patterns": {"MRN": "x"}}, False), ({"language": "de"}, False)],
        ids=str,
    )  # fmt: skip
    def test_is_of_what_it_finds(self, change, same):
        """A figure holds while it is the same."""
        before, after = specs(n={})["n"], specs(n=change)["n"]
        assert (before.fingerprint == after.fingerprint) is same


class TestStarted:
    def test_one_that_did_not_change_goes_on(self):
        """With what it remembers."""
        first = detectors.started(specs(a={}, b={}), {})
        again = detectors.started(specs(a={}, b={"threshold": 0.5}), first)
        assert again["a"] is first["a"]
        assert again["b"] is not first["b"]
        detectors.end(first, again)
        assert first["b"].pool.spans(["x"]) == [None]

    def test_a_mistake_leaves_those_that_run(self):
        """The old configuration stays in force, and so do its detectors."""
        running = detectors.started(specs(a={}), {})
        problems: list[str] = []
        wrong = detectors.read({"b": {"model": "/nowhere"}}, Path(), problems)
        with pytest.raises(ConfigInvalid, match=r'detectors\["b"\]: /nowhere is neither'):
            detectors.started({**specs(a={}), **wrong}, running)
        assert not running["a"].pool._closed.is_set()
        detectors.end(running, {})
