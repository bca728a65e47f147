"""The generated reference is what the code says, and a change of the code shows in it."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gov import errors
from jupyter_gov.audit import events
from jupyter_gov.gateway import api as gateway_api
from jupyter_gov.gateway.handlers import STATUS
from jupyter_gov.wire import messages as m
from tests.support.gateway import ROOT

MESSAGES = [
    cls
    for cls in vars(m).values()
    if dataclasses.is_dataclass(cls) and cls.__module__ == m.__name__
]
BINDS = st.dictionaries(
    st.text("abc", min_size=1),
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.decimals(allow_nan=False, allow_infinity=False),
    max_size=3,
).map(lambda values: {name: m.encode_bind(name, value) for name, value in values.items()})
TRAILER_ERROR = st.none() | st.sampled_from(
    [cls for cls in errors.tree() if issubclass(cls, tuple(STATUS))]
).map(
    lambda cls: m.encode_error(
        cls("no", next=errors.Next("fix_sql"), position=errors.Position(1, 8, 7))
    )
)


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    """docs/generate.py, which is no part of the package."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        yield importlib.import_module("generate")
    finally:
        sys.path.remove(str(ROOT / "docs"))


@pytest.fixture(scope="module")
def schemas(generate: ModuleType) -> dict[str, Any]:
    """The OpenAPI file's schemas, as they are written."""
    written = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text())
    found: dict[str, Any] = written["components"]["schemas"]
    return found


class TestReference:
    def test_it_is_what_the_code_says(self, generate):
        """`make docs` would change nothing."""
        assert generate.differences() == []

    def test_it_does_not_depend_on_the_machine(self, generate, monkeypatch, tmp_path):
        """Another home, another data folder, another working folder: the same pages."""
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.chdir(tmp_path)
        assert generate.differences() == []

    def test_no_page_names_a_folder_of_the_machine(self, generate):
        """No home, no checkout."""
        for name in generate.PAGES:
            written = (ROOT / "docs" / "reference" / name).read_text()
            assert str(Path.home()) not in written, name
            assert str(ROOT) not in written, name


class TestAChangeShows:
    def test_of_an_error(self, generate, monkeypatch):
        """Another status is another page."""
        before = generate.PAGES["errors.md"]()
        monkeypatch.setattr(errors.Busy, "retryable", False)
        assert generate.PAGES["errors.md"]() != before

    def test_of_the_kinds_of_events(self, generate, monkeypatch):
        """A kind that nothing makes, or that nobody described, fails."""
        monkeypatch.setitem(events.KINDS, "tea.made", "somebody made tea")
        with pytest.raises(AssertionError, match=r"tea\.made"):
            generate.PAGES["audit-events.md"]()

    def test_of_the_routes(self, generate, monkeypatch):
        """A route that is not described fails."""
        more = [*gateway_api.ROUTES, (f"{m.API}/tea", gateway_api.SessionHandler)]
        monkeypatch.setattr(gateway_api, "ROUTES", more)
        with pytest.raises(AssertionError, match="/tea"):
            generate.PAGES["api.md"]()

    def test_of_a_setting(self, generate, monkeypatch):
        """Another meaning is another page."""
        before = generate.PAGES["configuration.md"]()
        from jupyter_gov.gateway.config import GovGateway

        monkeypatch.setattr(GovGateway.port, "help", "Somewhere else.")
        assert generate.PAGES["configuration.md"]() != before

    def test_of_a_keyword_inside_a_mapping(self, generate, monkeypatch):
        """A key that is taken and not described, or described and not taken, fails."""
        told = sys.modules["generators.configuration"]._KEYS
        monkeypatch.delitem(told["connections"], "timeout")
        with pytest.raises(AssertionError, match="timeout"):
            generate.PAGES["configuration.md"]()

    def test_check_mode_fails_and_shows_the_lines(self, generate, monkeypatch, capsys):
        """What `make check` runs exits 1 with the difference."""
        monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
        monkeypatch.setattr(errors.Busy, "retryable", False)
        assert generate.main() == 1
        assert "| `busy` | `Busy`" in capsys.readouterr().out


class TestOpenApi:
    def test_every_message_is_described(self, schemas):
        """Each type of the API has a schema of its name."""
        assert {cls.__name__ for cls in MESSAGES} <= schemas.keys()

    @pytest.mark.parametrize("kind", MESSAGES, ids=lambda cls: cls.__name__)
    @settings(max_examples=15)
    @given(data=st.data())
    def test_what_is_sent_fits_its_schema(self, kind, data, schemas):
        """Whatever a message holds, its JSON is as the description says."""
        given_fields = {}
        if kind is m.Query:
            given_fields = {"binds": BINDS}
        elif kind is m.Trailer:
            given_fields = {"error": TRAILER_ERROR}
        made = data.draw(st.builds(kind, **given_fields))
        root = {"$ref": f"#/components/schemas/{kind.__name__}", "components": {"schemas": schemas}}
        jsonschema.validate(json.loads(m.encode(made)), root, cls=jsonschema.Draft202012Validator)

    @pytest.mark.parametrize("kind", MESSAGES, ids=lambda cls: cls.__name__)
    def test_what_is_not_described_is_refused_by_both(self, kind, schemas):
        """Neither the description nor the gateway takes a field too many."""
        root = {"$ref": f"#/components/schemas/{kind.__name__}", "components": {"schemas": schemas}}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"tea": 1}, root, cls=jsonschema.Draft202012Validator)
        with pytest.raises(errors.BadRequest):
            m.decode(kind, '{"tea": 1}')
