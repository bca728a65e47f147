"""Codes that wait for a person, and the sessions that come of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_gov.errors import DecisionRefused
from jupyter_gov.identity.model import AttachRequest, Principal, Session
from jupyter_gov.store import tables as t
from jupyter_gov.store.transactions import Transactions
from jupyter_gov.wire.times import from_utc, utc


def _at(text: str | None) -> datetime | None:
    return None if text is None else from_utc(text)


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


class Sessions(Transactions):
    """The part of the IdentityStore that is about codes and sessions."""

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
        return self._recent.get(
            ("session", server_id, kernel_id), lambda: self._session_of(server_id, kernel_id)
        )

    def _session_of(self, server_id: str, kernel_id: str) -> Session | None:
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
        seen = self.session(session_id)
        if seen is None:
            return
        with self._write([("session", seen.server_id, seen.kernel_id)]) as c:
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
