"""Free text that PostgreSQL sealed, opened and scanned on the frame, whatever it went through."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_gov.masking.detection.detector import Detector
from jupyter_gov.masking.detection.model import DetectorSpec, Engine
from jupyter_gov.masking.frame import NO_SURROGATES, FrameCounts, FrameMask
from jupyter_gov.masking.model import ColumnPolicy, Treatment
from jupyter_gov.masking.seals import Seals
from jupyter_gov.sql import gate
from tests.support.notes import MRN_PATTERN
from tests.support.postgres import Server
from tests.support.postgres_wall import Wall, hospital, walls


@pytest.fixture(scope="module")
def wall(postgres: Server, hospital_template: str) -> Iterator[Wall]:
    profile, tags, schemas = hospital()
    scanned = ColumnPolicy(Treatment.SEAL, detector="notes")
    profile = dataclasses.replace(profile, by_tag={**profile.by_tag, "free_text": scanned})
    with walls(postgres, hospital_template, {"one": profile}, tags, schemas) as made:
        yield made["one"]


@pytest.fixture(scope="module")
def detector(ner_model: Path) -> Iterator[Detector]:
    spec = DetectorSpec(
        name="notes", engine=Engine.SPACY, model=str(ner_model), entities={}, workers=1,
        patterns={"MRN": (MRN_PATTERN,)}, timeout=60.0,
    )  # fmt: skip
    made = Detector(spec)
    made.start()
    yield made
    made.close()


def ask(wall: Wall, detector: Detector, sql: str) -> tuple[list[Any], FrameCounts]:
    """The one column of a statement, as it would leave the gateway."""
    now = datetime.now(UTC)
    execution = wall.engine.start(
        gate.read(sql, "postgres", wall.engine.functions), {}, profile=wall.profile,
        tables=wall.tables, seals=Seals(bytes(64)), today=now.date(),
        deadline=time.monotonic() + 60, grant_id=wall.grant_id, ends_at=now + timedelta(hours=1),
    )  # fmt: skip
    with closing(execution):
        counts, cells = FrameCounts(), []
        mask = FrameMask(execution.opener, {"notes": detector}, NO_SURROGATES, counts)
        for batch in execution.batches():
            after = mask.mask(batch, execution.expected(execution.names))
            cells += after.column(0).to_pylist()
    return cells, counts


@pytest.fixture(scope="module")
def plain(wall: Wall, detector: Detector) -> list[str]:
    """The notes as they come when they are simply read."""
    cells, counts = ask(
        wall, detector, "SELECT notes FROM patients WHERE notes IS NOT NULL ORDER BY patient_id"
    )
    assert counts.scanned == len(cells) > 3
    assert (counts.sealed, counts.mismatched) == (0, 0)
    return cells


class TestANote:
    def test_comes_as_text_without_what_was_found(self, plain):
        """No seal is left, and places have become entities."""
        assert not any("⟦" in note for note in plain)
        assert any("<" in note for note in plain)

    @pytest.mark.parametrize(
        ("sql", "read"),
        [
            ("SELECT string_agg(notes, '|' ORDER BY patient_id)", lambda c: c.split("|")),
            ("SELECT array_agg(notes ORDER BY patient_id)", json.loads),  # as a mixed column
            ("SELECT json_agg(notes ORDER BY patient_id)::text", json.loads),
            ("SELECT jsonb_agg(notes ORDER BY patient_id)", json.loads),
        ],
        ids=["string_agg", "array_agg", "json_agg", "jsonb_agg"],
    )
    def test_survives_an_aggregate(self, wall, detector, plain, sql, read):
        """Each is opened where it stands."""
        (cell,), counts = ask(wall, detector, f"{sql} FROM patients WHERE notes IS NOT NULL")
        assert read(cell) == plain
        assert counts.sealed == 0

    def test_survives_a_row_as_json(self, wall, detector, plain):
        """Whole rows too."""
        sql = (
            "SELECT row_to_json(p)::text FROM patients p WHERE notes IS NOT NULL"
            " ORDER BY patient_id"
        )
        cells, _ = ask(wall, detector, sql)
        assert [json.loads(cell)["notes"] for cell in cells] == plain

    @pytest.mark.parametrize(
        "shown", ["substr(notes, 3)", "upper(notes)", "left(notes, 30)", "notes::bytea"]
    )
    def test_is_withheld_where_its_seal_is_broken(self, wall, detector, plain, shown):
        """A part, another case, bytes."""
        sql = f"SELECT {shown} FROM patients WHERE notes IS NOT NULL"
        cells, counts = ask(wall, detector, sql)
        assert cells == [None] * len(plain)
        assert counts.sealed == len(plain)
