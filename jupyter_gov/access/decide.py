"""
The decision: which one grant covers a statement.

Scopes never combine: a statement that needs two grants is refused, whatever they add up to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime

from jupyter_gov.access.model import Action, Eligibility, Grant
from jupyter_gov.errors import (
    BudgetSpent,
    GrantNotStarted,
    GrantOver,
    Next,
    NoGrant,
    OutOfScope,
    Position,
)
from jupyter_gov.sql.names import near_matches

_SHOWN = 12
"""So many tables a hint names; the rest are listed by `%gov tables`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a statement needs."""

    connection: str
    tables: frozenset[str]
    action: Action
    named: str = ""
    """The grant the user named; empty: choose."""
    place_of: Callable[[str], Position | None] = lambda table: None
    """Where a table stands in the user's own statement."""


def ask_again(connection: str) -> Next:
    """The next step of someone whose grant is over."""
    return Next(
        "request_grant",
        magic=f"%gov request {connection} --for 30m",
        call=f'gov.request("{connection}", duration="30m")',
    )


def narrowest(grants: Iterable[Grant], clear_columns: Mapping[str, int]) -> Grant | None:
    """Fewest tables, then fewest columns in the clear, then the soonest end."""
    return min(
        grants,
        key=lambda g: (len(g.tables), clear_columns.get(g.profile, 0), g.end, g.grant_id),
        default=None,
    )


def choose(
    need: Need,
    grants: Iterable[Grant],
    openable: Iterable[Eligibility],
    clear_columns: Mapping[str, int],
    *,
    at: datetime,
) -> Grant | Eligibility:
    """
    The one active grant to run under, or the eligibility whose default grant to open first.

    Args:
        grants: the session's grants on this connection, over or not.
        openable: eligibilities whose default grant this session has not opened yet.
        clear_columns: profile id → number of columns it shows as they are.

    Raises: NoGrant, GrantOver, GrantNotStarted, OutOfScope, BudgetSpent.
    """
    held = list(grants)
    if need.named:
        return _named(need, held, at=at)
    active = [grant for grant in held if grant.state(at) == "active"]
    wide = [grant for grant in active if grant.covers(need.tables, need.action)]
    left = [grant for grant in wide if not spent(grant)]
    if chosen := narrowest(left, clear_columns):
        return chosen
    offers = [e for e in openable if need.action in e.actions and need.tables <= set(e.tables)]
    if offers:
        return min(offers, key=lambda e: (len(e.tables), len(e.clear), e.name))
    if wide:
        raise budget_spent(wide[0])
    if active:
        raise _scope(need, active)
    if any(grant.state(at) == "not started" for grant in held):
        start = min(grant.start for grant in held if grant.state(at) == "not started")
        raise GrantNotStarted(f"your grant on {need.connection} starts at {start:%H:%M:%S} UTC")
    if held:
        last = max(held, key=lambda grant: grant.end)
        why = f": {last.ended_why}" if last.ended_why else ""
        raise GrantOver(
            f"your grant {last.grant_id} on {need.connection} is over{why}",
            hint=f"Ask for a new one: {ask_again(need.connection).magic}",
            next=ask_again(need.connection),
        )
    openable = list(openable)
    if openable:
        raise _outside(
            need,
            {table for e in openable for table in e.tables},
            hint="No single eligibility of yours covers all of it; scopes are never combined.",
        )
    raise no_grant(need.connection)


def no_grant(connection: str) -> NoGrant:
    """The refusal of someone with neither a grant nor a way to one."""
    return NoGrant(
        f"you hold no grant on {connection}, and no eligibility opens one",
        hint="See %gov connections for what you may ask for, or ask your administrator.",
        next=Next("ask_admin", magic="%gov connections", call="gov.connections()"),
    )


def spent(grant: Grant) -> bool:
    """Whether nothing more may run under it."""
    return (grant.max_rows is not None and grant.rows >= grant.max_rows) or (
        grant.max_queries is not None and grant.queries >= grant.max_queries
    )


def _named(need: Need, held: list[Grant], *, at: datetime) -> Grant:
    grant = next((g for g in held if g.grant_id == need.named), None)
    if grant is None:
        raise NoGrant(
            f"this session holds no grant of that name on {need.connection}",
            next=Next("narrow", magic="%gov grants", call="gov.grants()"),
        )
    if grant.state(at) == "not started":
        raise GrantNotStarted(f"grant {grant.grant_id} starts at {grant.start:%H:%M:%S} UTC")
    if grant.state(at) == "over":
        raise GrantOver(
            f"grant {grant.grant_id} is over",
            hint=f"Ask for a new one: {ask_again(need.connection).magic}",
            next=ask_again(need.connection),
        )
    if not grant.covers(need.tables, need.action):
        raise _scope(need, [grant])
    if spent(grant):
        raise budget_spent(grant)
    return grant


def _outside(need: Need, allowed: Set[str], *, hint: str) -> OutOfScope:
    outside = sorted(need.tables - allowed)
    if not outside:
        text = f"no one grant covers {', '.join(sorted(need.tables))} for {need.action}"
    else:
        text = f"{', '.join(outside)} is not among the tables you may {need.action}"
    return OutOfScope(
        text,
        hint=hint,
        next=Next(
            "narrow",
            magic=f"%gov tables {need.connection}",
            call=f'gov.connect("{need.connection}").tables()',
        ),
        position=need.place_of(outside[0]) if outside else None,
        near=near_matches(outside[0], allowed) if outside else (),
    )


def _scope(need: Need, active: list[Grant]) -> OutOfScope:
    if not any(need.action in grant.actions for grant in active):
        return OutOfScope(
            f"your grant on {need.connection} does not cover the action {need.action}",
            next=Next("ask_admin"),
        )
    allowed = {table for grant in active for table in grant.tables}
    shown = ", ".join(sorted(allowed)[:_SHOWN]) + (", …" if len(allowed) > _SHOWN else "")
    hint = f"Your grants cover: {shown}. One statement runs under one grant."
    return _outside(need, allowed, hint=hint)


def budget_spent(grant: Grant) -> BudgetSpent:
    """The refusal of someone whose grant lasts longer than its budget."""
    what = "rows" if grant.max_rows is not None and grant.rows >= grant.max_rows else "statements"
    return BudgetSpent(
        f"grant {grant.grant_id} has no {what} left",
        hint=f"Ask for a new one: {ask_again(grant.connection).magic}",
        next=ask_again(grant.connection),
    )
