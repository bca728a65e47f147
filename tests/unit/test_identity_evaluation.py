"""Evaluation identities: generated passwords, shown once, and guessed by nobody."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import get_default_parameters

from jupyter_gov.errors import Busy, DecisionRefused
from jupyter_gov.identity.evaluation import EvaluationIdentities, EvaluationIdentity
from jupyter_gov.identity.model import EVALUATION_ISSUER

PEOPLE = {
    "ana": EvaluationIdentity(subject="ana", name="Ana", groups=("analysts", "quality")),
    "rui": EvaluationIdentity(subject="rui", name="Rui"),
}
# The cheapest that argon2 takes: its cost is its authors' business, not these tests'.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "evaluation.json"


def opened(file, clock, people=PEOPLE):
    return EvaluationIdentities(people, file, clock, CHEAP)


@pytest.fixture
def identities(file, clock):
    made = opened(file, clock)
    made.passwords = made.generate()
    return made


class TestPasswords:
    def test_each_gets_its_own_once(self, identities, file):
        """Shown by whoever generates, and only then."""
        assert identities.passwords.keys() == {"ana", "rui"}
        assert len(set(identities.passwords.values())) == 2
        assert all(len(password) >= 12 for password in identities.passwords.values())
        assert identities.generate() == {}

    def test_only_hashes_are_kept_and_only_for_their_owner(self, identities, file):
        """argon2id, mode 0600."""
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        text = file.read_text()
        assert text.count("$argon2id$") == 2
        assert not any(password in text for password in identities.passwords.values())

    def test_the_real_cost_is_argon2s_own(self, file, clock):
        """Outside of tests nothing is made cheap."""
        EvaluationIdentities({"ana": PEOPLE["ana"]}, file, clock).generate()
        (kept,) = json.loads(file.read_text()).values()
        assert extract_parameters(kept) == get_default_parameters()

    def test_they_hold_over_a_restart(self, identities, file, clock):
        """And a new person gets one then."""
        again = opened(file, clock, {**PEOPLE, "sam": EvaluationIdentity(subject="sam", name="S")})
        assert again.generate().keys() == {"sam"}
        assert again.prove("ana", identities.passwords["ana"]).subject == "ana"

    def test_renewing_makes_the_old_one_worthless(self, identities, file, clock):
        """Also in a gateway that runs while another process renews."""
        fresh = opened(file, clock).generate(["ana"])
        assert fresh.keys() == {"ana"}
        with pytest.raises(DecisionRefused):
            identities.prove("ana", identities.passwords["ana"])
        assert identities.prove("ana", fresh["ana"])

    def test_nobody_gets_one_who_is_not_in_the_config(self, identities):
        """A name for `passwd` is one of the config's."""
        assert identities.generate(["mallory"]) == {}
        with pytest.raises(DecisionRefused):
            identities.prove("mallory", "")


class TestProving:
    def test_the_right_password(self, identities):
        """Names the person under the evaluation's own issuer."""
        person = identities.prove("ana", identities.passwords["ana"])
        assert (person.issuer, person.subject) == (EVALUATION_ISSUER, "ana")
        assert not person.is_agent

    @pytest.mark.parametrize("name", ["ana", "mallory", ""])
    @pytest.mark.parametrize("password", ["", "wrong"])
    def test_a_wrong_name_answers_as_a_wrong_password_does(self, identities, name, password):
        """Nobody learns who exists."""
        with pytest.raises(DecisionRefused, match="the name or the password is wrong"):
            identities.prove(name, password)

    def test_another_persons_password(self, identities):
        """Is a wrong one."""
        with pytest.raises(DecisionRefused):
            identities.prove("ana", identities.passwords["rui"])

    def test_a_person_taken_out_of_the_config_is_out(self, identities):
        """Though their hash is still in the file."""
        identities.identities.pop("ana")
        with pytest.raises(DecisionRefused):
            identities.prove("ana", identities.passwords["ana"])
        assert identities.groups("ana") == frozenset()

    def test_groups_come_from_the_config(self, identities):
        """Looked up at each use."""
        assert identities.groups("ana") == {"analysts", "quality"}
        assert identities.groups("mallory") == frozenset()


class TestGuessing:
    def fail(self, identities, name, times):
        for _ in range(times):
            with pytest.raises(DecisionRefused):
                identities.prove(name, "guess")

    def test_five_failures_and_a_pause(self, identities, clock):
        """Even the right password waits, so that a guess is not confirmed."""
        self.fail(identities, "ana", 5)
        with pytest.raises(Busy):
            identities.prove("ana", identities.passwords["ana"])
        clock.forward(minutes=5)
        assert identities.prove("ana", identities.passwords["ana"])

    def test_others_are_not_kept_out(self, identities):
        """A flood of unknown names included."""
        self.fail(identities, "ana", 5)
        self.fail(identities, "mallory", 5)
        assert identities.prove("rui", identities.passwords["rui"])

    def test_many_at_once_are_many_guesses(self, identities):
        """They are counted before they are tried, so no more than five are."""

        def attempt(number):
            try:
                identities.prove("ana", f"guess {number}")
            except DecisionRefused:
                return True
            except Busy:
                return False

        with ThreadPoolExecutor(32) as pool:
            assert sum(pool.map(attempt, range(200))) == 5

    def test_a_success_clears_the_count(self, identities):
        """Four slips a day keep nobody out."""
        for _ in range(3):
            self.fail(identities, "ana", 4)
            assert identities.prove("ana", identities.passwords["ana"])
