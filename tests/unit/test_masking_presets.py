"""Presets: a rule for every treatment, all eighteen identifiers, what a configuration is told."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_gov.bootstrap.check import Checked, check
from jupyter_gov.bootstrap.notes import notes
from jupyter_gov.bootstrap.passing import passing_codes
from jupyter_gov.connections.model import Paths
from jupyter_gov.masking.examples import VALUES, before_and_after
from jupyter_gov.masking.identifiers import KNOWN_TAGS, LAW, NONE, Identifier, identifier_of
from jupyter_gov.masking.model import Treatment
from jupyter_gov.masking.presets import (
    DIRECT,
    RULES,
    Preset,
    allowed,
    citation,
    columns_by_tag,
    judge,
)
from tests.unit.test_bootstrap_check import GOOD, problems_of, settings_of

I = Identifier  # noqa: E741


@pytest.fixture
def codes():
    with passing_codes() as made:
        yield made


HARBOR, LIMITED = Preset.SAFE_HARBOR, Preset.LIMITED_DATA_SET
PERSONS = DIRECT - {I.STREET, I.FREE_TEXT, I.BIOMETRIC, I.PHOTO} | {I.UNIQUE}
"""Classes that stand for one person."""


def is_allowed(preset: Preset, treatment: str, identifier: Identifier) -> bool:
    return identifier in RULES[preset][treatment].of


class TestTheLaw:
    def test_all_eighteen_are_there(self):
        """(A) to (R) of 164.514(b)(2)(i), in order, and text that may hold any of them."""
        letters = [said.letter for i, said in LAW.items() if i is not I.FREE_TEXT]
        assert list(dict.fromkeys(letters)) == list("ABCDEFGHIJKLMNOPQR")
        assert set(LAW) == set(Identifier)

    def test_all_sixteen_are_there(self):
        """(i) to (xvi) of 164.514(e)(2)."""
        tens = ["", "x"]
        ones = ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"]
        roman = [ten + one for ten in tens for one in ones][1:17]
        listed = [said.limited for i, said in LAW.items() if said.limited and i is not I.FREE_TEXT]
        assert listed == roman

    def test_no_tag_means_two_classes(self):
        """A tag that stood under two would mean the last."""
        every = [tag for said in LAW.values() for tag in said.tags.split()]
        assert len(every) == len(set(every)) == len(KNOWN_TAGS)

    def test_each_class_has_an_example(self):
        """In the page and in `preset show`."""
        assert VALUES.keys() == set(Identifier)

    def test_each_class_is_cited(self):
        """By its own paragraph."""
        assert citation(HARBOR, I.SSN) == "45 CFR 164.514(b)(2)(i)(G)"
        assert citation(LIMITED, I.SSN) == "45 CFR 164.514(e)(2)(vi)"
        assert citation(LIMITED, I.ZIP) == "45 CFR 164.514(e)(2)"
        assert citation(HARBOR, I.FREE_TEXT) == "45 CFR 164.514(b)(2)(i)(A) to (R)"


@pytest.mark.parametrize("preset", Preset)
class TestEveryPreset:
    def test_has_a_rule_for_every_treatment(self, preset):
        """A treatment that is new and that nobody held against the law fails here."""
        assert set(map(str, Treatment)) <= RULES[preset].keys()

    @pytest.mark.parametrize("identifier", Identifier)
    def test_says_why(self, preset, identifier):
        """Of each treatment on each class."""
        assert all(rule.why(identifier) for rule in RULES[preset].values())

    def test_withholding_always_does(self, preset):
        """What is gone identifies nobody."""
        assert RULES[preset]["withhold"].of == set(Identifier)

    def test_a_treatment_without_a_rule_is_barred(self, preset, monkeypatch):
        """Not let through because nobody thought of it."""
        monkeypatch.delitem(RULES[preset], "year")  # type: ignore[arg-type]
        (said,) = judge(preset, {"dob": ("p.dob",)}, {"dob": Treatment.YEAR}, {})
        assert not said.ok
        assert Treatment.YEAR not in allowed(preset, I.BIRTH_DATE)


class TestSafeHarbor:
    @pytest.mark.parametrize(
        "treatment", ["clear", "pseudonym", "partial", "month", "date_shift", "bucket", "round",
                      "seal", "fpe"]
    )  # fmt: skip
    def test_bars_on_everything_that_identifies(self, treatment):
        """What keeps a part, is derived from the value, or rests on a detector."""
        assert RULES[HARBOR][treatment].of == {I.STATE}

    @pytest.mark.parametrize(
        ("treatment", "on"),
        [("year", {I.BIRTH_DATE, I.DATE}), ("age", {I.BIRTH_DATE, I.AGE}), ("zip3", {I.ZIP})],
    )
    def test_allows_what_the_rule_names(self, treatment, on):
        """The year of a date, an age up to 89, three digits of a ZIP code; on nothing else."""
        assert RULES[HARBOR][treatment].of == on | {I.STATE}

    def test_a_random_code_stands_for_a_person_only(self):
        """Not for a place, a date, an age, a text or a picture: 164.514(c) speaks of a record."""
        assert RULES[HARBOR]["surrogate"].of == PERSONS | {I.STATE}

    def test_ages_over_89_may_not_be_told_apart_by_ranges(self):
        """Decades up to 99 and over 100 are two categories."""
        assert "one category" in RULES[HARBOR]["bucket"].why(I.AGE)
        assert "year" in RULES[HARBOR]["bucket"].why(I.BIRTH_DATE)

    def test_the_examples_keep_its_rules(self, codes):
        """By the treatments themselves: a small area, somebody over 89, a day of service."""
        assert before_and_after(Treatment.ZIP3, I.ZIP, codes)[1] == ("03601", "000")
        assert before_and_after(Treatment.AGE, I.AGE, codes)[1] == ("97", "90")
        assert before_and_after(Treatment.AGE, I.BIRTH_DATE, codes)[1] == ("1931-02-03", "90")
        assert before_and_after(Treatment.YEAR, I.BIRTH_DATE, codes)[1][1] == "1936-01-01"
        for identifier in Identifier:
            for treatment in set(allowed(HARBOR, identifier)) - {Treatment.CLEAR}:
                for before, after in before_and_after(treatment, identifier, codes):
                    assert before != after or identifier in (I.AGE, I.STATE)


class TestLimitedDataSet:
    @pytest.mark.parametrize(
        "treatment", sorted(RULES[LIMITED].keys() - {"withhold", "pseudonym", "surrogate", "paths"})
    )
    def test_nothing_else_takes_a_direct_identifier_away(self, treatment):
        """A part of one, or one that a key turns back, is still there."""
        assert not RULES[LIMITED][treatment].of & DIRECT

    @pytest.mark.parametrize("identifier", sorted(set(Identifier) - DIRECT))
    def test_the_rest_may_stay(self, identifier):
        """Dates, ages, towns, ZIP codes, unique codes."""
        assert is_allowed(LIMITED, "clear", identifier)

    def test_text_is_withheld(self):
        """Any of the sixteen may stand in it."""
        assert allowed(LIMITED, I.FREE_TEXT) == (Treatment.WITHHOLD,)


class TestTags:
    def test_the_administrators_word_goes_first(self):
        """Also against the words that are known."""
        assert identifier_of("date", {}) is I.DATE
        assert identifier_of("Zip-Code", {}) is I.ZIP
        assert identifier_of("date", {"date": NONE}) == NONE
        assert identifier_of("ward", {}) is None
        assert identifier_of("ward", {"ward": "place"}) is I.PLACE

    def test_what_a_grant_cannot_reach_does_not_count(self):
        """A table out of scope is absent, which is a treatment too."""
        tags = {"patients": {"ssn": "ssn"}, "visits": {"day": "date"}}
        assert columns_by_tag(tags, ["visits"]) == {"date": ("visits.day",)}

    def test_a_view_may_read_anything(self):
        """A name without tags is taken for one."""
        tags = {"patients": {"ssn": "ssn"}, "visits": {"day": "date"}}
        assert columns_by_tag(tags, ["visits", "v_load"]).keys() == {"ssn", "date"}

    def test_tags_inside_a_column_count(self):
        """Of a document: one for each path."""
        tags = {"fhir": {"doc": Paths((("birthDate", "dob"), ("x", "code")))}}
        assert columns_by_tag(tags, ["fhir"]).keys() == {"dob", "code"}


RESEARCH = {
    "who": ["group:analysts"], "connection": "clinic", "tables": ["patients"],
    "preset": "safe_harbor", "treatments": {"mrn": "withhold", "ssn": "withhold"},
}  # fmt: skip
WHERE = 'c.GovAccess.eligibilities["research"]'


def configured(**changed: Any) -> Checked:
    return check(settings_of(eligibilities={"research": {**RESEARCH, **changed}}))


def mistakes(top: dict[str, Any] | None = None, **changed: Any) -> tuple[str, ...]:
    return problems_of(eligibilities={"research": {**RESEARCH, **changed}}, **(top or {}))


class TestAConfiguration:
    def test_that_keeps_the_rules_is_good(self):
        """And its note says what was applied, and what no program can look at."""
        (said,) = notes(configured())
        assert said.startswith(f"{WHERE}: rules of safe_harbor applied; shown as they are")
        assert said.endswith("164.514(b)(2)(ii), is not checked")

    def test_a_barred_treatment_is_named_where_it_stands(self):
        """The path of the setting, why, the paragraph, and what to write where."""
        (said,) = mistakes(treatments={"ssn": "withhold"})
        assert said.startswith('c.GovMasking.treatments["mrn"]: pseudonym is a keyed hash')
        assert "patients.mrn is of the class mrn (45 CFR 164.514(b)(2)(i)(H))" in said
        assert said.endswith(f'in {WHERE}["treatments"]["mrn"]')
        assert '"withhold"' in said

    def test_in_the_eligibility_itself(self):
        """Its own treatments and clear tags are named there."""
        (said,) = mistakes(treatments={"mrn": "partial", "ssn": "withhold"})
        assert said.startswith(f'{WHERE}["treatments"]["mrn"]: partial leaves a part')
        (said,) = mistakes(treatments={"mrn": "withhold"}, clear=["ssn"])
        assert said.startswith(f'{WHERE}["clear"]: clear shows the identifier itself')
        assert said.endswith('and take it out of "clear"')

    def test_untagged_columns_must_be_withheld(self):
        """Nobody has said what they hold."""
        (said,) = mistakes({"untagged": "seal"})
        assert said.startswith("c.GovMasking.untagged: is seal")

    def test_a_tag_without_a_class_stops_it(self):
        """Until the administrator says which, or none."""
        odd = {
            "tags": {"clinic": {"patients": {"ward": "ward"}}},
            "treatments": {"ward": "clear", "ssn": "withhold", "mrn": "withhold"},
        }
        (said,) = mistakes(odd, treatments={})
        assert said.startswith('c.GovMasking.identifiers["ward"]: is missing')
        (said,) = mistakes({**odd, "identifiers": {"ward": "place"}}, treatments={})
        assert "patients.ward is of the class place" in said

    def test_what_is_said_to_identify_nobody_is_noted(self):
        """Named with its columns, since the rules rest on the administrator's word."""
        made = settings_of(
            tags={"clinic": {"patients": {"ward": "ward"}}},
            treatments={"ward": "clear"},
            identifiers={"ward": "none"},
            eligibilities={"research": {**RESEARCH, "treatments": {}}},
        )
        (said,) = notes(check(made))
        assert "ward (patients.ward)" in said

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"mrn": "medical"}, "c.GovMasking.identifiers[\"mrn\"]: 'medical' is not a class"),
            ({"tea": "none"}, 'c.GovMasking.identifiers["tea"]: the tag has no treatment'),
            ({7: "none"}, "c.GovMasking.identifiers[7]: write the name as a text"),
        ],
    )
    def test_a_wrong_class_stops_it(self, given, said):
        """Whether or not there is a preset."""
        assert any(one.startswith(said) for one in problems_of(identifiers=given))

    def test_a_limited_data_set_needs_an_agreement(self):
        """164.514(e)(4); with one, the note names it."""
        (said,) = mistakes(preset="limited_data_set")
        assert said.startswith(f'{WHERE}["data_use_agreement"]: is missing')
        agreed = configured(preset="limited_data_set", data_use_agreement="DUA-2026-014")
        assert any("limited_data_set applied under DUA-2026-014" in one for one in notes(agreed))

    def test_an_unknown_preset_is_named(self):
        """With the nearest one."""
        (said,) = mistakes(preset="safe_habor")
        assert said.startswith(f"{WHERE}[\"preset\"]: 'safe_habor' is not a preset; did you mean")

    @pytest.mark.parametrize(
        ("condition", "said"),
        [
            ("mrn = 'MRN-1'", "compares mrn, of the class mrn (45 CFR 164.514(b)(2)(i)(H))"),
            ("ward <> 'ICU' OR SSN LIKE '9%'", "compares SSN, of the class ssn"),
            ("bed = 7", "compares bed, which has no tag"),
        ],
    )
    def test_a_row_filter_tells_what_it_compares(self, condition, said):
        """Of every row that is shown; so it may compare what may be shown only."""
        top = {
            "tags": {"clinic": {"patients": {"ssn": "ssn", "mrn": "mrn", "ward": "ward"}}},
            "treatments": {"ssn": "withhold", "mrn": "withhold", "ward": "clear"},
            "identifiers": {"ward": "none"},
        }
        (problem,) = mistakes(top, treatments={}, rows={"patients": condition})
        assert problem.startswith(f'{WHERE}["rows"]["patients"]: {said}')
        fine = {"research": {**RESEARCH, "treatments": {}, "rows": {"patients": "ward = 'ICU'"}}}
        assert check(settings_of(eligibilities=fine, **top))

    def test_without_a_preset_nothing_is_held(self):
        """What the presets bar is no mistake elsewhere."""
        assert check(settings_of(eligibilities=GOOD["eligibilities"]))
