"""What importing the kernel's side brings along: little, and nothing of the trusted side."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = (
    "sqlalchemy", "sqlglot", "alembic", "presidio_analyzer", "spacy", "msal", "psycopg", "argon2",
    "adbc_driver_manager", "jinja2", "jupyter_server", "jupyter_gov.gateway",
    "jupyter_gov.bootstrap", "jupyter_gov.broker", "jupyter_gov.engines", "jupyter_gov.store",
    "jupyter_gov.access", "jupyter_gov.masking", "jupyter_gov.audit", "jupyter_gov.identity",
    "jupyter_gov.connections", "jupyter_gov.sql", "jupyter_gov.server",
)  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """Modules in a fresh interpreter after *code*, without a slot in its environment."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER_GOV_")}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import jupyter_gov",
        "import jupyter_gov.kernel.magics",
        "import jupyter_gov; jupyter_gov.connect('clinic')",
    ],
    ids=["the package", "the magics", "a connection"],
)
def test_a_kernel_loads_nothing_of_the_trusted_side(code):
    """Neither our rooms nor the libraries behind them; with `pip install jupyter-gov` they are
    not even there."""
    found = loaded_by(code)
    assert "jupyter_gov" in found
    assert not {name for name in found for heavy in HEAVY if f"{name}.".startswith(f"{heavy}.")}


def test_the_package_itself_loads_next_to_nothing():
    """A notebook that imports it for one constant waits for nobody."""
    found = loaded_by("import jupyter_gov")
    assert not found & {"pandas", "pyarrow", "IPython", "cryptography", "urllib3", "tornado"}


def test_frames_and_arrow_come_when_they_are_used():
    """Not with the magics: a kernel has imported them by then or never will."""
    assert not loaded_by("import jupyter_gov.kernel.magics") & {"pandas", "pyarrow", "tornado"}
