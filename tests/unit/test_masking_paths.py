"""A JSON text under paths: what is listed is treated, and nothing else is there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.masking.model import ColumnPolicy, Treatment
from jupyter_gov.masking.paths import rebuilt
from jupyter_gov.masking.treatments import partial, zip3

CLEAR = ColumnPolicy(Treatment.CLEAR)
PARTIAL = ColumnPolicy(Treatment.PARTIAL)
ZIP = ColumnPolicy(Treatment.ZIP3)
WITHHOLD = ColumnPolicy(Treatment.WITHHOLD)
NAME = ColumnPolicy(Treatment.PATHS, paths=(("family", PARTIAL),))
DOC = ColumnPolicy(
    Treatment.PATHS, paths=(("type", CLEAR), ("zip", ZIP), ("no", WITHHOLD), ("name", NAME))
)
TREAT = rebuilt(DOC, {PARTIAL: partial, ZIP: zip3()})


class TestRebuilt:
    @pytest.mark.parametrize(
        ("given_", "left"),
        [
            ('{"type": "P", "other": 1, "no": 2}', {"type": "P"}),
            ('{"zip": "02139", "name": {"family": "Quartermain", "x": 1}}',
             {"zip": "021", "name": {"family": "*******main"}}),
            ('{"zip": 2139}', {"zip": "021"}),
            ('{"zip": ["02139", null, "x", ["02139"]]}', {"zip": ["021", None, None, None]}),
            ('{"zip": "no zip"}', {}),
            ('{"zip": null, "name": null}', {"zip": None, "name": None}),
            ('{"zip": {"is": "02139"}, "name": "text"}', {}),
            ('[{"zip": "02139"}, 5]', [{"zip": "021"}, None]),
            ('{"type": [1.50, {"a": [[1e400]]}]}', None),
            ("null", None),
            ('{"zip": "02139", "zip": "x"}', {}),
        ],
    )  # fmt: skip
    def test_what_is_left(self, given_, left):
        """Absent is not null, and arrays keep their places."""
        made = TREAT(given_)
        if left is not None:
            assert json.loads(made) == left

    def test_numbers_are_spelled_as_they_were(self):
        """Under a clear path nothing is rounded."""
        text = '{"type": [1.50, 1e400, 123456789012345678901234567890, -0.0]}'
        assert TREAT(text) == text

    @pytest.mark.parametrize(
        "text", ["", "{", "{'a': 1}", "NaN", '{"type": Infinity}', "[" * 100_000, b"{}", 5, None]
    )
    def test_what_is_no_json_is_withheld(self, text):
        """Not passed on."""
        assert TREAT(text) is None

    @given(st.text())
    def test_no_text_breaks_it(self, text):
        """Whatever is in it."""
        made = TREAT(text)
        assert made is None or json.loads(made) is not ...

    def test_subjects_reach_the_paths(self):
        """A shifted date inside a document moves with its row's subject."""
        moved = ColumnPolicy(Treatment.DATE_SHIFT, space="s", days=3)
        policy = ColumnPolicy(Treatment.PATHS, paths=(("on", moved),))
        treat = rebuilt(policy, {moved: lambda value, subject: f"{value}/{subject}"})
        assert json.loads(treat('{"on": "x"}', 7)) == {"on": "x/7"}
