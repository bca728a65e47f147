"""What a changed configuration ends at once, streams included."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_gov.bootstrap.exchange import outdated
from tests.unit.given import eligibility, grant, session
from tests.unit.hospital import Hospital


@pytest.fixture
def policy(store, log, clock):
    return Hospital(store, log, clock, eligibility(data_use_agreement="DUA-1")).policy


class TestADataUseAgreement:
    def test_another_one_ends_the_grants_of_the_former(self, policy):
        """And none ends them too."""
        held = grant(data_use_agreement="DUA-1")
        for reference in ("DUA-2", ""):
            changed = {"analysts": eligibility(data_use_agreement=reference)}
            new = replace(policy, eligibilities=changed)
            assert outdated(held, session(), policy, new) == (
                "the data use agreement of analysts changed"
            )

    def test_the_same_one_goes_on(self, policy):
        """An edit elsewhere is not for the holder to feel."""
        held = grant(data_use_agreement="DUA-1")
        assert outdated(held, session(), policy, replace(policy, digest="another")) == ""
