"""`jupyter gov passwd`: recorded, and the old password's browsers are signed out."""

from __future__ import annotations

import pytest

from jupyter_gov.errors import DecisionRefused


@pytest.fixture
def renewed(site):
    """Gives rui, whom no other test needs, a new password; returns it."""

    def renew() -> str:
        out = site.gateway.cli("passwd", "rui").stdout
        return out.strip().partition("\t")[2]

    return renew


class TestANewPassword:
    def test_is_recorded_without_itself(self, site, renewed):
        """Who was given one, by name."""
        password = renewed()
        (*_, last) = site.gateway.records("password.renewed")
        assert last["says"] == {"names": ["rui"]}
        assert password not in str(site.gateway.records())

    def test_signs_out_whoever_used_the_old_one(self, site, renewed):
        """A browser that was signed in decides nothing more."""
        rui = site.gateway.person("rui", renewed())
        rui.sign_in()
        assert 'id="person"' in rui.send("GET", "/").data.decode()
        renewed()
        assert 'id="person"' not in rui.send("GET", "/").data.decode()
        assert rui.send("POST", "/attach", {"code": "BCDF-GHJK"}).status == 403
        with pytest.raises(DecisionRefused, match="wrong"):
            rui.sign_in()
        rui.close()
