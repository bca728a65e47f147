"""Grants, and what is spent of them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, insert, select, update

from jupyter_gov.access.model import Action, Grant
from jupyter_gov.errors import Unavailable
from jupyter_gov.store import tables as t
from jupyter_gov.store.reserve import Reserve
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


@dataclass(slots=True)
class _Used:
    """What was counted under a grant, where it sets no limit."""

    grant: Grant
    queries: int
    rows: int
    written: bool = True

    def over(self, grant: Grant) -> Grant:
        """*grant* as the database has it, with what was counted here."""
        said = self.said()
        return replace(
            grant,
            queries=said.get("queries", grant.queries),
            rows=said.get("rows", grant.rows),
        )

    def said(self) -> dict[str, int]:
        """As it is written, without what the database counts itself."""
        values = {}
        if self.grant.max_queries is None:
            values["queries"] = self.queries
        if self.grant.max_rows is None:
            values["rows"] = self.rows
        return values


class Grants(Transactions):
    """
    The GrantStore.

    What a grant limits is counted in the database, and on disk before anything more happens: no
    two statements and no crash can spend it twice.  What it does not limit is counted in memory,
    and written by `settle` and by the grant's end, so that nothing waits for it; what a crash takes
    with it is counted again from the audit log.
    """

    def __init__(self, engine: Engine, reserve: Reserve | None = None) -> None:
        super().__init__(engine, reserve)
        self._counting = threading.Lock()
        self._settling = threading.Lock()
        self._used: dict[str, _Used] = {}

    def close(self) -> None:
        """Write what was counted, and close."""
        self.settle()
        super().close()

    def add_grant(self, grant: Grant) -> None:
        with self._write([("grants", grant.session_id)]) as c:
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
                    preset=grant.preset,
                    data_use_agreement=grant.data_use_agreement,
                )
            )

    def _grants(self, *where: Any) -> list[Grant]:
        query = select(t.grant).where(*where).order_by(t.grant.c.start)
        with self._read() as c:
            return [_grant(row) for row in c.execute(query)]

    def _now(self, grants: list[Grant]) -> list[Grant]:
        with self._counting:
            used = [self._used.get(grant.grant_id) for grant in grants]
            return [
                grant if own is None else own.over(grant)
                for grant, own in zip(grants, used, strict=True)
            ]

    def grant(self, grant_id: str) -> Grant | None:
        found = self._now(self._grants(t.grant.c.grant_id == grant_id))
        return found[0] if found else None

    def grants_of(self, session_id: str) -> list[Grant]:
        return self._now(
            self._recent.get(
                ("grants", session_id), lambda: self._grants(t.grant.c.session_id == session_id)
            )
        )

    def open_grants(self) -> list[Grant]:
        return self._now(self._grants(t.grant.c.ended_at.is_(None)))

    # ------------------------------------------------------------ what is spent

    def spend(self, grant_id: str) -> bool:
        used = self._counted(grant_id)
        if used is None:
            return False
        if used.grant.max_queries is not None:
            return self._spend(used.grant, used.grant.max_queries)
        if self._ended(used.grant):
            return False
        self._count(used, queries=1)
        return True

    def take_rows(self, grant_id: str, wanted: int) -> int:
        used = self._counted(grant_id)
        if used is None:
            return 0
        if used.grant.max_rows is not None:
            return self._take(used.grant, used.grant.max_rows, wanted)
        self._count(used, rows=wanted)
        return wanted

    def _spend(self, own: Grant, most: int) -> bool:
        grant = t.grant.c
        with self._write([("grants", own.session_id)]) as c:
            done = c.execute(
                update(t.grant)
                .where(
                    grant.grant_id == own.grant_id,
                    grant.ended_at.is_(None),
                    grant.queries < most,
                )
                .values(queries=grant.queries + 1)
            )
            return done.rowcount == 1

    def _take(self, own: Grant, most: int, wanted: int) -> int:
        grant = t.grant.c
        at = grant.grant_id == own.grant_id
        while True:
            with self._write([("grants", own.session_id)]) as c:
                used = c.execute(select(grant.rows).where(at)).scalar()
                if used is None:
                    return 0
                taken = max(min(wanted, most - int(used)), 0)
                done = c.execute(
                    update(t.grant).where(at, grant.rows == used).values(rows=used + taken)
                )
                if done.rowcount == 1:
                    return taken

    def _counted(self, grant_id: str) -> _Used | None:
        """What was counted of that grant, as this process knows it.  None: there is none."""
        used = self._used.get(grant_id)
        if used is None and (found := self._grants(t.grant.c.grant_id == grant_id)):
            known = _Used(found[0], found[0].queries, found[0].rows)
            with self._counting:
                used = self._used.setdefault(grant_id, known)
        return used

    def _count(self, used: _Used, *, queries: int = 0, rows: int = 0) -> None:
        with self._counting:
            # It may have been put away since it was looked up, when its grant ended.
            used = self._used.setdefault(used.grant.grant_id, used)
            used.queries += queries
            used.rows += rows
            used.written = False

    def _ended(self, grant: Grant) -> bool:
        held = self.grants_of(grant.session_id)
        return all(own.grant_id != grant.grant_id or own.ended_at is not None for own in held)

    def settle(self) -> bool:
        with self._settling:
            with self._counting:
                due = [used for used in self._used.values() if not used.written]
                said = [used.said() for used in due]
            if not due:
                return True
            try:
                # Who asks is told what is in memory, so nothing that is remembered is older.
                with self._write(touched=()) as c:
                    for used, values in zip(due, said, strict=True):
                        at = t.grant.c.grant_id == used.grant.grant_id
                        c.execute(update(t.grant).where(at).values(values))
                for used, values in zip(due, said, strict=True):
                    self._put_away(used, values)
            except Unavailable:
                return False
            return True

    def _put_away(self, used: _Used, values: dict[str, int]) -> None:
        """These values are in the database; of a grant that ended nothing more is kept here."""
        ended = self._ended(used.grant)
        with self._counting:
            used.written = used.said() == values
            if ended and used.written:
                self._recent.forget([("grants", used.grant.session_id)])
                self._used.pop(used.grant.grant_id, None)

    def recount(self, grant_id: str, *, queries: int, rows: int) -> None:
        used = self._counted(grant_id)
        if used is not None:
            with self._counting:
                used.queries = max(used.queries, queries)
                used.rows = max(used.rows, rows)
                used.written = False

    def end_grant(self, grant_id: str, *, at: datetime, why: str) -> bool:
        with self._counting:
            used = self._used.get(grant_id)
            values = used.said() if used is not None else {}
        ended = (
            self._take_away(
                update(t.grant)
                .where(t.grant.c.grant_id == grant_id, t.grant.c.ended_at.is_(None))
                .values(ended_at=utc(at), ended_why=why, **values)
            )
            == 1
        )
        if ended and used is not None:
            self._put_away(used, values)
        return ended
