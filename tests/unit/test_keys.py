"""The gateway's own keys: made once, missed aloud, exchanged in sight of the record."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyter_gov.audit.events import Event
from jupyter_gov.audit.sealing import AuditKey
from jupyter_gov.bootstrap.compose import audit_path, open_keys, open_log
from jupyter_gov.cli.main import main
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.identity.model import SEPARATE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with keys and an empty log."""
    folder = tmp_path / "state"
    open_keys(folder)
    open_log(folder, SEPARATE).close()
    return folder


def config_for(state: Path) -> str:
    """A config file that says no more than where the state lies."""
    path = state.with_name("config.py")
    path.write_text(f"c = get_config()\nc.GovGateway.state_dir = {str(state)!r}\n")
    return str(path)


def write_sealed(state: Path, sql: str) -> str:
    """One intent, its statement sealed under the audit key of now; its record id."""
    key = AuditKey((state / "keys" / "audit.key").read_bytes())
    event = Event(kind="intent", at=NOON)
    sealed = key.seal(event.record, sql, {})
    log = open_log(state, SEPARATE)
    log.append(
        Event(kind="intent", at=NOON, record=event.record, says={"sql": "?", "sealed": sealed})
    )
    log.close()
    return event.record


class TestKeysAreMadeOnce:
    def test_a_new_state_folder_gets_private_keys(self, state):
        """The first start makes four different keys that only their owner may read."""
        files = sorted((state / "keys").iterdir())
        assert [path.name for path in files] == [
            "audit.key", "code.key", "pseudonym.key", "seal.key"
        ]  # fmt: skip
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
        assert len({path.read_bytes() for path in files}) == 4

    def test_they_stay_the_same(self, state):
        """Reading them again changes nothing."""
        assert open_keys(state).ids() == open_keys(state).ids()

    @pytest.mark.parametrize("name", ["audit", "pseudonym", "seal", "code"])
    def test_a_key_that_is_missing_later_is_not_made_anew(self, state, name):
        """Beside a log, a missing key stops the start: it would change every pseudonym unseen."""
        (state / "keys" / f"{name}.key").unlink()
        with pytest.raises(ConfigInvalid, match="is missing; restore it from your backup"):
            open_keys(state)
        assert not (state / "keys" / f"{name}.key").exists()

    def test_a_damaged_key_is_refused(self, state):
        """A key of another length is not used."""
        (state / "keys" / "seal.key").write_bytes(b"short")
        with pytest.raises(ConfigInvalid, match="does not hold 32 bytes"):
            open_keys(state)

    def test_an_exchanged_key_has_another_id(self, state):
        """The ids, which the record names at each start, tell of an exchange and of no key."""
        before = open_keys(state)
        (state / "keys" / "pseudonym.key").write_bytes(bytes(range(32)))
        after = open_keys(state)
        assert {k for k in before.ids() if before.ids()[k] != after.ids()[k]} == {"pseudonym"}
        assert AuditKey(before.audit).key_id == before.ids()["audit"]


class TestReadingTheRecord:
    def test_show_opens_a_statement_with_a_key_that_was_exchanged(self, state, capsys):
        """A key kept as audit-….key still opens what was sealed under it."""
        record = write_sealed(state, "SELECT 'Zebulon'")
        keys = state / "keys"
        (keys / "audit.key").rename(keys / "audit-2026.key")
        (keys / "audit.key").write_bytes(bytes(range(32)))
        assert main(["audit", "show", record, "--config", config_for(state)]) == 0
        assert json.loads(capsys.readouterr().out)["says"]["opened"]["sql"] == "SELECT 'Zebulon'"

    def test_show_without_the_key_shows_the_rest_and_makes_no_key(self, state, capsys):
        """Reading never writes: no key is made where one is missing."""
        record = write_sealed(state, "SELECT 'Zebulon'")
        (state / "keys" / "audit.key").unlink()
        assert main(["audit", "show", record, "--config", config_for(state)]) == 0
        shown = capsys.readouterr()
        assert "no key of that id is here" in shown.err
        assert "opened" not in json.loads(shown.out)["says"]
        assert not (state / "keys" / "audit.key").exists()

    def test_a_copy_is_read_by_its_path_alone(self, state, tmp_path, capsys):
        """An auditor needs the file, and neither the gateway's config nor its folder."""
        record = write_sealed(state, "SELECT 1")
        copy = tmp_path / "copy.sqlite"
        copy.write_bytes(audit_path(state).read_bytes())
        assert main(["audit", "verify", "--log", str(copy)]) == 0
        assert main(["audit", "list", "--log", str(copy), "--json"]) == 0
        out = capsys.readouterr().out
        assert "the log is whole" in out
        assert record in out

    def test_what_is_no_log_is_not_whole(self, tmp_path, capsys):
        """A damaged file is a finding, not a crash."""
        path = tmp_path / "log.sqlite"
        path.write_bytes(b"not a database, but long enough to be looked at as one" * 20)
        assert main(["audit", "verify", "--log", str(path)]) == 1
        assert "cannot be read as a log" in capsys.readouterr().err
