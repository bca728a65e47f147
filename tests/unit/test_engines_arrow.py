"""Rows of SQLite as Arrow batches: values and types as they were, over batches of any kind."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.engines.arrow import BatchBuilder
from jupyter_gov.kernel.frame import Answer, to_pandas
from jupyter_gov.wire.cells import MIXED

values = st.sampled_from([
    None, 0, -1, 2**53, 2**53 + 1, 2**63 - 1, 0.5, 1.0, -0.0, 1e300, "", "a", "é\n", "1",
    b"", b"\xff",
])  # fmt: skip


def build(*batches):
    builder = BatchBuilder(["x"])
    return [builder.build([(value,) for value in batch]) for batch in batches]


def frame_of(batches):
    """As the kernel joins what came, one segment for each change of type."""
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    return to_pandas(Answer(head=None, tables=tables, trailer=None))


class TestOneBatch:
    @pytest.mark.parametrize(
        ("column", "kind"),
        [
            ([1, None, 2], pa.int64()),
            ([1.5, None], pa.float64()),
            ([1.0, 2.0], pa.float64()),
            ([1, 2.5], pa.float64()),
            (["a", None], pa.string()),
            ([b"a"], pa.binary()),
            ([None, None], pa.null()),
            ([], pa.null()),
        ],
    )
    def test_one_kind_of_value_is_one_type(self, column, kind):
        """Exactly: nothing is converted."""
        (batch,) = build(column)
        assert batch.column(0).type == kind
        assert batch.column(0).to_pylist() == column

    @pytest.mark.parametrize(
        "column",
        [["a", 1], ["a", b"b"], [1.5, "a"], [b"a", 0]],
        ids=["text and number", "text and blob", "float and text", "blob and number"],
    )
    def test_several_kinds_are_json(self, column):
        """Marked as such, each cell with its own type."""
        (batch,) = build(column)
        assert batch.schema.field(0).metadata == {MIXED: b"json"}
        assert frame_of([batch])["x"].tolist() == column
        assert [type(v) for v in frame_of([batch])["x"]] == [type(v) for v in column]

    def test_whole_numbers_that_no_float_holds_are_json_beside_fractions(self):
        """The frame has floats of them, as read_sql has."""
        (batch,) = build([2**53 + 1, 0.5])
        assert batch.column(0).to_pylist() == ["9007199254740993", "0.5"]
        assert frame_of([batch])["x"].tolist() == [float(2**53), 0.5]

    def test_a_text_is_json_with_its_own_signs(self):
        """What looks through the cells finds them."""
        (batch,) = build(["é⟦", 1])
        assert batch.column(0).to_pylist() == ['"é⟦"', "1"]
        assert json.loads(batch.column(0)[0].as_py()) == "é⟦"

    def test_names_may_repeat(self):
        """As SQL lets them."""
        batch = BatchBuilder(["n", "n"]).build([(1, "a")])
        assert batch.schema.names == ["n", "n"]
        frame = frame_of([batch])
        assert list(frame.columns) == ["n", "n"]
        assert frame.iloc[0].tolist() == [1, "a"]

    def test_no_rows(self):
        """Are a batch with its columns."""
        batch = BatchBuilder(["a", "b"]).build([])
        assert (batch.num_rows, batch.schema.names) == (0, ["a", "b"])


class TestOverBatches:
    def test_what_is_empty_goes_on_as_it_was(self):
        """No new segment for nulls."""
        assert [b.column(0).type for b in build([1], [None], [2])] == [pa.int64()] * 3

    def test_whole_numbers_go_on_in_a_column_of_fractions(self):
        """One segment, as one column of read_sql."""
        assert [b.column(0).type for b in build([1.5], [2], [3.5])] == [pa.float64()] * 3

    def test_fractions_after_whole_numbers_are_another_segment(self):
        """And one column of floats in the frame."""
        batches = build([1, 2], [2.5], [4.0])
        assert [b.column(0).type for b in batches] == [pa.int64(), pa.float64(), pa.float64()]
        assert frame_of(batches)["x"].tolist() == [1.0, 2.0, 2.5, 4.0]
        assert frame_of(batches)["x"].dtype == "float64"

    def test_texts_after_numbers(self):
        """Objects in the frame, each what it was."""
        assert frame_of(build([1], ["a"], [2.5]))["x"].tolist() == [1, "a", 2.5]

    def test_blobs_after_texts_stay_apart(self):
        """Arrow would make bytes of all of them."""
        assert frame_of(build(["a"], [b"b"], ["c"]))["x"].tolist() == ["a", b"b", "c"]

    def test_mixed_stays_mixed(self):
        """No type comes back once there were two."""
        batches = build([1, "a"], [2], ["b"])
        assert all(b.schema.field(0).metadata for b in batches)
        assert frame_of(batches)["x"].tolist() == [1, "a", 2, "b"]

    @given(st.lists(st.lists(values, min_size=1, max_size=5), min_size=1, max_size=4))
    def test_the_frame_has_what_the_database_had(self, batches):
        """Value by value; only numbers may share a type, and then they are equal."""
        got = frame_of(build(*batches))["x"].tolist()
        given_ = [value for batch in batches for value in batch]
        for cell, value in zip(got, given_, strict=True):
            if value is None:
                assert pd.isna(cell)
            elif isinstance(value, int):
                assert cell in (value, float(value))
            else:
                assert cell == value
                assert type(cell) is type(value)


class TestAsReadSqlDoes:
    @pytest.mark.parametrize(
        "rows",
        [
            "SELECT 1 AS x UNION ALL SELECT 2",
            "SELECT 1 AS x UNION ALL SELECT NULL",
            "SELECT 1.5 AS x UNION ALL SELECT 2",
            "SELECT 'a' AS x UNION ALL SELECT NULL",
            "SELECT 'a' AS x UNION ALL SELECT 1",
            "SELECT 'a' AS x UNION ALL SELECT x'41'",
            "SELECT x'41' AS x",
            "SELECT NULL AS x",
            "SELECT 1.0 AS x UNION ALL SELECT 2.0",
        ],
    )
    def test_dtypes_and_values(self, rows):
        """Beside pandas on the same database."""
        with closing(sqlite3.connect(":memory:")) as connection:
            expected = pd.read_sql(rows, connection)
            fetched = connection.execute(rows).fetchall()
        got = frame_of([BatchBuilder(["x"]).build(fetched)])
        pd.testing.assert_frame_equal(got, expected)
