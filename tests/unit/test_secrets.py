"""Where a connection's secret may come from, and who else may be able to read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gov.connections.secrets import SecretRef
from jupyter_gov.errors import DatabaseUnavailable


@pytest.fixture
def credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credential as systemd hands it to a service."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    path = tmp_path / "clinic"
    path.write_text("s3cret\n")
    path.chmod(0o400)
    return path


class TestSecretFiles:
    def test_a_file_of_its_owner_alone_is_read(self, tmp_path):
        """Mode 0600; the line's end is not part of the secret."""
        path = tmp_path / "clinic.secret"
        path.write_text("s3cret\n")
        path.chmod(0o600)
        assert SecretRef.parse(f"file:{path}").fetch() == "s3cret"

    @pytest.mark.parametrize("mode", [0o640, 0o604])
    def test_a_file_that_others_may_read_is_refused_with_the_fix(self, tmp_path, mode):
        """A secret that is not one is not used."""
        path = tmp_path / "clinic.secret"
        path.write_text("s3cret")
        path.chmod(mode)
        with pytest.raises(DatabaseUnavailable) as refused:
            SecretRef.parse(f"file:{path}").fetch()
        assert refused.value.hint == f"chmod 600 {path}"
        assert "s3cret" not in str(refused.value)


class TestSystemdCredentials:
    @pytest.mark.parametrize("mode", [0o400, 0o440], ids=["owner", "access list"])
    def test_a_credential_is_read(self, credential, mode):
        """With User= set, systemd gives access by an ACL, which shows as the group's bit."""
        credential.chmod(mode)
        assert SecretRef.parse("credential:clinic").fetch() == "s3cret"

    def test_one_that_everybody_may_read_is_refused(self, credential):
        """Others' bits are never systemd's doing."""
        credential.chmod(0o444)
        with pytest.raises(DatabaseUnavailable, match="can be read by others"):
            SecretRef.parse("credential:clinic").fetch()

    def test_without_systemd_the_line_to_add_is_named(self, monkeypatch):
        """Outside a service there are no credentials."""
        monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
        with pytest.raises(DatabaseUnavailable, match="LoadCredential=clinic"):
            SecretRef.parse("credential:clinic").fetch()
