"""Servers, kernels, codes, sessions and grants: the IdentityStore and the GrantStore."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    Row,
    Update,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from jupyter_gov.access.model import Action, Grant
from jupyter_gov.errors import DecisionRefused, Unavailable
from jupyter_gov.identity.model import AttachRequest, Kernel, Principal, Server, Session
from jupyter_gov.store import tables as t
from jupyter_gov.store.reserve import Reserve, is_full
from jupyter_gov.wire.times import from_utc, utc


def _at(text: str | None) -> datetime | None:
    return None if text is None else from_utc(text)


def _server(row: Row[Any]) -> Server:
    return Server(**row._mapping)


def _kernel(row: Row[Any]) -> Kernel:
    values = dict(row._mapping)
    values["opened_at"] = from_utc(values["opened_at"])
    values["revoked_at"] = _at(values["revoked_at"])
    return Kernel(**values)


def _request(row: Row[Any]) -> AttachRequest:
    values = dict(row._mapping)
    for name in ("opened_at", "expires_at"):
        values[name] = from_utc(values[name])
    values["decided_at"] = _at(values["decided_at"])
    return AttachRequest(**values)


def _session(row: Row[Any]) -> Session:
    values = dict(row._mapping)
    principal = Principal(
        issuer=values.pop("issuer"),
        subject=values.pop("subject"),
        on_behalf_of=values.pop("on_behalf_of"),
    )
    for name in ("started_at", "ends_at"):
        values[name] = from_utc(values[name])
    for name in ("seen_at", "ended_at"):
        values[name] = _at(values[name])
    return Session(principal=principal, **values)


def _grant(row: Row[Any]) -> Grant:
    values = dict(row._mapping)
    values["tables"] = frozenset(json.loads(values["tables"]))
    values["actions"] = frozenset(map(Action, json.loads(values["actions"])))
    for name in ("start", "end"):
        values[name] = from_utc(values[name])
    values["ended_at"] = _at(values["ended_at"])
    return Grant(**values)


def _full() -> Unavailable:
    return Unavailable(
        "the gateway's state volume is full, so nothing was run",
        hint=f"Free space on the gateway's state volume ({os.strerror(errno.ENOSPC)}), then retry.",
    )


def _unavailable(error: OperationalError) -> Unavailable:
    if is_full(error.orig):
        return _full()
    name = getattr(error.orig, "sqlite_errorname", type(error.orig).__name__)
    return Unavailable(
        "the gateway's state cannot be read or written, so nothing was run",
        hint=f"The gateway's administrator should look at {name}.",
    )


def _revocation(server_id: str, kernel_id: str, at: datetime) -> Update:
    kernel = t.kernel.c
    return (
        update(t.kernel)
        .where(
            kernel.server_id == server_id,
            kernel.kernel_id == kernel_id,
            kernel.revoked_at.is_(None),
        )
        .values(revoked_at=utc(at))
    )


class State:
    """
    Each method is one transaction.

    Any of them raises Unavailable when the file cannot be read or written, and is then not done.
    What takes something away is written on a full volume too, in room that *reserve* holds back.
    """

    def __init__(self, engine: Engine, reserve: Reserve | None = None) -> None:
        self._engine = engine
        self._reserve = reserve
        if reserve is not None:
            reserve.hold()

    def close(self) -> None:
        """Close the connections that wait for the next transaction."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _read(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as c:
                yield c
        except OperationalError as error:
            raise _unavailable(error) from None

    @contextlib.contextmanager
    def _write(self) -> Iterator[Connection]:
        if self._reserve is not None and not self._reserve.hold():
            raise _full()
        try:
            with self._engine.begin() as c:
                yield c
        except OperationalError as error:
            raise _unavailable(error) from None

    def _take_away(self, *statements: Update | Delete) -> int:
        """Run them in one transaction; returns how many rows the last one changed."""
        for last in (False, True):
            try:
                with self._engine.begin() as c:
                    return [c.execute(statement).rowcount for statement in statements][-1]
            except OperationalError as error:
                if last or self._reserve is None or not is_full(error.orig):
                    raise _unavailable(error) from None
                self._reserve.release()
        raise AssertionError

    # ------------------------------------------------------------ servers and kernels

    def add_server(self, server: Server) -> None:
        with self._write() as c:
            c.execute(
                insert(t.server).values(
                    server_id=server.server_id,
                    name=server.name,
                    owner=server.owner,
                    public_key=server.public_key,
                    managed=server.managed,
                )
            )

    def server(self, server_id: str) -> Server | None:
        with self._read() as c:
            row = c.execute(select(t.server).where(t.server.c.server_id == server_id)).first()
        return None if row is None else _server(row)

    def remove_server(self, server_id: str, *, at: datetime) -> bool:
        kernels = (
            update(t.kernel)
            .where(t.kernel.c.server_id == server_id, t.kernel.c.revoked_at.is_(None))
            .values(revoked_at=utc(at))
        )
        server = delete(t.server).where(t.server.c.server_id == server_id)
        return self._take_away(kernels, server) == 1

    def open_kernel(self, kernel: Kernel) -> None:
        with self._write() as c:
            c.execute(_revocation(kernel.server_id, kernel.kernel_id, kernel.opened_at))
            c.execute(
                insert(t.kernel).values(
                    slot_id=kernel.slot_id,
                    server_id=kernel.server_id,
                    kernel_id=kernel.kernel_id,
                    generation=kernel.generation,
                    opened_at=utc(kernel.opened_at),
                    secret_hash=kernel.secret_hash,
                    claimed_notebook=kernel.claimed_notebook,
                    claimed_user=kernel.claimed_user,
                    public_key=None,
                    client_address="",
                    isolation=kernel.isolation,
                    revoked_at=None,
                    second_enrolments=0,
                )
            )

    def kernel(self, slot_id: str) -> Kernel | None:
        with self._read() as c:
            row = c.execute(select(t.kernel).where(t.kernel.c.slot_id == slot_id)).first()
        return None if row is None else _kernel(row)

    def current_kernel(self, server_id: str, kernel_id: str) -> Kernel | None:
        with self._read() as c:
            row = c.execute(
                select(t.kernel).where(
                    t.kernel.c.server_id == server_id,
                    t.kernel.c.kernel_id == kernel_id,
                    t.kernel.c.revoked_at.is_(None),
                )
            ).first()
        return None if row is None else _kernel(row)

    def last_kernel(self, server_id: str, kernel_id: str) -> Kernel | None:
        with self._read() as c:
            row = c.execute(
                select(t.kernel)
                .where(t.kernel.c.server_id == server_id, t.kernel.c.kernel_id == kernel_id)
                .order_by(t.kernel.c.generation.desc())
                .limit(1)
            ).first()
        return None if row is None else _kernel(row)

    def last_generation(self, server_id: str, kernel_id: str) -> int:
        with self._read() as c:
            last = c.execute(
                select(func.max(t.kernel.c.generation)).where(
                    t.kernel.c.server_id == server_id, t.kernel.c.kernel_id == kernel_id
                )
            ).scalar()
        return last or 0

    def enrol_kernel(
        self, slot_id: str, *, public_key: bytes, client_address: str, isolation: str
    ) -> bool:
        with self._write() as c:
            done = c.execute(
                update(t.kernel)
                .where(
                    t.kernel.c.slot_id == slot_id,
                    t.kernel.c.public_key.is_(None),
                    t.kernel.c.revoked_at.is_(None),
                )
                .values(public_key=public_key, client_address=client_address, isolation=isolation)
            )
            return done.rowcount == 1

    def count_second_enrolment(self, slot_id: str) -> None:
        with self._write() as c:
            c.execute(
                update(t.kernel)
                .where(t.kernel.c.slot_id == slot_id)
                .values(second_enrolments=t.kernel.c.second_enrolments + 1)
            )

    def revoke_kernel(self, server_id: str, kernel_id: str, *, at: datetime) -> None:
        self._take_away(_revocation(server_id, kernel_id, at))

    # ------------------------------------------------------------ codes

    def add_request(self, request: AttachRequest) -> None:
        with self._write() as c:
            c.execute(
                update(t.attach_request)
                .where(
                    t.attach_request.c.server_id == request.server_id,
                    t.attach_request.c.kernel_id == request.kernel_id,
                    t.attach_request.c.state == "pending",
                )
                .values(state="expired")
            )
            c.execute(
                insert(t.attach_request).values(
                    request_id=request.request_id,
                    code_hash=request.code_hash,
                    server_id=request.server_id,
                    kernel_id=request.kernel_id,
                    generation=request.generation,
                    suggested_agent=request.suggested_agent,
                    opened_at=utc(request.opened_at),
                    expires_at=utc(request.expires_at),
                    state="pending",
                    tries_left=request.tries_left,
                    decided_at=None,
                )
            )

    def request(self, request_id: str) -> AttachRequest | None:
        with self._read() as c:
            row = c.execute(
                select(t.attach_request).where(t.attach_request.c.request_id == request_id)
            ).first()
        return None if row is None else _request(row)

    def pending_request(self, code_hash: bytes) -> AttachRequest | None:
        with self._read() as c:
            row = c.execute(
                select(t.attach_request).where(
                    t.attach_request.c.code_hash == code_hash,
                    t.attach_request.c.state == "pending",
                )
            ).first()
        return None if row is None else _request(row)

    def last_refusal(self, server_id: str, kernel_id: str) -> datetime | None:
        with self._read() as c:
            last = c.execute(
                select(func.max(t.attach_request.c.decided_at)).where(
                    t.attach_request.c.server_id == server_id,
                    t.attach_request.c.kernel_id == kernel_id,
                    t.attach_request.c.state == "refused",
                )
            ).scalar()
        return _at(last)

    def spend_try(self, request_id: str) -> int:
        at = t.attach_request.c.request_id == request_id
        with self._write() as c:
            c.execute(
                update(t.attach_request)
                .where(at)
                .values(tries_left=t.attach_request.c.tries_left - 1)
            )
            c.execute(
                update(t.attach_request)
                .where(
                    at,
                    t.attach_request.c.tries_left <= 0,
                    t.attach_request.c.state == "pending",
                )
                .values(state="expired")
            )
            left = c.execute(select(t.attach_request.c.tries_left).where(at)).scalar()
        return max(left or 0, 0)

    def decide_request(self, request_id: str, state: str, *, at: datetime) -> bool:
        with self._write() as c:
            done = c.execute(
                update(t.attach_request)
                .where(
                    t.attach_request.c.request_id == request_id,
                    t.attach_request.c.state == "pending",
                )
                .values(state=state, decided_at=utc(at))
            )
            return done.rowcount == 1

    # ------------------------------------------------------------ sessions

    def start_session(self, session: Session) -> None:
        try:
            self._start_session(session)
        except IntegrityError:
            raise DecisionRefused("this kernel was attached by another confirmation") from None

    def _start_session(self, session: Session) -> None:
        with self._write() as c:
            c.execute(
                insert(t.session).values(
                    session_id=session.session_id,
                    server_id=session.server_id,
                    kernel_id=session.kernel_id,
                    generation=session.generation,
                    issuer=session.principal.issuer,
                    subject=session.principal.subject,
                    on_behalf_of=session.principal.on_behalf_of,
                    purpose=session.purpose,
                    started_at=utc(session.started_at),
                    ends_at=utc(session.ends_at),
                    ended_at=None,
                    ended_why="",
                )
            )

    def _sessions(self, *where: Any) -> list[Session]:
        query = select(t.session).where(*where).order_by(t.session.c.started_at.desc())
        with self._read() as c:
            return [_session(row) for row in c.execute(query)]

    def session_of(self, server_id: str, kernel_id: str) -> Session | None:
        found = self._sessions(
            t.session.c.server_id == server_id,
            t.session.c.kernel_id == kernel_id,
            t.session.c.ended_at.is_(None),
        )
        return found[0] if found else None

    def session(self, session_id: str) -> Session | None:
        found = self._sessions(t.session.c.session_id == session_id)
        return found[0] if found else None

    def last_session(self, server_id: str, kernel_id: str) -> Session | None:
        found = self._sessions(
            t.session.c.server_id == server_id, t.session.c.kernel_id == kernel_id
        )
        return found[0] if found else None

    def sessions(self, *, person: str | None = None) -> list[Session]:
        where: list[Any] = [t.session.c.ended_at.is_(None)]
        if person is not None:
            where.append(func.coalesce(t.session.c.on_behalf_of, t.session.c.subject) == person)
        return self._sessions(*where)

    def continue_session(self, session_id: str, *, generation: int) -> bool:
        with self._write() as c:
            done = c.execute(
                update(t.session)
                .where(t.session.c.session_id == session_id, t.session.c.ended_at.is_(None))
                .values(generation=generation)
            )
            return done.rowcount == 1

    def served_others(self, session: Session) -> bool:
        other, kernel = t.session.c, t.kernel.c
        runs = exists().where(
            kernel.server_id == other.server_id,
            kernel.kernel_id == other.kernel_id,
            kernel.revoked_at.is_(None),
        )
        query = (
            select(other.session_id)
            .where(
                other.server_id == session.server_id,
                or_(
                    other.issuer != session.principal.issuer,
                    other.subject != session.principal.subject,
                ),
                or_(other.ended_at.is_(None), other.ended_at > utc(session.started_at), runs),
            )
            .limit(1)
        )
        with self._read() as c:
            return c.execute(query).first() is not None

    def see_session(self, session_id: str, *, at: datetime) -> None:
        with self._write() as c:
            c.execute(
                update(t.session)
                .where(t.session.c.session_id == session_id)
                .values(seen_at=utc(at))
            )

    def end_session(self, session_id: str, *, at: datetime, why: str) -> bool:
        return (
            self._take_away(
                update(t.session)
                .where(t.session.c.session_id == session_id, t.session.c.ended_at.is_(None))
                .values(ended_at=utc(at), ended_why=why)
            )
            == 1
        )

    # ------------------------------------------------------------ grants

    def add_grant(self, grant: Grant) -> None:
        with self._write() as c:
            c.execute(
                insert(t.grant).values(
                    grant_id=grant.grant_id,
                    principal=grant.principal,
                    session_id=grant.session_id,
                    connection=grant.connection,
                    fingerprint=grant.fingerprint,
                    eligibility=grant.eligibility,
                    profile=grant.profile,
                    tables=json.dumps(sorted(grant.tables)),
                    actions=json.dumps(sorted(grant.actions)),
                    start=utc(grant.start),
                    end=utc(grant.end),
                    max_rows=grant.max_rows,
                    max_queries=grant.max_queries,
                    rows=grant.rows,
                    queries=grant.queries,
                    ended_at=None,
                    ended_why="",
                )
            )

    def _grants(self, *where: Any) -> list[Grant]:
        query = select(t.grant).where(*where).order_by(t.grant.c.start)
        with self._read() as c:
            return [_grant(row) for row in c.execute(query)]

    def grant(self, grant_id: str) -> Grant | None:
        found = self._grants(t.grant.c.grant_id == grant_id)
        return found[0] if found else None

    def grants_of(self, session_id: str) -> list[Grant]:
        return self._grants(t.grant.c.session_id == session_id)

    def open_grants(self) -> list[Grant]:
        return self._grants(t.grant.c.ended_at.is_(None))

    def spend(self, grant_id: str, *, queries: int, rows: int) -> bool:
        grant = t.grant.c
        where: list[Any] = [grant.grant_id == grant_id]
        if queries:
            where.append(grant.ended_at.is_(None))
            where.append(
                or_(grant.max_queries.is_(None), grant.queries + queries <= grant.max_queries)
            )
        with self._write() as c:
            done = c.execute(
                update(t.grant)
                .where(*where)
                .values(queries=grant.queries + queries, rows=grant.rows + rows)
            )
            return done.rowcount == 1

    def take_rows(self, grant_id: str, wanted: int) -> int:
        grant = t.grant.c
        while True:
            with self._write() as c:
                seen = c.execute(
                    select(grant.rows, grant.max_rows).where(grant.grant_id == grant_id)
                ).first()
                if seen is None:
                    return 0
                used, most = seen
                taken = wanted if most is None else max(min(wanted, most - used), 0)
                done = c.execute(
                    update(t.grant)
                    .where(grant.grant_id == grant_id, grant.rows == used)
                    .values(rows=used + taken)
                )
                if done.rowcount == 1:
                    return taken

    def end_grant(self, grant_id: str, *, at: datetime, why: str) -> bool:
        return (
            self._take_away(
                update(t.grant)
                .where(t.grant.c.grant_id == grant_id, t.grant.c.ended_at.is_(None))
                .values(ended_at=utc(at), ended_why=why)
            )
            == 1
        )
