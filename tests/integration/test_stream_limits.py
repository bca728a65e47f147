"""How long, how wide and how heavy a result may be, and what is said when it is more."""

from __future__ import annotations

import pandas as pd
import pytest

from jupyter_gov.errors import QueryFailed, ResultCut
from tests.conftest import populate
from tests.support.gateway import running
from tests.support.streams import Stream, numbers

SMALL = """
for name, limit in (("few", {"max_rows": 1_000}), ("light", {"max_bytes": 1_000_000})):
    c.GovConnections.connections[name] = {**c.GovConnections.connections["clinic"], **limit}
    c.GovAccess.eligibilities[name] = {
        "who": ["group:analysts"], "connection": name, "tables": ["patients"],
    }
c.GovGateway.requests_per_second = 200.0
"""


@pytest.fixture(scope="module")
def site(make_site):
    """A gateway with a connection for each kind of limit."""
    with running(make_site(SMALL)) as gateway:
        yield populate(gateway)


class TestRows:
    @pytest.mark.parametrize("rows", [0, 1, 999, 1_000, 1_001, 17_384, 17_385])
    def test_exactly_at_the_limit_it_is_whole(self, con, rows):
        """Also where a batch ends at the very limit."""
        frame = con.query(numbers(20_000) + f" LIMIT {rows}", limit=rows)
        assert len(frame) == rows
        assert not frame.attrs["gov"]["cut"]

    @pytest.mark.parametrize("rows", [1, 1_000, 17_384])
    def test_one_more_is_an_error(self, con, rows):
        """Half an answer looks like an answer: it is raised, unless it was asked for."""
        with pytest.raises(ResultCut) as cut:
            con.query(numbers(rows + 1), limit=rows)
        assert f"longer than the limit of {rows:,} rows" in cut.value.message
        assert cut.value.record
        assert cut.value.next.call == 'con.query(…, on_limit="truncate")'
        frame = con.query(numbers(rows + 1), limit=rows, on_limit="truncate")
        assert len(frame) == rows
        assert (frame.attrs["gov"]["cut"], frame.attrs["gov"]["cut_by"]) == (True, "limit")

    def test_none_at_all(self, con):
        """A limit of 0 gives the columns; of an empty result it is no cut."""
        frame = con.query("SELECT mrn, zip FROM patients", limit=0, on_limit="truncate")
        assert (list(frame.columns), len(frame)) == (["mrn", "zip"], 0)
        assert frame.attrs["gov"]["cut"]
        assert not con.query("SELECT 1 WHERE 0", limit=0).attrs["gov"]["cut"]

    def test_the_connections_own_limit(self, analyst):
        """What the admin set holds against what the user asks for, and is told from it."""
        few = analyst.connect("few")
        assert len(few.query(numbers(1_000), limit=2_000)) == 1_000
        with pytest.raises(ResultCut, match="the 1,000 rows that this connection gives at most"):
            few.query(numbers(1_001), limit=2_000)
        with pytest.raises(ResultCut, match="longer than the limit of 500 rows"):
            few.query(numbers(1_001), limit=500)


class TestBytes:
    def test_beyond_them_it_is_cut(self, analyst):
        """To whole rows that fit, whatever their number."""
        light = analyst.connect("light")
        with pytest.raises(ResultCut, match="has more bytes than this connection gives"):
            light.query(numbers(3_000, "printf('%1000s', n) AS wide"))
        frame = light.query(numbers(3_000, "printf('%1000s', n) AS wide"), on_limit="truncate")
        assert frame.attrs["gov"]["cut_by"] == "max_bytes"
        assert 950 < len(frame) < 1_000
        assert frame["wide"].str.strip().astype(int).tolist() == list(range(1, len(frame) + 1))

    def test_a_row_that_does_not_fit_is_none(self, analyst):
        """A single row beyond the limit is cut to no row, and not to a part of one."""
        frame = analyst.connect("light").query(
            "SELECT printf('%2000000s', 1) AS wide", on_limit="truncate"
        )
        assert (len(frame), frame.attrs["gov"]["cut_by"]) == (0, "max_bytes")

    def test_a_cell_beyond_all_measure_is_refused(self, con):
        """A value of a hundred megabytes is an error of the statement, in words."""
        with pytest.raises(QueryFailed, match="a value grew longer than is allowed"):
            con.query("SELECT replace(printf('%10000s', ''), ' ', printf('%10000s', '')) AS wide")

    def test_large_cells_arrive(self, con):
        """A few megabytes in one cell are ordinary."""
        frame = con.query(numbers(5, "printf('%3000000s', n) AS wide"))
        assert frame["wide"].str.len().tolist() == [3_000_000] * 5


class TestShape:
    def test_no_rows(self, con):
        """The columns are there, in order."""
        frame = con.query("SELECT patient_id, ssn FROM patients WHERE 0")
        assert (list(frame.columns), len(frame)) == (["patient_id", "ssn"], 0)
        assert frame.attrs["gov"]["treated"] == {"patients.ssn": "partial"}

    def test_many_columns(self, con):
        """As many as the database lets through."""
        names = [f"c{n}" for n in range(500)]
        frame = con.query("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(500)))
        assert list(frame.columns) == names
        assert frame.iloc[0].tolist() == list(range(500))

    @pytest.mark.parametrize(
        "name",
        ["", " ", "a\tb\nc\0"[:5], "\x1b[31mred", "‮gnp.exe", "a" * 5_000, 'quo""te', "ü̈", "1"],
        ids=["empty", "space", "control", "escape", "direction", "long", "quote", "marks", "digit"],
    )
    def test_odd_names(self, con, name):
        """What the user called a column it is called, whatever that is."""
        frame = con.query(f'SELECT 1 AS "{name}"')
        assert list(frame.columns) == [name.replace('""', '"')]

    def test_equal_names(self, con):
        """Two columns of one name stay two."""
        frame = con.query("SELECT 1 AS a, 'x' AS a, 2.5 AS b, NULL AS a")
        assert list(frame.columns) == ["a", "a", "b", "a"]
        assert frame.iloc[0].tolist()[:3] == [1, "x", 2.5]

    def test_types_that_change_on_the_way(self, con):
        """A column that turns from numbers to text far down is one column of objects."""
        frame = con.query(numbers(30_000, "CASE WHEN n < 20000 THEN n ELSE 'n' || n END AS v"))
        assert frame["v"].iloc[[0, 19_998, 19_999, 29_999]].tolist() == [
            1, 19_999, "n20000", "n30000",
        ]  # fmt: skip

    def test_the_dtypes_are_those_of_read_sql(self, con):
        """Numbers, floats, texts and missing ones, as pandas would have read them."""
        frame = con.query("SELECT 1 AS i, 1.5 AS f, 'x' AS t, NULL AS missing")
        assert frame["i"].dtype == "int64"
        assert frame["f"].dtype == "float64"
        assert pd.isna(frame["missing"].iloc[0])
        arrow = con.query("SELECT 1 AS i, 'x' AS t", dtype_backend="pyarrow")
        assert [str(t) for t in arrow.dtypes] == ["int64[pyarrow]", "string[pyarrow]"]


class TestTheHead:
    def test_it_comes_before_the_database_is_done(self, analyst):
        """A first row is seen while the rest is still made."""
        stream = Stream(analyst, numbers(10**12))
        assert stream.head.grant.connection == "clinic"
        stream.close()
