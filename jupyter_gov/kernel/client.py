"""
The kernel API, for agents and for whoever prefers calls to magics.

    import jupyter_gov as gov
    gov.login(agent="recon")
    con = gov.connect("clinic")
    df = con.query("SELECT sex, count(*) AS n FROM patients WHERE state = :state GROUP BY sex",
                   state="OR")
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from jupyter_gov.errors import (
    Denied,
    GovError,
    Next,
    ResultCut,
    UnknownName,
)
from jupyter_gov.kernel.display import plain
from jupyter_gov.kernel.explanation import Explanation
from jupyter_gov.kernel.frame import Answer, DtypeBackend, read_answer, to_pandas
from jupyter_gov.kernel.http import GatewayHttp
from jupyter_gov.wire import messages as m

if TYPE_CHECKING:
    import pandas as pd

_POLL_SECONDS = 0.5
_CANCEL_SECONDS = 0.5
_CANCEL_TRIES = 20
_WAKE_SECONDS = 0.25
"""An interrupted cell that awaits is only told when its loop wakes (ipykernel issue 881)."""


class Connection:
    """
    One governed connection.  Holds no state but its name: every call is authorised anew.

    Each method has an async form with an ``a`` before its name.
    """

    def __init__(self, http: Callable[[], GatewayHttp], name: str, *, grant: str = "") -> None:
        self._http = http
        self.name = name
        self.grant = grant

    def __repr__(self) -> str:
        return f"<governed connection {self.name!r}>"

    def query(
        self,
        sql: str,
        /,
        *,
        limit: int | None = None,
        on_limit: Literal["raise", "truncate"] = "raise",
        note: str = "",
        grant: str = "",
        dtype_backend: DtypeBackend = "numpy",
        binds: Mapping[str, object] | None = None,
        **more_binds: object,
    ) -> pd.DataFrame:
        """
        Run one statement and return its masked frame.

        Args:
            sql: with parameters as ``:name``; values are sent apart and never become SQL.
            limit: most rows; a longer result raises ResultCut unless *on_limit* is "truncate".
            note: why, for the record (sealed with the statement).
            grant: the one grant to run under; else the narrowest that covers the statement.
            dtype_backend: "numpy" for the dtypes of pandas.read_sql, "pyarrow" for ArrowDtype.
            binds: parameter values, also as keywords.

        Returns:
            A DataFrame; ``attrs["gov"]`` says who, under which grant, what was treated, and the
            record's id.

        Raises:
            Denied and its kinds, QueryFailed and its kinds, ResultCut, Busy, Unavailable.
        """
        answer = self._run(_new_id(), sql, {**(binds or {}), **more_binds}, limit, note, grant)
        return _wanted(answer, on_limit, dtype_backend)

    def _run(
        self,
        query_id: str,
        sql: str,
        binds: Mapping[str, object],
        limit: int | None,
        note: str,
        grant: str,
    ) -> Answer:
        http = self._http()
        body = m.encode(self._asked(query_id, sql, binds, limit, note, grant))
        answer = None
        try:
            answer = http.open("POST", "/queries", body)
            whole = read_answer(answer)
            answer.release_conn()
            return whole
        except GovError as error:
            error.statement = sql
            if answer is not None:
                answer.close()
            raise
        except BaseException:
            # An interrupt, most likely: the database must stop as well.
            if answer is not None:
                answer.close()
            self._cancel(query_id)
            raise

    def _asked(
        self,
        query_id: str,
        sql: str,
        binds: Mapping[str, object],
        limit: int | None,
        note: str,
        grant: str,
    ) -> m.Query:
        return m.Query(
            query_id=query_id,
            connection=self.name,
            sql=sql,
            binds={name: m.encode_bind(name, value) for name, value in binds.items()},
            grant=grant or self.grant,
            limit=limit,
            note=note,
        )

    def _cancel(self, query_id: str) -> None:
        with contextlib.suppress(GovError):
            self._http().send("DELETE", f"/queries/{query_id}")

    def explain(
        self,
        sql: str,
        /,
        *,
        grant: str = "",
        binds: Mapping[str, object] | None = None,
        **more_binds: object,
    ) -> Explanation:
        """
        What would become of a statement: decision, rule, grant, and each column's treatment.

        Nothing runs, no grant is opened, no budget is spent.  The question is recorded.

        Args:
            sql: as for `query`; parameters need no values here.
            grant: the one grant to look at; else the narrowest that covers the statement.

        Returns:
            An explanation, also of a refusal: `decision` is "allow", "open" (a default grant
            would be opened first), "deny" or "fail", and `error` what `query` would raise.

        Raises:
            NotAttached, BadRequest, Busy, Unavailable.
        """
        asked = self._asked(_new_id(), sql, {**(binds or {}), **more_binds}, None, "", grant)
        told = self._http().call("POST", "/explanations", Explanation, m.encode(asked))
        return told.of(sql)

    def tables(self) -> pd.DataFrame:
        """The tables of the grant, with the number of columns and how many are treated."""
        import pandas as pd

        rows = [
            {
                "table": table.name,
                "kind": table.kind,
                "columns": len(table.columns),
                "treated": sum(c.treatment != "clear" for c in table.columns),
            }
            for table in self._tables()
        ]
        return pd.DataFrame(rows, columns=["table", "kind", "columns", "treated"])

    def _tables(self) -> tuple[m.TableView, ...]:
        return (
            self._http().call("GET", f"/connections/{_in_path(self.name)}/tables", m.Listing).tables
        )

    def describe(self, table: str) -> pd.DataFrame:
        """A table's columns: tag, treatment, type before and after, and what enforces it."""
        import pandas as pd

        found = self._tables()
        match = next((t for t in found if t.name.lower() == table.lower()), None)
        if match is None:
            raise UnknownName(
                f"the grant has no table {table}",
                near=_near(table, [t.name for t in found]),
                next=Next("narrow", magic=f"%gov tables {self.name}", call="con.tables()"),
            )
        return pd.DataFrame([asdict(column) for column in match.columns])

    def budget(self) -> m.Budget:
        """What is left: seconds, statements and rows of the grant the next statement would use."""
        return self._http().call("GET", f"/connections/{_in_path(self.name)}/budget", m.Budget)

    async def aquery(
        self,
        sql: str,
        /,
        *,
        limit: int | None = None,
        on_limit: Literal["raise", "truncate"] = "raise",
        note: str = "",
        grant: str = "",
        dtype_backend: DtypeBackend = "numpy",
        binds: Mapping[str, object] | None = None,
        **more_binds: object,
    ) -> pd.DataFrame:
        """`query`, off the event loop; cancelling the task cancels the statement."""
        query_id = _new_id()
        every = {**(binds or {}), **more_binds}
        running = asyncio.ensure_future(
            asyncio.to_thread(self._run, query_id, sql, every, limit, note, grant)
        )
        try:
            while not running.done():
                await asyncio.wait({running}, timeout=_WAKE_SECONDS)
        except asyncio.CancelledError:
            await self._stop(query_id, running)
            raise
        answer = running.result()
        return await asyncio.to_thread(_wanted, answer, on_limit, dtype_backend)

    async def _stop(self, query_id: str, running: asyncio.Future[Answer]) -> None:
        """Cancel until its thread has ended; the first word may come before the statement."""
        for _ in range(_CANCEL_TRIES):
            await asyncio.to_thread(self._cancel, query_id)
            done, _ = await asyncio.wait({running}, timeout=_CANCEL_SECONDS)
            if done:
                break
        running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def aexplain(
        self,
        sql: str,
        /,
        *,
        grant: str = "",
        binds: Mapping[str, object] | None = None,
        **more_binds: object,
    ) -> Explanation:
        """`explain`, off the event loop."""
        every = {**(binds or {}), **more_binds}
        return await asyncio.to_thread(self.explain, sql, grant=grant, binds=every)

    async def atables(self) -> pd.DataFrame:
        """`tables`, off the event loop."""
        return await asyncio.to_thread(self.tables)

    async def adescribe(self, table: str) -> pd.DataFrame:
        """`describe`, off the event loop."""
        return await asyncio.to_thread(self.describe, table)

    async def abudget(self) -> m.Budget:
        """`budget`, off the event loop."""
        return await asyncio.to_thread(self.budget)


class Client:
    """
    What a kernel can ask of its gateway.

    The package's functions are those of one client, of the kernel's own key.
    """

    def __init__(self, http: Callable[[], GatewayHttp]) -> None:
        self._http = http

    def connect(self, name: str, *, grant: str = "") -> Connection:
        """A governed connection by its name.  Opens nothing yet."""
        return Connection(self._http, name, grant=grant)

    def login(self, *, agent: str = "", wait: bool = True, timeout: float = 600.0) -> m.SessionView:
        """
        Attach this kernel to a person, or to an agent acting for one.

        Shows a short code, which the person types on the gateway's own page.  Does nothing if
        the kernel is attached already (to the same kind of principal).

        Args:
            agent: the name to suggest for an agent; the person decides.
            wait: False returns at once; call `whoami` later.
            timeout: seconds to wait at most.

        Raises:
            Denied if the person refused or the code expired, Busy in the pause after a refusal.
        """
        current = self.whoami()
        if current.attached and current.principal is not None:
            is_agent = current.principal.kind == "agent"
            if not agent or (is_agent and current.principal.name == agent):
                _say(f"attached: {plain(_who(current))}")
                return current
        http = self._http()
        code = http.call("POST", "/attach", m.Code, m.encode(m.OpenCode(agent=agent)))
        _say(f"Open {code.url} and type the code  {code.code}  (works once, for ten minutes)")
        if not wait:
            return current
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            state = http.call("GET", f"/attach/{code.request_id}", m.CodeState).state
            if state == "confirmed":
                view = self.whoami()
                _say(f"attached: {plain(_who(view))}")
                return view
            if state != "pending":
                raise Denied(
                    f"the code was {state}",
                    hint="Run %gov login again for a new one.",
                    next=Next("login", magic="%gov login", call="gov.login()"),
                )
            time.sleep(_POLL_SECONDS)
        raise Denied("nobody typed the code in time", hint="Run %gov login again for a new one.")

    def logout(self) -> None:
        """Detach this kernel: its session and grants end now."""
        self._http().call("DELETE", "/session", m.SessionView)

    def whoami(self) -> m.SessionView:
        """Who this kernel is to the gateway."""
        return self._http().call("GET", "/session", m.SessionView)

    def connections(self) -> tuple[m.ConnectionView, ...]:
        """What this session may use or ask for."""
        return self._http().call("GET", "/connections", m.Listing).connections

    def grants(self) -> tuple[m.GrantView, ...]:
        """This session's grants, over or not."""
        return self._http().call("GET", "/grants", m.Listing).grants

    def request(
        self, connection: str, *, duration: str = "", eligibility: str = "", note: str = ""
    ) -> m.GrantView:
        """Ask for a grant, for example ``request("clinic", duration="30m")``."""
        asked = m.RequestGrant(
            connection=connection, duration=duration, eligibility=eligibility, note=note
        )
        return self._http().call("POST", "/grants", m.GrantView, m.encode(asked))

    def give_back(self, grant: str) -> m.GrantView:
        """End one of this session's grants before its time."""
        return self._http().call("DELETE", f"/grants/{_in_path(grant)}", m.GrantView)


def _in_path(name: str) -> str:
    """A name as one segment of a path: what is signed must be what is sent."""
    return quote(name, safe="")


def _near(name: str, known: list[str]) -> tuple[str, ...]:
    by_plain = {own.lower(): own for own in known}
    close = difflib.get_close_matches(name.lower(), by_plain, n=3)
    return tuple(by_plain[plain] for plain in close)


def _new_id() -> str:
    return secrets.token_urlsafe(12)


def _wanted(
    answer: Answer, on_limit: Literal["raise", "truncate"], dtype_backend: DtypeBackend
) -> pd.DataFrame:
    if answer.trailer.cut and on_limit == "raise":
        raise _cut(answer)
    return _framed(answer, dtype_backend)


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)


def _who(view: m.SessionView) -> str:
    principal = view.principal
    if principal is None:
        return "nobody"
    acting = principal.name
    if principal.on_behalf_of:
        acting = f"agent {principal.name} on behalf of {principal.on_behalf_of}"
    return f"{acting}, for: {view.purpose}"


_CUT_BY = {
    "limit": "the result is longer than the limit of {rows:,} rows",
    "max_rows": "the result is longer than the {rows:,} rows that this connection gives at most",
    "max_bytes": "the result has more bytes than this connection gives at most;"
    " it was cut after {rows:,} rows",
    "budget": "the grant had {rows:,} rows left, and the result is longer",
}


def _cut(answer: Answer) -> ResultCut:
    text = _CUT_BY.get(answer.trailer.cut_by, "the result was cut after {rows:,} rows")
    return ResultCut(
        text.format(rows=answer.trailer.rows),
        hint='Aggregate or filter in SQL, or pass on_limit="truncate" and mean it.',
        record=answer.head.record,
        next=Next("narrow", call='con.query(…, on_limit="truncate")'),
    )


def _framed(answer: Answer, dtype_backend: DtypeBackend) -> pd.DataFrame:
    frame = to_pandas(answer, dtype_backend)
    head, trailer = answer.head, answer.trailer
    frame.attrs["gov"] = {
        "record": head.record,
        "principal": head.principal.name,
        "on_behalf_of": head.principal.on_behalf_of,
        "issuer": head.principal.issuer,
        "purpose": head.purpose,
        "connection": head.grant.connection,
        "grant": head.grant.grant,
        "grant_ends": head.grant.end,
        "grant_opened": head.opened_grant,
        "seconds_left": head.grant.seconds_left,
        "isolation": head.isolation,
        "treated": {column.column: column.treatment for column in trailer.treated},
        "guarantees": {column.column: column.guarantee for column in trailer.treated},
        "withheld_cells": trailer.withheld_cells,
        "scanned_cells": trailer.scanned_cells,
        "replaced_cells": trailer.replaced_cells,
        "unanswered_texts": trailer.unanswered_texts,
        "rows": trailer.rows,
        "cut": trailer.cut,
        "cut_by": trailer.cut_by,
    }
    return frame
