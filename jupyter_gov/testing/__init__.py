"""
What an admin tests a policy with: a real gateway, people, and what must be so.

    def test_nurse_never_sees_ssn(gov_gateway):
        frame = gov_gateway.client("nurse").query("clinic", "SELECT ssn, mrn FROM patients")
        assert_withheld(frame, "ssn")
        assert_pseudonym(frame, "mrn")

The fixtures come with the package, as a pytest plugin.  Nothing here needs pytest itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_gov.testing.assertions import (
        Refused,
        assert_absent,
        assert_clear,
        assert_no_value,
        assert_pseudonym,
        assert_refused,
        assert_treated,
        assert_withheld,
    )
    from jupyter_gov.testing.client import PolicyClient
    from jupyter_gov.testing.gateway import GatewayFailed, PolicyGateway
    from jupyter_gov.testing.person import EvaluationPerson

_FROM = {
    "EvaluationPerson": "person",
    "GatewayFailed": "gateway",
    "PolicyClient": "client",
    "PolicyGateway": "gateway",
    "Refused": "assertions",
    "assert_absent": "assertions",
    "assert_clear": "assertions",
    "assert_no_value": "assertions",
    "assert_pseudonym": "assertions",
    "assert_refused": "assertions",
    "assert_treated": "assertions",
    "assert_withheld": "assertions",
}
"""Imported when asked for: the plugin is loaded in every run of pytest, also where none is."""

__all__ = [
    "EvaluationPerson",
    "GatewayFailed",
    "PolicyClient",
    "PolicyGateway",
    "Refused",
    "assert_absent",
    "assert_clear",
    "assert_no_value",
    "assert_pseudonym",
    "assert_refused",
    "assert_treated",
    "assert_withheld",
]


def __getattr__(name: str) -> Any:
    if name in _FROM:
        return getattr(import_module(f"{__name__}.{_FROM[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
