"""Every treatment through SQLite's own wall: a projection shows what the definition makes."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jupyter_gov.connections.model import ConnectionSpec, Paths, Tag
from jupyter_gov.engines.sqlite.engine import SqliteEngine
from jupyter_gov.masking.dates import days_of
from jupyter_gov.masking.model import ColumnPolicy, Profile, Treatment
from jupyter_gov.masking.seals import Opened, Seals
from jupyter_gov.masking.treatments import Treats
from jupyter_gov.sql.gate import read
from jupyter_gov.wire.cells import MIXED, decode_cell
from tests.support.keys import KEYS

TODAY = date(2026, 3, 2)
SEALS = Seals(bytes(range(64)))
BY_TAG = {
    "subject": ColumnPolicy(Treatment.PSEUDONYM, "patient", "clinic"),
    "seen": ColumnPolicy(Treatment.DATE_SHIFT, space="clinic", days=30),
    "born": ColumnPolicy(Treatment.MONTH),
    "bill": ColumnPolicy(Treatment.BUCKET, width=Decimal(100)),
    "weight": ColumnPolicy(Treatment.ROUND, to=Decimal("0.5")),
    "ssn": ColumnPolicy(Treatment.FPE, "ssn", "clinic", alphabet="digits"),
    "name": ColumnPolicy(Treatment.SURROGATE, "person"),
    "note": ColumnPolicy(Treatment.SEAL, detector="notes"),
    "code": ColumnPolicy(Treatment.CLEAR),
}
DOC = Paths((("type", "code"), ("on", "seen"), ("who", Paths((("id", "subject"),)))))
COLUMNS: dict[str, Tag] = {
    "id": "subject", "seen": "seen", "born": "born", "bill": "bill", "weight": "weight",
    "ssn": "ssn", "name": "name", "note": "note", "doc": DOC, "n": "code",
}  # fmt: skip
TAGS = {"visits": COLUMNS}
DOCUMENT = {"type": "Encounter", "on": "2024-03-02", "who": {"id": 7, "name": "Z"}, "x": "secret"}
ROWS = [
    (7, "2024-03-02 10:00:00", "1975-08-31", 1234, 71.3, "900-12-3456", "Zebulon", "CANARY",
     json.dumps(DOCUMENT)),
    (7, "2024-03-12", "1931-02-28", -1, 70.2, "900-12-3457", "Zebulon", "CANARY", "CANARY no json"),
    (8, "2024-03-02", "soon", 99.5, None, None, "Ottoline", None, "{}"),
    (None, "2024-03-02", None, "CANARY", "CANARY", 5, b"\x00", 7, None),
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteEngine]:
    """A file with a table of visits."""
    path: Path = tmp_path_factory.mktemp("treatments") / "clinic.db"
    with closing(sqlite3.connect(path)) as session:
        session.execute(f"CREATE TABLE visits ({', '.join(COLUMNS)})")
        session.executemany(
            f"INSERT INTO visits VALUES ({', '.join('?' * 10)})",
            [(*row, n) for n, row in enumerate(ROWS)],
        )
        session.commit()
    spec = ConnectionSpec(name="clinic", url=f"sqlite:///{path}", tags=TAGS)
    made = SqliteEngine(spec, path, KEYS)
    yield made
    made.close()


def ask(engine: SqliteEngine, sql: str) -> list[tuple[Any, ...]]:
    """What leaves the engine, before the frame."""
    execution = engine.start(
        read(sql, "sqlite"), {},
        profile=Profile(
            connection="clinic", by_tag=BY_TAG, untagged=ColumnPolicy(Treatment.WITHHOLD), tags=TAGS
        ),
        tables=frozenset({"visits"}), seals=SEALS, today=TODAY, deadline=time.monotonic() + 20,
    )  # fmt: skip
    try:
        batches = list(execution.batches())
    finally:
        execution.close()
    schema = batches[-1].schema
    mixed = [MIXED in (field.metadata or {}) for field in schema]
    rows = [row for batch in batches for row in zip(*map(_cells, batch.columns), strict=True)]
    return [
        tuple(decode_cell(v) if m else v for v, m in zip(row, mixed, strict=True)) for row in rows
    ]


def _cells(column: Any) -> list[Any]:
    return list(column.to_pylist())


class TestProjection:
    @pytest.mark.parametrize("column", list(COLUMNS)[:-2])
    def test_each_column_is_what_the_definition_makes(self, engine, column):
        """Of every value, also of those it does not apply to."""
        policy = BY_TAG[str(COLUMNS[column])]
        function = Treats(KEYS).of(policy, today=TODAY, small=frozenset(), seals=SEALS)
        index = list(COLUMNS).index(column)
        due = [
            function(row[index], row[0]) if policy.by_subject else function(row[index])
            for row in ROWS
        ]
        found = ask(engine, f"SELECT {column} FROM visits ORDER BY n")
        assert [row[0] for row in found] == due

    def test_dates_of_one_subject_move_together(self, engine):
        """So what lies between them stays; and in JSON they move alike."""
        found = ask(engine, "SELECT seen, doc ->> 'on' FROM visits ORDER BY n")
        (first, inside), (second, _), (third, _), (fourth, _) = found
        by = days_of(KEYS.shift("clinic"), 30)
        assert (date.fromisoformat(first[:10]) - date(2024, 3, 2)).days == by(7)
        assert first[10:] == " 10:00:00"
        assert (date.fromisoformat(second) - date(2024, 3, 12)).days == by(7)
        assert (date.fromisoformat(third) - date(2024, 3, 2)).days == by(8)
        assert fourth is None
        assert inside == first[:10]

    def test_a_document_keeps_its_listed_paths_only(self, engine):
        """And its identifiers join the column's."""
        ((doc, token),) = ask(engine, "SELECT doc, id FROM visits WHERE n = 0")
        left = json.loads(doc)
        assert left.keys() == {"type", "on", "who"}
        assert left["type"] == "Encounter"
        assert left["who"] == {"id": token}

    def test_seals_say_what_they_are_for(self, engine):
        """So that no statement turns one use into another."""
        ((ssn, name, note),) = ask(engine, "SELECT ssn, name, note FROM visits WHERE n = 0")
        assert SEALS.open(ssn) == Opened("fpe:clinic/ssn:digits", "900-12-3456")
        assert SEALS.open(name) == Opened("surrogate:person", "Zebulon")
        assert SEALS.open(note) == Opened("seal:notes", "CANARY")

    def test_nothing_raw_comes_out(self, engine):
        """Of values in the wrong columns, of what is no JSON, of what is not listed."""
        found = str(ask(engine, "SELECT *, quote(doc), hex(note), typeof(bill) FROM visits"))
        for raw in ("CANARY", "secret", "900-12", "1234", "Zebulon", "43414E415259"):
            assert raw not in found
