"""Free text from the database to the kernel's frame, through a gateway with real detectors."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import Site, populate
from tests.support.gateway import GatewayProcess, running
from tests.support.notes import MRN_PATTERN, Author, Note

NOTES = 60
SURNAME = "Quartermain"
_CONFIG = """
c.GovMasking.detectors = {{
    "notes": {{
        "model": {model!r},
        "entities": {{"US_SSN": "withhold", "MRN": "surrogate"}},
        "patterns": {{"MRN": {mrn!r}}},
        "recall": {{"PERSON": 0.8}},
    }},
    "codes": {{"engine": "patterns"}},
}}
c.GovMasking.treatments["free_text"] = {{"treatment": "seal", "detector": "notes"}}
c.GovMasking.treatments["coded_text"] = {{"treatment": "seal", "detector": "codes"}}
c.GovMasking.treatments["staff"] = {{"treatment": "surrogate"}}
c.GovConnections.tags = {{"clinic": {{"visit": {{
    "id": "key", "note": "free_text", "code": "coded_text", "clerk": "staff",
}}}}}}
c.GovAccess.eligibilities = {{"analysts": {{
    "who": ["group:analysts"], "connection": "clinic", "tables": ["visit"],
}}}}
"""


@pytest.fixture(scope="module")
def notes() -> list[Note]:
    written = Author(41).notes(NOTES)
    for number in range(0, NOTES, 12):
        written[number] = Note().add("Seen by Dr. ").label(f"Grace {SURNAME}", "PERSON")
        written[number].add(" today. SSN ").label("536-22-8145", "US_SSN").add(".")
    return written


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory, notes: list[Note]) -> Path:
    path = tmp_path_factory.mktemp("visits") / "visits.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE visit (id INTEGER, note TEXT, code TEXT, clerk TEXT)")
        db.executemany(
            "INSERT INTO visit VALUES (?, ?, 'A01 stable', ?)",
            [(i, note.text, f"clerk {i % 3}") for i, note in enumerate(notes)],
        )
    return path


@pytest.fixture(scope="module")
def free_text(
    make_site: Callable[..., GatewayProcess], ner_model: Path, visits: Path
) -> Iterator[Site]:
    gateway = make_site(_CONFIG.format(model=str(ner_model), mrn=MRN_PATTERN))
    gateway.env["CLINIC_DB"] = str(visits)
    with running(gateway):
        yield populate(gateway)


def workers(site: Site) -> list[psutil.Process]:
    assert site.gateway.process is not None
    children = psutil.Process(site.gateway.process.pid).children(recursive=True)
    return [
        p
        for p in children
        if p.status() != psutil.STATUS_ZOMBIE
        and "jupyter_gov.masking.detection.worker" in " ".join(p.cmdline())
    ]


class TestANote:
    def test_comes_without_what_was_found(self, free_text, notes):
        """Entities of the patterns are gone from every note, whatever stands around them."""
        frame = free_text.analyst().query("clinic", "SELECT id, note FROM visit ORDER BY id")
        assert frame["note"].notna().sum() > NOTES / 2
        for note, text in zip(notes, frame["note"], strict=True):
            if isinstance(text, str):
                for entity in ("PHONE_NUMBER", "EMAIL_ADDRESS", "MRN", "IP_ADDRESS"):
                    found = [said for said in note.named(entity) if said in text]
                    assert entity == "PHONE_NUMBER" or not found
                assert "⟦" not in text

    def test_is_withheld_for_an_entity_that_withholds(self, free_text, notes):
        """An SSN in it: nothing of the cell leaves."""
        frame = free_text.analyst().query("clinic", "SELECT id, note FROM visit ORDER BY id")
        for note, text in zip(notes, frame["note"], strict=True):
            if note.named("US_SSN"):
                assert not isinstance(text, str)
        assert frame.attrs["gov"]["withheld_cells"] >= NOTES / 12

    def test_names_are_found_as_well_as_the_model_finds_them(self, free_text, notes):
        """Most names of notes by an author whom the model knows are gone."""
        frame = free_text.analyst().query("clinic", "SELECT id, note FROM visit ORDER BY id")
        names = left = 0
        for note, text in zip(notes, frame["note"], strict=True):
            if isinstance(text, str):
                names += len(note.named("PERSON"))
                left += sum(bool(re.search(rf"\b{re.escape(n)}\b", text))
                            for n in note.named("PERSON"))  # fmt: skip
        assert names > 20
        assert left / names < 0.15

    def test_an_identifier_becomes_the_same_code_everywhere(self, free_text):
        """`surrogate` within a text: a random code, kept by the gateway."""
        sql = "SELECT note FROM visit WHERE id = 1 OR id > 1"
        first = free_text.analyst().query("clinic", sql)["note"].dropna().tolist()
        again = free_text.analyst().query("clinic", sql)["note"].dropna().tolist()
        codes = [set(re.findall(r"<MRN (s_[a-z2-7]{16})>", " ".join(texts)))
                 for texts in (first, again)]  # fmt: skip
        assert codes[0] == codes[1]
        assert len(codes[0]) > 3

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 'note: ' || note || '.' AS x FROM visit WHERE id = 1",
            "SELECT json_object('n', note) AS x FROM visit WHERE id = 1",
            "SELECT json_group_array(note) AS x FROM visit WHERE id = 1",
            "SELECT group_concat(note, ' | ') AS x FROM visit WHERE id IN (1, 1)",
            "SELECT x FROM (SELECT 1 AS x UNION ALL SELECT note FROM visit WHERE id = 1)"
            " WHERE typeof(x) = 'text'",
        ],
        ids=["concatenated", "in JSON", "in an array", "aggregated", "in a mixed column"],
    )
    def test_is_opened_where_it_stands(self, free_text, sql):
        """In a longer text, in JSON, in an aggregate: the rest of the cell stays."""
        plain = free_text.analyst().query("clinic", "SELECT note FROM visit WHERE id = 1")
        frame = free_text.analyst().query("clinic", sql)
        (cell,) = frame["x"]
        text = json.dumps(cell) if cell[:1] in "[{" else cell
        expected = plain["note"][0]
        assert expected in text or json.dumps(expected, ensure_ascii=False)[1:-1] in cell
        if cell[:1] in "[{":
            json.loads(cell)

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT substr(note, 2) AS x FROM visit",
            "SELECT upper(note) AS x FROM visit",
            "SELECT CAST(note AS BLOB) AS x FROM visit",
            "SELECT replace(note, '⟧', '') AS x FROM visit",
        ],
        ids=["part", "other case", "bytes", "without its end"],
    )
    def test_is_withheld_where_its_seal_is_broken(self, free_text, sql):
        """What does not open does not leave."""
        frame = free_text.analyst().query("clinic", sql)
        assert frame["x"].isna().all()
        assert frame.attrs["gov"]["withheld_cells"] == NOTES


class TestWords:
    def test_of_the_description(self, free_text):
        """`describe` tells scanned from withheld and from engine-treated, and how good it is."""
        kernel = free_text.analyst()
        kernel.request("clinic")
        columns = kernel.connect("clinic").describe("visit").set_index("name")
        assert columns.loc["note", "enforcement"] == "scanned"
        said = "scanned by notes (spacy en_test_notes 1.0.0): recall PERSON 0.80"
        assert columns.loc["note", "guarantee"] == said
        assert columns.loc["code", "enforcement"] == "withheld"
        assert "patterns find no names" in columns.loc["code", "guarantee"]
        assert columns.loc["clerk", "enforcement"] == "engine-treated"

    def test_of_the_frame_and_of_the_record(self, free_text):
        """The same words in both, and counts without a word of the notes."""
        frame = free_text.analyst().query("clinic", "SELECT note, code FROM visit")
        gov = frame.attrs["gov"]
        assert gov["guarantees"]["visit.note"].startswith("scanned by notes (spacy en_test_notes")
        assert gov["scanned_cells"] + gov["withheld_cells"] == 2 * NOTES
        says = free_text.gateway.outcome(gov["record"])["says"]
        assert says["scanned"]["visit.note"] == gov["guarantees"]["visit.note"]
        assert says["scanned_cells"] == gov["scanned_cells"]
        assert SURNAME not in json.dumps(says)


class TestPatternsOnly:
    def test_release_nothing(self, free_text):
        """Without a model names cannot be found, so the column is withheld, and it says why."""
        frame = free_text.analyst().query("clinic", "SELECT code FROM visit")
        assert frame["code"].isna().all()
        assert "patterns find no names" in frame.attrs["gov"]["guarantees"]["visit.code"]


class TestASurrogateColumn:
    def test_keeps_equality_and_nothing_else(self, free_text):
        """As many codes as values, and the same in another session."""
        sql = "SELECT id, clerk FROM visit ORDER BY id"
        first = free_text.analyst().query("clinic", sql)
        again = free_text.analyst().query("clinic", sql)
        assert first["clerk"].nunique() == 3
        assert first["clerk"].str.fullmatch(r"s_[a-z2-7]{16}").all()
        assert first["clerk"].tolist() == again["clerk"].tolist()
        assert first.attrs["gov"]["replaced_cells"] == NOTES


class TestTheProcesses:
    def test_holds_nothing_of_the_gateway(self, free_text):
        """No secret in its environment, no socket and no file but its two pipes."""
        found = workers(free_text)
        assert len(found) == 2
        for process in found:
            names = set(process.environ())
            assert not {n for n in names if "GOV" in n or "_TOKEN" in n or "CLINIC" in n}
            assert process.net_connections() == []
            kinds = [os.readlink(f"/proc/{process.pid}/fd/{fd}")
                     for fd in os.listdir(f"/proc/{process.pid}/fd")]  # fmt: skip
            assert not [kind for kind in kinds if kind.startswith("socket:")]
            assert sum(kind.startswith("pipe:") for kind in kinds) == 2

    def test_says_nothing_of_a_note_in_the_log(self, free_text):
        """Whatever a library may have to say about a text."""
        assert free_text.gateway.log is not None
        assert SURNAME not in free_text.gateway.log.read_text()


class TestAConfigThatCannotWork:
    def test_the_start_fails_with_the_path_and_the_fix(self, make_site, visits):
        """A model that is not there is not discovered by the first analyst."""
        config = _CONFIG.format(model="no_such_model", mrn=MRN_PATTERN)
        gateway = make_site(config)
        gateway.env["CLINIC_DB"] = str(visits)
        with pytest.raises(
            AssertionError, match="no_such_model is neither an installed spaCy"
        ) as e:
            gateway.start()
        assert 'c.GovMasking.detectors["notes"]' in str(e.value)
