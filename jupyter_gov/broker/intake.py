"""
From a signed request to a statement that can be decided on: steps 1 to 4 of the way of a query.

What is to run and what is only to be explained come the same way, in the same order, so that a
question tells nobody more than a statement would.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jupyter_gov.access.decide import Need
from jupyter_gov.access.model import Action
from jupyter_gov.broker.caller import Caller, Doorkeeper, SignedRequest, of_kernel
from jupyter_gov.broker.desk import MAX_NOTE, GrantDesk
from jupyter_gov.broker.limits import Limits
from jupyter_gov.broker.ports import Engine, Policy
from jupyter_gov.broker.record import Recorder
from jupyter_gov.errors import BadRequest, BindMissing, GovError, NotAttached, QueryFailed
from jupyter_gov.sql import gate
from jupyter_gov.sql.names import place_of
from jupyter_gov.sql.recent import remembering
from jupyter_gov.wire.messages import Bind, Query, decode, decode_bind

_log = logging.getLogger(__name__)
_BYTES_PER_TOKEN = 8_192
MAX_BINDS = 100_000
"""Characters of all parameters together, as JSON."""
_QUERY_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks for what, under which configuration: admitted and authenticated."""

    caller: Caller
    query: Query
    policy: Policy
    let_go: Callable[[], None]
    """Counts it among those that run no more, before its answer ends."""

    @property
    def engine(self) -> Engine:
        """Of its connection, which is there once `Intake.gated` let it pass."""
        return self.policy.engines[self.query.connection]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A statement that passed the gate, and what it needs."""

    statement: gate.Statement
    binds: dict[str, Bind]
    need: Need


class Intake:
    """Admits, authenticates, authorises coarsely, and reads the statement."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        desk: GrantDesk,
        limits: Limits,
        record: Recorder,
        policy: Callable[[], Policy],
    ) -> None:
        self._doorkeeper = doorkeeper
        self._desk = desk
        self._limits = limits
        self._record = record
        self._policy = policy
        self._read = remembering(gate.read)

    @contextlib.contextmanager
    def asked(self, request: SignedRequest, *, to: str) -> Iterator[Asked]:
        """
        1 admit, 2 authenticate.  Within, it counts as one running statement.

        A refusal is recorded but for those by limits, which would be none if each excess were a
        record.

        Args:
            to: ``run`` or ``explain``, for the record of a refusal.
        """
        self._limits.room(request.claim.key_id)
        kernel = self._doorkeeper.kernel(request)
        self._limits.pace(kernel.slot_id, _cost(request.body))
        policy = self._policy()
        try:
            query = _checked(decode(Query, request.body))
        except BadRequest as refusal:
            raise self._record.malformed(of_kernel(kernel), request.body, refusal, to) from None
        try:
            caller = self._doorkeeper.attached(kernel)
        except NotAttached as refusal:
            raise self._record.refused(of_kernel(kernel), "", query, policy, refusal, to) from None
        with self._limits.hold(kernel.slot_id, caller.session.principal.person) as let_go:
            yield Asked(caller=caller, query=query, policy=policy, let_go=let_go)

    def gated(self, asked: Asked) -> Gated:
        """
        3 coarse authorise, 4 gate.

        Raises NoGrant before it has looked at the statement; then StatementRefused, BadSyntax,
        BindMissing.
        """
        query = asked.query
        self._desk.any(asked.policy, asked.caller, query.connection)
        statement = self._read(query.sql, asked.engine.dialect, asked.engine.functions)
        need = need_of(query, statement, asked.engine)
        return Gated(statement=statement, binds=_binds(query, statement), need=need)


def need_of(query: Query, statement: gate.Statement, engine: Engine) -> Need:
    """What has to be granted for it."""
    catalog = engine.catalog()
    return Need(
        connection=query.connection,
        tables=frozenset(catalog.resolve(name) or name for name in statement.relations),
        action=Action(statement.action),
        named=query.grant,
        place_of=lambda table: place_of(table, query.sql, engine.dialect),
    )


def fault_of(fault: Exception) -> GovError:
    """What is told of an error that is none of the tree: ours, and not the asker's to see."""
    # Only the place is logged: the message of a library's error may contain values.
    frame = traceback.extract_tb(fault.__traceback__)[-1]
    _log.error("fault %s at %s:%s", type(fault).__name__, frame.filename, frame.lineno)
    return QueryFailed(
        "the gateway failed while running the statement",
        hint="The gateway's own log says where; the record says that it happened.",
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
