"""A real PostgreSQL of its own on loopback: started by the tests, ended by its process id."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support.gateway import ROOT, free_port

CASES = ROOT / "tests" / "cases"
START_SECONDS = 30
OWNER = "dba"
"""The superuser of the tests' servers."""
_SETTINGS = {
    # Nothing here outlives the tests, so nothing needs to reach a disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "jit": "off",
    "log_statement": "all",
    "log_min_duration_statement": "-1",
    "log_line_prefix": "%m [%p] %u@%d ",
    "timezone": "UTC",
}


def _folders() -> list[Path]:
    """Where a server may be, the one that is asked for first, then the newest."""
    named = os.environ.get("POSTGRES_BIN")
    found = [Path(named)] if named else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: -float(p.parent.name))
    on_path = shutil.which("postgres")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    return found


def binaries() -> Path:
    """The folder with initdb and postgres.  Raises FileNotFoundError."""
    for folder in _folders():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise FileNotFoundError("no PostgreSQL server is installed; `make test` installs one")


def psql() -> Path:
    """The client, which may be older than a server that comes without one."""
    return next(path for folder in _folders() if (path := folder / "psql").exists())


def _user() -> dict[str, int]:
    """PostgreSQL refuses root: then it runs as the system's user for it, or as nobody."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid}
    raise FileNotFoundError("there is no other user to run PostgreSQL as")


def run_as(
    command: Sequence[str | Path], *, check: bool = False, cwd: str | Path
) -> subprocess.CompletedProcess[bytes]:
    """Run as the user that PostgreSQL runs as, quietly."""
    return subprocess.run(
        command, check=check, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **_user()
    )


@dataclass
class Server:
    """A running cluster."""

    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """Everything the server wrote: every statement it was given."""
        return (self.folder / "log").read_text(errors="replace")

    def conninfo(self, database: str, user: str = OWNER, password: str | None = None) -> str:
        return psycopg.conninfo.make_conninfo(
            host="127.0.0.1",
            port=self.port,
            dbname=database,
            user=user,
            password=self.password if password is None else password,
        )

    def connect(
        self, database: str = "postgres", user: str = OWNER, password: str | None = None
    ) -> psycopg.Connection:
        """A session in autocommit."""
        return psycopg.connect(self.conninfo(database, user, password), autocommit=True)

    def url(self, database: str) -> str:
        """As a connection's configuration names it, without user and password."""
        return f"postgresql://127.0.0.1:{self.port}/{database}"

    def create(self, database: str, template: str = "template1") -> None:
        """A database, made anew; *template* must have no sessions."""
        with self.connect() as session:
            name = sql.Identifier(database)
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            session.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template))
            )

    def load(self, database: str, script: Path) -> None:
        """Run a file by psql, as an admin would."""
        subprocess.run(
            [psql(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d",
             self.conninfo(database), "-f", str(script)],
            check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def drop(self, database: str) -> None:
        with self.connect() as session:
            session.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
            )


@contextlib.contextmanager
def server(bin_: Path | None = None, **settings: str) -> Iterator[Server]:
    """
    A fresh cluster, removed at the end; *settings* of postgresql.conf go over the tests' own.

    Args:
        bin_: where another version's initdb and postgres are; psql stays the system's.
    """
    bin_, user = bin_ or binaries(), _user()
    folder = Path(tempfile.mkdtemp(prefix="gov-pg-"))
    password = secrets.token_hex(16)
    try:
        secret = folder / "password"
        secret.write_text(password)
        if user:
            for path in (folder, secret):
                os.chown(path, user["user"], user["group"])
        run_as([
            bin_ / "initdb", "-D", folder / "data", "-U", OWNER, "--pwfile", secret,
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
        ], check=True, cwd=folder)  # fmt: skip
        secret.unlink()
        port = free_port()
        options = {
            **_SETTINGS,
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            **settings,
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [bin_ / "postgres", "-D", folder / "data",
                 *[part for name, value in options.items() for part in ("-c", f"{name}={value}")]],
                cwd=folder, stdout=log, stderr=log, **user,
            )  # fmt: skip
        made = Server(folder, port, password, process)
        try:
            _wait(made)
            yield made
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(made: Server) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            made.connect().close()
            return
        except psycopg.OperationalError:
            if made.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(made.log[-2000:]) from None
            time.sleep(0.05)
