"""
From settings to a policy, or to every mistake at once.

What is said of each mistake stands in `tests/cases/config`; here is what comes of a good
configuration, and that no configuration whatever brings the check down.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gov.access.model import Agents
from jupyter_gov.bootstrap.check import check
from jupyter_gov.bootstrap.settings import PATHS, Settings, files_of
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.masking.model import ColumnPolicy, Treatment

GOOD: dict[str, Any] = {
    "connections": {"clinic": {"url": "sqlite:////srv/clinic.db"}},
    "tags": {"clinic": {"patients": {"ssn": "ssn", "mrn": "mrn"}}},
    "treatments": {
        "ssn": "partial",
        "mrn": {"treatment": "pseudonym", "domain": "person"},
        "zip": "zip3",
    },
    "eligibilities": {
        "analysts": {"who": ["group:analysts"], "connection": "clinic", "tables": ["patients"]},
        "care": {
            "who": "ana", "connection": "clinic", "tables": "*", "agents": "yes", "clear": ["zip"],
            "treatments": {"ssn": "withhold"}, "default_duration": "10m", "max_rows": 5,
        },
    },
    "purposes": {"quality": "Quality improvement"},
    "evaluation_identities": {"ana": {"groups": ["analysts"]}},
}  # fmt: skip


def settings_of(**changed: Any) -> Settings:
    return Settings(state_dir=Path("/srv/state"), base=Path("/srv"), **{**GOOD, **changed})


def problems_of(**changed: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigInvalid) as wrong:
        check(settings_of(**changed))
    return wrong.value.problems


class TestAGoodConfiguration:
    def test_connections(self):
        """With what was left out filled in."""
        spec = check(settings_of()).connections["clinic"]
        assert (spec.dialect, spec.secret) == ("sqlite", None)
        assert spec.timeout == timedelta(minutes=5)
        assert spec.tags == {"patients": {"ssn": "ssn", "mrn": "mrn"}}

    def test_eligibilities(self):
        """A single text is a list of one; the rest has its default."""
        checked = check(settings_of()).eligibilities
        analysts, care = checked["analysts"], checked["care"]
        assert (analysts.agents, analysts.max_rows) == (Agents.NO, None)
        assert (analysts.default_duration, analysts.max_duration) == (
            timedelta(minutes=30), timedelta(hours=4)
        )  # fmt: skip
        assert (care.who, care.tables, care.agents) == (("ana",), ("*",), Agents.YES)
        assert (care.default_duration, care.max_rows) == (timedelta(minutes=10), 5)

    def test_each_eligibility_has_its_profile(self):
        """The connection-wide treatments, with its own laid over them."""
        profiles = check(settings_of()).profiles
        assert profiles["analysts"].policy("ssn") == ColumnPolicy(Treatment.PARTIAL)
        assert profiles["care"].policy("ssn") == ColumnPolicy(Treatment.WITHHOLD)
        assert profiles["analysts"].policy("zip") == ColumnPolicy(Treatment.ZIP3)
        assert profiles["care"].policy("zip") == ColumnPolicy(Treatment.CLEAR)
        assert profiles["care"].policy("mrn") == ColumnPolicy(
            Treatment.PSEUDONYM, "person", "clinic"
        )
        assert profiles["care"].untagged == ColumnPolicy(Treatment.WITHHOLD)

    def test_groups_are_of_eleven_unless_said_otherwise(self):
        """Where only groups are shown; elsewhere rows are."""
        own = GOOD["eligibilities"]["analysts"]
        for more, size in (
            ({}, 0),
            ({"aggregate_only": False}, 0),
            ({"aggregate_only": True}, 11),
            ({"aggregate_only": True, "min_group": 20}, 20),
        ):
            checked = check(
                settings_of(
                    eligibilities={"analysts": {**own, **more}},
                    tags={"clinic": {"patients": {"id": "subject"}}},
                    treatments={"subject": "pseudonym"},
                )
            )
            assert checked.profiles["analysts"].min_group == size

    def test_a_pseudonyms_domain_is_its_tag(self):
        """Unless another is named; other treatments have none."""
        checked = check(settings_of(treatments={**GOOD["treatments"], "mrn": "pseudonym"}))
        assert checked.profiles["analysts"].policy("mrn").domain == "mrn"
        assert checked.profiles["analysts"].policy("ssn").domain == ""

    def test_toml_files_give_the_same(self, tmp_path):
        """Of every mapping; and the files are among those whose readers are measured."""
        (tmp_path / "p.toml").write_text('quality = "Quality improvement"\n')
        (tmp_path / "t.toml").write_text('[clinic.patients]\nssn = "ssn"\nmrn = "mrn"\n')
        made = Settings(
            state_dir=tmp_path, base=tmp_path, **{**GOOD, "purposes": "p.toml", "tags": "t.toml"}
        )
        assert check(made).digest == check(settings_of()).digest
        assert set(files_of(made)) == {tmp_path / "p.toml", tmp_path / "t.toml"}

    def test_the_digest_is_of_what_it_says(self):
        """Not of how it is written down."""
        digest = check(settings_of()).digest
        turned = {"tags": json.loads(json.dumps(GOOD["tags"])), "purposes": dict(GOOD["purposes"])}
        turned["treatments"] = dict(reversed(GOOD["treatments"].items()))
        assert check(settings_of(**turned)).digest == digest
        assert check(settings_of(untagged="clear")).digest != digest
        assert check(settings_of(purposes={})).digest != digest

    def test_every_value_has_its_line(self):
        """A difference of two configurations names what changed and nothing else."""
        lines = check(settings_of()).lines
        assert lines['c.GovMasking.treatments["mrn"]["domain"]'] == '"person"'
        assert lines['c.GovConnections.tags["clinic"]["patients"]["ssn"]'] == '"ssn"'
        assert lines["c.GovMasking.untagged"] == '"withhold"'


class TestMistakes:
    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"connections": {7: {}}}, "c.GovConnections.connections[7]: write the name as a text"),
            ({"evaluation_identities": {None: {}}},
             "c.GovIdentity.evaluation_identities[None]: write the name as a text"),
            ({"purposes": {"": "x"}}, "c.GovAccess.purposes['']: write the name as a text"),
            ({"tags": {"clinic": {"patients": {"ssn": ["ssn"]}}}},
             'c.GovConnections.tags["clinic"]["patients"]["ssn"]: the tag [\'ssn\'] has no'),
            ({"tags": {"clinic": {"patients": {1: "ssn"}}}},
             'c.GovConnections.tags["clinic"]["patients"][1]: write the name as a text'),
            ({"connections": {"clinic": {"url": "sqlite://h:port/x"}}},
             'c.GovConnections.connections["clinic"]["url"]: is not a SQLAlchemy URL'),
            ({"connections": {"clinic": {"url": "sqlite:////x", "timeout": 30}}},
             'c.GovConnections.connections["clinic"]["timeout"]: \'30\' is not a duration'),
            ({"treatments": "c\0.toml"}, "c.GovMasking.treatments: "),
            ({"purposes": "sqlite://me:hunter2@h/x"}, "c.GovAccess.purposes: write a mapping, or"),
            ({"purposes": 5}, "c.GovAccess.purposes: write a mapping, or the path of a TOML file"),
        ],
    )  # fmt: skip
    def test_of_a_kind_nobody_means(self, changed, said):
        """Named by its path all the same."""
        assert any(problem.startswith(said) for problem in problems_of(**changed))
        assert "hunter2" not in str(problems_of(**changed))

    def test_all_at_once(self):
        """One start finds all of them."""
        said = problems_of(
            untagged="hide",
            purposes={"x": ""},
            connections={"clinic": {"url": "", "time_out": "5m"}},
            eligibilities={"a": {"who": [], "connection": "none", "tables": [], "agents": "?"}},
        )
        paths = {problem.partition(": ")[0] for problem in said}
        assert paths >= {
            "c.GovMasking.untagged",
            'c.GovAccess.purposes["x"]',
            'c.GovConnections.connections["clinic"]["url"]',
            'c.GovConnections.connections["clinic"]["time_out"]',
            'c.GovAccess.eligibilities["a"]["who"]',
            'c.GovAccess.eligibilities["a"]["connection"]',
            'c.GovAccess.eligibilities["a"]["tables"]',
            'c.GovAccess.eligibilities["a"]["agents"]',
        }

    def test_a_secret_that_is_no_text_is_not_shown(self, tmp_path):
        """Not a byte of it."""
        path = tmp_path / "secret"
        path.write_bytes(b"\xffhunter2")
        path.chmod(0o600)
        (said,) = problems_of(
            connections={"clinic": {"url": "sqlite:////x.db", "secret": f"file:{path}"}}
        )
        assert said.endswith(f"{path} is not a text file (UTF-8)")


WORDS = [
    "clinic", "patients", "ssn", "url", "sqlite:////x.db", "who", "group:a", "ana", "tables", "*",
    "connection", "clear", "treatments", "partial", "30m", "agents", "only", "name", "groups",
    "secret", "env:HOME", "timeout", "max_rows", "default_duration", "domain", "treatment",
    "pg://h:x/y", "http://[::1", "\0",
]  # fmt: skip
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS)
    | st.text(max_size=5) | st.binary(max_size=3) | st.dates() | st.builds(object)
)  # fmt: skip
keys = st.sampled_from(WORDS) | st.integers() | st.none() | st.text(max_size=3)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


class TestAnyConfiguration:
    @settings(max_examples=150)
    @given(
        st.fixed_dictionaries(
            {name: anything | st.dictionaries(keys, anything, max_size=3) for name in GOOD}
        ),
        st.booleans(),
    )
    def test_it_is_good_or_its_mistakes_are_named(self, written, loopback):
        """Whatever an admin's Python or TOML brings forth."""
        made = Settings(
            state_dir=Path("/srv"), base=Path("/nonexistent"), loopback=loopback, **written
        )
        try:
            check(made)
        except ConfigInvalid as wrong:
            assert all(
                problem.startswith(tuple(PATHS.values())) and ": " in problem
                for problem in wrong.problems
            )
