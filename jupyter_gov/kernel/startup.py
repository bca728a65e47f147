"""
Loaded by the notebook server into an IPython kernel before any of its user's code.

Only enrols: from then on the environment holds nothing of use.
"""

from __future__ import annotations

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """IPython calls this at the kernel's start."""
    from jupyter_gov.kernel.enrolment import enrol_quietly

    enrol_quietly()
