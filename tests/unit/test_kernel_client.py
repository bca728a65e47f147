"""The client's own parts, over answers that a gateway could give."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from jupyter_gov.errors import Denied, ResultCut, UnknownName
from jupyter_gov.kernel.client import Client, _cut, _framed, _wanted, _who
from jupyter_gov.kernel.frame import Answer
from jupyter_gov.wire import messages as m

GRANT = m.GrantView(
    grant="G-1", connection="clinic", eligibility="e", tables=("patients",), actions=("read",),
    start="", end="2026-03-02T10:00:00.000000Z", seconds_left=1800, state="active",
)  # fmt: skip
ANA = m.PrincipalView(kind="person", name="ana", issuer="evaluation")
RECON = m.PrincipalView(kind="agent", name="recon", issuer="evaluation", on_behalf_of="ana")
HEAD = m.Head(
    record="R-1", principal=RECON, grant=GRANT, purpose="quality", isolation="separate",
    opened_grant=True,
)  # fmt: skip


def answer(*, cut: bool = False) -> Answer:
    trailer = m.Trailer(
        rows=2, cut=cut, cut_by="limit" if cut else "", withheld_cells=1,
        scanned_cells=3, replaced_cells=4, unanswered_texts=5,
        treated=(
            m.TreatedColumn(
                column="patients.ssn", treatment="partial", guarantee="engine-treated"
            ),
        ),
    )  # fmt: skip
    return Answer(head=HEAD, tables=[pa.table({"n": [1, 2]})], trailer=trailer)


def session(**changed: Any) -> m.SessionView:
    plain: dict[str, Any] = {"kernel_id": "k", "isolation": "separate", "page_url": "http://g/"}
    return m.SessionView(**{**plain, "attached": False, **changed})


class Noted:
    """A way to a gateway that answers from a list, and notes what it is asked."""

    def __init__(self, **answers: list[Any]) -> None:
        self.asked: list[str] = []
        self._answers = answers

    def call(self, method: str, path: str, kind: type, body: bytes = b"") -> Any:
        self.asked.append(f"{method} {path}")
        return self._answers[kind.__name__].pop(0)


def client(**answers: list[Any]) -> tuple[Client, Noted]:
    http = Noted(**answers)
    return Client(lambda: http), http


class TestTheFrame:
    def test_its_attributes_tell_all_of_it(self):
        """Who, under which grant, what was treated, the record, and whether it is whole."""
        gov = _framed(answer(), "numpy").attrs["gov"]
        assert gov == {
            "record": "R-1", "principal": "recon", "on_behalf_of": "ana", "issuer": "evaluation",
            "purpose": "quality", "connection": "clinic", "grant": "G-1",
            "grant_ends": "2026-03-02T10:00:00.000000Z", "grant_opened": True,
            "seconds_left": 1800, "isolation": "separate",
            "treated": {"patients.ssn": "partial"},
            "guarantees": {"patients.ssn": "engine-treated"}, "withheld_cells": 1,
            "scanned_cells": 3, "replaced_cells": 4, "unanswered_texts": 5, "rows": 2, "cut": False,
        } | {name: gov[name] for name in gov.keys() & {"cut_by"}}  # fmt: skip

    def test_they_survive_ordinary_work(self):
        """As long as pandas keeps them."""
        frame = _framed(answer(), "numpy")
        assert frame.assign(m=1).attrs["gov"]["record"] == "R-1"

    @pytest.mark.parametrize(
        ("backend", "dtype"), [("numpy", "int64"), ("pyarrow", "int64[pyarrow]")]
    )
    def test_its_dtypes(self, backend, dtype):
        """As read_sql gives them, or Arrow's on request."""
        assert str(_framed(answer(), backend)["n"].dtype) == dtype

    def test_a_cut_result_is_raised(self):
        """Unless one said that it may be cut."""
        with pytest.raises(ResultCut) as cut:
            _wanted(answer(cut=True), "raise", "numpy")
        assert cut.value.record == "R-1"
        assert "truncate" in cut.value.hint + _cut(answer(cut=True)).next.call
        frame = _wanted(answer(cut=True), "truncate", "numpy")
        assert (len(frame), frame.attrs["gov"]["cut"]) == (2, True)
        assert len(_wanted(answer(), "raise", "numpy")) == 2


class TestLogin:
    CODE = m.Code(request_id="A-1", code="BCDF-GHJK", url="http://gov/attach", expires_at="")

    def test_attached_already_it_asks_nothing(self, capsys):
        """So that a notebook's first cell may always be there."""
        ana = session(attached=True, principal=ANA, purpose="quality")
        gov, http = client(SessionView=[ana])
        assert gov.login() == ana
        assert http.asked == ["GET /session"]
        assert "ana, for: quality" in capsys.readouterr().out

    def test_a_person_who_wants_an_agent_is_asked(self):
        """Another principal needs another confirmation."""
        gov, http = client(SessionView=[session(attached=True, principal=ANA)], Code=[self.CODE])
        gov.login(agent="recon", wait=False)
        assert http.asked[-1] == "POST /attach"

    def test_the_code_and_the_address_are_shown(self, capsys):
        """And no link that carries the code."""
        gov, _ = client(SessionView=[session()], Code=[self.CODE])
        gov.login(wait=False)
        shown = capsys.readouterr().out
        assert "BCDF-GHJK" in shown
        assert "http://gov/attach and" in shown

    @pytest.mark.parametrize("state", ["refused", "expired"])
    def test_what_was_not_confirmed(self, state):
        """Says so, with the way to a new code."""
        gov, _ = client(
            SessionView=[session()], Code=[self.CODE], CodeState=[m.CodeState(state=state)]
        )
        with pytest.raises(Denied, match=f"the code was {state}") as refused:
            gov.login()
        assert refused.value.next.action == "login"

    def test_confirmed(self):
        """It is who the person said."""
        agent = session(attached=True, principal=RECON, purpose="quality")
        gov, _ = client(
            SessionView=[session(), agent], Code=[self.CODE],
            CodeState=[m.CodeState(state="confirmed")],
        )  # fmt: skip
        assert _who(gov.login(agent="recon")) == "agent recon on behalf of ana, for: quality"
        assert _who(session()) == "nobody"


class TestTables:
    LISTING = m.Listing(
        tables=(
            m.TableView(name="Patients", kind="table", columns=(
                m.ColumnView(name="ssn", tag="ssn", treatment="partial", type="TEXT",
                             treated_type="TEXT", enforcement="engine-treated"),
                m.ColumnView(name="sex", tag="category", treatment="clear", type="TEXT",
                             treated_type="TEXT", enforcement="clear"),
            )),
            m.TableView(name="encounters", kind="view"),
        )
    )  # fmt: skip

    def test_the_list(self):
        """How many columns, and how many of them treated."""
        gov, _ = client(Listing=[self.LISTING])
        frame = gov.connect("clinic").tables()
        assert frame.to_dict("records") == [
            {"table": "Patients", "kind": "table", "columns": 2, "treated": 1},
            {"table": "encounters", "kind": "view", "columns": 0, "treated": 0},
        ]

    def test_no_tables_are_an_empty_list(self):
        """With its columns."""
        gov, _ = client(Listing=[m.Listing()])
        assert list(gov.connect("clinic").tables().columns) == [
            "table", "kind", "columns", "treated"
        ]  # fmt: skip

    def test_one_table(self):
        """Found without its case."""
        gov, _ = client(Listing=[self.LISTING])
        frame = gov.connect("clinic").describe("patients")
        assert isinstance(frame, pd.DataFrame)
        assert frame["enforcement"].tolist() == ["engine-treated", "clear"]

    @pytest.mark.parametrize(("name", "near"), [("patient", ("Patients",)), ("zzz", ())])
    def test_one_that_is_not_there(self, name, near):
        """With those that look like it, of the grant's own."""
        gov, _ = client(Listing=[self.LISTING])
        with pytest.raises(UnknownName) as unknown:
            gov.connect("clinic").describe(name)
        assert unknown.value.near == near

    @pytest.mark.parametrize("name", ["my db", "a/b", "../grants", "é", "a?b", "a%2fb"])
    def test_a_name_is_one_segment_of_the_path(self, name):
        """What is signed is what is sent: an odd name is not found, and nothing else is reached."""
        gov, http = client(Listing=[self.LISTING], Budget=[None], GrantView=[GRANT])
        gov.connect(name).tables()
        gov.connect(name).budget()
        gov.give_back(name)
        for asked in http.asked:
            path = asked.partition(" ")[2]
            assert path.isascii()
            assert not set(path) & set(" ?#")
            assert path.count("/") == (2 if path.startswith("/grants/") else 3)

    def test_a_connection_shows_its_name(self):
        """And opens nothing by being made."""
        gov, http = client()
        assert repr(gov.connect("clinic")) == "<governed connection 'clinic'>"
        assert http.asked == []
