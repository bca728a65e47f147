"""A kernel attached to ana, in whichever gateway a module calls `site`."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def analyst(site):
    """For tests that leave it as they found it."""
    return site.analyst()


@pytest.fixture(scope="module")
def con(analyst):
    """That kernel's connection to the clinic."""
    return analyst.connect("clinic")
