"""The configuration as traitlets reads it: files, sections, durations, and what loopback means."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from traitlets import TraitError
from traitlets.config import Config

from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.gateway.config import (
    SECTIONS,
    GatewayConfig,
    GovIdentity,
    read_files,
    state_dir_of,
    unknown_names,
)


def write(folder, text, name="config.py"):
    path = folder / name
    path.write_text(text)
    return path


class TestFiles:
    def test_a_later_one_wins_setting_by_setting(self, tmp_path):
        """Python and JSON alike."""
        one = write(tmp_path, "c.GovGateway.port = 1\nc.GovGateway.page_host = 'a.localhost'")
        two = write(tmp_path, json.dumps({"GovGateway": {"port": 2}}), "more.json")
        gateway = GatewayConfig([one, two]).gateway
        assert (gateway.port, gateway.page_host) == (2, "a.localhost")
        assert GatewayConfig([two, one]).gateway.port == 1

    def test_the_command_lines_port_wins_over_all(self, tmp_path):
        """As `--port` says."""
        assert GatewayConfig([write(tmp_path, "c.GovGateway.port = 1")], port=7).gateway.port == 7

    def test_relative_paths_start_at_the_last_file(self, tmp_path):
        """And every file is among those whose readers are measured."""
        made = GatewayConfig([write(tmp_path, "")]).settings()
        assert made.base == tmp_path
        assert made.files == (tmp_path / "config.py",)

    def test_other_peoples_sections_are_left_alone(self, tmp_path):
        """The file may be the notebook server's own."""
        text = "c.ServerApp.port = 1\nc.GovServer.managed = True"
        assert unknown_names(read_files([write(tmp_path, text)])) == []

    def test_the_state_folder_is_known_whatever_else_is_wrong(self, tmp_path):
        """An admin finds the log of a gateway whose configuration is broken."""
        path = write(tmp_path, "c.GovGateway.state_dir = '/srv/gov'\nc.GovGateway.prot = 1")
        assert str(state_dir_of([path])) == "/srv/gov"
        with pytest.raises(ConfigInvalid):
            GatewayConfig([path])


class TestSettings:
    def test_what_is_not_said_has_its_default(self, tmp_path):
        """On loopback, for evaluation, withholding what nobody tagged."""
        config = GatewayConfig([write(tmp_path, "")])
        made = config.settings()
        assert config.loopback
        assert made.untagged == "withhold"
        assert made.lifetimes.session_max == timedelta(hours=12)
        assert made.lifetimes.code == timedelta(minutes=10)
        assert made.rates.everyone == 64

    def test_what_is_said_arrives(self, tmp_path):
        """In plain values."""
        text = (
            "c.GovIdentity.session_max = '1h30m'\nc.GovGateway.statements_per_kernel = 2\n"
            "c.GovAccess.purposes = 'purposes.toml'\nc.GovConnections.tags = {'a': {}}"
        )
        made = GatewayConfig([write(tmp_path, text)]).settings()
        assert made.lifetimes.session_max == timedelta(minutes=90)
        assert made.rates.per_kernel == 2
        assert (made.purposes, made.tags) == ("purposes.toml", {"a": {}})

    @pytest.mark.parametrize("value", ["30", 30, "", "soon", None, "0s", timedelta(hours=1), "1h,"])
    def test_a_naive_duration_is_refused(self, value):
        """A number without its unit is a guess."""
        with pytest.raises(TraitError, match="a duration such as 90s"):
            GovIdentity(config=Config({"GovIdentity": {"session_idle": value}}))

    def test_every_setting_says_what_it_is(self):
        """The reference is made of it."""
        for section in SECTIONS:
            for name, trait in section.class_traits(config=True).items():
                assert trait.help, f"{section.__name__}.{name}"


class TestLoopback:
    @pytest.mark.parametrize(
        ("address", "page", "loopback"),
        [
            ("127.0.0.1", "", True),
            ("127.0.0.9", "", True),
            ("::1", "", True),
            ("localhost", "", True),
            ("127.0.0.1", "http://gov.localhost:1/", True),
            ("0.0.0.0", "https://gov.localhost/", False),
            ("::", "https://gov.localhost/", False),
            ("10.0.0.4", "https://gov.localhost/", False),
            ("127.0.0.1", "https://gov.hospital.example/", False),
            ("127.0.0.1", "https://localhost.evil.example/", False),
            ("gov.hospital.example", "https://gov.hospital.example/", False),
            ("127.0.0.1.evil.example", "https://gov.localhost/", False),
        ],
    )
    def test_both_its_address_and_its_pages(self, tmp_path, address, page, loopback):
        """Evaluation identities are refused where anybody else could reach either."""
        text = f"c.GovGateway.address = {address!r}\nc.GovGateway.page_url = {page!r}"
        assert GatewayConfig([write(tmp_path, text)]).loopback is loopback
