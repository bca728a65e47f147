"""Events: a closed list of kinds, and one way to write each down."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.access.model import Action
from jupyter_gov.audit.events import KINDS, Actor, Event, canonical, new_record_id
from jupyter_gov.store.audit_log import read_event
from tests.unit.given import NINE

ACTOR = Actor(
    principal="evaluation|ana/agents/recon", on_behalf_of="ana", session="S-1", kernel="K-1",
    server="N-1", isolation="separate",
)  # fmt: skip
texts = st.text(max_size=10)
sayings = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=5,
)


class TestKinds:
    def test_an_unknown_kind_is_no_event(self):
        """The list is closed: the reference documents all of it."""
        with pytest.raises(ValueError, match="no such kind"):
            Event(kind="intent.maybe", at=NINE)

    @pytest.mark.parametrize("kind", KINDS)
    def test_each_can_be_written_and_read(self, kind):
        """And says in a sentence what it means."""
        event = Event(kind=kind, at=NINE, actor=ACTOR)
        assert read_event(canonical(event)) == event
        assert KINDS[kind]

    def test_record_ids_do_not_repeat(self):
        """64 random bits."""
        ids = {new_record_id() for _ in range(1000)}
        assert len(ids) == 1000
        assert all(len(name) == 18 for name in ids)


class TestCanonicalBytes:
    def test_as_they_are_written(self):
        """Sorted, without a space, UTF-8: what a leaf hashes, byte for byte."""
        event = Event(
            kind="grant.ended", at=NINE, record="R-1", actor=ACTOR, connection="clinic",
            grant="G-1", says={"why": "é \N{PILE OF POO} \"'\\\n", "rows": 7, "cut": False},
        )  # fmt: skip
        assert canonical(event).decode() == (
            '{"at":"2026-03-02T09:00:00.000000Z","connection":"clinic","grant":"G-1",'
            '"isolation":"separate","kernel":"K-1","kind":"grant.ended","of":"",'
            '"on_behalf_of":"ana","principal":"evaluation|ana/agents/recon","record":"R-1",'
            '"says":{"cut":false,"rows":7,"why":"é \N{PILE OF POO} \\"\'\\\\\\n"},'
            '"server":"N-1","session":"S-1","v":1}'
        )

    def test_keys_are_sorted_as_rfc_8785_sorts(self):
        """By UTF-16, where signs beyond the first plane come before some within it."""
        event = Event(kind="intent", at=NINE, says={"\uffff": 1, "\N{PILE OF POO}": 2, "b": 3})
        assert list(json.loads(canonical(event))["says"]) == ["b", "\N{PILE OF POO}", "\uffff"]

    @given(sayings)
    def test_there_and_back(self, says):
        """Nothing is lost, and writing what was read gives the same bytes again."""
        event = Event(kind="outcome", at=NINE, of="R-0", actor=ACTOR, says=says)
        body = canonical(event)
        assert read_event(body) == event
        assert canonical(read_event(body)) == body

    @given(sayings)
    def test_the_order_in_which_it_was_said_does_not_show(self, says):
        """Two writers of one event write the same bytes."""
        event = Event(kind="outcome", at=NINE, record="R-1", says=says)
        other = replace(event, says=dict(reversed(says.items())))
        assert canonical(other) == canonical(event)

    @given(st.text(st.characters(), max_size=20))
    def test_any_text_can_be_recorded(self, text):
        """Half a surrogate pair included: a refusal of nonsense is a record too."""
        event = Event(kind="refusal", at=NINE, says={"why": text, text: 1})
        assert json.loads(canonical(event))["says"][text] == 1
        assert read_event(canonical(event)) == event

    def test_one_instant_in_any_zone_is_the_same_record(self):
        """In UTC."""
        there = NINE.astimezone(timezone(timedelta(hours=-5)))
        event = Event(kind="intent", at=NINE, record="R-1")
        assert canonical(replace(event, at=there)) == canonical(event)

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            (frozenset({"b", "a"}), ["a", "b"]),
            (("b", "a"), ["b", "a"]),
            (Action.READ, "read"),
            (True, True),
        ],
    )
    def test_what_python_adds_to_json(self, value, written):
        """Sets are sorted, tuples are lists, members of an enumeration are their text."""
        event = Event(kind="intent", at=NINE, says={"x": value})
        assert json.loads(canonical(event))["says"]["x"] == written

    @pytest.mark.parametrize("value", [1.0, b"", object(), NINE, 1j])
    def test_what_has_no_one_way_to_be_written(self, value: Any):
        """A float least of all."""
        with pytest.raises(TypeError, match="cannot stand in an event"):
            canonical(Event(kind="intent", at=NINE, says={"x": [value]}))

    def test_a_naive_time_is_not_recorded(self):
        """It would depend on the machine."""
        with pytest.raises(ValueError, match="zone"):
            canonical(Event(kind="intent", at=NINE.replace(tzinfo=None)))
