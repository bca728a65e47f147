"""Where a profile shows groups only: the statement is held to them before it may run."""

from __future__ import annotations

from jupyter_gov.broker.ports import Policy
from jupyter_gov.connections.model import Table
from jupyter_gov.errors import GovError, Next, StatementRefused
from jupyter_gov.masking.model import SUBJECT, Profile
from jupyter_gov.sql.aggregate import Grouped, grouped
from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.names import place_of


def held_to_groups(
    policy: Policy, eligibility: str, connection: str, statement: Statement
) -> Grouped | None:
    """
    The statement with the condition on its groups; None where rows may be seen.

    Raises StatementRefused for a form that could tell of fewer people.
    """
    profile = policy.profiles[eligibility]
    if not profile.min_group:
        return None
    engine = policy.engines[connection]
    catalog = engine.catalog()
    subjects: dict[str, str | None] = {}
    for relation in statement.relations:
        name = catalog.resolve(relation)
        table = catalog.tables[name] if name is not None else None
        if table is not None and table.kind == "view":
            raise StatementRefused(
                f"{table.name} is a view: under an aggregate-only grant only tables are counted",
                hint="Whom a view's rows are about is not known.",
                position=place_of(relation, statement.text, engine.dialect),
                next=Next("narrow", magic="%gov tables", call="con.tables()"),
            )
        subjects[relation] = None if table is None else _subject(profile, table)
    return grouped(statement, subjects, profile.min_group, engine.functions)


def _subject(profile: Profile, table: Table) -> str | None:
    """Also of a partition, which has its tags from its parent."""
    inherited = (column.name for column in table.columns if column.tag == SUBJECT)
    return profile.subject_of(table.name) or next(inherited, None)


def in_own_text(problem: GovError, held: Grouped | None, sql: str) -> GovError:
    """With its place in what the user wrote, where the statement that ran was longer."""
    if held is not None and problem.position is not None:
        problem.position = held.own_place(problem.position, sql)
    return problem
