"""The last look: no seal leaves in any shape, and a treated column has the shape of its mask."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.engines.arrow import BatchBuilder
from jupyter_gov.masking.frame import FrameCounts, mask_batch
from jupyter_gov.masking.model import SEALED, Treatment
from jupyter_gov.masking.treatments import Seals

TOKEN = Seals(bytes(64)).seal("Zebulon Quartermain")
assert TOKEN is not None
RAW = TOKEN.encode()


def masked(column: pa.Array, treatment: Treatment | None = None, **field: Any) -> tuple[Any, Any]:
    """The column after the last look, and what was counted."""
    schema = pa.schema([pa.field("x", column.type, **field)])
    counts = FrameCounts()
    batch = pa.RecordBatch.from_arrays([column], schema=schema)
    after = mask_batch(batch, [treatment], counts)
    assert after.schema.equals(batch.schema, check_metadata=True)
    assert after.num_rows == batch.num_rows
    return after.column(0).to_pylist(), counts


def nested(value: Any, kind: pa.DataType) -> pa.Array:
    return pa.array([value, None], kind)


class TestSeals:
    @pytest.mark.parametrize(
        "cell",
        [TOKEN, f"a {TOKEN} b", TOKEN.upper(), TOKEN[:12], TOKEN[5:], TOKEN[-1], f'["{TOKEN}"]'],
        ids=["whole", "within", "upper", "its start", "its end", "its last sign", "in JSON"],
    )
    @pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
    def test_in_a_text(self, cell, kind):
        """Whole, in part, in other case: NULL, and counted."""
        column = pa.array(["plain", cell, None, "⟨gov⟩ is none"], pa.string()).cast(kind)
        after, counts = masked(column)
        assert after == ["plain", None, None, "⟨gov⟩ is none"]
        assert (counts.sealed, counts.mismatched, counts.columns) == (1, 0, {0})

    @pytest.mark.parametrize("cell", [RAW, b"\x00" + RAW[:9], RAW[-3:]], ids=["it", "start", "end"])
    @pytest.mark.parametrize(
        "kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(len(RAW))], ids=str
    )
    def test_in_bytes(self, cell, kind):
        """`CAST(notes AS BLOB)` is no way round."""
        if kind == pa.binary(len(RAW)):
            cell = cell.ljust(len(RAW))
        column = pa.array([b"\xff" * len(RAW), cell, None], kind)
        after, counts = masked(column)
        assert after == [b"\xff" * len(RAW), None, None]
        assert counts.sealed == 1

    @pytest.mark.parametrize(
        "column",
        [
            pa.array(["plain", TOKEN, None]).dictionary_encode(),
            nested([TOKEN, "b"], pa.list_(pa.string())),
            nested([RAW], pa.large_list(pa.binary())),
            nested([TOKEN], pa.list_(pa.string(), 1)),
            nested({"a": 1, "b": TOKEN}, pa.struct([("a", pa.int64()), ("b", pa.string())])),
            nested({"bytes": TOKEN}, pa.struct([("bytes", pa.string())])),
            nested([("k", [{"x": TOKEN}])],
                   pa.map_(pa.string(), pa.list_(pa.struct([("x", pa.string())])))),
            nested([(TOKEN, 1)], pa.map_(pa.string(), pa.int64())),
            nested([["a"], [TOKEN]], pa.list_(pa.list_(pa.string()))),
        ],
        ids=lambda column: str(column.type)[:40],
    )  # fmt: skip
    def test_in_anything_that_holds_texts(self, column):
        """Dictionaries, lists, structs, maps, at any depth."""
        after, counts = masked(column)
        assert "gov:" not in str(after)
        assert counts.sealed == 1
        assert after[-1] is None

    @pytest.mark.parametrize(
        "column",
        [
            pa.array(["plain", None]).dictionary_encode(),
            nested(["a", "b"], pa.list_(pa.string())),
            nested({"a": 1, "b": "x"}, pa.struct([("a", pa.int64()), ("b", pa.string())])),
            nested([("k", 1)], pa.map_(pa.string(), pa.int64())),
        ],
        ids=lambda column: str(column.type)[:40],
    )
    def test_what_holds_none_is_left_alone(self, column):
        """Value and type."""
        after, counts = masked(column)
        assert after == column.to_pylist()
        assert counts.sealed == 0

    @pytest.mark.parametrize("start", range(4))
    def test_in_a_slice(self, start):
        """The buffers of a slice are its parent's; only its own cells count."""
        whole = pa.array([TOKEN, "a", TOKEN, "b", "c"])
        for size in range(5 - start):
            part = whole.slice(start, size)
            after, counts = masked(part)
            expected = [None if cell == TOKEN else cell for cell in part.to_pylist()]
            assert after == expected
            assert counts.sealed == part.to_pylist().count(TOKEN)

    @pytest.mark.parametrize(
        "cell", [TOKEN, RAW, f"x{TOKEN}", RAW[:20]], ids=["text", "bytes", "within", "part"]
    )
    def test_in_a_mixed_column(self, cell):
        """JSON would escape its signs and base64 hide them."""
        batch = BatchBuilder(["x"]).build([(1,), (cell,), (None,), (b"\xff",), ("plain é",)])
        counts = FrameCounts()
        after = mask_batch(batch, [None], counts).column(0).to_pylist()
        before = batch.column(0).to_pylist()
        assert after == [before[0], None, None, before[3], before[4]]
        assert counts.sealed == 1

    @given(
        st.lists(st.sampled_from([TOKEN, RAW, "a", b"b", 1, 2.5, None, f"{TOKEN}!"]), max_size=8)
    )
    def test_whatever_the_engine_gives(self, values):
        """Through the builder and the last look, no seal is left and nothing else is lost."""
        batch = BatchBuilder(["x"]).build([(value,) for value in values])
        counts = FrameCounts()
        after = mask_batch(batch, [], counts)
        sealed = [isinstance(v, str | bytes) and ("gov:" in str(v)) for v in values]
        nulls = [cell is None for cell in after.column(0).to_pylist()]
        assert counts.sealed == sum(sealed)
        assert nulls == [s or v is None for s, v in zip(sealed, values, strict=True)]


class TestShapes:
    @pytest.mark.parametrize(
        ("treatment", "good", "bad"),
        [
            (Treatment.PSEUDONYM, ["p_0123456789abcdef0123", None], ["MRN0000017", ""]),
            (Treatment.PARTIAL, ["***-**-6789", "", None], ["123-45-6789", "Ana Ferreira"]),
            (Treatment.YEAR, ["1975-01-01", None], ["1975-08-31", "1975"]),
            (Treatment.MONTH, ["1975-08-01", None], ["1975-08-31", "1975-08"]),
            (Treatment.DATE_SHIFT, ["1975-08-31", "1975-08-31 10:00:00", None], ["Ana", ""]),
            (Treatment.BUCKET, ["40", "-2.5", "1e3", None], ["Ana", ""]),
            (Treatment.ROUND, ["40", None], ["4 0"]),
            (Treatment.ZIP3, ["021", "000", None], ["02139", "02"]),
        ],
    )
    @pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
    def test_of_texts(self, treatment, good, bad, kind):
        """What has not its treatment's shape is withheld and counted: the wall has a hole."""
        after, counts = masked(pa.array(good + bad, kind), treatment)
        assert after == good + [None] * len(bad)
        assert (counts.mismatched, counts.sealed) == (len(bad), 0)

    def test_of_an_age(self):
        """A whole number from 0 to 90."""
        after, counts = masked(pa.array([0, 90, 91, -1, None]), Treatment.AGE)
        assert after == [0, 90, None, None, None]
        assert counts.mismatched == 2

    @pytest.mark.parametrize(
        ("treatment", "good", "bad"),
        [
            (Treatment.YEAR, date(1975, 1, 1), date(1975, 1, 2)),
            (Treatment.YEAR, datetime(1975, 1, 1), datetime(1975, 1, 1, 0, 0, 1)),
            (Treatment.YEAR, datetime(1975, 1, 1, tzinfo=UTC), datetime(1975, 5, 1, tzinfo=UTC)),
            (Treatment.MONTH, date(1975, 8, 1), date(1975, 8, 31)),
            (Treatment.DATE_SHIFT, date(1975, 8, 31), None),
            (Treatment.BUCKET, 40, None),
            (Treatment.ROUND, Decimal("2.5"), None),
        ],
        ids=str,
    )
    def test_of_what_keeps_its_type(self, treatment, good, bad):
        """Dates and numbers, as PostgreSQL gives them."""
        after, counts = masked(pa.array([good, bad, None]), treatment)
        assert after == [good, None, None]
        assert counts.mismatched == (bad is not None)

    def test_of_lists(self):
        """An array is treated item by item; one item without the shape withholds it."""
        column = pa.array([["021", None], ["021", "02139"], [], None])
        after, counts = masked(column, Treatment.ZIP3)
        assert after == [["021", None], None, [], None]
        assert counts.mismatched == 1

    @pytest.mark.parametrize("treatment", [Treatment.WITHHOLD, *sorted(SEALED)])
    @pytest.mark.parametrize(
        "column",
        [pa.array(["x", None]), pa.array([7]), pa.array([b"x"]), pa.array([["x"]])],
        ids=["text", "int", "blob", "list"],
    )
    def test_of_what_must_be_null_or_sealed(self, treatment, column):
        """What is no seal in a sealed column is a hole in the wall."""
        after, counts = masked(column, treatment)
        assert after == [None] * len(column)
        assert (counts.mismatched, counts.sealed) == (len(column) - column.null_count, 0)

    @pytest.mark.parametrize(
        "treatment", [t for t in Treatment if t not in (Treatment.CLEAR, Treatment.PATHS)]
    )
    @pytest.mark.parametrize(
        "column",
        [
            pa.array([b"p_0123456789abcdef0123"]),
            pa.array([[True]]),
            pa.array(["***-**-6789"]).dictionary_encode(),
            pa.array([True]),
        ],
        ids=lambda column: str(column.type)[:20],
    )
    def test_of_a_type_the_treatment_never_gives(self, treatment, column):
        """Withheld, whatever it holds."""
        after, counts = masked(column, treatment)
        assert after == [None]
        assert counts.mismatched == 1

    @pytest.mark.parametrize("treatment", [Treatment.PARTIAL, Treatment.ZIP3, Treatment.YEAR])
    def test_of_a_mixed_column(self, treatment):
        """No treatment gives texts and numbers; quotes must not make a shape fit."""
        column = pa.array(['"021"', "1234", '"1975-01-01"', None])
        after, counts = masked(column, treatment, metadata={"gov.mixed": "json"})
        assert after == [None] * 4
        assert counts.mismatched == 3

    def test_clear_and_unknown_are_not_tested(self):
        """Only what is plainly a treated column."""
        for treatment in (None, Treatment.CLEAR):
            assert masked(pa.array(["123-45-6789"]), treatment)[0] == ["123-45-6789"]

    def test_nulls_fit_everywhere(self):
        """Also as the type of nothing."""
        for treatment in Treatment:
            after, counts = masked(pa.nulls(3), treatment)
            assert after == [None] * 3
            assert counts.mismatched == 0

    def test_a_sealed_cell_is_counted_once(self):
        """Withheld as a seal, it is no mismatch any more."""
        after, counts = masked(pa.array([TOKEN, "x"]), Treatment.PARTIAL)
        assert after == [None, "x"]
        assert (counts.sealed, counts.mismatched) == (1, 0)


class TestTheBatch:
    def test_columns_are_told_apart(self):
        """Each by its own place; what is not known is only searched for seals."""
        batch = pa.record_batch({"a": ["123-45-6789"], "b": ["123-45-6789"], "c": [TOKEN]})
        counts = FrameCounts()
        after = mask_batch(batch, [None, Treatment.PARTIAL], counts)
        assert after.to_pylist() == [{"a": "123-45-6789", "b": None, "c": None}]
        assert (counts.sealed, counts.mismatched, counts.columns) == (1, 1, {1, 2})

    def test_counts_add_up_over_batches(self):
        """One outcome, one sum."""
        counts = FrameCounts()
        for _ in range(3):
            mask_batch(pa.record_batch({"a": [TOKEN]}), [], counts)
        assert counts.sealed == 3

    @pytest.mark.parametrize("columns", [{}, {"a": pa.array([], pa.string())}])
    def test_nothing_in_it(self, columns):
        """No columns, no rows."""
        batch = pa.record_batch(columns)
        assert mask_batch(batch, [], FrameCounts()) == batch
