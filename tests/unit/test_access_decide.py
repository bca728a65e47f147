"""Which one grant a statement runs under: half-open in time, alone, the narrowest."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.access.decide import Need, choose, narrowest
from jupyter_gov.access.model import Action, Agents, Grant
from jupyter_gov.errors import BudgetSpent, Denied, GrantNotStarted, GrantOver, NoGrant, OutOfScope
from tests.unit.given import NINE, eligibility, grant

TEN = NINE + timedelta(hours=1)
TICK = timedelta(microseconds=1)


def need(*tables, named=""):
    return Need(
        connection="hospital", tables=frozenset(tables), action=Action.READ, named=named
    )  # fmt: skip


def decide(wanted, grants=(), openable=(), *, at=NINE, clear=None):
    return choose(wanted, grants, openable, clear or {}, at=at)


class TestTime:
    @pytest.mark.parametrize(
        ("at", "state"),
        [
            (NINE - TICK, "not started"),
            (NINE, "active"),
            (TEN - TICK, "active"),
            (TEN, "over"),
            (TEN + TICK, "over"),
        ],
        ids=["before", "at the start", "just before the end", "at the end", "after"],
    )
    def test_half_open(self, at, state):
        """From its start up to, but not at, its end."""
        assert grant().state(at) == state

    def test_a_window_without_time_is_never_active(self):
        """Nor one that ends before it starts."""
        for end in (NINE, NINE - timedelta(hours=1)):
            made = grant(end=end)
            assert not any(
                made.state(NINE + timedelta(minutes=m)) == "active" for m in range(-90, 90)
            )

    def test_ended_is_over_whatever_the_clock_says(self):
        """Also before its start."""
        ended = grant(ended_at=NINE, ended_why="revoked")
        assert {ended.state(at) for at in (NINE - TICK, NINE, TEN)} == {"over"}

    def test_a_later_start_is_told_without_anything_of_the_data(self):
        """When, and nothing about tables."""
        with pytest.raises(GrantNotStarted) as refused:
            decide(need("claims"), [grant()], at=NINE - TICK)
        assert "09:00:00 UTC" in str(refused.value)
        assert "claims" not in str(refused.value)

    def test_an_end_is_told_with_its_reason_and_the_way_to_a_new_one(self):
        """Of the grant that ended last."""
        early = grant(grant_id="G-0", end=NINE, ended_why="x")
        with pytest.raises(GrantOver, match="G-1 on hospital is over: revoked") as refused:
            decide(need("claims"), [grant(ended_at=TEN, ended_why="revoked"), early], at=TEN)
        assert refused.value.next.magic == "%gov request hospital --for 30m"


class TestScopes:
    def test_one_grant_must_cover_all_of_it(self):
        """Two that would together are none."""
        one, other = grant(tables=frozenset({"a"})), grant(tables=frozenset({"b"}), grant_id="G-2")
        assert decide(need("a"), [one, other]) is one
        assert decide(need("b"), [one, other]) is other
        with pytest.raises(OutOfScope, match="no one grant covers a, b"):
            decide(need("a", "b"), [one, other])

    def test_nor_do_a_grant_and_an_eligibility(self):
        """Or two eligibilities."""
        offers = [eligibility(name="x", tables=("a",)), eligibility(name="y", tables=("b",))]
        with pytest.raises(OutOfScope):
            decide(need("a", "b"), [grant(tables=frozenset({"a"}))], offers)
        with pytest.raises(OutOfScope) as refused:
            decide(need("a", "b"), [], offers)
        assert "never combined" in refused.value.hint

    def test_a_table_outside_is_named_and_what_is_inside_too(self):
        """From the holder's own grants."""
        with pytest.raises(OutOfScope, match="payroll is not among the tables") as refused:
            decide(need("claims", "payroll"), [grant()])
        assert "Your grants cover: claims, encounters." in refused.value.hint

    def test_without_a_table_any_grant_will_do(self):
        """SELECT 1 still runs under one."""
        assert decide(need(), [grant()]).grant_id == "G-1"

    def test_another_action(self):
        """Its scope is not enough."""
        with pytest.raises(OutOfScope, match="does not cover the action read"):
            decide(need("claims"), [grant(actions=frozenset())])

    def test_a_strangers_refusal_says_nothing_of_the_database(self):
        """Neither grant nor eligibility."""
        with pytest.raises(NoGrant) as refused:
            decide(need("claims"))
        assert "claims" not in str(refused.value)
        assert refused.value.next.action == "ask_admin"


class TestTheNarrowest:
    def test_fewest_tables_then_fewest_in_the_clear_then_the_soonest_end(self):
        """The least that covers it."""
        wide = grant(grant_id="G-wide", tables=frozenset({"a", "b", "c"}))
        open_ = grant(grant_id="G-open", tables=frozenset({"a", "b"}), profile="P-open")
        late = grant(grant_id="G-late", tables=frozenset({"a", "b"}), end=TEN + TICK)
        soon = grant(grant_id="G-soon", tables=frozenset({"a", "b"}))
        clear = {"P-open": 9, soon.profile: 2}
        held = [wide, open_, late, soon]
        for left in range(len(held), 0, -1):
            chosen = decide(need("a"), held[:left], clear=clear)
            assert chosen is [wide, open_, late, soon][left - 1]

    @given(st.permutations(range(4)))
    def test_the_order_in_which_they_were_given_does_not_matter(self, order):
        """Nor does chance: the last word is the id's."""
        held = [grant(grant_id=f"G-{number}") for number in order]
        assert narrowest(held, {}).grant_id == "G-0"

    def test_a_grant_is_used_before_another_is_opened(self):
        """Though the eligibility would be narrower."""
        chosen = decide(need("claims"), [grant()], [eligibility(tables=("claims",))])
        assert isinstance(chosen, Grant)

    def test_the_narrowest_eligibility_is_opened(self):
        """Fewest tables, then fewest tags in the clear, then by name."""
        wide = eligibility(name="a", tables=("claims", "encounters"))
        clear = eligibility(name="b", tables=("claims",), clear=frozenset({"zip"}))
        plain = eligibility(name="c", tables=("claims",))
        assert decide(need("claims"), [], [wide, clear, plain]) is plain
        assert decide(need("claims"), [], [wide, clear]) is clear

    def test_one_that_is_over_opens_nothing_by_itself(self):
        """What was opened once is asked for again."""
        with pytest.raises(GrantOver):
            decide(need("claims"), [grant()], [], at=TEN)


class TestTheNamedOne:
    def test_it_is_taken_though_another_is_narrower(self):
        """The user said so."""
        wide = grant(grant_id="G-wide")
        narrow = grant(grant_id="G-narrow", tables=frozenset({"claims"}))
        assert decide(need("claims", named="G-wide"), [narrow, wide]) is wide

    @pytest.mark.parametrize(
        ("changed", "at", "refusal"),
        [
            ({}, NINE - TICK, GrantNotStarted),
            ({}, TEN, GrantOver),
            ({"tables": frozenset({"encounters"})}, NINE, OutOfScope),
            ({"actions": frozenset()}, NINE, OutOfScope),
            ({"max_queries": 3, "queries": 3}, NINE, BudgetSpent),
            ({"max_rows": 10, "rows": 10}, NINE, BudgetSpent),
            ({"grant_id": "G-9"}, NINE, NoGrant),
        ],
    )
    def test_nothing_stands_in_for_it(self, changed, at, refusal):
        """Another grant that would do is not used instead."""
        other = grant(grant_id="G-other", start=NINE - TEN.resolution, end=TEN + TICK)
        with pytest.raises(refusal):
            decide(need("claims", named="G-1"), [grant(**changed), other], at=at)

    def test_an_unknown_one_is_not_repeated(self):
        """The name comes from the user and may be anything."""
        with pytest.raises(NoGrant) as refused:
            decide(need("claims", named="<script>"), [grant()])
        assert "<script>" not in str(refused.value)


class TestBudgets:
    @pytest.mark.parametrize(
        ("changed", "what"),
        [({"max_queries": 2, "queries": 2}, "statements"), ({"max_rows": 5, "rows": 7}, "rows")],
    )
    def test_a_spent_grant_is_not_chosen(self, changed, what):
        """Another is, if there is one; else it is said what is used up."""
        spent = grant(**changed)
        other = grant(grant_id="G-2", tables=frozenset({"encounters", "claims", "more"}))
        assert decide(need("claims"), [spent, other]) is other
        with pytest.raises(BudgetSpent, match=f"G-1 has no {what} left"):
            decide(need("claims"), [spent])

    def test_up_to_the_last_statement(self):
        """Of three, two are used."""
        assert decide(need("claims"), [grant(max_queries=3, queries=2)])


tables_ = st.frozensets(st.sampled_from("abcd"), max_size=3)
grants_ = st.lists(
    st.builds(
        grant,
        grant_id=st.uuids().map(str),
        tables=tables_,
        start=st.sampled_from([NINE, TEN]),
        end=st.sampled_from([NINE, TEN, TEN + timedelta(hours=1)]),
        ended_at=st.sampled_from([None, NINE]),
        max_queries=st.sampled_from([None, 1]),
        queries=st.integers(0, 1),
    ),
    max_size=6,
)


class TestWhateverIsHeld:
    @given(grants_, tables_, st.sampled_from([NINE - TICK, NINE, TEN - TICK, TEN]))
    def test_what_is_chosen_covers_it_now_alone(self, held, tables, at):
        """And if one would, one is chosen; a refusal is one of the tree's."""
        good = [
            g
            for g in held
            if g.start <= at < g.end and g.ended_at is None and tables <= g.tables
            and (g.max_queries is None or g.queries < g.max_queries)
        ]  # fmt: skip
        try:
            chosen = decide(need(*tables), held, at=at)
        except Denied:
            assert not good
        else:
            assert chosen in good
            assert len(chosen.tables) == min(len(g.tables) for g in good)


class TestEligibilities:
    @pytest.mark.parametrize(
        ("agents", "person", "agent"),
        [(Agents.NO, True, False), (Agents.YES, True, True), (Agents.ONLY, False, True)],
    )
    def test_people_and_agents(self, agents, person, agent):
        """An agent gets what is meant for agents, and its person must match."""
        made = eligibility(agents=agents)
        groups = frozenset({"analysts"})
        assert made.fits("ana", groups, agent=False) is person
        assert made.fits("ana", groups, agent=True) is agent
        assert not made.fits("ana", frozenset(), agent=True)

    @pytest.mark.parametrize(
        ("who", "fits"),
        [
            (("ana",), True),
            (("group:analysts",), True),
            (("group:care", "rui"), False),
            (("analysts",), False),
            (("group:ana",), False),
            ((), False),
        ],
    )
    def test_by_name_or_by_group(self, who, fits):
        """A group's name is no person's."""
        made = eligibility(who=who)
        assert made.fits("ana", frozenset({"analysts"}), agent=False) is fits
