"""
The pytest plugin: `gov_gateway` and what it is made of.

    def test_nurse_never_sees_ssn(gov_gateway):
        frame = gov_gateway.client("nurse").query("clinic", "SELECT ssn, mrn FROM patients")
        assert_withheld(frame, "ssn")

Every fixture may be overridden in a `conftest.py`; each lasts for the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jupyter_gov.testing import PolicyGateway

_NAMES = ("jupyter_server_config.py", "jupyter_server_config.json")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--gov-config FILE`, more than once if need be."""
    parser.getgroup("jupyter_gov").addoption(
        "--gov-config", action="append", default=[], metavar="FILE",
        help="a config file for the fixture gov_config; may be given more than once",
    )  # fmt: skip


@pytest.fixture(scope="session")
def gov_config(pytestconfig: pytest.Config) -> list[Path]:
    """
    The admin's config files, lowest priority first.

    Those of `--gov-config`, or the `jupyter_server_config.py` where pytest was started or in its
    root folder.
    """
    given = [Path(file) for file in pytestconfig.getoption("--gov-config")]
    if given:
        return given
    for folder in (pytestconfig.invocation_params.dir, pytestconfig.rootpath):
        found = [folder / name for name in _NAMES if (folder / name).is_file()]
        if found:
            return found
    pytest.fail(
        f"there is no {_NAMES[0]} in {pytestconfig.invocation_params.dir}: give --gov-config FILE,"
        " or override the fixture gov_config",
        pytrace=False,
    )


@pytest.fixture(scope="session")
def gov_people() -> dict[str, list[str]]:
    """More people than the config knows: person → groups."""
    return {}


@pytest.fixture(scope="session")
def gov_state() -> Path | None:
    """
    The state folder; None for a new one.

    A database whose projections hold keys, such as PostgreSQL, needs the folder whose keys they
    are.
    """
    return None


@pytest.fixture(scope="session")
def gov_gateway(
    gov_config: str | Path | list[str | Path],
    gov_people: dict[str, list[str]],
    gov_state: Path | None,
) -> Iterator[PolicyGateway]:
    """A real gateway on loopback, in a process of its own, under that config."""
    from jupyter_gov.errors import ConfigInvalid
    from jupyter_gov.testing import GatewayFailed, PolicyGateway

    gateway = PolicyGateway(gov_config, people=gov_people, state_dir=gov_state)
    try:
        gateway.start()
    except (ConfigInvalid, GatewayFailed) as problem:
        pytest.fail(str(problem), pytrace=False)
    yield gateway
    gateway.close()
