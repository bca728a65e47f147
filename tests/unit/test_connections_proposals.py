"""
Proposed tags: from names, types, comments, and counts over a sample; never a value.

What is proposed for which column stands in `tests/cases/classify`.
"""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gov.connections import naming
from jupyter_gov.connections.contents import Contents
from jupyter_gov.connections.described import Described, words_of
from jupyter_gov.connections.model import Paths
from jupyter_gov.connections.proposals import _WHOLE, HARMLESS, Proposal, inherited, propose
from jupyter_gov.connections.tagsfile import toml
from jupyter_gov.masking.identifiers import KNOWN_TAGS
from tests.support.gateway import ROOT

CASES = ROOT / "tests" / "cases" / "classify"
COLUMNS = [json.loads(line) for line in (CASES / "columns.jsonl").read_text().splitlines()]
VALUES = [json.loads(line) for line in (CASES / "values.jsonl").read_text().splitlines()]


def column(name: str = "x19", **changed: Any) -> Described:
    return Described(**{"table": "legacy", "name": name, "type": "text", **changed})


def values_of(case: dict[str, Any]) -> list[object]:
    return case.get("values") or [bytes.fromhex(text) for text in case["hex"]]


@pytest.fixture(scope="module")
def contents() -> Contents:
    return Contents()


class TestWords:
    @pytest.mark.parametrize(
        "name", ["PatientId", "patient_id", "Patient ID", "patientId", "PATIENT-ID"]
    )
    def test_a_name_has_words_however_it_is_written(self, name):
        """In one case or two, with any sign between them."""
        assert words_of(name) == "patient id"

    def test_numbers_and_shortened_words_stand_apart(self):
        """As people write them."""
        assert words_of("SSNLast4") == "ssn last 4"


class TestNames:
    @pytest.mark.parametrize("case", COLUMNS, ids=lambda c: f"{c['table']}.{c['name']}")
    def test_a_column_without_a_look(self, case):
        """What its name, type, keys and comment say; nothing where they say nothing."""
        facts = {"type": "text", **{k: v for k, v in case.items() if k != "tag"}}
        assert propose(Described(**facts)).tag == case["tag"]


class TestContents:
    @pytest.mark.parametrize("case", VALUES, ids=lambda c: c["id"])
    def test_a_column_whose_name_says_nothing(self, case, contents):
        """Or something else: what identifies somebody goes before what does not."""
        look = contents.look(values_of(case))
        assert propose(column(case.get("name", "x19")), look).tag == case["tag"]

    @pytest.mark.parametrize("case", VALUES, ids=lambda c: c["id"])
    def test_no_value_is_in_what_is_said(self, case, contents):
        """Evidence counts; the file it goes into may be read by anybody."""
        look = contents.look(values_of(case))
        said = repr(look) + repr(propose(column(), look))
        for value in values_of(case):
            if isinstance(value, str) and len(value) > 3:
                assert value not in said

    def test_few_values_say_less(self, contents):
        """Three telephone numbers are believed less than thirty."""
        few = propose(column(), contents.look([f"206-555-01{n:02}" for n in range(3)]))
        many = propose(column(), contents.look([f"206-555-01{n:02}" for n in range(30)]))
        assert few.tag == many.tag == "phone"
        assert few.confidence < many.confidence

    def test_the_same_words_again_and_again_may_be_a_category(self, contents):
        """If the name speaks for it too: towns recur as well, and so do ZIP codes."""
        wards = ["north wing", "south wing", "east wing"] * 20
        assert propose(column("reason"), contents.look(wards)).tag == "category"
        assert propose(column(), contents.look(wards)).tag == ""
        asked = [*wards, "ask 206-555-0201"]
        assert propose(column("reason"), contents.look(asked)).tag == "free_text"

    def test_dates_over_a_lifetime_may_be_births(self, contents):
        """The name decides; without one they are dates."""
        days = [f"{year}-03-01" for year in range(1930, 2020, 3)]
        assert propose(column(), contents.look(days)).tag == "date"
        assert propose(column("born"), contents.look(days)).tag == "birth_date"

    @settings(max_examples=20)
    @given(st.lists(st.none() | st.text() | st.integers() | st.floats() | st.binary(), max_size=8))
    def test_whatever_is_stored_is_looked_at(self, values):
        """Nothing of it brings the look down."""
        assert 0 <= propose(column(), LOOKS.look(values)).confidence <= 1


LOOKS = Contents()


class TestProposals:
    def test_every_tag_is_known_to_the_presets(self):
        """Or names nobody: a tag that is proposed must not be a riddle under a preset."""
        tags = {rule[0] for rule in (*naming._RULES, *naming._TYPES, *naming._GLUED)}
        tags |= {rule[1] for rule in _WHOLE}
        assert tags - KNOWN_TAGS.keys() == HARMLESS - KNOWN_TAGS.keys()

    def test_what_is_generated_has_the_tag_of_what_it_is_from(self):
        """A lower-cased name is a name, whatever its column is called."""
        name, made = column("full_name"), column("sort", computed_from=("full_name",))
        found = inherited([(name, propose(name)), (made, propose(made))])
        assert found[1][1].tag == "name"
        assert found[1][1].evidence == ("it is generated from such a column",)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


class TestTheFile:
    def test_it_says_why(self):
        """The tag, how sure, and the evidence, on the column's own line."""
        one = column("ssn", table="patients")
        text = toml("clinic", [(one, propose(one))], {}, frozenset(), "names")
        assert 'ssn = "ssn"  # 0.95: the name' in text
        assert '#   "ssn": "withhold",' in text

    def test_what_is_not_proposed_is_left_out(self):
        """So that it stays untagged; the line is there to be filled in."""
        one = column("rtype", table="fhir")
        text = toml("clinic", [(one, propose(one))], {}, frozenset(), "names")
        assert '# rtype = "?"' in text
        assert tomllib.loads(text) == {"clinic": {"fhir": {}}}

    def test_the_tags_there_are_stay(self):
        """And a harmless one on a column that may identify somebody is doubted."""
        one, two = column("ssn", table="p"), column("doc", table="p", type="jsonb")
        known = {"p": {"ssn": "category", "doc": Paths((("a b", "name"),))}}
        found = [(c, propose(c)) for c in (one, two)]
        text = toml("clinic", found, known, frozenset(), "names")
        assert tomllib.loads(text)["clinic"]["p"] == {"ssn": "category", "doc": {"a b": "name"}}
        assert "look again: the name, which speaks for ssn" in text
        assert "need a treatment" not in text

    @given(st.dictionaries(NAMES, st.dictionaries(NAMES, NAMES, min_size=1), min_size=1), NAMES)
    def test_any_name_comes_back(self, tables, connection):
        """Quotes, control characters and comment signs in names break nothing."""
        found = [
            (column(name, table=table), Proposal(tag=tag, confidence=0.5, evidence=(tag,)))
            for table, columns in tables.items()
            for name, tag in columns.items()
        ]
        text = toml(connection, found, {}, frozenset(), "names")
        assert tomllib.loads(text) == {connection: tables}
