"""Grants, and what is spent of them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select, update

from jupyter_gov.access.model import Action, Grant
from jupyter_gov.store import tables as t
from jupyter_gov.store.transactions import Transactions
from jupyter_gov.wire.times import from_utc, utc


def _grant(row: Row[Any]) -> Grant:
    values = dict(row._mapping)
    values["tables"] = frozenset(json.loads(values["tables"]))
    values["actions"] = frozenset(map(Action, json.loads(values["actions"])))
    for name in ("start", "end"):
        values[name] = from_utc(values[name])
    ended = values["ended_at"]
    values["ended_at"] = None if ended is None else from_utc(ended)
    return Grant(**values)


class Grants(Transactions):
    """The GrantStore."""

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
