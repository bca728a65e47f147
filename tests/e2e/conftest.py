"""One JupyterLab with a managed gateway and one with a separate one, shared by all tests here."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import chromium, find_chromium
from tests.support.deployment import (
    GATEWAY_UID,
    MANAGED_UID,
    SERVER_UID,
    Deployment,
    managed,
    separate,
)
from tests.support.jupyter import Kernel
from tests.support.users import OsUser, myself, other


@pytest.fixture(scope="package")
def homes() -> Iterator[Path]:
    """A folder for the homes of other users, which pytest's own temporary folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="gov-e2e-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def user(uid: int, home: Path) -> OsUser:
    """That user if this machine allows it, else whoever runs the tests."""
    try:
        return other(uid, home)
    except LookupError:
        return myself(home)


@pytest.fixture(scope="package")
def managed_deployment(homes: Path, clinic_db: Path) -> Iterator[Deployment]:
    """For evaluation: the gateway is JupyterLab's own, and runs as the same user."""
    with managed(user(MANAGED_UID, homes / "managed"), clinic_db) as made:
        yield made


@pytest.fixture(scope="package")
def separate_deployment(homes: Path, clinic_db: Path) -> Iterator[Deployment]:
    """For production: under another user where the machine allows."""
    owner, analyst = user(GATEWAY_UID, homes / "gateway"), user(SERVER_UID, homes / "server")
    with separate(owner, analyst, clinic_db) as made:
        yield made


@pytest.fixture(scope="package", params=["managed", "separate"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Each of the two, in turn."""
    return request.getfixturevalue(f"{request.param}_deployment")


@pytest.fixture(scope="package")
def apart(separate_deployment: Deployment) -> Deployment:
    """The separate gateway, where it really runs as another user than the kernels."""
    if not separate_deployment.apart:
        try:
            other(GATEWAY_UID, separate_deployment.jupyter.user.home.parent / "nobody")
        except LookupError as reason:
            pytest.skip(f"the gateway cannot run as another user here: {reason}")
    return separate_deployment


@pytest.fixture(scope="module")
def fresh_deployment(homes: Path, clinic_db: Path) -> Iterator[Callable[[str], Deployment]]:
    """Makes a deployment of either kind that the module may break."""
    with contextlib.ExitStack() as made:

        def make(kind: str) -> Deployment:
            home = Path(tempfile.mkdtemp(dir=homes))
            home.chmod(0o755)
            if kind == "managed":
                return made.enter_context(managed(user(MANAGED_UID, home / "own"), clinic_db))
            owner, analyst = user(GATEWAY_UID, home / "gateway"), user(SERVER_UID, home / "own")
            return made.enter_context(separate(owner, analyst, clinic_db))

        yield make


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One chromium."""
    try:
        find_chromium()
    except LookupError as reason:
        pytest.skip(f"no browser: {reason}")
    with chromium() as made:
        yield made


@pytest.fixture
def kernel(deployment: Deployment) -> Iterator[Kernel]:
    """A fresh kernel, attached to nobody."""
    with deployment.kernel() as made:
        yield made


@pytest.fixture(scope="module")
def analyst(deployment: Deployment) -> Iterator[Kernel]:
    """A kernel attached to ana, for tests that leave it as they found it."""
    with deployment.kernel() as made:
        made.attach(deployment.people["ana"])
        yield made
