"""A governed frame of clear columns is the frame that `pandas.read_sql` makes of the bare file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from jupyter_gov.engines.sqlite.engine import FIRST_ROWS
from tests.support.wall import Wall, wall

ROWS = FIRST_ROWS + 1_500  # a first batch and another, in which types may change
COLUMNS = {
    "i": lambda k: k,
    "r": lambda k: k / 7,
    "s": lambda k: f"s{k}é",
    "empty": lambda k: "",
    "day": lambda k: f"2024-01-{k % 28 + 1:02d}",
    "b": lambda k: bytes([k % 256]),
    "none": lambda k: None,
    "i_null": lambda k: None if k % 3 else k,
    "r_null": lambda k: None if k % 3 else k / 2,
    "s_null": lambda k: None if k % 3 else "z",
    "b_null": lambda k: None if k % 3 else b"q",
    "big": lambda k: 2**60 + k,
    "big_null": lambda k: None if k % 2 else 2**60 + k,
    "whole_then_real": lambda k: k if k < 1_500 else float(k),
    "real_then_whole": lambda k: float(k) if k < 1_500 else k,
    "big_or_real": lambda k: 2**60 + 1 if k % 2 else 1.5,
    "late": lambda k: None if k < 1_700 else f"{k}",
    "late_number": lambda k: None if k < 1_700 else k,
    "early": lambda k: None if k > 900 else "x",
    "any": lambda k: (1, "a", 2.5, None, b"x")[k % 5],
    "text_then_blob": lambda k: "t" if k < 1_200 else b"y",
    "number_then_text": lambda k: 1 if k < 1_200 else "a",
}
MIXED = ["any", "text_then_blob", "number_then_text"]
BLOBS = ["b", "b_null"]
PLAIN = [name for name in COLUMNS if name not in {*MIXED, *BLOBS, "none"}]
SELECTS = {
    "every column": "SELECT * FROM t ORDER BY i",
    "no row": "SELECT * FROM t WHERE 0",
    "one row": "SELECT * FROM t WHERE i = 3",
    "one name twice": "SELECT i, i, s AS i, r FROM t ORDER BY i",
    "one name twice and no row": "SELECT i, i FROM t WHERE 0",
    "expressions": "SELECT count(*), 1, 'a', NULL, 2.5, x'00', i > 3 FROM t",
    "aggregates": "SELECT i % 3 AS k, sum(i), avg(r), min(s), max(b) FROM t GROUP BY k ORDER BY k",
    "conditions": "SELECT i > 3 AS c, s IS NULL AS n FROM t ORDER BY i",
    **{name: f'SELECT "{name}" FROM t ORDER BY i' for name in COLUMNS},
    **{f"few of {name}": f'SELECT "{name}" FROM t ORDER BY i LIMIT 5' for name in COLUMNS},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dtypes") / "t.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        names = ", ".join('"' + name + '"' for name in COLUMNS)
        connection.execute(f"CREATE TABLE t ({names})")
        marks = ", ".join("?" * len(COLUMNS))
        connection.executemany(
            f"INSERT INTO t VALUES ({marks})",
            ([make(k) for make in COLUMNS.values()] for k in range(ROWS)),
        )
    return path


@pytest.fixture(scope="module")
def clear(file: Path) -> Iterator[Wall]:
    tags = {"t": dict.fromkeys(COLUMNS, "fact")}
    with wall(file, tags, {"fact": "clear"}) as made:
        yield made


def bare(file: Path, sql: str, **options: object) -> pd.DataFrame:
    with closing(sqlite3.connect(file)) as connection:
        return pd.read_sql(sql, connection, **options)


class TestNumpy:
    @pytest.mark.parametrize("sql", SELECTS.values(), ids=SELECTS.keys())
    def test_every_column_is_as_read_sql_gives_it(self, clear, file, sql):
        """Names, dtypes, index, values, and the Python types in object columns."""
        ours, theirs = clear.ask(sql).frame, bare(file, sql)
        pd.testing.assert_frame_equal(ours, theirs)
        for i in range(theirs.shape[1]):
            if theirs.iloc[:, i].dtype == object:
                kinds = list(map(type, ours.iloc[:, i])), list(map(type, theirs.iloc[:, i]))
                assert kinds[0] == kinds[1]


class TestPyarrow:
    @pytest.mark.parametrize("name", PLAIN)
    def test_a_column_of_one_type_is_as_read_sql_gives_it(self, clear, file, name):
        """dtype_backend="pyarrow" means Arrow's own types."""
        sql = f'SELECT "{name}" FROM t ORDER BY i'
        theirs = bare(file, sql, dtype_backend="pyarrow")
        pd.testing.assert_frame_equal(clear.ask(sql, dtype_backend="pyarrow").frame, theirs)

    def test_blobs_stay_blobs(self, clear):
        """read_sql makes texts of them, or fails where they are none."""
        frame = clear.ask("SELECT b, b_null FROM t ORDER BY i", dtype_backend="pyarrow").frame
        assert list(map(str, frame.dtypes)) == ["binary[pyarrow]", "binary[pyarrow]"]
        assert frame["b"].tolist() == [COLUMNS["b"](k) for k in range(ROWS)]

    def test_several_types_stay_what_they_are_and_leave_their_neighbours_alone(self, clear):
        """read_sql makes texts of all; a column of one type beside them keeps Arrow's."""
        sql = 'SELECT i, "any", text_then_blob, s, big_or_real FROM t ORDER BY i'
        frame = clear.ask(sql, dtype_backend="pyarrow").frame
        assert list(map(str, frame.dtypes)) == [
            "int64[pyarrow]", "object", "object", "string[pyarrow]", "double[pyarrow]",
        ]  # fmt: skip
        assert frame["any"].tolist() == [COLUMNS["any"](k) for k in range(ROWS)]
        assert frame["text_then_blob"].tolist()[1_199:1_201] == ["t", b"y"]

    def test_nothing_but_null_is_arrows_null(self, clear):
        """read_sql calls it a text where there are rows, and an object where there are none."""
        for sql in ('SELECT "none" FROM t', "SELECT i FROM t WHERE 0"):
            frame = clear.ask(sql, dtype_backend="pyarrow").frame
            assert list(map(str, frame.dtypes)) == ["null[pyarrow]"]
