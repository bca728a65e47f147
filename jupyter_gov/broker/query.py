"""
The way of a query, in the order in which every step must happen.

Read `QueryFlow.run` first: it is the whole of it.  A refusal at any step but the first is recorded
before it is answered; the limits of the first step would be none if each excess were a record.  The
steps are numbered as in docs/explanation/architecture.md; the first four are in `intake.py`, since
what is only explained takes them too (`explain.py`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa

from jupyter_gov.access.decide import budget_spent, spent
from jupyter_gov.access.model import Grant
from jupyter_gov.access.ports import GrantStore
from jupyter_gov.audit.events import Event
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.broker.caller import Caller, SignedRequest
from jupyter_gov.broker.desk import GrantDesk
from jupyter_gov.broker.end import grant_over, timed_out
from jupyter_gov.broker.groups import held_to_groups, in_own_text
from jupyter_gov.broker.intake import Intake, fault_of
from jupyter_gov.broker.ports import Execution, Policy, Sink
from jupyter_gov.broker.record import Recorder
from jupyter_gov.broker.running import Run, Running
from jupyter_gov.broker.stream import ArrowStream, rows_within
from jupyter_gov.broker.views import head_of
from jupyter_gov.errors import GovError
from jupyter_gov.identity.ports import Clock
from jupyter_gov.masking.detection.detector import Surrogates
from jupyter_gov.masking.frame import NO_SURROGATES, FrameMask, Replaces
from jupyter_gov.masking.treatments import Seals
from jupyter_gov.sql import gate
from jupyter_gov.sql.aggregate import Grouped
from jupyter_gov.wire.messages import Bind, Query

_ITS_TIME = "ended while the statement ran: its time was over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A statement that may run: what was decided, and the intent that says so."""

    caller: Caller
    query: Query
    policy: Policy
    statement: gate.Statement
    binds: dict[str, Bind]
    grant: Grant
    opened: bool
    intent: Event
    let_go: Callable[[], None]
    held: Grouped | None = None
    """What runs in the statement's place, where only groups are shown."""


class QueryFlow:
    """Runs statements, each in the calling thread from request to trailer."""

    def __init__(
        self,
        intake: Intake,
        desk: GrantDesk,
        grants: GrantStore,
        log: AuditLog,
        record: Recorder,
        running: Running,
        clock: Clock,
        seals_of: Callable[[str], Seals],
        surrogates: Surrogates = NO_SURROGATES,
        fpe: Replaces | None = None,
    ) -> None:
        self._intake = intake
        self._desk = desk
        self._grants = grants
        self._log = log
        self._record = record
        self._running = running
        self._clock = clock
        self._seals_of = seals_of
        self._surrogates = surrogates
        self._fpe = fpe

    def run(self, request: SignedRequest, sink: Sink) -> None:
        """One statement.  Raises GovError while nothing has been sent; later the trailer tells."""
        with self._intake.asked(request, to="run") as asked:  # 1 admit, 2 authenticate
            caller, query, policy = asked.caller, asked.query, asked.policy
            try:
                gated = self._intake.gated(asked)  # 3 coarse authorise, 4 gate
                grant, opened = self._desk.settle(policy, caller, gated.need)  # 5 decide
                held = held_to_groups(policy, grant.eligibility, query.connection, gated.statement)
                intent = self._record.intent(caller, query, policy, gated.statement, grant)
            except Exception as problem:
                why = problem if isinstance(problem, GovError) else fault_of(problem)
                purpose = caller.session.purpose
                raise self._record.refused(
                    caller.actor, purpose, query, policy, why, "run"
                ) from None
            self._log.append(intent)  # 6 record the intent; raises: nothing runs
            allowed = Allowed(
                caller=caller, query=query, policy=policy, statement=gated.statement,
                binds=gated.binds, grant=grant, opened=opened, intent=intent,
                let_go=asked.let_go, held=held,
            )  # fmt: skip
            self._execute(allowed, sink)  # 7 execute, 8 mask, 9 outcome

    def _execute(self, allowed: Allowed, sink: Sink) -> None:
        """From the recorded intent to the recorded outcome, whatever happens between."""
        spec = allowed.policy.connections[allowed.query.connection]
        grant, session = allowed.grant, allowed.caller.session
        ends_at = min(grant.end, session.ends_at)
        now = self._clock()
        left = min(ends_at - now, spec.timeout)
        run = Run(
            query_id=allowed.query.query_id,
            record=allowed.intent.record,
            session_id=session.session_id,
            grant_id=grant.grant_id,
            connection=grant.connection,
            slot_id=allowed.caller.kernel.slot_id,
            ends_at=ends_at,
            began_at=now,
            stops_at=now + spec.timeout,
            sink=sink,
        )
        head = head_of(allowed.caller, grant, allowed.intent.record, allowed.opened, self._clock())
        stream = ArrowStream(sink, head)
        began = time.monotonic()
        error: GovError | None = None
        execution: Execution | None = None
        self._running.add(run)
        try:
            profile = allowed.policy.profiles[grant.eligibility]
            detectors = allowed.policy.detectors
            if not self._grants.spend(grant.grant_id):
                raise self._used_up(grant)
            execution = allowed.policy.engines[grant.connection].start(
                allowed.held.statement if allowed.held else allowed.statement,
                allowed.binds,
                profile=profile,
                tables=grant.tables,
                seals=self._seals_of(grant.grant_id),
                today=self._clock().date(),
                deadline=began + left.total_seconds(),
                grant_id=grant.grant_id,
                ends_at=ends_at,
            )
            run.started(execution)
            stream.opens(
                FrameMask(
                    execution.opener, detectors, self._surrogates, stream.counts, fpe=self._fpe,
                    profile=profile.profile_id, check=lambda: self._check(run, grant),
                )
            )  # fmt: skip
            try:
                self._send(allowed, run, stream)
            finally:
                stream.note(execution, profile, detectors)
        except GovError as problem:
            problem = in_own_text(problem, allowed.held, allowed.query.sql)
            error = run.ended or self._in_time(problem, run, grant, left)
        except Exception as fault:  # ours; it must still close the intent, and is not shown
            error = run.ended or fault_of(fault)
        finally:
            self._running.remove(run)
        try:
            trailer = stream.trailer(error)
            self._log.append(
                self._record.outcome(allowed.intent, stream, trailer, error, began), reserved=True
            )
            allowed.let_go()
            if error is None:
                stream.finish(trailer)
            else:
                error.record = allowed.intent.record
                stream.fail(trailer, error)
        finally:
            if execution is not None:  # nobody waits for the session to be reset
                _close(execution)

    def _send(self, allowed: Allowed, run: Run, stream: ArrowStream) -> None:
        """Stream batches until the end, a limit, or the end of what it runs under."""
        execution = run.execution
        assert execution is not None
        with contextlib.closing(execution.batches()) as batches:
            for batch in batches:
                self._check(run, allowed.grant)
                batch = self._measured(allowed, stream, batch)
                stream.send(batch, execution.expected(execution.names))
                if stream.cut_by:
                    break
        self._check(run, allowed.grant)
        stream.drain()
        self._check(run, allowed.grant)  # what waited to be taken when it ended was dropped

    def _measured(
        self, allowed: Allowed, stream: ArrowStream, batch: pa.RecordBatch
    ) -> pa.RecordBatch:
        """
        As much of the batch as the limits and the grant's budget leave room for.

        The rows count before they are sent: statements that run side by side share one budget.
        """
        spec, asked = allowed.policy.connections[allowed.grant.connection], allowed.query.limit
        most = spec.max_rows if asked is None else min(asked, spec.max_rows)
        rooms = (
            ("limit" if asked == most else "max_rows", most - stream.rows),
            ("max_bytes", rows_within(batch, spec.max_bytes - stream.bytes)),
        )
        rows = batch.num_rows
        for name, room in rooms:
            if rows > room:
                stream.cut_by, rows = name, room
        if rows:
            taken = self._grants.take_rows(allowed.grant.grant_id, rows)
            if taken < rows:
                stream.cut_by, rows = "budget", taken
        return batch.slice(0, rows)

    def _used_up(self, chosen: Grant) -> GovError:
        """Between the decision and now, another statement took the last of it, or it ended."""
        grant = self._grants.grant(chosen.grant_id) or chosen
        if spent(grant):
            return budget_spent(grant)
        return grant_over(grant, "ended in this moment")

    def _check(self, run: Run, grant: Grant) -> None:
        if run.ended is not None:
            raise run.ended
        if self._clock() >= run.ends_at:
            raise grant_over(grant, _ITS_TIME)

    def _in_time(self, problem: GovError, run: Run, grant: Grant, left: timedelta) -> GovError:
        """What stopped the engine was the clock: say which one."""
        if problem.code != "query_failed" or problem.message != "the statement was stopped":
            return problem
        if self._clock() >= run.ends_at:
            return grant_over(grant, _ITS_TIME)
        return timed_out(left)


def _close(execution: Execution) -> None:
    """Its answer has been given, whatever happens now."""
    try:
        execution.close()
    except Exception as fault:
        fault_of(fault)
