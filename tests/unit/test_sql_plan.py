"""A plan as far as it may be shown: its shape, and none of what the views are made of."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.sql.plan import filtered

SECRET = "CANARY"
SCAN = {
    "Node Type": "Seq Scan", "Relation Name": "patients", "Schema": f"gov_{SECRET}", "Alias": "b",
    "Startup Cost": 0.0, "Total Cost": 12.5, "Plan Rows": 4711, "Plan Width": 99,
    "Filter": f"(clinic = '{SECRET}'::text)", "Output": [f"sha256('{SECRET}')"],
    "Index Cond": f"(x = '{SECRET}')", "Index Name": f"idx_{SECRET}", "Rows Removed by Filter": 9,
}  # fmt: skip
KEY = {
    "Node Type": "Seq Scan", "Relation Name": "pad", "Parent Relationship": "InitPlan",
    "Subplan Name": f"InitPlan 1 ({SECRET})", "Filter": f"(name = '{SECRET}')",
}  # fmt: skip


def plan(*below: object, **node: object) -> list[object]:
    """As the server gives it."""
    return [{"Plan": {**node, "Plans": list(below)}, "Settings": {"search_path": SECRET}}]


class TestFiltered:
    def test_the_shape_stays(self):
        """Joins, sorts, aggregates, and the tables that the user named."""
        given_plan = plan(
            {
                "Node Type": "Hash Join", "Join Type": "Left", "Hash Cond": SECRET,
                "Plans": [SCAN, {"Node Type": "Hash", "Plans": [
                    {"Node Type": "Index Scan", "Relation Name": "claims"}]}],
            },
            **{"Node Type": "Aggregate", "Strategy": "Hashed", "Group Key": [SECRET]},
        )  # fmt: skip
        assert filtered(given_plan, ["public.patients", "claims"]) == [
            "HashAggregate",
            "  -> Hash Left Join",
            "    -> Seq Scan on patients",
            "    -> Hash",
            "      -> Index Scan on claims",
        ]

    def test_nothing_of_conditions_outputs_or_estimates_is_left(self):
        """Not in a node, a subplan, a setting or a name."""
        shown = "\n".join(filtered(plan(SCAN, KEY, **{"Node Type": "Sort"}), ["patients"]))
        assert SECRET not in shown
        assert "4711" not in shown
        assert "cost" not in shown
        assert "Seq Scan on patients" in shown

    def test_a_subquery_that_fetches_a_key_is_not_there(self):
        """Nor one below it; the user's own subquery is."""
        own = {"Node Type": "Seq Scan", "Relation Name": "claims",
               "Parent Relationship": "SubPlan"}  # fmt: skip
        shown = filtered(plan(KEY, own, SCAN, **{"Node Type": "Sort"}), ["patients", "claims"])
        assert shown == ["Sort", "  -> Seq Scan on claims", "  -> Seq Scan on patients"]

    def test_what_the_user_did_not_name_is_not_named(self):
        """Such as a table behind a view."""
        assert filtered(plan(SCAN, **{"Node Type": "Sort"}), ["v"]) == ["Sort", "  -> Seq Scan"]

    def test_costs_only_where_they_may(self):
        """They count the rows that a row filter hides."""
        assert filtered([{"Plan": SCAN}], ["patients"], costs=True) == [
            "Seq Scan on patients  (cost=0.00..12.50)"
        ]

    def test_a_long_plan_is_cut(self):
        """A thousand partitions are no plan to read."""
        shown = filtered(plan(*[SCAN] * 1000, **{"Node Type": "Append"}), ["patients"])
        assert len(shown) == 201
        assert shown[-1] == "…"

    @pytest.mark.parametrize("given_plan", [None, [], {}, [{}], "x", [{"Plan": 3}], 7])
    def test_what_is_no_plan_shows_nothing(self, given_plan):
        """Whatever a server of another version sends."""
        assert filtered(given_plan) == []

    @given(st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["Plan", "Plans", "Node Type", "Relation Name", "Filter", "x"]), inner
        ),
    ))  # fmt: skip
    def test_only_words_of_the_server_come_out(self, given_plan):
        """Whatever stands in it; a name must be one of those given."""
        for line in filtered(given_plan, ["patients"]):
            words = line.replace("->", " ").replace("patients", " ").split()
            assert all(word.isascii() for word in words)
        json.dumps(filtered(given_plan))
