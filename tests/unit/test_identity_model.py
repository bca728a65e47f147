"""Principals and sessions: who is who, and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jupyter_gov.identity.model import Principal
from tests.unit.given import ANA, NINE, RUI, session


class TestPrincipals:
    def test_an_agent_is_a_principal_of_its_own(self):
        """On behalf of the person, who answers for it."""
        agent = ANA.agent("recon")
        assert agent != ANA
        assert (agent.name, agent.person, agent.is_agent) == ("recon", "ana", True)
        assert (ANA.name, ANA.person, ANA.is_agent) == ("ana", "ana", False)

    def test_two_peoples_agents_of_one_name_are_two(self):
        """Nothing is shared between them."""
        assert ANA.agent("recon") != RUI.agent("recon")

    def test_the_same_agent_is_the_same(self):
        """Over kernels and days."""
        assert ANA.agent("recon") == ANA.agent("recon")

    def test_the_same_subject_of_another_issuer_is_somebody_else(self):
        """A principal is issuer and subject."""
        assert Principal(issuer="https://idp.example", subject="ana") != ANA


class TestSessions:
    @pytest.mark.parametrize(
        ("after", "active"),
        [
            (timedelta(), True),
            (timedelta(hours=8) - timedelta(microseconds=1), True),
            (timedelta(hours=8), False),
        ],
        ids=["start", "just before the end", "at the end"],
    )
    def test_the_end_is_exclusive(self, after, active):
        """Half-open, as a grant is."""
        assert session().active(NINE + after) is active

    def test_what_was_ended_is_over_at_any_time(self):
        """Also before its regular end, and if the clock goes back."""
        ended = session(ended_at=NINE + timedelta(hours=1), ended_why="signed out")
        assert not ended.active(NINE)
