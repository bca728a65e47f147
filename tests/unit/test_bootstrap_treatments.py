"""Treatments with their parameters, paths, subjects and small areas, as an admin writes them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jupyter_gov.bootstrap.check import check
from jupyter_gov.bootstrap.settings import Settings, files_of
from jupyter_gov.bootstrap.treatments import NAMES, TAKES, of_tags
from jupyter_gov.connections.model import Paths
from jupyter_gov.masking.model import ColumnPolicy, Treatment
from jupyter_gov.masking.places import HHS_2000
from tests.unit.test_bootstrap_check import GOOD, problems_of, settings_of


def policy(**given: Any) -> ColumnPolicy:
    """What is read of one treatment; there must be no mistake in it."""
    problems: list[str] = []
    (made,) = of_tags({"mrn": given}, problems).values()
    assert problems == []
    return made


class TestParameters:
    @pytest.mark.parametrize(
        ("given", "made"),
        [
            ({"treatment": "pseudonym"}, ColumnPolicy(Treatment.PSEUDONYM, "mrn")),
            ({"treatment": "pseudonym", "domain": "p", "space": "study-7"},
             ColumnPolicy(Treatment.PSEUDONYM, "p", "study-7")),
            ({"treatment": "date_shift"}, ColumnPolicy(Treatment.DATE_SHIFT, days=365)),
            ({"treatment": "date_shift", "days": 30}, ColumnPolicy(Treatment.DATE_SHIFT, days=30)),
            ({"treatment": "bucket", "width": 10, "start": -5},
             ColumnPolicy(Treatment.BUCKET, width=Decimal(10), start=Decimal(-5))),
            ({"treatment": "bucket", "width": 0.25},
             ColumnPolicy(Treatment.BUCKET, width=Decimal("0.25"))),
            ({"treatment": "round", "to": 100}, ColumnPolicy(Treatment.ROUND, to=Decimal(100))),
            ({"treatment": "seal"}, ColumnPolicy(Treatment.SEAL)),
            ({"treatment": "seal", "detector": "notes"},
             ColumnPolicy(Treatment.SEAL, detector="notes")),
            ({"treatment": "fpe"}, ColumnPolicy(Treatment.FPE, "mrn", alphabet="digits")),
            ({"treatment": "surrogate"}, ColumnPolicy(Treatment.SURROGATE, "mrn")),
        ],
    )  # fmt: skip
    def test_what_is_left_out_has_its_default(self, given, made):
        """The domain is the tag; the space is the connection's own, once that is known."""
        assert policy(**given) == made

    def test_numbers_are_equal_however_they_are_written(self):
        """So that an edit which changes nothing keeps the profile."""
        assert policy(treatment="round", to=10) == policy(treatment="round", to=10.0)

    def test_every_treatment_can_be_named(self):
        """By its name alone, or with what it needs."""
        needed = {"bucket": {"width": 5}, "round": {"to": 5}}
        for name in NAMES:
            assert policy(treatment=name, **needed.get(name, {})).treatment == name
        assert {str(t) for t in TAKES} < set(NAMES)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), True, [5], 1e16, None])
    def test_what_is_no_width_is_refused(self, value):
        """And named by its path."""
        problems: list[str] = []
        of_tags({"x": {"treatment": "bucket", "width": value}}, problems)
        assert problems
        assert all(p.startswith('c.GovMasking.treatments["x"]["width"]: ') for p in problems)


class TestSpaces:
    def test_the_connections_own_unless_one_is_named(self):
        """Two connections that name one space join; by default none do."""
        treatments = {
            "ssn": {"treatment": "pseudonym", "space": "research"}, "mrn": "pseudonym",
            "zip": {"treatment": "fpe"},
        }  # fmt: skip
        eligibilities = {"a": {**GOOD["eligibilities"]["analysts"], "treatments": {}}}
        made = check(settings_of(treatments=treatments, eligibilities=eligibilities))
        profile = made.profiles["a"]
        assert [profile.policy(tag).space for tag in treatments] == ["research", "clinic", "clinic"]
        assert profile.policy("ssn").pads() == {"space:research"}


class TestTags:
    def test_a_json_columns_paths(self):
        """Nested, as the document is."""
        doc = {"id": "mrn", "name": {"family": "ssn"}}
        checked = check(settings_of(tags={"clinic": {"patients": {"doc": doc}}}))
        assert checked.connections["clinic"].tags["patients"]["doc"] == Paths(
            (("id", "mrn"), ("name", Paths((("family", "ssn"),))))
        )

    def test_a_subject_lets_dates_be_shifted(self):
        """In that table, and in its JSON."""
        given: dict[str, Any] = {
            "treatments": {**GOOD["treatments"], "born": "date_shift", "subject": "pseudonym"},
        }
        for column in ("born", {"at": "born"}):
            without = {"clinic": {"patients": {"dob": column}}}
            (said,) = problems_of(tags=without, **given)
            assert said.startswith('c.GovConnections.tags["clinic"]["patients"]["dob"]: date_shift')
            having = {"clinic": {"patients": {"dob": column, "id": "subject"}}}
            profile = check(settings_of(tags=having, **given)).profiles["analysts"]
            assert profile.subject_of("patients") == "id"

    def test_depth_is_limited(self):
        """Each level is a subquery in the projection."""
        deep: Any = "mrn"
        for _ in range(9):
            deep = {"a": deep}
        (said,) = problems_of(tags={"clinic": {"patients": {"doc": deep}}})
        assert "list between one and 8 levels of keys" in said


class TestSmallAreas:
    def test_by_default_those_of_hhs(self):
        """Seventeen, of the 2000 census."""
        assert check(settings_of()).profiles["analysts"].small_areas == HHS_2000.areas
        assert len(HHS_2000.areas) == 17

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.toml", 'source = "Census Bureau"\ndate = "2020"\nareas = ["036", "059"]\n'),
            ("a.txt", "# ours\nsource: Census Bureau\ndate: 2020\n036, 059  # two\n"),
        ],
    )
    def test_a_list_of_ones_own(self, tmp_path, name, text):
        """It is part of every profile, and its file is one that others must not write."""
        (tmp_path / name).write_text(text)
        made = Settings(state_dir=tmp_path, base=tmp_path, small_areas=name, **GOOD)
        checked = check(made)
        assert checked.profiles["analysts"].small_areas == {"036", "059"}
        assert tmp_path / name in files_of(made)
        line = checked.lines["c.GovMasking.small_areas"]
        assert line == '"Census Bureau; 2020; 036 059"'
        other = check(settings_of()).profiles["analysts"]
        assert checked.profiles["analysts"].profile_id != other.profile_id

    @pytest.mark.parametrize(
        "text",
        [
            "", "036 059", "source: x\n036", "date: x\n036", "source: x\ndate: y\n",
            "source: x\ndate: y\n36", "source: x\ndate: y\n0360", "source: x\ndate: y\nMaine",
        ],
    )  # fmt: skip
    def test_a_list_without_source_date_or_areas_is_refused(self, tmp_path, text):
        """Nobody could say what it is."""
        (tmp_path / "a.txt").write_text(text)
        (said,) = problems_of(small_areas=str(Path(tmp_path / "a.txt")))
        assert said.startswith("c.GovMasking.small_areas: ")
        assert "write source, date, and the areas of three digits" in said
