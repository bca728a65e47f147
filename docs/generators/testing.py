"""docs/reference/testing.md: fixtures, clients and assertions for policy tests."""

from __future__ import annotations

import inspect

from generators.magics import _function
from generators.source import one_line
from generators.text import code, document, fenced, table
from jupyter_gov import testing
from jupyter_gov.testing import plugin

_OF_A_CLIENT = ("query", "explain", "tables")


def _fixtures() -> list[list[str]]:
    rows = []
    for name in sorted(vars(plugin)):
        if name.startswith("gov_"):
            made = vars(plugin)[name]
            function = inspect.unwrap(getattr(made, "_fixture_function", made))
            rows.append([code(name), one_line(inspect.getdoc(function) or "")])
    return rows


def page() -> str:
    """The page."""
    fixtures = _fixtures()
    if len(fixtures) < 4:
        raise AssertionError(f"fixtures: {fixtures}")
    assertions = [name for name in testing.__all__ if name.startswith("assert_")]
    return document(
        "Testing",
        "What `jupyter_gov.testing` gives to those who [test a policy](../howto/test-a-policy.md)."
        " The fixtures are a pytest plugin that comes with the package; nothing else of it needs"
        " pytest.",
        "## Fixtures",
        "Each lasts for the session, and may be overridden in a `conftest.py`.",
        table(["fixture", "gives"], fixtures),
        "## PolicyGateway",
        fenced(f"PolicyGateway\n\n{inspect.getdoc(testing.PolicyGateway)}"),
        "`with PolicyGateway(config) as gateway:` starts and ends it where there is no pytest.",
        *(_function(name, vars(testing.PolicyGateway)[name]) for name in ("client", "close")),
        "## PolicyClient",
        fenced(f"PolicyClient\n\n{inspect.getdoc(testing.PolicyClient)}"),
        "It has every [function of jupyter_gov](magics.md#functions-of-jupyter_gov), and these:",
        *(_function(name, vars(testing.PolicyClient)[name]) for name in _OF_A_CLIENT),
        "## Assertions",
        *(_function(name, inspect.unwrap(getattr(testing, name))) for name in assertions),
    )
