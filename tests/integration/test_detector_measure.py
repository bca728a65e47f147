"""An admin measures a detector on notes of their own, and the figure is what everybody is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.notes import MRN_PATTERN, Author

CONFIG = """
c.GovMasking.detectors = {{"notes": {{
    "engine": {engine!r}, "patterns": {{"MRN": {mrn!r}}}, "workers": 1, {more}
}}}}
"""


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled, by an author whose names no model knows."""
    path = tmp_path_factory.mktemp("labelled") / "notes.jsonl"
    lines = [
        json.dumps({"text": note.text, "spans": note.labels})
        for note in Author(31, held_out=True).notes(150)
    ]
    path.write_text("\n".join(lines))
    return path


def gateway(
    make_site: Callable[..., GatewayProcess], more: str, engine: str = "spacy"
) -> GatewayProcess:
    return make_site(CONFIG.format(engine=engine, mrn=MRN_PATTERN, more=more))


class TestMeasure:
    def test_writes_what_the_configuration_takes(self, make_site, notes, ner_model, tmp_path):
        """Held-out names: most are found, not all, and the file says so."""
        out = tmp_path / "recall.json"
        model = f"'model': {str(ner_model)!r},"
        here = gateway(make_site, model)
        done = here.here("detector", "measure", "notes", "--notes", str(notes), "--out", str(out))
        assert done.returncode == 0, done.stderr
        written = json.loads(out.read_text())
        assert 0.6 < written["recall"]["PERSON"] < 1
        assert written["recall"]["MRN"] == 1
        assert written["notes"] == 150
        assert "PERSON" in done.stdout
        checked = gateway(make_site, f"{model} 'recall': {str(out)!r}").here("config", "check")
        assert checked.returncode == 0, checked.stderr

    def test_of_another_detector_is_refused(self, make_site, notes, ner_model, tmp_path):
        """A figure holds for what it was measured with."""
        out = tmp_path / "recall.json"
        here = gateway(make_site, "", "patterns")
        done = here.here("detector", "measure", "notes", "--notes", str(notes), "--out", str(out))
        assert done.returncode == 0, done.stderr
        assert json.loads(out.read_text())["recall"]["PERSON"] < 0.1
        more = f"'model': {str(ner_model)!r}, 'recall': {str(out)!r}"
        checked = gateway(make_site, more).here("config", "check")
        assert checked.returncode == 2
        assert "measured with another model" in checked.stderr

    @pytest.mark.parametrize(
        "line",
        ["{}", '{"text": "Ana came", "spans": [[0, 99, "PERSON"]]}', "Ana came",
         '{"text": "Ana came", "spans": []}'],
        ids=["no note", "outside", "no JSON", "nothing labelled"],
    )  # fmt: skip
    def test_says_which_line_is_wrong(self, make_site, tmp_path, line):
        """By its number: the note itself is not shown."""
        path = tmp_path / "notes.jsonl"
        path.write_text(line)
        here = gateway(make_site, "", "patterns")
        done = here.here("detector", "measure", "notes", "--notes", str(path))
        assert done.returncode == 2
        assert str(path) in done.stderr
        assert "Ana" not in done.stderr
