"""
One login in PostgreSQL, with up to two server connections: psycopg's and the Arrow driver's.

Every statement is a read-only transaction of its own, since that is the session's default; a
setting changed by a statement would outlive it, so `end` discards all there is to discard.
"""

from __future__ import annotations

import contextlib
import math
import select
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer

from jupyter_gov.engines.postgres.types import Shape
from jupyter_gov.wire.messages import Bind

_SETTINGS = {
    "default_transaction_read_only": "on",
    "client_encoding": "UTF8",
    # No value may depend on who asks, and no notice may carry one.
    "client_min_messages": "error",
    "TimeZone": "UTC",
    "DateStyle": "ISO,\\ YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmloption": "content",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    # The treatments' expressions are long: compiling them takes more than a small query does.
    "jit": "off",
    # A large result may take several processes: treatments cost more than PostgreSQL reckons, to
    # whom a hash is one operator.
    "parallel_setup_cost": "100",
    "parallel_tuple_cost": "0.01",
}
_CONNECT_SECONDS = 10
_CANCEL_SECONDS = 5
_AGAIN_SECONDS = 0.05
"""A cancel request that comes before its statement does nothing, so it is repeated."""


_COPYING = {pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_BOTH}


class Session:
    """
    One statement at a time, between `begin` and `end`.

    `cancel` may be called from any thread.  Errors are those of psycopg and of the Arrow driver.
    """

    def __init__(self, conninfo: str) -> None:
        given: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(conninfo)
        options = [given.get("options") or ""]
        options += [f"-c {name}={value}" for name, value in _SETTINGS.items()]
        given.setdefault("connect_timeout", _CONNECT_SECONDS)
        given.setdefault("application_name", "jupyter_gov")
        given["options"] = " ".join(options).strip()
        self._conninfo = psycopg.conninfo.make_conninfo(**given)
        self._psycopg: psycopg.Connection[Any] | None = None
        self._database: adbc.AdbcDatabase | None = None
        self._adbc: adbc.AdbcConnection | None = None
        self._timeout_ms = 0
        self._timeouts: dict[str, int] = {}
        """The statement_timeout each connection has now."""
        self._used: set[str] = set()
        self._lock = threading.Lock()
        self._running = ""
        """Which connection runs a statement: ``psycopg``, ``adbc`` or neither."""
        self._done = threading.Condition(self._lock)
        self._cancelled = False
        self._begun = False
        self._broken = False
        self.types: dict[int, Shape] = {}
        """Those that had to be looked up, by OID."""

    # -------------------------------------------------------------- one statement's life

    def begin(self, timeout_s: float) -> None:
        """What runs until `end` may take so long, each statement by itself."""
        with self._lock:
            if self._begun:
                raise RuntimeError("the session has a statement already")
            self._begun, self._cancelled = True, False
        # Whole seconds: as a rule the same as before, which spares a round trip.
        self._timeout_ms = max(1, math.ceil(timeout_s)) * 1000

    def end(self) -> bool:
        """
        Forget what the statement left.

        Returns:
            Whether the session may be used again; if not, it is closed.
        """
        with self._lock:
            self._begun = False
            lost = self._psycopg is not None and self._psycopg.closed
            usable = not (lost or self._broken or self._cancelled or self._running)
        if usable:
            try:
                for which in self._used:
                    self._command(which, "DISCARD ALL")
                    self._timeouts[which] = 0
                    self._limit(which)  # now, when nobody waits: the next asks for the same
            except (psycopg.Error, adbc.Error):
                usable = False
        if not usable:
            self.close()
        self._used.clear()
        return usable

    def cancel(self) -> None:
        """Stop what runs now, and what of this statement would run after.  Returns at once."""
        with self._lock:
            if not self._begun or self._cancelled:
                return
            self._cancelled = True
        threading.Thread(target=self._send_cancels, daemon=True, name="cancel").start()

    def _send_cancels(self) -> None:
        again = _AGAIN_SECONDS
        with self._lock:
            # Under the lock: a statement that is done meanwhile must not be followed by another
            # before the request has reached the server.
            while self._begun and self._running:
                with contextlib.suppress(psycopg.Error, adbc.Error):
                    self._send_cancel()
                self._done.wait(again)
                again = min(2 * again, 1.0)

    def _send_cancel(self) -> None:
        if self._running == "psycopg" and self._psycopg is not None:
            self._psycopg.cancel_safe(timeout=_CANCEL_SECONDS)
        elif self._running == "adbc" and self._adbc is not None:
            self._adbc.cancel()

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def abandon(self) -> bool:
        """
        Stop what runs: its rows are not wanted.

        Returns:
            Whether it will stop; its rows up to there must be read.  If not, this is the
            session's last statement.
        """
        with self._lock:
            try:
                self._send_cancel()
            except (psycopg.Error, adbc.Error):
                self._broken = True
            return not self._broken

    def give_up(self) -> None:
        """The connection does not answer: close it rather than use it again."""
        self._broken = True

    def close(self) -> None:
        """End the logins.  What still runs is cancelled."""
        with self._lock:
            self._begun, self._broken = False, True
            running = self._running
            if running:
                with contextlib.suppress(psycopg.Error, adbc.Error):
                    self._send_cancel()
        if running == "adbc":
            return  # its own thread closes it: no other may, while it reads
        self._close()

    def _close(self) -> None:
        for held in (self._psycopg, self._adbc, self._database):
            if held is not None:
                with contextlib.suppress(psycopg.Error, adbc.Error):
                    held.close()
        self._psycopg = self._adbc = self._database = None

    @contextlib.contextmanager
    def running(self, which: str, *, leaves: bool = True) -> Iterator[None]:
        """
        Within, that connection runs a statement, which `cancel` stops.

        Args:
            leaves: it may leave something in the session, which `end` must discard.
        """
        self.enter(which, leaves=leaves)
        try:
            yield
        finally:
            self.leave()

    def enter(self, which: str, *, leaves: bool = True) -> None:
        """See `running`.  Raises QueryCanceled if `cancel` came before."""
        self._ready(which)
        with self._lock:
            if self._cancelled or not self._begun:
                raise psycopg.errors.QueryCanceled("canceled before it ran")
            self._running = which
            if leaves:
                self._used.add(which)

    def leave(self) -> None:
        with self._lock:
            self._running = ""
            closing = self._broken
            self._done.notify_all()
        if closing:
            self._close()

    # -------------------------------------------------------------- the connections

    @property
    def psycopg(self) -> psycopg.Connection[Any]:
        if self._psycopg is None:
            if self._broken:
                raise psycopg.OperationalError("the session is closed")  # never to be opened anew
            self._psycopg = psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        return self._psycopg

    @property
    def adbc(self) -> adbc.AdbcConnection:
        if self._adbc is None:
            self._database = adbc_driver_postgresql.connect(self._conninfo)
            self._adbc = adbc.AdbcConnection(self._database)
        return self._adbc

    def _ready(self, which: str) -> None:
        """Open, and with the statement's timeout."""
        if self._broken:
            raise psycopg.OperationalError("the session is closed")
        if self._timeouts.get(which) != self._timeout_ms:
            try:
                self._limit(which)
            except (psycopg.Error, adbc.Error):
                self._broken = True  # its login was lost, or could not be had
                raise

    def _limit(self, which: str) -> None:
        self._command(which, f"SET statement_timeout = {self._timeout_ms}")
        self._timeouts[which] = self._timeout_ms

    def _command(self, which: str, text: str) -> None:
        if which == "psycopg":
            self.raise_for(self.psycopg.pgconn.exec_(text.encode()))
        else:
            with adbc.AdbcStatement(self.adbc) as statement:
                statement.set_sql_query(text)
                statement.execute_update()

    # -------------------------------------------------------------- the extended protocol

    def describe(
        self, text: str, parameters: Sequence[Bind]
    ) -> tuple[pq.abc.PGresult, list[bytes | None]]:
        """
        Have the server analyse a statement, without running it.

        Returns:
            Its description, and the parameters as texts.  Which types the server found for
            them stands in the description.
        """
        connection = self.psycopg
        dumper = Transformer(connection)
        values = dumper.dump_sequence(list(parameters), [PyFormat.TEXT] * len(parameters))
        sent = [None if value is None else bytes(value) for value in values]
        with self.running("psycopg", leaves=False):  # analysed, it does nothing
            pgconn = connection.pgconn
            pgconn.enter_pipeline_mode()
            try:
                pgconn.send_prepare(b"", text.encode(), dumper.types)
                pgconn.send_describe_prepared(b"")
                pgconn.pipeline_sync()
                described = self._piped()
            finally:
                if pgconn.status == pq.ConnStatus.OK:
                    pgconn.exit_pipeline_mode()
        return described, sent

    def _piped(self) -> pq.abc.PGresult:
        results: list[pq.abc.PGresult] = []
        while not results or results[-1].status != pq.ExecStatus.PIPELINE_SYNC:
            result = self.next_result()
            if result is not None:
                results.append(result)
        for result in results:
            self.raise_for(result)
        return results[1]

    def next_result(self) -> pq.abc.PGresult | None:
        """Wait for it without holding the interpreter."""
        pgconn = self.psycopg.pgconn
        while True:
            pgconn.flush()
            if not pgconn.is_busy():
                return pgconn.get_result()
            select.select([pgconn.socket], [], [])
            pgconn.consume_input()

    def raise_for(self, result: pq.abc.PGresult) -> None:
        """Raises the error that a result is, if it is one."""
        if result.status in _COPYING:
            # Nothing ends it but the end of its connection: the next result is always the same.
            self._broken = True
            self.psycopg.pgconn.finish()
            raise psycopg.errors.FeatureNotSupported("COPY is no query")
        if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
            raise psycopg.errors.error_from_result(result, encoding="utf-8")
