"""
The way of a query, in the order in which every step must happen.

Read `QueryFlow.run` first: it is the whole of it.  A refusal at any step but the first is recorded
before it is answered; the limits of the first step would be none if each excess were a record.  The
steps are numbered as in docs/explanation/architecture.md.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa

from jupyter_gov.access.decide import Need, budget_spent, spent
from jupyter_gov.access.model import Action, Grant
from jupyter_gov.access.ports import GrantStore
from jupyter_gov.audit.events import Event
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.audit.sealing import AuditKey
from jupyter_gov.broker.caller import Caller, Doorkeeper, SignedRequest, of_kernel
from jupyter_gov.broker.desk import MAX_NOTE, GrantDesk
from jupyter_gov.broker.end import grant_over, timed_out
from jupyter_gov.broker.limits import Limits
from jupyter_gov.broker.ports import Engine, Policy, Sink
from jupyter_gov.broker.record import Recorder
from jupyter_gov.broker.running import Run, Running
from jupyter_gov.broker.stream import ArrowStream, rows_within
from jupyter_gov.broker.views import head_of
from jupyter_gov.errors import (
    BadRequest,
    BindMissing,
    GovError,
    NotAttached,
    QueryFailed,
)
from jupyter_gov.identity.ports import Clock
from jupyter_gov.masking.treatments import Seals
from jupyter_gov.sql import gate
from jupyter_gov.sql.names import place_of
from jupyter_gov.wire.messages import Bind, Query, decode, decode_bind

_log = logging.getLogger(__name__)
_ITS_TIME = "ended while the statement ran: its time was over"
_BYTES_PER_TOKEN = 8_192
MAX_BINDS = 100_000
"""Characters of all parameters together, as JSON."""
_QUERY_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


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


class QueryFlow:
    """Runs statements, each in the calling thread from request to trailer."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        desk: GrantDesk,
        grants: GrantStore,
        log: AuditLog,
        audit_key: AuditKey,
        limits: Limits,
        running: Running,
        clock: Clock,
        policy: Callable[[], Policy],
        seals_of: Callable[[str], Seals],
    ) -> None:
        self._doorkeeper = doorkeeper
        self._desk = desk
        self._grants = grants
        self._log = log
        self._record = Recorder(log, audit_key, clock)
        self._limits = limits
        self._running = running
        self._clock = clock
        self._policy = policy
        self._seals_of = seals_of

    def run(self, request: SignedRequest, sink: Sink) -> None:
        """One statement.  Raises GovError while nothing has been sent; later the trailer tells."""
        self._limits.room(request.claim.key_id)  # 1 admit
        kernel = self._doorkeeper.kernel(request)  # 2 authenticate
        self._limits.pace(kernel.slot_id, _cost(request.body))
        policy = self._policy()
        try:
            query = _checked(decode(Query, request.body))
        except BadRequest as refusal:
            raise self._record.malformed(of_kernel(kernel), request.body, refusal) from None
        try:
            caller = self._doorkeeper.attached(kernel)
        except NotAttached as refusal:
            raise self._record.refused(of_kernel(kernel), "", query, policy, refusal) from None
        with self._limits.hold(kernel.slot_id, caller.session.principal.person):
            try:
                self._desk.any(policy, caller, query.connection)  # 3 coarse authorise
                engine = policy.engines[query.connection]
                statement = gate.read(query.sql, engine.dialect)  # 4 gate
                binds = _binds(query, statement)
                need = _need(query, statement, engine)
                grant, opened = self._desk.settle(policy, caller, need)  # 5 decide
                intent = self._record.intent(caller, query, policy, statement, grant)
            except Exception as problem:
                why = problem if isinstance(problem, GovError) else _fault(problem)
                purpose = caller.session.purpose
                raise self._record.refused(caller.actor, purpose, query, policy, why) from None
            self._log.append(intent)  # 6 record the intent; raises: nothing runs
            allowed = Allowed(
                caller=caller, query=query, policy=policy, statement=statement, binds=binds,
                grant=grant, opened=opened, intent=intent,
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
        self._running.add(run)
        try:
            if not self._grants.spend(grant.grant_id, queries=1, rows=0):
                raise self._used_up(grant)
            execution = allowed.policy.engines[grant.connection].start(
                allowed.statement,
                allowed.binds,
                profile=allowed.policy.profiles[grant.eligibility],
                tables=grant.tables,
                seals=self._seals_of(grant.grant_id),
                today=self._clock().date(),
                deadline=began + left.total_seconds(),
                grant_id=grant.grant_id,
                ends_at=ends_at,
            )
            run.started(execution)
            try:
                self._send(allowed, run, stream)
            finally:
                stream.note(execution)
                execution.close()
                if grant.max_rows is None and stream.rows:
                    self._grants.spend(grant.grant_id, queries=0, rows=stream.rows)
        except GovError as problem:
            error = run.ended or self._in_time(problem, run, grant, left)
        except Exception as fault:  # ours; it must still close the intent, and is not shown
            error = run.ended or _fault(fault)
        finally:
            self._running.remove(run)
        trailer = stream.trailer(error)
        self._log.append(
            self._record.outcome(allowed.intent, stream, trailer, error, began), reserved=True
        )
        if error is None:
            stream.finish(trailer)
        else:
            error.record = allowed.intent.record
            stream.fail(trailer, error)

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
        if allowed.grant.max_rows is not None and rows:
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


def _need(query: Query, statement: gate.Statement, engine: Engine) -> Need:
    catalog = engine.catalog()
    return Need(
        connection=query.connection,
        tables=frozenset(catalog.resolve(name) or name for name in statement.relations),
        action=Action(statement.action),
        named=query.grant,
        place_of=lambda table: place_of(table, query.sql, engine.dialect),
    )


def _cost(body: bytes) -> float:
    """Of a request, in tokens: what is large is written to the record, and so comes seldom."""
    return 1 + len(body) / _BYTES_PER_TOKEN


def _binds(query: Query, statement: gate.Statement) -> dict[str, Bind]:
    """The values of the statement's parameters.  Raises BindMissing for one too many."""
    if extra := sorted(query.binds.keys() - set(statement.binds)):
        raise BindMissing(f"there is a value for :{extra[0]}, which is not in the statement")
    return {name: decode_bind(name, value) for name, value in query.binds.items()}


def _checked(query: Query) -> Query:
    if not _QUERY_ID.fullmatch(query.query_id):
        raise BadRequest("a query id is 8 to 64 letters, digits, _ or -")
    if query.limit is not None and query.limit < 0:
        raise BadRequest("a limit is not negative")
    if len(query.sql) > gate.MAX_SQL:
        raise BadRequest(
            f"the statement is longer than {gate.MAX_SQL:,} characters", hint="Bind values instead."
        )
    if (length := len(json.dumps(query.binds))) > MAX_BINDS:
        raise BadRequest(
            f"the parameters take {length:,} characters; {MAX_BINDS:,} may be sent",
            hint="Parameters are for conditions, not for uploading data.",
        )
    if len(query.note) > MAX_NOTE:
        raise BadRequest(f"a note has at most {MAX_NOTE} characters")
    return query


def _fault(fault: Exception) -> GovError:
    # Only the place is logged: the message of a library's error may contain values.
    frame = traceback.extract_tb(fault.__traceback__)[-1]
    _log.error("fault %s at %s:%s", type(fault).__name__, frame.filename, frame.lineno)
    return QueryFailed(
        "the gateway failed while running the statement",
        hint="The gateway's own log says where; the record says that it happened.",
    )
