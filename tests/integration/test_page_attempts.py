"""Deciding requests that no person on the gateway's own page can have sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jupyter_gov.errors import DecisionRefused
from tests.support.waiting import until

DECIDING = ["/sign-in", "/sign-out", "/attach", "/attach/A-00", "/sessions/S-00/end"]
ELSEWHERE = {"Sec_Fetch_Site": "cross-site"}


@pytest.fixture
def refused(site) -> Callable[[int], list[str]]:
    """Waits for so many refused attempts since the test began, and names their routes."""
    before = len(site.gateway.recorded("decision.refused"))

    def since(count: int) -> list[str]:
        def routes() -> list[str]:
            new = site.gateway.recorded("decision.refused")[before:]
            return sorted(r["says"]["route"] for r in new)

        until(lambda: len(routes()) >= count, f"{count} refused attempts in the record")
        return routes()

    return since


@pytest.fixture
def ana(site):
    """ana's browser, signed in."""
    site.people["ana"].sign_in()
    return site.people["ana"]


class TestAttempts:
    @pytest.mark.parametrize(
        "sent",
        [
            {"Origin": "http://127.0.0.1:8888"},
            {"Origin": "null"},
            {"Origin": ""},
            {"Sec_Fetch_Site": "same-site"},
            {"Host": "127.0.0.1:1"},
        ],
        ids=["other-origin", "opaque-origin", "no-origin", "same-site", "other-host"],
    )
    def test_a_form_from_elsewhere_is_refused_and_recorded(self, ana, refused, sent):
        """On every deciding route: another origin, none, another site, another host name."""
        statuses = {ana.send("POST", path, {}, **sent).status for path in DECIDING}
        assert statuses == {403}
        assert refused(5) == sorted(f"POST {path}" for path in DECIDING)

    def test_a_preflight_is_refused_and_recorded(self, ana, refused):
        """Asking whether another origin may send something is an attempt too."""
        answer = ana.send("OPTIONS", "/attach", Origin="http://127.0.0.1:8888")
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert refused(1) == ["OPTIONS /attach"]

    def test_a_picture_of_a_deciding_route_is_refused_and_recorded(self, ana, refused):
        """A GET that another site's page sends to a route that only decides."""
        answer = ana.send("GET", "/sign-out", **ELSEWHERE)
        assert answer.status == 403
        assert refused(1) == ["GET /sign-out"]

    @pytest.mark.parametrize("path", ["/sign-in", "/attach", "/sessions/S-00/end"])
    def test_a_person_who_types_the_address_is_led_home(self, ana, refused, path):
        """The same GET from the address bar is no attempt."""
        answer = ana.send("GET", path, Sec_Fetch_Site="none")
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert refused(0) == []


class TestFreshProof:
    def test_on_loopback_a_sign_in_confirms_nothing(self, site, ana):
        """A cookie that another port of the host was sent does not confirm without the password."""
        kernel = site.kernel()
        path = ana.look(kernel.code())
        password, ana.password = ana.password, ""
        try:
            with pytest.raises(DecisionRefused, match="password is wrong"):
                ana.decide(path, purpose="quality")
        finally:
            ana.password = password
        assert not kernel.whoami().attached
        assert "Your password, once more" in ana.send("GET", path).data.decode()
