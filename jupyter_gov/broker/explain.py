"""
What would become of a statement: the way of a query up to the decision, and no step further.

Nothing runs, no grant is opened, no budget is spent.  The question is recorded, and whoever asks
is told no more than running the statement would tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from jupyter_gov.access.decide import choose, no_grant
from jupyter_gov.access.model import Eligibility, Grant
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.broker.caller import SignedRequest
from jupyter_gov.broker.desk import GrantDesk
from jupyter_gov.broker.groups import held_to_groups, in_own_text
from jupyter_gov.broker.intake import Asked, Gated, Intake, fault_of, need_of
from jupyter_gov.broker.ports import Policy
from jupyter_gov.broker.record import Recorder
from jupyter_gov.broker.views import grant_view, principal_view, table_view
from jupyter_gov.errors import Denied, GovError, NoGrant, QueryFailed
from jupyter_gov.identity.model import Principal
from jupyter_gov.identity.ports import Clock
from jupyter_gov.sql import gate
from jupyter_gov.sql.classify import Classified, classify
from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.reading import Reads
from jupyter_gov.wire.messages import (
    Explanation,
    PrincipalView,
    Query,
    TableView,
    encode_error,
)
from jupyter_gov.wire.times import show_duration

Choice = Grant | Eligibility
"""The grant to run under, or the eligibility whose default grant would be opened first."""


class ExplainFlow:
    """Answers what a statement would meet."""

    def __init__(
        self, intake: Intake, desk: GrantDesk, log: AuditLog, record: Recorder, clock: Clock
    ) -> None:
        self._intake = intake
        self._desk = desk
        self._log = log
        self._record = record
        self._clock = clock

    def explain(self, request: SignedRequest) -> Explanation:
        """
        Steps 1 to 5 of the statement in *request*.

        A refusal of the policy or of the statement is the answer; others are raised, as a query
        would raise them.
        """
        with self._intake.asked(request, to="explain") as asked:  # 1 admit, 2 authenticate
            caller, query, policy = asked.caller, asked.query, asked.policy
            found = Findings()
            try:
                found.gated = self._intake.gated(asked)  # 3 coarse authorise, 4 gate
                found.choice = self._desk.foresee(policy, caller, found.gated.need)  # 5 decide
                found.reads = reads_under(policy, found.choice, found.gated.statement)
            except (Denied, QueryFailed) as refusal:
                found.refusal = refusal
            except Exception as problem:
                why = problem if isinstance(problem, GovError) else fault_of(problem)
                purpose = caller.session.purpose
                raise self._record.refused(
                    caller.actor, purpose, query, policy, why, "explain"
                ) from None
            event = self._record.explained(
                caller, query, policy, found.statement, found.choice, found.decision, found.code
            )
            self._log.append(event)  # raises: nothing is told
            return self._answer(asked, found, event.record)

    def _answer(self, asked: Asked, found: Findings, record: str) -> Explanation:
        session = asked.caller.session
        if found.refusal is not None:
            found.refusal.record = record
        told = found.told(asked.policy, asked.query, principal_view(session.principal))
        grant = found.choice if isinstance(found.choice, Grant) else None
        return replace(
            told,
            purpose=session.purpose,
            grant=grant_view(grant, self._clock()) if grant else None,
            record=record,
        )


@dataclass(slots=True)
class Findings:
    """What became known of a statement, as far as it came."""

    gated: Gated | None = None
    choice: Choice | None = None
    reads: Reads | None = None
    refusal: GovError | None = None

    @property
    def statement(self) -> Statement | None:
        return self.gated.statement if self.gated else None

    @property
    def code(self) -> str:
        return self.refusal.code if self.refusal else ""

    @property
    def decision(self) -> str:
        """See `Explanation.decision`."""
        if self.refusal is not None:
            return "deny" if isinstance(self.refusal, Denied) else "fail"
        return "open" if isinstance(self.choice, Eligibility) else "allow"

    def _classified(self, policy: Policy, query: Query) -> Classified | None:
        """None for a stranger's statement, which nobody looks at."""
        if self.gated is None and isinstance(self.refusal, NoGrant):
            return None
        engine = policy.engines[query.connection]
        return classify(query.sql, engine.dialect, engine.functions, {})

    def told(self, policy: Policy, query: Query, principal: PrincipalView) -> Explanation:
        """The explanation, but for what only a session has."""
        statement, choice = self.statement, self.choice
        source, classified = _eligibility_of(policy, choice), self._classified(policy, query)
        return Explanation(
            decision=self.decision,
            rule=_rule(choice, self.refusal),
            connection=query.connection,
            principal=principal,
            eligibility=source.name if source else "",
            opens_for=show_duration(choice.default_duration)
            if isinstance(choice, Eligibility)
            else "",
            min_group=policy.profiles[source.name].min_group if source else 0,
            kind=classified.kind if classified else "",
            risk=classified.risk if classified else "",
            binds=statement.binds if statement else (),
            relations=statement.relations if statement else (),
            tables=_tables(policy, query.connection, source, self.reads) if self.reads else (),
            exact=self.reads.exact if self.reads else True,
            refusal=encode_error(self.refusal) if self.refusal else None,
        )


def foresee(policy: Policy, query: Query, principal: Principal, *, at: datetime) -> Findings:
    """
    What *query* would meet in a session of *principal* that holds no grant yet.

    Raises what is neither the policy's nor the statement's fault: DatabaseUnavailable.
    """
    found = Findings()
    offers = policy.of_person(query.connection, principal.person, agent=principal.is_agent)
    try:
        if not offers:
            raise no_grant(query.connection)
        engine = policy.engines[query.connection]
        statement = gate.read(query.sql, engine.dialect, engine.functions)
        need = need_of(query, statement, engine)
        found.gated = Gated(statement=statement, binds={}, need=need)
        openable = [offer for offer in offers if offer.approval == "auto"]
        found.choice = choose(need, [], openable, policy.clear_columns(), at=at)
        found.reads = reads_under(policy, found.choice, statement)
    except (Denied, QueryFailed) as refusal:
        found.refusal = refusal
    return found


def reads_under(policy: Policy, choice: Choice, statement: Statement) -> Reads:
    """
    What *statement* would read under that grant or eligibility.

    Raises StatementRefused, UnknownName, EngineRefused, QueryFailed, DatabaseUnavailable.
    """
    source = _eligibility_of(policy, choice)
    assert source is not None  # what was chosen comes from the configuration in force
    held = held_to_groups(policy, source.name, choice.connection, statement)
    tables = choice.tables if isinstance(choice, Grant) else frozenset(choice.tables)
    try:
        return policy.engines[choice.connection].reads(
            held.statement if held else statement,
            profile=policy.profiles[source.name],
            tables=tables,
        )
    except GovError as problem:
        raise in_own_text(problem, held, statement.text) from None


def _eligibility_of(policy: Policy, choice: Choice | None) -> Eligibility | None:
    if isinstance(choice, Grant):
        return policy.eligibilities[choice.eligibility]
    return choice


def _rule(choice: Choice | None, refusal: GovError | None) -> str:
    if refusal is not None:
        return refusal.message
    if isinstance(choice, Grant):
        return f"grant {choice.grant_id} covers it, by the eligibility {choice.eligibility}"
    assert choice is not None
    return f"the eligibility {choice.name} opens a grant that covers it, approval {choice.approval}"


def _tables(
    policy: Policy, connection: str, source: Eligibility | None, reads: Reads
) -> tuple[TableView, ...]:
    """The tables with the columns that are read, and those columns' treatments."""
    assert source is not None  # it was read under something
    profile = policy.profiles[source.name]
    catalog = policy.engines[connection].catalog()
    by_table: dict[str, set[str]] = {}
    for table, column in reads.columns:
        by_table.setdefault(table, set()).add(column)
    return tuple(
        _only(table_view(catalog.tables[name], profile, policy.detectors), columns)
        for name, columns in sorted(by_table.items())
        if name in catalog.tables
    )


def _only(table: TableView, columns: set[str]) -> TableView:
    if "*" in columns:
        return table
    return replace(table, columns=tuple(c for c in table.columns if c.name in columns))
