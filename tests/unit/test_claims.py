"""What the product says of itself: that rules were applied, never what a data set is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyter_gov.cli.main import main
from jupyter_gov.masking.presets import Preset
from tests.support.gateway import ROOT

CLAIM = re.compile(
    r"\bde-?identified\b|\banonymi[sz]ed\b|\bcompliant\b|\bHIPAA[- ]certified\b", re.I
)
SAID = [
    ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "pyproject.toml",
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "docs" / "generators").glob("*.py"),
    *(ROOT / "examples").glob("*.*"),
    *(ROOT / "jupyter_gov").rglob("*.py"),
    *(ROOT / "jupyter_gov" / "gateway" / "templates").iterdir(),
    *(ROOT / "labextension" / "src").glob("*.ts"),
]  # fmt: skip


def claims(text: str) -> list[str]:
    return CLAIM.findall(text)


class TestNoClaim:
    def test_the_test_can_fail(self):
        """The words are found, however they are written."""
        said = "De-identified and deidentified data, HIPAA compliant, anonymised, HIPAA-certified"
        assert len(claims(said)) == 5

    @pytest.mark.parametrize(
        "path",
        [p for p in SAID if p.is_file() and p.suffix != ".db"],
        ids=lambda p: str(p.relative_to(ROOT)),
    )
    def test_is_written(self, path: Path):
        """In no page, program or message: those are words for a data set and its holder."""
        assert claims(path.read_text(encoding="utf-8")) == []

    @pytest.mark.parametrize("preset", Preset)
    def test_is_printed(self, preset, capsys):
        """`preset show` says that rules were applied, and what is not checked."""
        assert main(["preset", "show", str(preset)]) == 0
        out = capsys.readouterr().out
        assert claims(out) == []
        assert "rules applied" in out
        assert "is not checked" in out
