"""The answer: its head, its batches, its trailer; and that half of one never looks whole."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from jupyter_gov.broker.caller import Caller
from jupyter_gov.broker.end import Target
from jupyter_gov.broker.stream import ArrowStream, rows_within
from jupyter_gov.broker.views import head_of
from jupyter_gov.errors import (
    Cancelled,
    GrantOver,
    QueryFailed,
    StreamBroken,
    TimedOut,
)
from jupyter_gov.kernel.frame import read_answer
from jupyter_gov.masking.treatments import Seals
from tests.unit.given import NINE, eligibility, grant, hospital, kernel, session
from tests.unit.hospital import Hospital, Taker, rows


@cache
def body_of_three_segments() -> bytes:
    """An answer whose column changes its type twice."""
    sink = Taker()
    caller = Caller(kernel=kernel(), session=session())
    stream = ArrowStream(sink, head_of(caller, grant(), "R-1", True, NINE))
    for batch in (rows(1, 2), pa.record_batch({"n": ["a", None]}), rows(3)):
        stream.send(batch, [None])
    stream.finish(stream.trailer(None))
    return sink.body


@pytest.fixture
def gov(store, log, clock):
    return Hospital(store, log, clock)


@pytest.fixture
def caller(gov):
    return gov.attach()


def outcome(gov):
    return gov.recorded("outcome")[-1].says


class TestAWholeAnswer:
    def test_head_rows_and_trailer(self, gov, caller):
        """Under whose name it ran, what came, and what became of it."""
        answer = gov.answer(caller)
        (intent,) = gov.recorded("intent")
        assert answer.head.record == intent.record
        assert answer.head.opened_grant
        assert (answer.head.principal.name, answer.head.purpose) == ("ana", "quality")
        assert [table.to_pydict() for table in answer.tables] == [{"n": [1, 2, 3]}]
        assert (answer.trailer.rows, answer.trailer.cut, answer.trailer.error) == (3, False, None)

    def test_the_outcome_tells_what_was_sent(self, gov, caller):
        """With a digest of the bytes up to the trailer."""
        sink = Taker()
        gov.answer(caller, sink=sink)
        said = outcome(gov)
        assert said["result"] == "completed"
        assert (said["rows"], said["reads"]) == (3, ["claims.payer"])
        assert said["bytes_produced"] == said["bytes_sent"] > 0
        body = sink.body[: said["bytes_produced"]]
        assert said["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"

    def test_no_rows(self, gov, caller):
        """Is an answer with its columns."""
        gov.engine.answer = [rows()]
        frame = gov.ask(caller)
        assert (list(frame.columns), len(frame)) == (["n"], 0)

    def test_another_type_starts_another_segment(self, gov, caller):
        """And arrives as one frame."""
        gov.engine.answer = [rows(1, 2), pa.record_batch({"n": pa.array([1.5])}), rows(9)]
        answer = gov.answer(caller)
        assert len(answer.tables) == 3
        assert gov.ask(caller)["n"].tolist() == [1, 2, 1.5, 9]

    def test_a_seal_does_not_leave(self, gov, caller):
        """The last look is at every batch."""
        token = Seals(bytes(64)).seal("a note")
        gov.engine.answer = [pa.record_batch({"n": [token, "plain"]})] * 2
        answer = gov.answer(caller)
        assert answer.trailer.withheld_cells == 2
        assert outcome(gov)["withheld_cells"] == 2
        assert answer.tables[0].to_pydict() == {"n": [None, "plain", None, "plain"]}


class TestLimits:
    @pytest.mark.parametrize(
        ("limit", "got", "cut_by"),
        [(None, 6, ""), (7, 6, ""), (6, 6, ""), (5, 5, "limit"), (3, 3, "limit"), (0, 0, "limit")],
    )
    def test_of_the_statement(self, gov, caller, limit, got, cut_by):
        """Cut where it is longer, and only there; the trailer says by what."""
        gov.engine.answer = [rows(1, 2, 3), rows(4, 5, 6)]
        answer = gov.answer(caller, limit=limit)
        assert sum(t.num_rows for t in answer.tables) == answer.trailer.rows == got
        assert (answer.trailer.cut, answer.trailer.cut_by) == (bool(cut_by), cut_by)
        assert gov.engine.executions[0].closed

    @pytest.mark.parametrize(
        ("spec", "cut_by"), [({"max_rows": 4}, "max_rows"), ({"max_bytes": 32}, "max_bytes")]
    )
    def test_of_the_connection(self, gov, caller, spec, cut_by):
        """Rows and bytes, whatever the statement allows."""
        gov.policy = replace(gov.policy, connections={"hospital": hospital(**spec)})
        gov.engine.answer = [rows(1, 2, 3), rows(4, 5, 6)]
        answer = gov.answer(caller, limit=5)
        assert (answer.trailer.rows, answer.trailer.cut_by) == (4, cut_by)

    def test_of_the_grants_budget(self, store, log, clock):
        """Over all its statements; then nothing more runs under it."""
        gov = Hospital(store, log, clock, eligibility(max_rows=4))
        caller = gov.attach()
        assert gov.answer(caller).trailer.cut_by == ""
        answer = gov.answer(caller)
        assert (answer.trailer.rows, answer.trailer.cut_by) == (1, "budget")
        with pytest.raises(Exception, match="no rows left"):
            gov.ask(caller)

    @hypothesis_given(st.lists(st.text(max_size=9), max_size=30), st.integers(0, 600))
    def test_rows_within_a_room_of_bytes(self, texts, room):
        """As many of the first rows as fit, and not one more."""
        batch = pa.record_batch({"t": pa.array(texts, pa.string())})
        fits = rows_within(batch, room)
        if fits:
            assert batch.slice(0, fits).nbytes <= room
        if fits < len(texts):
            assert batch.slice(0, fits + 1).nbytes > room


class TestHalfAnAnswer:
    def test_an_error_before_the_first_byte_is_raised(self, gov, caller):
        """With its record; the outcome is in it."""
        gov.engine.fault = QueryFailed("the database could not")
        sink = Taker()
        with pytest.raises(QueryFailed) as failed:
            gov.answer(caller, sink=sink)
        assert sink.body == b""
        assert failed.value.record == gov.recorded("intent")[0].record
        assert outcome(gov)["result"] == "query_failed"

    def test_an_error_later_is_in_the_trailer(self, gov, caller):
        """And raised in the kernel, with its record, instead of a short frame."""
        gov.engine.answer = [rows(1), rows(2)]

        def fail():
            raise TimedOut("too long")

        gov.engine.before = fail
        with pytest.raises(TimedOut) as failed:
            gov.answer(caller)
        assert failed.value.record == gov.recorded("intent")[0].record
        assert (outcome(gov)["result"], outcome(gov)["rows"]) == ("timed_out", 1)

    def test_a_fault_of_ours_shows_nothing_of_itself(self, gov, caller, caplog):
        """A library's message may hold a value: not in the answer, not in any log."""
        gov.engine.fault = RuntimeError("row: Zebulon")
        with pytest.raises(QueryFailed) as failed:
            gov.answer(caller)
        assert "Zebulon" not in str(failed.value) + caplog.text
        assert "RuntimeError" in caplog.text
        assert outcome(gov)["result"] == "query_failed"

    @hypothesis_given(st.data())
    def test_any_shorter_body_is_refused(self, data):
        """Wherever the connection broke."""
        whole_body = body_of_three_segments()
        size = data.draw(st.integers(0, len(whole_body) - 1))
        with pytest.raises(StreamBroken):
            read_answer(io.BytesIO(whole_body[:size]))


class TestEndedFromOutside:
    def test_while_the_reader_is_slow(self, gov, caller):
        """What waited to be taken was dropped, so the answer must not end as a whole one."""

        class Slow(Taker):
            def drain(self):
                (run,) = gov.running
                gov.ender.end(Target("grant", run.grant_id), "revoked")

        with pytest.raises(GrantOver, match="revoked"):
            gov.answer(caller, sink=Slow())
        assert outcome(gov)["result"] == "grant_over"

    def test_a_kernel_that_is_gone(self, gov, caller):
        """Is told nothing; the record is."""

        class Gone(Taker):
            def write(self, data):
                raise Cancelled("the kernel has gone")

        with pytest.raises(StreamBroken):
            gov.answer(caller, sink=Gone())
        assert outcome(gov)["result"] == "cancelled"
        assert gov.engine.executions[0].closed
        assert list(gov.running) == []

    def test_before_it_began(self, gov, caller):
        """A gateway that is shutting down runs nothing more."""
        gov.ender.end(Target("everything"), "SIGTERM")
        with pytest.raises(Exception, match="shutting down"):
            gov.answer(caller)
        assert outcome(gov)["result"] == "unavailable"
        assert gov.engine.executions[-1].cancelled
