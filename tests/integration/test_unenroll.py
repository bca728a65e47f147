"""A notebook server's credential can be taken back while the gateway runs."""

from __future__ import annotations

import pytest

from jupyter_gov.errors import Unauthenticated
from tests.conftest import Site
from tests.support.gateway import StubServer


class TestUnenroll:
    def test_its_credential_and_its_kernels_end_at_once(self, site: Site, tmp_path):
        """No new slot, no further query, the session ended, and a record of it."""
        credential = site.gateway.enroll(tmp_path / "other.json", name="stolen")
        server = StubServer(credential)
        kernel = server.kernel("kernel-x").attached(site.people["ana"])
        kernel.connect("clinic").query("SELECT count(*) AS n FROM patients")

        done = site.gateway.cli("unenroll", credential.server_id)

        assert "its kernels and their sessions have ended" in done.stdout
        with pytest.raises(Unauthenticated):
            kernel.connect("clinic").query("SELECT count(*) AS n FROM patients")
        with pytest.raises(Unauthenticated):
            server.open_slot("kernel-y")
        (record,) = [
            r for r in site.gateway.records("server.removed") if r["server"] == credential.server_id
        ]
        (ended,) = [
            r for r in site.gateway.records("session.ended") if r["server"] == record["server"]
        ]
        assert ended["says"] == {"why": "its notebook server was removed"}

    def test_other_servers_go_on(self, site: Site, tmp_path):
        """Taking one back touches no other."""
        credential = site.gateway.enroll(tmp_path / "another.json")
        site.gateway.cli("unenroll", credential.server_id)
        frame = site.analyst().connect("clinic").query("SELECT count(*) AS n FROM patients")
        assert len(frame) == 1

    @pytest.mark.parametrize("name", ["N-0000000000000000", "../reload", "?"])
    def test_an_unknown_one_is_said_to_be_unknown(self, site: Site, name):
        """Exit code 1 and a text; nothing changes."""
        done = site.gateway.cli("unenroll", name, check=False)
        assert done.returncode == 1
        assert "there is no enrolled notebook server" in done.stderr
