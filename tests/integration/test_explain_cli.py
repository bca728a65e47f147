"""`jupyter gov explain`: what a policy would decide, before anybody is asked to try it."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def gateway(make_site):
    """A configuration under which no gateway has ever been started."""
    return make_site()


@pytest.fixture
def ask(gateway):
    return lambda *arguments: gateway.here("explain", *arguments)


class TestADecision:
    def test_what_would_be_granted(self, ask):
        """The eligibility, for how long, and what becomes of each column."""
        done = ask("clinic", "SELECT mrn, zip FROM patients", "--as", "sam")
        assert (done.returncode, done.stderr) == (0, "")
        told = done.stdout
        assert "decision: allowed, and would open a grant first" in told
        assert "grant: none yet; care-managers would give one for 30m" in told
        assert "patients.mrn  pseudonym (engine-treated)" in told
        assert "patients.zip  clear (clear)" in told

    def test_an_agents(self, ask):
        """Meets the eligibility that is for agents."""
        done = ask("clinic", "SELECT ssn FROM patients", "--as", "ana", "--agent", "recon")
        assert "as: recon (agent of ana)" in done.stdout
        assert "patients.ssn  withhold (withheld)" in done.stdout

    @pytest.mark.parametrize(
        ("person", "sql", "code", "more"),
        [
            ("sam", "SELECT 1\nFROM claims", "out_of_scope", "     ^"),
            ("ana", "SELECT brith_date FROM patients", "unknown_name", "birth_date"),
            ("ana", "SELECT FROM WHERE", "bad_syntax", "does not parse"),
            ("ana", "DROP TABLE patients", "statement_refused", "only reading"),
            ("rui", "SELECT 1", "no_grant", "no eligibility"),
        ],
    )
    def test_a_refusal(self, ask, person, sql, code, more):
        """With the rule, the place and the next step; exit code 1."""
        done = ask("clinic", sql, "--as", person)
        assert (done.returncode, done.stderr) == (1, "")
        assert f"code: {code}" in done.stdout
        assert more in done.stdout

    def test_for_a_program(self, ask):
        """One JSON object, as the API gives it."""
        told = json.loads(ask("clinic", "SELECT 1", "--as", "ana", "--json").stdout)
        assert (told["decision"], told["eligibility"], told["refusal"]) == (
            "open",
            "analysts",
            None,
        )

    def test_a_statement_for_a_terminal(self, ask):
        """What it obeys is not passed on."""
        done = ask("clinic", 'SELECT 1 FROM "\x1b[2J"', "--as", "ana")
        assert "\x1b" not in done.stdout


class TestALookOnly:
    def test_nothing_is_made(self, gateway, ask):
        """No state folder, no key, no record."""
        ask("clinic", "SELECT 1", "--as", "ana")
        assert not gateway.state_dir.exists()

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (("clinic", "SELECT 1", "--as", "mallory"), "no such person; known: ana, rui, sam"),
            (("clinc", "SELECT 1", "--as", "ana"), "no connection clinc; known: clinic"),
        ],
    )
    def test_a_name_that_is_unknown(self, ask, arguments, text):
        """Is an error of the command line."""
        done = ask(*arguments)
        assert done.returncode == 2
        assert text in done.stderr
