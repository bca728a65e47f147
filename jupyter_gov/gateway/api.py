"""The API of kernels and of notebook servers: everything here is signed, nothing here decides."""

from __future__ import annotations

import asyncio

from tornado.iostream import StreamClosedError

from jupyter_gov import errors
from jupyter_gov.access.decide import narrowest, spent
from jupyter_gov.access.model import Grant
from jupyter_gov.audit.events import Actor, Event
from jupyter_gov.broker.caller import Caller, of_kernel
from jupyter_gov.broker.end import Target
from jupyter_gov.broker.views import (
    connection_views,
    grant_view,
    session_view,
    table_view,
)
from jupyter_gov.gateway.handlers import GovHandler, Service, SignedHandler
from jupyter_gov.gateway.pipe import Pipe
from jupyter_gov.identity.enrolment import KERNEL_ID
from jupyter_gov.identity.model import Kernel, Server
from jupyter_gov.wire import messages as m
from jupyter_gov.wire.times import utc

VERSION = "0.1"
_LOOK = 0.1
"""What a look at a kernel's state costs a notebook server, which shows many; an act costs 1."""
_LOOK_AGAIN = 0.1
_CUT_AFTER = 5.0
"""Seconds a reader has to take the last word of a stream that was cut."""


class KernelHandler(SignedHandler):
    """A kernel's request."""

    async def kernel(self) -> Kernel:
        gateway, signed = self.service.gateway, self.signed()
        gateway.limits.room(signed.claim.key_id)
        kernel = await self.call(gateway.doorkeeper.kernel, signed)
        gateway.limits.pace(kernel.slot_id)
        return kernel

    async def caller(self) -> Caller:
        kernel = await self.kernel()
        return await self.call(self.service.gateway.doorkeeper.attached, kernel)


class EnrolHandler(SignedHandler):
    """POST enrol: the one-use secret for the registration of a key."""

    async def post(self) -> None:
        gateway = self.service.gateway
        slot = self.signed().claim.key_id
        await self.call(gateway.doorkeeper.enrolment.knock, slot)
        gateway.limits.pace(f"enrol {slot}")
        isolation = await self.call(self.measured)
        kernel = await self.call(gateway.doorkeeper.enrol, self.signed(), isolation=isolation)
        await self.call(
            gateway.log.append,
            Event(
                kind="kernel.enrolled",
                at=gateway.clock(),
                actor=of_kernel(kernel),
                says={"address": kernel.client_address},
            ),
        )
        await self.call(gateway.continuity.carry_over, kernel)
        self.answer(
            m.Enrolled(
                key_id=kernel.slot_id,
                page_url=self.service.page_url,
                isolation=kernel.isolation,
                version=VERSION,
            )
        )


class AttachHandler(KernelHandler):
    """POST attach: a code to show.  GET attach/ID: what became of it."""

    async def post(self) -> None:
        kernel = await self.kernel()
        asked = m.decode(m.OpenCode, self.request.body)
        request, code = await self.call(
            self.service.gateway.attach.open_code, kernel, agent=asked.agent
        )
        self.answer(
            m.Code(
                request_id=request.request_id,
                code=code,
                url=self.service.page_url,
                expires_at=utc(request.expires_at),
            )
        )

    async def get(self, request_id: str) -> None:
        kernel = await self.kernel()
        state = await self.call(self.service.gateway.attach.attachment.state, kernel, request_id)
        self.answer(m.CodeState(state=state))


class SessionHandler(KernelHandler):
    """GET session: who am I.  DELETE session: detach."""

    async def get(self) -> None:
        kernel = await self.kernel()
        self.answer(await self.call(_view, self.service, kernel))

    async def delete(self) -> None:
        caller = await self.caller()
        await self.call(
            self.service.gateway.ender.end,
            Target("session", caller.session.session_id),
            "signed out in the kernel",
        )
        self.answer(await self.call(_view, self.service, caller.kernel))


class ConnectionsHandler(KernelHandler):
    """GET connections: what this session may use or ask for."""

    async def get(self) -> None:
        caller = await self.caller()
        self.answer(await self.call(self._list, caller))

    def _list(self, caller: Caller) -> m.Listing:
        gateway = self.service.gateway
        policy = gateway.policy
        now = gateway.clock()
        eligible = {
            name: gateway.grants.eligible(policy, caller, name) for name in policy.connections
        }
        active = {
            g.connection for g in gateway.grants.held(policy, caller) if g.state(now) == "active"
        }
        return m.Listing(connections=connection_views(policy, eligible, active))


class TablesHandler(KernelHandler):
    """GET connections/NAME/tables: the projections, with types before and after."""

    async def get(self, connection: str) -> None:
        caller = await self.caller()
        self.answer(await self.call(self._list, caller, connection))

    def _list(self, caller: Caller, connection: str) -> m.Listing:
        gateway = self.service.gateway
        policy = gateway.policy
        gateway.grants.any(policy, caller, connection)
        now = gateway.clock()
        held = gateway.grants.held(policy, caller, connection)
        active = [g for g in held if g.state(now) == "active"]
        grant = narrowest(active, policy.clear_columns())
        if grant is not None:
            name, tables = grant.eligibility, grant.tables
        else:
            offers = gateway.grants.eligible(policy, caller, connection)
            if not offers:
                return m.Listing()
            offer = min(offers, key=lambda e: (len(e.tables), len(e.clear), e.name))
            name, tables = offer.name, frozenset(offer.tables)
        catalog = policy.engines[connection].catalog()
        profile = policy.profiles[name]
        return m.Listing(
            tables=tuple(
                table_view(catalog.tables[t], profile, policy.detectors)
                for t in sorted(tables & set(catalog.tables))
            )
        )


class GrantsHandler(KernelHandler):
    """GET grants: mine.  POST grants: ask for one."""

    async def get(self) -> None:
        caller = await self.caller()
        self.answer(await self.call(self._list, caller))

    def _list(self, caller: Caller) -> m.Listing:
        gateway = self.service.gateway
        now = gateway.clock()
        held = gateway.grants.held(gateway.policy, caller)
        return m.Listing(grants=tuple(grant_view(g, now) for g in held))

    async def post(self) -> None:
        caller = await self.caller()
        asked = m.decode(m.RequestGrant, self.request.body)
        self.answer(await self.call(self._request, caller, asked))

    def _request(self, caller: Caller, asked: m.RequestGrant) -> m.GrantView:
        gateway = self.service.gateway
        try:
            grant = gateway.grants.request(gateway.policy, caller, asked)
        except errors.Denied as refusal:
            gateway.grants.refused(caller, asked.connection, refusal)
            raise
        return grant_view(grant, gateway.clock())


class GrantHandler(KernelHandler):
    """DELETE grants/ID: end my own grant early."""

    async def delete(self, grant_id: str) -> None:
        caller = await self.caller()
        self.answer(await self.call(self._end, caller, grant_id))

    def _end(self, caller: Caller, grant_id: str) -> m.GrantView:
        gateway = self.service.gateway
        grant = gateway.store.grant(grant_id)
        if grant is None or grant.session_id != caller.session.session_id:
            raise errors.NotFound("this session holds no such grant")
        gateway.ender.end(Target("grant", grant_id), "given back by its holder")
        return grant_view(gateway.store.grant(grant_id) or grant, gateway.clock())


class BudgetHandler(KernelHandler):
    """GET connections/NAME/budget: what is left under the grant the next statement would use."""

    async def get(self, connection: str) -> None:
        caller = await self.caller()
        self.answer(await self.call(self._budget, caller, connection))

    def _budget(self, caller: Caller, connection: str) -> m.Budget:
        gateway = self.service.gateway
        policy, now = gateway.policy, gateway.clock()
        gateway.grants.any(policy, caller, connection)
        held = gateway.grants.held(policy, caller, connection)
        usable = [g for g in held if g.state(now) == "active" and not spent(g)]
        grant: Grant | None = narrowest(usable, policy.clear_columns())
        per_statement = policy.connections[connection].max_rows
        if grant is None:
            return m.Budget(
                grant="", seconds_left=0, statements_left=0, rows_left=0,
                rows_per_statement=per_statement,
            )  # fmt: skip
        return m.Budget(
            grant=grant.grant_id,
            seconds_left=int((grant.end - now).total_seconds()),
            statements_left=_left(grant.max_queries, grant.queries),
            rows_left=_left(grant.max_rows, grant.rows),
            rows_per_statement=per_statement,
        )


class QueriesHandler(SignedHandler):
    """POST queries: run one statement, stream the masked frame as Arrow IPC."""

    _sink: Pipe | None = None
    _running: asyncio.Future[None] | None = None

    async def post(self) -> None:
        gateway = self.service.gateway
        loop = asyncio.get_running_loop()
        sink = self._sink = Pipe(loop, self._cut_soon)
        running = self._running = loop.run_in_executor(
            self.service.queries, gateway.queries.run, self.signed(), sink
        )
        running.add_done_callback(lambda _: sink.end())
        self.set_header("Content-Type", "application/vnd.apache.arrow.stream")
        try:
            async for piece in sink.chunks():
                self.write(piece)
                await self.flush()
            if not running.done():
                self.finish()  # all of it is said, while the session is still being reset
        except StreamClosedError:
            self.on_connection_close()
        await running

    def _cut_soon(self) -> None:
        asyncio.get_running_loop().call_later(_CUT_AFTER, self._cut)

    def _cut(self) -> None:
        """The run was ended and its reader did not take the last word in time."""
        if not self._finished:
            self.request.connection.stream.close()  # type: ignore[union-attr]

    def on_connection_close(self) -> None:
        """The kernel has gone: stop its statement in the database."""
        if self._sink is not None:
            self._sink.gone()
            self._stop()

    def _stop(self) -> None:
        """End its run.  Looked for until the thread is done: it may only be about to begin."""
        if self._running is None or self._running.done():
            return
        for run in self.service.gateway.running:
            if run.sink is self._sink:
                self.service.control.submit(
                    run.end, errors.Cancelled("the kernel closed the connection")
                )
        asyncio.get_running_loop().call_later(_LOOK_AGAIN, self._stop)


class QueryHandler(KernelHandler):
    """DELETE queries/ID: cancel my own statement."""

    async def delete(self, query_id: str) -> None:
        kernel = await self.kernel()
        await self.call(
            self.service.gateway.ender.end,
            Target("statement", query_id, kernel.slot_id),
            "interrupted in the kernel",
        )
        self.set_status(204)
        self.finish()


class ExplanationsHandler(SignedHandler):
    """POST explanations: what would become of a statement.  It is not run."""

    async def post(self) -> None:
        explain = self.service.gateway.explanations.explain
        running = asyncio.get_running_loop().run_in_executor(
            self.service.queries, explain, self.signed()
        )
        self.answer(await running)


# ------------------------------------------------------------------ notebook servers


class ServerHandler(SignedHandler):
    """A notebook server's request: it opens slots and reads their state, and nothing else."""

    async def server(self, cost: float = 1.0) -> Server:
        gateway, signed = self.service.gateway, self.signed()
        gateway.limits.room(signed.claim.key_id)
        server = await self.call(gateway.doorkeeper.server, signed)
        gateway.limits.pace(server.server_id, cost)
        return server


class SlotsHandler(ServerHandler):
    """POST slots: a kernel is about to start."""

    async def post(self) -> None:
        server = await self.server()
        asked = m.decode(m.OpenSlot, self.request.body)
        isolation = await self.call(self.measured)
        self.answer(await self.call(self._open, server, asked, isolation))

    def _open(self, server: Server, asked: m.OpenSlot, isolation: str) -> m.Slot:
        gateway = self.service.gateway
        earlier = gateway.store.current_kernel(server.server_id, asked.kernel_id)
        slot = gateway.doorkeeper.enrolment.open_slot(server, asked)
        if earlier is not None:
            gateway.ender.end(Target("kernel", earlier.slot_id), "it was restarted")
        gateway.log.append(
            Event(
                kind="kernel.opened",
                at=gateway.clock(),
                actor=Actor(kernel=slot.slot_id, server=server.server_id, isolation=isolation),
                says={
                    "kernel_id": asked.kernel_id,
                    "claimed_notebook": asked.notebook[:300],
                    "claimed_user": asked.user[:80],
                },
            )
        )
        return slot


class SlotHandler(ServerHandler):
    """GET slots/KERNEL: its state, for the front end.  DELETE: it was shut down."""

    async def get(self, kernel_id: str) -> None:
        server = await self.server(_LOOK)
        self.answer(await self.call(self._state, server, kernel_id))

    def _state(self, server: Server, kernel_id: str) -> m.SessionView:
        kernel = self.service.gateway.store.current_kernel(server.server_id, kernel_id)
        if kernel is None:
            raise errors.NotFound("this server has no such kernel")
        return _view(self.service, kernel)

    async def delete(self, kernel_id: str) -> None:
        server = await self.server()
        await self.call(self._close, server, kernel_id)
        self.set_status(204)
        self.finish()

    def _close(self, server: Server, kernel_id: str) -> None:
        gateway = self.service.gateway
        kernel = gateway.store.current_kernel(server.server_id, kernel_id)
        if kernel is None:
            return
        gateway.doorkeeper.enrolment.close_slot(server, kernel_id)
        gateway.ender.end(Target("kernel", kernel.slot_id), "it was shut down")
        session = gateway.store.session_of(server.server_id, kernel_id)
        if session is not None:
            gateway.ender.end(Target("session", session.session_id), "its kernel was shut down")
        gateway.log.append(
            Event(kind="kernel.revoked", at=gateway.clock(), actor=of_kernel(kernel)), reserved=True
        )


class NothingHandler(GovHandler):
    """Any other address of the API."""

    def prepare(self) -> None:
        raise errors.NotFound("the API has no such address")


class HealthHandler(GovHandler):
    """GET health: that it serves, and where people decide; says nothing else."""

    async def get(self) -> None:
        self.answer(m.Health(serving=True, page_url=self.service.page_url))


def _left(most: int | None, used: int) -> int | None:
    return None if most is None else max(most - used, 0)


def _view(service: Service, kernel: Kernel) -> m.SessionView:
    gateway = service.gateway
    session = gateway.store.session_of(kernel.server_id, kernel.kernel_id)
    if session is not None and not session.in_start(kernel):
        session = None
    grants = gateway.store.grants_of(session.session_id) if session else []
    return session_view(kernel, session, grants, service.page_url, gateway.clock())


ROUTES: list[tuple[str, type[GovHandler]]] = [
    (f"{m.API}/health", HealthHandler),
    (f"{m.API}/enrol", EnrolHandler),
    (f"{m.API}/attach", AttachHandler),
    (f"{m.API}/attach/(A-[0-9a-f]+)", AttachHandler),
    (f"{m.API}/session", SessionHandler),
    (f"{m.API}/connections", ConnectionsHandler),
    (f"{m.API}/connections/([A-Za-z0-9_-]+)/tables", TablesHandler),
    (f"{m.API}/connections/([A-Za-z0-9_-]+)/budget", BudgetHandler),
    (f"{m.API}/grants", GrantsHandler),
    (f"{m.API}/grants/(G-[0-9a-f]+)", GrantHandler),
    (f"{m.API}/queries", QueriesHandler),
    (f"{m.API}/queries/([A-Za-z0-9_-]+)", QueryHandler),
    (f"{m.API}/explanations", ExplanationsHandler),
    (f"{m.API}/slots", SlotsHandler),
    (f"{m.API}/slots/({KERNEL_ID})", SlotHandler),
    (f"{m.API}(?:/.*)?", NothingHandler),
]
