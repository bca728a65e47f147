"""Connections and catalogs: which database a name means, and how its tables are found."""

from __future__ import annotations

import pytest

from jupyter_gov.connections.model import Catalog, Table
from jupyter_gov.connections.secrets import SecretRef
from jupyter_gov.errors import DatabaseUnavailable
from tests.unit.given import hospital


class TestConnections:
    def test_the_fingerprint_is_the_databases(self):
        """Not the name's, nor that of what is said about it."""
        same = hospital(name="other", description="renamed", max_rows=1)
        assert same.fingerprint() == hospital().fingerprint()
        assert hospital(url="sqlite:////srv/other.db").fingerprint() != hospital().fingerprint()

    @pytest.mark.parametrize(
        ("url", "dialect"),
        [("sqlite:////x.db", "sqlite"), ("postgresql+psycopg://h/x", "postgres"), ("pg:x", "pg")],
    )
    def test_the_dialect_stands_before_the_driver(self, url, dialect):
        """As SQLAlchemy writes it, and as sqlglot calls it."""
        assert hospital(url=url).dialect == dialect


class TestCatalogs:
    CATALOG = Catalog(
        version="1",
        tables={
            name: Table(name=name, kind="table", columns=())
            for name in ("patients", "Odd Name", "É")
        },
    )

    @pytest.mark.parametrize(
        ("asked", "own"),
        [
            ("patients", "patients"),
            ("PATIENTS", "patients"),
            ("odd name", "Odd Name"),
            ("é", "É"),
            ("patient", None),
            ("", None),
        ],
    )
    def test_a_table_is_found_without_its_case(self, asked, own):
        """And named in its own spelling."""
        assert self.CATALOG.resolve(asked) == own


class TestSecretSources:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "hunter2",
            "env:",
            "file:relative",
            "file:",
            "vault:x",
            "credential:a/b",
            ":x",
            "ENV:x",
        ],
    )
    def test_what_names_no_source(self, text):
        """Is refused, and not repeated: it may be the secret itself."""
        with pytest.raises(ValueError, match=r"write env:|absolute|plain name") as refused:
            SecretRef.parse(text)
        assert "hunter2" not in str(refused.value)

    def test_from_the_environment(self, monkeypatch):
        """Read when it is needed; an empty one is one."""
        monkeypatch.setenv("CLINIC_PASSWORD", "")
        assert SecretRef.parse("env:CLINIC_PASSWORD").fetch() == ""
        monkeypatch.delenv("CLINIC_PASSWORD")
        with pytest.raises(DatabaseUnavailable, match="CLINIC_PASSWORD is not set"):
            SecretRef.parse("env:CLINIC_PASSWORD").fetch()

    def test_a_file_that_is_gone(self, tmp_path):
        """Says which, and why."""
        with pytest.raises(DatabaseUnavailable, match="No such file"):
            SecretRef.parse(f"file:{tmp_path / 'none'}").fetch()
