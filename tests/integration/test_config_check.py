"""`jupyter gov config check`: a good configuration, and what is said of every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_gov.cli.main import main
from tests.conftest import demo_config
from tests.support.gateway import ROOT

MISTAKES = [
    json.loads(line)
    for line in (ROOT / "tests/cases/config/mistakes.jsonl").read_text().splitlines()
]


@pytest.fixture
def check(tmp_path, clinic_db, monkeypatch, capsys):
    """Checks the demo's configuration with lines added; returns exit code and both outputs."""
    monkeypatch.setenv("CLINIC_DB", str(clinic_db))
    monkeypatch.setenv("JUPYTER_GOV_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("GOV_NOT_SET", raising=False)

    def run(more: str = "") -> tuple[int, str, str]:
        code = main(["config", "check", "--config", str(demo_config(tmp_path, more))])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


class TestAGoodConfiguration:
    def test_it_is_said_what_it_gives(self, check):
        """Exit code 0, the connections and who may ask for what; nothing is created."""
        code, out, _ = check()
        assert code == 0
        assert "the configuration is good (digest " in out
        assert "connection clinic: 5 tables" in out
        assert "eligibility analysts: group:analysts on clinic" in out

    def test_nothing_is_left_behind(self, check, tmp_path):
        """Checking makes no state folder: it may be run as anybody, beforehand."""
        check()
        assert not (tmp_path / "state").exists()

    def test_mappings_may_be_toml_files(self, check, tmp_path):
        """A mapping given as the path of a TOML file is validated the same way."""
        (tmp_path / "who.toml").write_text('[ana]\nname = "Ana"\ngroups = ["analysts", "care"]\n')
        (tmp_path / "why.toml").write_text('quality = "Quality improvement"\n')
        code, _, _ = check(
            'c.GovIdentity.evaluation_identities = "who.toml"; c.GovAccess.purposes = "why.toml"'
        )
        assert code == 0


class TestWhatIsAllowedAndWorthKnowing:
    @pytest.mark.parametrize(
        ("more", "note"),
        [
            ('c.GovMasking.untagged = "clear"', "columns without a tag are shown as they are"),
            (
                "c.GovAccess.eligibilities['care-managers']['clear'] = ['mrn']",
                "whoever sees both has a look-up table",
            ),
        ],
        ids=["untagged-in-the-clear", "a-value-and-its-pseudonym"],
    )
    def test_it_is_noted(self, check, more, note):
        """Good, exit code 0, and a note names the config path."""
        code, out, _ = check(more)
        assert code == 0
        assert note in out

    def test_the_demo_needs_no_such_note(self, check):
        """A note is for what is unusual."""
        assert "look-up table" not in check()[1]


class TestAMistake:
    @pytest.mark.parametrize("case", MISTAKES, ids=[case["id"] for case in MISTAKES])
    def test_each_names_its_config_path_and_the_fix(self, check, case):
        """Exit code 2; the message says where and what to write, and never a secret."""
        code, _, err = check(case["config"])
        assert code == 2
        for text in case["says"]:
            assert text in err
        for text in case.get("never", ()):
            assert text not in err

    def test_a_toml_file_is_held_to_the_same_rules(self, check, tmp_path):
        """What is wrong in a TOML file is named by the config path that the file stands for."""
        (tmp_path / "t.toml").write_text('ssn = "psuedonym"\n')
        code, _, err = check('c.GovMasking.treatments = "t.toml"')
        assert code == 2
        assert "c.GovMasking.treatments[\"ssn\"]: 'psuedonym' is not a treatment" in err

    def test_a_broken_toml_file_is_named(self, check, tmp_path):
        """A file that is not TOML is named with the place where it breaks."""
        (tmp_path / "t.toml").write_text("ssn = \n")
        code, _, err = check('c.GovMasking.treatments = "t.toml"')
        assert code == 2
        assert "t.toml is not TOML" in err
        assert "line 1" in err

    def test_a_file_that_does_not_run_is_named(self, check):
        """The config is a program: what it raises is told, with the file."""
        code, _, err = check("c.GovGateway.port = undefined_name")
        assert code == 2
        assert "jupyter_server_config.py: cannot be read (NameError" in err

    def test_a_file_that_is_missing_is_named(self, tmp_path, capsys):
        """A config file that is not there is a mistake, not an empty configuration."""
        assert main(["config", "check", "--config", str(tmp_path / "none.py")]) == 2
        assert "none.py" in capsys.readouterr().err


class TestTheCommand:
    def test_a_mistake_stops_the_gateway_before_it_listens(self, make_site):
        """The gateway itself refuses what `config check` refuses, with exit code 2."""
        gateway = make_site("c.GovMasking.untagged = 'hide'")
        done = gateway.cli("gateway", "--port", str(gateway.port), check=False)
        assert done.returncode == 2
        assert "c.GovMasking.untagged: 'hide' is not a treatment" in done.stderr
        assert not Path(gateway.state_dir, "audit").exists()
