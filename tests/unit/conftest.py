"""Unit tests open no socket; the store and the log are real, since they are quick."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_socket import disable_socket, enable_socket

from jupyter_gov.store.audit_log import SqliteAuditLog
from jupyter_gov.store.database import open_state
from jupyter_gov.store.state import State
from tests.unit.given import SetClock

# No example database and no deadline: two cores are shared, and a slow run is no defect.
settings.register_profile("unit", max_examples=60, deadline=None, database=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    disable_socket(allow_unix_socket=True)  # asyncio's own pair
    yield
    enable_socket()


@pytest.fixture
def clock() -> SetClock:
    """Nine in the morning, until a test moves it."""
    return SetClock()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty state database at the newest version, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "state.sqlite"
    open_state(path).dispose()
    return path


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where the machine has one: what is synced to disk there costs nothing."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="gov-unit-", dir=shared if os.access(shared, os.W_OK) else None
    ) as folder:
        yield Path(folder)


@pytest.fixture
def store(migrated: Path, memory: Path) -> Iterator[State]:
    """Governance state in a file of its own."""
    path = memory / "state.sqlite"
    shutil.copy(migrated, path)
    engine = open_state(path)
    yield State(engine)
    engine.dispose()


@pytest.fixture
def log(memory: Path) -> Iterator[SqliteAuditLog]:
    """An audit log in a file of its own."""
    opened = SqliteAuditLog(memory / "log.sqlite")
    yield opened
    opened.close()
