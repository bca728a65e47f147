"""What of a notebook server's environment its kernels get."""

from __future__ import annotations

import pytest

from jupyter_gov.server.environment import ALWAYS, scrubbed, secrets_named

PLAIN = {
    "HOME": "/home/ana",
    "PATH": "/usr/bin",
    "PWD": "/home/ana",
    "OLDPWD": "/",
    "LANG": "C.UTF-8",
    "KEYBOARD": "us",
    "SITE": "https://example.org/a:b@c",
    "SHELL": "/bin/sh",
    "MONKEYS": "12",
}


class TestWhatGoes:
    @pytest.mark.parametrize(
        "name",
        [
            "GITHUB_TOKEN", "GITHUB_PAT", "AWS_SECRET_ACCESS_KEY", "STRIPE_KEY", "FERNET_KEY",
            "MYSQL_PWD", "DB_PASSWORD", "PGPASSWORD", "SENTRY_DSN", "MONGO_URI", "BASIC_AUTH",
            "ssh_private_key_file", "AZURE_CONNECTION_STRING", "OPENAI_API_KEY", "CLIENT_SECRET",
            "DB_PASS", "SMTP_PASS", "SESSION_COOKIE",
        ],
    )  # fmt: skip
    def test_a_name_that_looks_secret(self, name):
        """Whatever its value."""
        assert scrubbed({name: "x"}, {}) == {}

    @pytest.mark.parametrize(
        "value",
        [
            "postgresql://gov:hunter2@db/clinic",
            "Server=db;Uid=gov;Pwd=hunter2",
            "jdbc:postgresql://db/clinic?user=gov&password=hunter2",
            "host=db user=gov password=hunter2",
        ],
    )
    def test_a_value_that_holds_a_password(self, value):
        """Whatever its name."""
        assert scrubbed({"CLINIC_PG": value}, {}) == {}

    def test_what_the_configuration_reads_a_secret_from(self):
        """Its name need not look like one, and nobody can keep it."""
        never = frozenset(secrets_named({"clinic": {"url": "…", "secret": "env:CLINIC_PG"}}))
        assert scrubbed({"CLINIC_PG": "hunter2"}, {"CLINIC_PG": "why not"}, never) == {}

    @pytest.mark.parametrize("name", sorted(ALWAYS))
    def test_what_opens_the_server_or_a_database_cannot_be_kept(self, name):
        """Not by an admin's slip either."""
        assert scrubbed({name: "x"}, {name: "we need it"}) == {}


class TestWhatStays:
    def test_the_rest(self):
        """A kernel is a person's working place."""
        assert scrubbed(PLAIN, {}) == PLAIN

    def test_what_the_admin_keeps(self):
        """Named, with the reason."""
        assert scrubbed({"WANDB_API_KEY": "x"}, {"WANDB_API_KEY": "experiments"}) != {}


class TestSecretsNamed:
    def test_wherever_they_stand(self):
        """Files and systemd credentials are no variables."""
        config = {
            "a": {"secret": "env:ONE"},
            "b": [{"secret": "env:TWO"}, ("env:THREE",)],
            "c": {"secret": "file:/etc/x", "url": "sqlite:///env:NOT.db", "n": 3},
        }
        assert set(secrets_named(config)) == {"ONE", "TWO", "THREE"}
