"""Guessing codes and passwords over HTTP: five tries, then a pause, and all of it recorded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_gov.errors import DecisionRefused
from jupyter_gov.identity.attachment import WRONG_CODES
from tests.conftest import populate
from tests.support.gateway import running
from tests.support.waiting import until

MORE_PEOPLE = """
for name in ("kim", "lee", "max"):
    c.GovIdentity.evaluation_identities[name] = {"name": name, "groups": ["analysts"]}
"""


@pytest.fixture(scope="module")
def site(make_site):
    """A gateway with people to lock out."""
    with running(make_site(MORE_PEOPLE)) as gateway:
        yield populate(gateway)


@pytest.fixture
def kernel(site):
    return site.kernel()


class TestGuessing:
    def test_five_wrong_codes_and_a_pause(self, site, kernel):
        """Also the right one is not looked at in the pause; every try is recorded."""
        kim = site.people["kim"]
        for _ in range(WRONG_CODES):
            with pytest.raises(DecisionRefused):
                kim.look("BBBB-BBBB")
        with pytest.raises(DecisionRefused, match="too many wrong codes"):
            kim.look(kernel.code())
        tries = until(
            lambda: len(site.gateway.recorded("decision.refused", principal="evaluation|kim")) > 5,
            "six tries in the record",
        )
        assert tries

    def test_many_at_once_are_not_more_than_five(self, site):
        """Twenty guesses sent together are five guesses."""
        lee = site.people["lee"]
        lee.sign_in()
        with ThreadPoolExecutor(20) as pool:
            answers = list(
                pool.map(lambda _: lee.send("POST", "/attach", {"code": "BBBB-BBBB"}), range(20))
            )
        assert sorted(a.status for a in answers) == [403] * 5 + [429] * 15

    def test_five_wrong_passwords_and_a_pause(self, site):
        """The right password waits too, and the record names whom it concerned."""
        max_, password = site.people["max"], site.people["max"].password
        max_.password = "wrong"
        for _ in range(5):
            with pytest.raises(DecisionRefused, match="the name or the password is wrong"):
                max_.sign_in()
        max_.password = password
        with pytest.raises(DecisionRefused, match="too many failed sign-ins"):
            max_.sign_in()
        until(lambda: len(site.gateway.recorded("signin.failed", name="max")) == 6, "six records")

    def test_an_unknown_name_is_not_recorded(self, site):
        """People type their password into the wrong field: it must not stay in the log."""
        answer = site.people["rui"].send("POST", "/sign-in", {"name": "hunter2", "password": "x"})
        assert answer.status == 403
        until(lambda: site.gateway.recorded("signin.failed", name="(unknown)"), "a failed sign-in")
        assert "hunter2" not in str(site.gateway.recorded())


class TestPasswords:
    def test_the_file_is_its_owners_and_holds_hashes(self, site):
        """argon2id, mode 0600."""
        file = site.gateway.state_dir / "evaluation.json"
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text()
        assert text.count("$argon2id$") == len(site.people)
        assert not any(person.password in text for person in site.people.values())
