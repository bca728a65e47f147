"""What a notebook shows: names and purposes come from others and may be hostile."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.kernel.display import FrameLine, frame_line, plain, time_left

GOV = {
    "principal": "ana", "on_behalf_of": None, "connection": "clinic", "seconds_left": 1740,
    "treated": {"patients.ssn": "partial"}, "rows": 1234, "cut": False, "record": "R-1",
    "isolation": "separate",
}  # fmt: skip


class TestPlain:
    @pytest.mark.parametrize(
        "text", ["\x1b[2J", "a\rb", "\x07", "\u202eevil", "\u200b", "\x9b31m", "a\nb", "\u2028"]
    )
    def test_signs_that_command_are_shown_not_obeyed(self, text):
        """A terminal must not be cleared, coloured or turned around by a purpose."""
        shown = plain(text)
        assert len(shown) == len(text)
        assert "\N{REPLACEMENT CHARACTER}" in shown

    @given(st.text(st.characters()))
    def test_no_text_commands(self, text):
        """Control, format and separator signs never come through; the rest is untouched."""
        shown = plain(text)
        assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)
        assert plain(shown) == shown

    def test_ordinary_text_stays(self):
        """In any script."""
        assert (
            plain("Ana Ferreira, 院内 é \N{PILE OF POO}") == "Ana Ferreira, 院内 é \N{PILE OF POO}"
        )


class TestTimeLeft:
    @pytest.mark.parametrize(
        ("seconds", "shown"),
        [
            (0, "0 s"), (59, "59 s"), (60, "1 min"), (89, "1 min"), (90, "2 min"),
            (1799, "30 min"), (3569, "59 min"), (3600, "1 h 0 min"), (7500, "2 h 5 min"),
        ],
    )  # fmt: skip
    def test_as_people_say_it(self, seconds, shown):
        """To the nearest minute from one minute on."""
        assert time_left(seconds) == shown


class TestTheLine:
    def test_it_tells_who_what_and_how_far(self):
        """In one line."""
        assert frame_line(GOV) == (
            "ana · clinic 29 min left · 1,234 rows · treated: patients.ssn partial · record R-1"
            " · separate"
        )

    def test_an_agent_is_told_with_its_person(self):
        """Who answers for it."""
        assert frame_line({**GOV, "principal": "recon", "on_behalf_of": "ana"}).startswith(
            "recon (agent of ana) · "
        )

    def test_a_cut_result_says_so_before_anything_else_of_it(self):
        """It is not the whole answer."""
        assert "CUT at 1,234 rows: this is not the whole answer" in frame_line({**GOV, "cut": True})

    @pytest.mark.parametrize(
        ("count", "said"), [(0, "treated: nothing"), (6, "t5 year ·"), (7, "t5 year, and 1 more")]
    )
    def test_a_long_list_of_columns_is_cut(self, count, said):
        """After six."""
        treated = {f"t{number}": "year" for number in range(count)}
        assert said in frame_line({**GOV, "treated": treated})

    def test_a_browser_gets_it_escaped(self):
        """A column may be called `<img onerror=…>`."""
        hostile = {**GOV, "treated": {'<img src=x onerror="alert(1)">': "year"}}
        shown = FrameLine(hostile)._repr_html_()
        assert "<img" not in shown
        assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;" in shown
        assert "<img" in repr(FrameLine(hostile))
