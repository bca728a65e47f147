"""What an auditor's check finds: every edit, gap and swap, and what only a noted root shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.audit.events import Event, canonical
from jupyter_gov.audit.merkle import EMPTY_ROOT, leaf_hash
from jupyter_gov.audit.ports import Leaf
from jupyter_gov.audit.verify import verify
from tests.unit.given import NINE


def leaf(seq: int, kind: str, record: str, of: str = "", **says: object) -> Leaf:
    body = canonical(Event(kind=kind, at=NINE, record=record, of=of, says=says))
    return Leaf(seq=seq, record=record, kind=kind, of=of, body=body, leaf=leaf_hash(body))


def forged(old: Leaf, body: bytes) -> Leaf:
    """By someone who knows to recompute the hash."""
    return replace(old, body=body, leaf=leaf_hash(body))


WHOLE = [
    leaf(0, "gateway.started", "R-0"),
    leaf(1, "intent", "R-1", sql="SELECT ?"),
    leaf(2, "intent", "R-2", sql="SELECT ?"),
    leaf(3, "outcome", "R-3", "R-1", rows=3),
    leaf(4, "outcome", "R-4", "R-2", rows=5),
    leaf(5, "grant.ended", "R-5"),
]
NOTED = (6, verify(WHOLE).root)


def renumbered(leaves: list[Leaf]) -> list[Leaf]:
    return [replace(old, seq=seq) for seq, old in enumerate(leaves)]


class TestAWholeLog:
    def test_it_is_whole(self):
        """No problem, every intent closed, and the root is of all of it."""
        report = verify(WHOLE, NOTED)
        assert report.whole
        assert (report.size, report.unclosed) == (6, ())

    def test_an_empty_one_too(self):
        """Nothing was recorded, which is no contradiction."""
        report = verify([], (0, EMPTY_ROOT))
        assert report.whole
        assert report.root == EMPTY_ROOT

    def test_it_may_have_grown_since_the_root_was_noted(self):
        """Appending is all that may happen."""
        assert verify([*WHOLE, leaf(6, "intent", "R-6")], NOTED).whole

    def test_an_open_intent_is_told_and_no_problem(self):
        """It runs now, or a crash left it for the next start."""
        report = verify(WHOLE[:4])
        assert report.whole
        assert report.unclosed == ("R-2",)


class TestEdits:
    @given(st.integers(0, 5), st.data())
    def test_a_changed_byte(self, index, data):
        """Names the record."""
        body = bytearray(WHOLE[index].body)
        body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
        report = verify(
            [*WHOLE[:index], replace(WHOLE[index], body=bytes(body)), *WHOLE[index + 1 :]]
        )
        assert any(f"record {index} (R-{index}): its bytes do not match" in said
                   for said in report.problems)  # fmt: skip

    @pytest.mark.parametrize("column", ["record", "kind", "of"])
    def test_a_changed_column(self, column):
        """What the rows are found by must be what the bytes say."""
        changed = replace(WHOLE[3], **{column: "R-9"})
        report = verify([*WHOLE[:3], changed, *WHOLE[4:]])
        assert any(f"its column '{column}' says otherwise" in said for said in report.problems)

    def test_a_changed_hash(self):
        """Alone, without its bytes."""
        report = verify([*WHOLE[:2], replace(WHOLE[2], leaf=bytes(32)), *WHOLE[3:]])
        assert report.problems == ("record 2 (R-2): its bytes do not match its hash",)

    def test_a_forgery_with_its_hash_shows_by_the_noted_root(self):
        """And only by it: that is the limit of a log alone."""
        changed = [*WHOLE]
        changed[3] = leaf(3, "outcome", "R-3", "R-1", rows=0)
        assert verify(changed).whole
        report = verify(changed, NOTED)
        assert report.problems == (
            "the first 6 records are not those of the root noted earlier",
        )  # fmt: skip

    @pytest.mark.parametrize(
        "body", [b"", b"\xff", b"[]", b"null", b"{}", b'"R-2"', b"[" * 100_000], ids=repr
    )
    def test_bytes_that_are_no_event(self, body):
        """Are a finding, not a crash, also with a hash that fits."""
        report = verify([*WHOLE[:2], forged(WHOLE[2], body), *WHOLE[3:]])
        assert any(said.startswith("record 2 (R-2): its") for said in report.problems)

    @pytest.mark.parametrize("body", [None, "text", 5])
    def test_a_body_of_another_type(self, body):
        """As an edited file may hold."""
        assert not verify([*WHOLE[:2], replace(WHOLE[2], body=body), *WHOLE[3:]]).whole


class TestDeletion:
    @pytest.mark.parametrize("index", range(5))
    def test_a_gap_is_named(self, index):
        """At the place where the record is missing."""
        report = verify(WHOLE[:index] + WHOLE[index + 1 :])
        assert report.problems[0] == f"record {index}: missing; the next one is {index + 1}"

    def test_closed_up_it_leaves_an_outcome_of_nothing(self):
        """Renumbering hides the gap and not the contradiction."""
        report = verify(renumbered(WHOLE[:1] + WHOLE[2:]))
        assert report.problems == ("record 2 (R-3): closes no open intent",)

    @pytest.mark.parametrize("size", range(6))
    def test_a_cut_end_shows_by_the_noted_root(self, size):
        """Only by it: what is left is a whole log."""
        assert verify(WHOLE[:size]).whole
        report = verify(WHOLE[:size], NOTED)
        assert report.problems[-1] == f"the log has {size} records; 6 were noted earlier"


class TestReordering:
    @given(st.permutations(range(6)).filter(lambda order: list(order) != list(range(6))))
    def test_any_other_order_shows(self, order):
        """By the numbers; renumbered, by the root noted earlier."""
        assert not verify([WHOLE[index] for index in order]).whole
        assert not verify(renumbered([WHOLE[index] for index in order]), NOTED).whole

    def test_an_outcome_before_its_intent(self):
        """Contradicts itself without any root."""
        report = verify(renumbered([WHOLE[0], WHOLE[3], WHOLE[1]]))
        assert "record 1 (R-3): closes no open intent" in report.problems


class TestDuplicates:
    def test_a_second_outcome(self):
        """A statement ends once."""
        report = verify([*WHOLE, leaf(6, "outcome", "R-6", "R-1", rows=0)])
        assert report.problems == ("record 6 (R-6): closes no open intent",)

    def test_an_outcome_of_an_unknown_intent(self):
        """Closes nothing."""
        report = verify([*WHOLE, leaf(6, "outcome", "R-6", "R-none")])
        assert report.problems == ("record 6 (R-6): closes no open intent",)

    def test_the_same_intent_again(self):
        """Must not make room for another outcome."""
        report = verify([*WHOLE, replace(WHOLE[1], seq=6)])
        assert report.problems == ("record 6 (R-1): the same intent stands twice",)
