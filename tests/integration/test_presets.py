"""A preset from the configuration to the frame and the record, on a real gateway."""

from __future__ import annotations

import re

import pytest

from jupyter_gov.cli.main import main
from jupyter_gov.errors import GrantOver
from tests.conftest import demo_config, populate
from tests.support.gateway import ROOT, running

HARBOR = """
c.GovMasking.identifiers = {"category": "none", "code": "none", "amount": "none",
                            "provider": "none"}
c.GovAccess.eligibilities = {
    "research": {
        "who": ["group:analysts"], "connection": "clinic", "tables": ["patients", "encounters"],
        "preset": "safe_harbor",
        "treatments": {
            "subject": "surrogate", "key": "withhold", "mrn": "surrogate", "ssn": "withhold",
            "member_id": "withhold", "date": "year", "birth_date": "age", "free_text": "withhold",
        },
    },
    "registry": {
        "who": ["group:care"], "connection": "clinic", "tables": ["patients", "encounters"],
        "preset": "limited_data_set", "data_use_agreement": "DUA-2026-014",
        "clear": ["zip", "city", "date", "birth_date"],
        "treatments": {"ssn": "withhold", "free_text": "withhold"},
    },
}
"""
SQL = (
    "SELECT p.patient_id, p.mrn, p.ssn, p.full_name, p.birth_date, p.street, p.city, p.state,"
    " p.zip, p.phone, p.email, p.notes, e.encounter_id, e.started_at, e.icd10"
    " FROM patients p JOIN encounters e USING (patient_id) ORDER BY e.started_at LIMIT 400"
)


@pytest.fixture(scope="module")
def own(make_site):
    with running(make_site(HARBOR)) as gateway:
        yield populate(gateway)


@pytest.fixture(scope="module")
def frame(own):
    return own.analyst().query("clinic", SQL)


class TestSafeHarbor:
    @pytest.mark.parametrize(
        "column", ["ssn", "full_name", "street", "city", "phone", "email", "notes", "encounter_id"]
    )
    def test_what_must_go_is_gone(self, frame, column):
        """NULL, in every row."""
        assert frame[column].isna().all()

    @pytest.mark.parametrize("column", ["patient_id", "mrn"])
    def test_a_record_number_is_a_random_code(self, frame, column):
        """No pseudonym and no value; the same one again is the same person again."""
        codes = frame[column].dropna().astype(str)
        assert len(codes) == len(frame)
        assert not codes.str.contains("MRN").any()
        assert not codes.str.startswith("p_").any()
        assert 1 < codes.nunique() < len(codes)
        assert frame["patient_id"].nunique() == frame["mrn"].nunique()

    def test_of_a_date_the_year_stays(self, frame):
        """1 January, whatever the day was."""
        days = frame["started_at"].astype(str).str[4:10]
        assert set(days) == {"-01-01"}

    def test_ages_over_89_are_one(self, frame):
        """No age is above 90, and there are some at 90."""
        assert frame["birth_date"].max() == 90
        assert frame["birth_date"].between(0, 90).all()

    def test_places_are_states_and_three_digits(self, frame):
        """000 for the small areas."""
        assert frame["state"].str.fullmatch("[A-Z]{2}").all()
        assert frame["zip"].str.fullmatch("[0-9]{3}").all()
        assert "000" in set(frame["zip"])

    def test_what_identifies_nobody_is_shown(self, frame):
        """Or there would be nothing to study."""
        assert frame["icd10"].str.match("[A-Z][0-9]").all()


class TestTheRecord:
    def test_a_grant_names_its_preset_and_agreement(self, own, frame):
        """So that an auditor finds under what a frame was given."""
        own.kernel().attached(own.people["sam"]).query("clinic", "SELECT zip FROM patients LIMIT 1")
        said = {
            e["says"]["eligibility"]: (e["says"]["preset"], e["says"]["data_use_agreement"])
            for e in own.gateway.recorded("grant.opened")
        }
        assert said == {
            "research": ("safe_harbor", ""),
            "registry": ("limited_data_set", "DUA-2026-014"),
        }

    def test_what_it_rests_on_is_recorded(self, own):
        """The rules, the agreement, the administrator's word, and what nobody checked."""
        (loaded,) = own.gateway.recorded("config.loaded")
        research, registry = (
            next(note for note in loaded["says"]["notes"] if f'["{name}"]: rules of' in note)
            for name in ("research", "registry")
        )
        assert "category (" in research
        assert "patients.sex" in research
        assert "small ZIP areas by HHS, Guidance" in research
        assert "(2000 census)" in research
        assert research.endswith("is not checked")
        assert "rules of limited_data_set applied under DUA-2026-014" in registry

    def test_another_agreement_ends_the_grants_of_the_former(self, own):
        """At the reload; a new grant may be asked for, under the new one."""
        carer = own.kernel().attached(own.people["sam"])
        assert len(carer.query("clinic", "SELECT zip FROM patients LIMIT 1")) == 1
        more = HARBOR.replace("DUA-2026-014", "DUA-2027-001")
        demo_config(own.gateway.config.parent, more)
        assert own.gateway.here("config", "reload").returncode == 0
        with pytest.raises(GrantOver, match="the data use agreement of registry changed"):
            carer.query("clinic", "SELECT zip FROM patients LIMIT 1")

    def test_a_change_that_the_rules_bar_is_refused(self, own):
        """The configuration in force stays."""
        more = HARBOR.replace('"date": "year"', '"date": "month"')
        demo_config(own.gateway.config.parent, more)
        done = own.gateway.here("config", "reload")
        assert done.returncode == 2
        assert "month keeps the month, and only the year may stay" in done.stderr
        assert own.gateway.recorded("config.refused")


@pytest.fixture
def show(tmp_path, clinic_db, monkeypatch, capsys):
    """Runs `preset show` with the demo's configuration and more; returns code and output."""
    monkeypatch.setenv("CLINIC_DB", str(clinic_db))
    monkeypatch.setenv("JUPYTER_GOV_STATE", str(tmp_path / "state"))

    def run(*arguments: str, more: str = "") -> tuple[int, str]:
        config = demo_config(tmp_path, more)
        code = main(["preset", "show", "--config", str(config), *arguments])
        return code, "".join(capsys.readouterr())

    return run


class TestTheHowTo:
    TEXT = (ROOT / "docs" / "howto" / "apply-safe-harbor.md").read_text()

    @pytest.mark.parametrize("number", [1, 2], ids=["safe harbor", "limited data set"])
    def test_what_it_says_is_good(self, tmp_path, clinic_db, monkeypatch, capsys, number):
        """Its own blocks, over the demo's configuration."""
        monkeypatch.setenv("CLINIC_DB", str(clinic_db))
        identifiers, *eligibilities = re.findall(r"```python\n(.*?)```", self.TEXT, re.DOTALL)
        own_tags = 'c.GovMasking.treatments.update(ward="withhold", trial_code="withhold")\n'
        config = demo_config(tmp_path, own_tags + identifiers + eligibilities[number - 1])
        assert main(["config", "check", "--config", str(config)]) == 0
        assert "applied" in capsys.readouterr().out


class TestShow:
    def test_an_eligibility_without_a_preset(self, show):
        """What it would come to: exit code 1 while something is barred, and why."""
        code, out = show("safe_harbor", "--eligibility", "analysts")
        assert code == 1
        where = re.escape("45 CFR 164.514(b)(2)(i)(H)")
        assert re.search(rf"^mrn +mrn +pseudonym +barred +{where}$", out, re.M)
        assert re.search(r"^zip +zip +zip3 +98101 -> 981; 03601 -> 000 +ok ", out, re.M)
        assert re.search(r"^category +\? +clear +barred +has no class of identifier$", out, re.M)
        assert "\nmrn: pseudonym is a keyed hash, so derived from the value" in out

    def test_an_eligibility_that_keeps_the_rules(self, show):
        """Exit code 0; what is left to people is said."""
        code, out = show("safe_harbor", "--eligibility", "research", more=HARBOR)
        assert code == 0
        assert "barred" not in out
        assert re.search(r"^category +none +clear +ok +identifies nobody, the admin", out, re.M)
        assert out.endswith("is not checked\n")

    def test_one_whose_preset_bars_something_is_shown_all_the_same(self, show):
        """What the check only refuses."""
        more = "c.GovAccess.eligibilities['analysts']['preset'] = 'safe_harbor'"
        assert show("safe_harbor", "--eligibility", "analysts", more=more)[0] == 1

    def test_an_unknown_one_is_named(self, show):
        """Exit code 2."""
        code, out = show("safe_harbor", "--eligibility", "none")
        assert code == 2
        assert "--eligibility none: there is no such eligibility" in out
