"""Profiles: what each column becomes, an id that says what it does, and what a change tightens."""

from __future__ import annotations

import pytest

from jupyter_gov.connections.model import Paths
from jupyter_gov.masking.model import ColumnPolicy, Profile, Treatment
from tests.unit.given import profile

CLEAR = ColumnPolicy(Treatment.CLEAR)
WITHHOLD = ColumnPolicy(Treatment.WITHHOLD)
PARTIAL = ColumnPolicy(Treatment.PARTIAL)
MOVED = ColumnPolicy(Treatment.DATE_SHIFT, space="s", days=30)


def made(**by_tag: ColumnPolicy) -> Profile:
    return Profile(
        connection="c",
        by_tag=by_tag,
        untagged=WITHHOLD,
        tags={"p": {"a": "one", "b": "two"}, "q": {"a": "one"}},
    )


class TestPolicies:
    def test_a_column_without_a_tag_is_untagged(self):
        """And so is one whose tag nobody treats: it fails closed."""
        one = made(one=CLEAR)
        assert one.policy("one") == CLEAR
        assert one.policy(None) == one.policy("new") == WITHHOLD

    @pytest.mark.parametrize(
        ("treatment", "treated", "enforced"),
        [
            (Treatment.CLEAR, "VARCHAR(9)", "clear"),
            (Treatment.WITHHOLD, "VARCHAR(9)", "withheld"),
            (Treatment.PSEUDONYM, "TEXT", "engine-treated"),
            (Treatment.PARTIAL, "TEXT", "engine-treated"),
            (Treatment.YEAR, "VARCHAR(9)", "engine-treated"),
            (Treatment.MONTH, "VARCHAR(9)", "engine-treated"),
            (Treatment.DATE_SHIFT, "VARCHAR(9)", "engine-treated"),
            (Treatment.AGE, "INTEGER", "engine-treated"),
            (Treatment.ZIP3, "TEXT", "engine-treated"),
            (Treatment.BUCKET, "VARCHAR(9)", "engine-treated"),
            (Treatment.ROUND, "VARCHAR(9)", "engine-treated"),
            (Treatment.SEAL, "TEXT", "withheld"),
            (Treatment.FPE, "TEXT", "engine-treated"),
            (Treatment.SURROGATE, "TEXT", "engine-treated"),
            (Treatment.PATHS, "VARCHAR(9)", "engine-treated"),
        ],
    )
    def test_the_type_after_and_the_honest_word(self, treatment, treated, enforced):
        """As `describe` tells it, for every treatment there is."""
        policy = ColumnPolicy(treatment)
        assert policy.treated_type("VARCHAR(9)") == treated
        assert policy.enforcement == enforced

    @pytest.mark.parametrize(
        ("declared", "pseudonym", "age"),
        [
            ("character varying(9)", "text", "integer"),
            ("date[]", "text[]", "integer[]"),
            ("INT", "TEXT", "INTEGER"),
            ("", "TEXT", "INTEGER"),
        ],
    )
    def test_types_are_spelled_as_the_engine_spells_them(self, declared, pseudonym, age):
        """An array stays one."""
        assert ColumnPolicy(Treatment.PSEUDONYM).treated_type(declared) == pseudonym
        assert ColumnPolicy(Treatment.AGE).treated_type(declared) == age
        assert ColumnPolicy(Treatment.MONTH).treated_type(declared) == declared

    def test_a_seal_with_a_detector_is_scanned(self):
        """And not called engine-treated: detection misses some."""
        assert ColumnPolicy(Treatment.SEAL, detector="notes").enforcement == "scanned"

    def test_a_json_column_has_a_policy_for_each_path(self):
        """Which are what presets, keys and counts go by."""
        tag = Paths((("a", "one"), ("b", Paths((("c", "two"), ("d", "three"))))))
        profile = Profile(
            connection="c", by_tag={"one": CLEAR, "two": MOVED}, untagged=WITHHOLD,
            tags={"p": {"doc": tag}},
        )  # fmt: skip
        policy = profile.policy(tag)
        assert policy.treatment is Treatment.PATHS
        assert list(policy.leaves()) == [CLEAR, MOVED, WITHHOLD]
        assert policy.by_subject
        assert policy.pads() == {"shift:s"}
        assert profile.clear_columns() == 1
        assert str(tag) == "a: one, b.c: two, b.d: three"

    def test_every_treatment_is_told(self):
        """A new one needs a place above."""
        assert len(Treatment) == 15

    def test_clear_columns_are_counted_over_all_tables(self):
        """The measure of *narrow*."""
        assert made(one=CLEAR, two=WITHHOLD).clear_columns() == 2
        assert made(one=CLEAR, two=CLEAR).clear_columns() == 3
        assert made().clear_columns() == 0


class TestTheId:
    def test_it_says_what_the_profile_does(self):
        """An edit that changes nothing keeps it."""
        assert made(one=CLEAR, two=PARTIAL).profile_id == made(two=PARTIAL, one=CLEAR).profile_id
        assert profile().profile_id == profile().profile_id

    @pytest.mark.parametrize(
        "other",
        [
            profile(connection="other"),
            profile(untagged=CLEAR),
            profile(tags={"encounters": {"patient": "code"}}),
            profile(tags={}),
            profile(by_tag={**profile().by_tag, "mrn": CLEAR}),
            profile(by_tag={**profile().by_tag, "mrn": ColumnPolicy(Treatment.PSEUDONYM, "x")}),
            profile(by_tag={**profile().by_tag, "new": CLEAR}),
        ],
    )
    def test_any_change_is_another(self, other):
        """Connection, tags, treatments, domains."""
        assert other.profile_id != profile().profile_id


class TestTightening:
    @pytest.mark.parametrize(
        ("newer", "changed"),
        [
            (made(one=CLEAR, two=PARTIAL), ()),
            (made(one=WITHHOLD, two=PARTIAL), ("p.a", "q.a")),
            (made(one=CLEAR, two=CLEAR), ()),
            (made(one=CLEAR, two=ColumnPolicy(Treatment.YEAR)), ("p.b",)),
            (made(two=PARTIAL), ("p.a", "q.a")),
        ],
        ids=["same", "masked", "cleared", "another mask", "tag gone"],
    )
    def test_of_treatments(self, newer, changed):
        """Anything but clearing counts: two masks cannot be ranked."""
        before = made(one=CLEAR, two=PARTIAL)
        assert before.tightened(newer, frozenset({"p", "q"})) == changed

    def test_only_of_the_tables_asked_about(self):
        """A grant that does not read it goes on."""
        assert made(one=CLEAR).tightened(made(one=WITHHOLD), frozenset({"q"})) == ("q.a",)
        assert made(one=CLEAR).tightened(made(one=WITHHOLD), frozenset({"r"})) == ()

    def test_a_changed_tag(self):
        """Is a changed treatment, of a column that was untagged too."""
        before = made(one=CLEAR, two=PARTIAL)
        newer = Profile(
            connection="c", by_tag=before.by_tag, untagged=WITHHOLD,
            tags={"p": {"a": "two", "b": "two", "c": "two"}, "q": {}},
        )  # fmt: skip
        assert before.tightened(newer, frozenset({"p", "q"})) == ("p.a", "p.c", "q.a")

    def test_the_untagged(self):
        """Of whatever table."""
        before = Profile(connection="c", by_tag={}, untagged=CLEAR, tags={})
        newer = Profile(connection="c", by_tag={}, untagged=WITHHOLD, tags={})
        assert before.tightened(newer, frozenset({"p"})) == ("(untagged columns)",)
        assert newer.tightened(before, frozenset({"p"})) == ()

    def test_a_larger_group(self):
        """A smaller one shows more, and goes on."""
        before = Profile(connection="c", by_tag={}, untagged=CLEAR, tags={}, min_group=11)
        newer = Profile(connection="c", by_tag={}, untagged=CLEAR, tags={}, min_group=20)
        assert before.tightened(newer, frozenset({"p"})) == ("(the size of groups)",)
        assert newer.tightened(before, frozenset({"p"})) == ()
        assert before.profile_id != newer.profile_id
