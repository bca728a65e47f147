"""The error tree: codes are published, texts lead on, and the same error is raised elsewhere."""

from __future__ import annotations

import re

import pytest

from jupyter_gov import errors
from jupyter_gov.errors import GovError, Next, Position

TREE = [cls for cls in errors.tree() if cls is not GovError]


class TestTheTree:
    def test_codes_name_one_class_each(self):
        """A code in a record or an answer means one thing."""
        codes = [cls.code for cls in errors.tree()]
        assert len(set(codes)) == len(codes)
        assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)

    @pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.code)
    def test_every_class_says_what_it_means(self, cls):
        """The reference is made from the docstrings."""
        assert cls.__doc__
        assert cls.__doc__.strip().endswith((".", '"'))

    @pytest.mark.parametrize(
        "cls", [c for c in TREE if c is not errors.ConfigInvalid], ids=lambda cls: cls.code
    )
    def test_a_code_leads_back_to_its_class(self, cls):
        """A client raises what the gateway raised."""
        assert errors.by_code(cls.code) is cls

    def test_a_code_of_a_newer_gateway_is_still_an_error(self):
        """An old client must not take an unknown refusal for something else."""
        assert errors.by_code("invented_tomorrow") is GovError

    def test_what_may_be_tried_again_says_so(self):
        """Only outages, limits and interruptions; a refusal by policy stays one."""
        retryable = {cls.code for cls in TREE if cls.retryable}
        assert retryable == {
            "busy", "cancelled", "stream_broken", "unavailable", "audit_unavailable",
            "database_unavailable", "gateway_unreachable",
        }  # fmt: skip
        assert not any(cls.retryable for cls in errors.tree(errors.Denied))


class TestWhatIsShown:
    def test_a_refusal_reads_in_order(self):
        """What, where, what was meant, what to do, and the record that holds it."""
        error = errors.UnknownName(
            "there is no column nmae",
            position=Position(2, 8, 20),
            near=("name", "namespace"),
            hint="Look at %gov tables clinic.",
            record="R-1",
        )
        assert str(error).split("\n") == [
            "there is no column nmae (line 2, column 8)",
            "Did you mean: name, namespace?",
            "Look at %gov tables clinic.",
            "[unknown_name, record R-1]",
        ]

    def test_ipython_shows_the_place_in_the_users_own_statement(self):
        """Instead of a stack of ours."""
        error = errors.UnknownName("no such thing", position=Position(2, 3, 0))
        error.statement = "SELECT\n  nmae FROM t"
        assert error._render_traceback_() == [
            "UnknownName: no such thing (line 2, column 3)",
            "      nmae FROM t",
            "      ^",
        ]

    def test_the_next_step_is_shown_once(self):
        """Not again where the hint names it already."""
        step = Next("login", magic="%gov login")
        bare = errors.NotAttached("nobody is attached", next=step)
        told = errors.NotAttached("nobody is attached", next=step, hint="Run: %gov login")
        assert bare._render_traceback_()[-1] == "Next: %gov login"
        assert "\n".join(told._render_traceback_()).count("%gov login") == 1

    def test_a_place_outside_the_statement_is_left_out(self):
        """A position never turns a refusal into another error."""
        error = errors.BadSyntax("it does not parse", position=Position(7, 1, 90))
        error.statement = "SELECT 1"
        assert error._render_traceback_() == ["BadSyntax: it does not parse (line 7, column 1)"]

    def test_mistakes_in_a_configuration_stand_below_each_other(self):
        """All of them, so that one start finds all."""
        wrong = errors.ConfigInvalid(("c.A.b: x", "c.C.d: y"))
        assert str(wrong).split("\n")[1:] == ["  c.A.b: x", "  c.C.d: y"]
