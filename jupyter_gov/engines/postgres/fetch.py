"""
One statement's rows as Arrow batches: by the Arrow driver where it can, else by psycopg.

The server describes the statement first (types, and the table and column each output shows).
The Arrow driver runs it as a binary COPY, which has no parameters, so they become literals of the
types the server found.  What it cannot run (EXPLAIN, SHOW, no columns) psycopg does.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import adbc_driver_manager as adbc
import psycopg
import pyarrow as pa
from adbc_driver_manager import _reader
from psycopg import pq

from jupyter_gov.engines.postgres import literals
from jupyter_gov.engines.postgres.session import Session
from jupyter_gov.engines.postgres.types import LOOK_UP, SHAPES, Shape, other, unwrapped
from jupyter_gov.errors import Next, QueryFailed
from jupyter_gov.wire.messages import Bind

FIRST_BYTES = 64 * 1024
"""The first batch is small, so that a first row is seen early."""
BATCH_BYTES = 4 * 1024 * 1024
"""As the server sends it; Arrow's layout may take up to twice that."""
MAX_ROW_BYTES = 128 * 1024 * 1024
"""libpq holds a row three times before anyone can measure it, so the server does."""
_BOUNDED = 10_000
"""Characters that a type may allow without being measured."""
_CHUNK_ROWS = 16
_AHEAD = 2
"""Batches that are fetched before they are asked for."""
_STOP_SECONDS = 5.0
_TOO_LARGE = "a row of bytes: "
"""No number: casting it to one is how the outer SELECT raises an error of ours."""
_HINT = "adbc.postgresql.batch_size_hint_bytes"


class Fetch:
    """One statement in one session, after its `begin`.  Used by one thread."""

    def __init__(
        self,
        session: Session,
        text: str,
        parameters: Sequence[Bind] = (),
        *,
        max_row_bytes: int = MAX_ROW_BYTES,
        driver: str = "",
    ) -> None:
        """
        Have the server analyse it.

        Args:
            text: with ``$1``, ``$2`` … for the parameters.
            max_row_bytes: texts and the like of one row, in all; more end the statement.
            driver: ``adbc`` or ``psycopg``; empty for the faster that can.
        """
        self._session = session
        self._text = literals.without_end(text)
        self._most = max_row_bytes
        described, self._values = session.describe(self._text, parameters)
        count = described.nfields
        self._oids = [described.param_type(i) for i in range(described.nparams)]
        self.names = [(described.fname(i) or b"").decode() for i in range(count)]
        self.origins: list[tuple[int, int] | None] = [
            (described.ftable(i), described.ftablecol(i)) if described.ftablecol(i) > 0 else None
            for i in range(count)
        ]
        """OID of the table and number of the column that an output column plainly shows."""
        self._wraps = bool(count) and literals.is_select(self._text)
        self.driver = driver or ("adbc" if self._wraps else "psycopg")
        types = [described.ftype(i) for i in range(count)]
        self._shapes = self._shaped(types) if self._wraps else list(map(unwrapped, types))
        self.schema = pa.schema(
            [shape.field(name) for shape, name in zip(self._shapes, self.names, strict=True)]
        )
        if self._wraps:
            self._text = self._wrapped([described.fmod(i) for i in range(count)])

    def _shaped(self, types: Sequence[int]) -> list[Shape]:
        session = self._session
        unknown = {oid for oid in types if oid not in SHAPES and oid not in session.types}
        if unknown:
            with session.running("psycopg"):
                found = session.psycopg.execute(LOOK_UP, [list(unknown)]).fetchall()
            session.types.update({oid: other(*known) for oid, *known in found})
        return [SHAPES.get(oid) or session.types[oid] for oid in types]

    def _wrapped(self, modifiers: Sequence[int]) -> str:
        """The statement in an outer SELECT, where a column needs one."""
        columns = [f"q.c{i}" for i in range(len(self._shapes))]
        outer = [
            shape.expression(column, psycopg=self.driver == "psycopg")
            for shape, column in zip(self._shapes, columns, strict=True)
        ]
        large = [
            i
            for i, (shape, modifier) in enumerate(zip(self._shapes, modifiers, strict=True))
            if shape.size and not 0 < modifier < _BOUNDED
        ]
        text = self._text
        if outer == columns and not large:
            return text
        if large:
            # OFFSET 0 keeps the two apart: no value is computed twice, once to be measured.
            text = f"SELECT * FROM ({text}\n) AS u OFFSET 0"
            sizes = [self._shapes[i].size.format(columns[i]) for i in large]
            size = "::pg_catalog.int8 + ".join(f"coalesce({part}, 0)" for part in sizes)
            size += "::pg_catalog.int8"
            first = large[0]
            outer[first] = (
                f"CASE WHEN {size} > {self._most}"
                f" THEN ('{_TOO_LARGE}' || ({size}))::pg_catalog.int4::pg_catalog.text"
                f"::pg_catalog.{self._shapes[first].cast} ELSE {outer[first]} END"
            )
        names = ", ".join(f"c{i}" for i in range(len(columns)))
        return f"SELECT {', '.join(outer)} FROM ({text}\n) AS q({names})"

    # -------------------------------------------------------------- running it

    def batches(self) -> Generator[pa.RecordBatch]:
        """
        Run it; at least one batch.  Closing the generator stops the statement.

        Raises errors of psycopg and of the Arrow driver as they are, and QueryFailed.
        """
        source = self._by_adbc() if self.driver == "adbc" else self._by_psycopg()
        empty = True
        try:
            for batch in source:
                empty = False
                yield batch
        except (psycopg.Error, adbc.Error) as error:
            if f'"{_TOO_LARGE}' in str(error):
                raise self._too_large() from None
            raise
        finally:
            source.close()
        if empty:
            nothing = [pa.array([], kind) for kind in self.schema.types]
            yield pa.RecordBatch.from_arrays(nothing, schema=self.schema)

    def _too_large(self) -> QueryFailed:
        return QueryFailed(
            f"a row has more than {self._most:,} bytes",
            hint="Select a part of the long values, such as left(column, 1000).",
            next=Next("fix_sql"),
        )

    def _batch(self, columns: Sequence[Any], *, cells: bool) -> pa.RecordBatch:
        try:
            arrays = [
                shape.from_cells(column) if cells else shape.from_arrow(column)
                for shape, column in zip(self._shapes, columns, strict=True)
            ]
        except (ValueError, TypeError) as error:
            raise QueryFailed(
                "the database returned a value that cannot be shown: "
                + (str(error) if isinstance(error, ValueError) else "its type changed meanwhile"),
                hint="Cast the column to text.",
                next=Next("fix_sql"),
            ) from None
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    # -------------------------------------------------------------- psycopg

    def _by_psycopg(self) -> Generator[pa.RecordBatch]:
        session = self._session
        pgconn = session.psycopg.pgconn
        session.enter("psycopg")
        ended = False
        try:
            pgconn.send_query_params(
                self._text.encode(),
                self._values,
                self._oids,
                result_format=pq.Format.BINARY if self._wraps else pq.Format.TEXT,
            )
            pgconn.set_chunked_rows_mode(_CHUNK_ROWS)
            rows: list[list[list[bytes | None]]] = []
            size, target = 0, FIRST_BYTES
            last = None
            while result := session.next_result():
                session.raise_for(result)
                last = result.status
                count, width = result.ntuples, result.nfields
                if not count or not width:
                    continue
                columns = [
                    [result.get_value(row, column) for row in range(count)]
                    for column in range(width)
                ]
                rows.append(columns)
                size += sum(len(cell) for column in columns for cell in column if cell)
                if size >= target:
                    yield self._joined(rows)
                    rows, size, target = [], 0, BATCH_BYTES
            ended = True
            if last in (None, pq.ExecStatus.TUPLES_CHUNK):
                # Closed from another thread: libpq then has no result, and no error either.
                raise psycopg.OperationalError("the session was closed while it ran")
            if rows:
                yield self._joined(rows)
        except psycopg.Error:
            ended = True
            raise
        finally:
            if not ended:
                ended = session.abandon()
            with contextlib.suppress(psycopg.Error):
                while ended and session.next_result():
                    pass
            session.leave()

    def _joined(self, rows: list[list[list[bytes | None]]]) -> pa.RecordBatch:
        columns = [[cell for chunk in rows for cell in chunk[i]] for i in range(len(self._shapes))]
        return self._batch(columns, cells=True)

    # -------------------------------------------------------------- the Arrow driver

    def _by_adbc(self) -> Generator[pa.RecordBatch]:
        session = self._session
        text = literals.with_literals(self._text, self._values, self._oids)
        session.enter("adbc")
        reading = _Reading(session)
        try:
            for batch in reading.run(text):
                yield self._batch(batch.columns, cells=False)
        finally:
            reading.close()


class _Reading:
    """The Arrow driver's batches, fetched ahead by a thread once there are several."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._statement: adbc.AdbcStatement | None = None
        self._reader: Any = None
        self._thread: threading.Thread | None = None
        self._queue: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(_AHEAD)
        self._stop = threading.Event()
        self._ended = False
        self._given_up = False

    def run(self, text: str) -> Iterator[pa.RecordBatch]:
        statement = self._statement = adbc.AdbcStatement(self._session.adbc)
        statement.set_options(**{_HINT: str(FIRST_BYTES)})
        statement.set_sql_query(text + "\n")  # a comment may end it, and a parenthesis follows
        handle, _ = statement.execute_query()
        self._reader = _reader.AdbcRecordBatchReader._import_from_c(handle.address)
        first = self._next()
        if first is None:
            return
        statement.set_options(**{_HINT: str(BATCH_BYTES)})
        yield first
        if 2 * (first.nbytes + 5 * first.num_rows * first.num_columns) < FIRST_BYTES:
            second = self._next()  # at its end, as a rule
            if second is None:
                return
            yield second
        self._thread = threading.Thread(target=self._run, daemon=True, name="fetch")
        self._thread.start()
        while True:
            item = self._queue.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def _next(self) -> pa.RecordBatch | None:
        try:
            return self._reader.read_next_batch()
        except StopIteration:
            self._ended = True
            return None
        except Exception:
            self._ended = True
            raise

    def _run(self) -> None:
        item: pa.RecordBatch | BaseException | None
        while True:
            try:
                item = self._next()
            except Exception as error:
                item = error
            while not self._stop.is_set():
                try:
                    self._queue.put(item, timeout=0.1)
                    break
                except queue.Full:
                    pass
            if self._ended:
                break
        if self._given_up:
            self._release()

    def close(self) -> None:
        """Stop the statement if it is not at its end; its rows up to there are dropped."""
        self._stop.set()
        stops = self._reader is None or self._ended or self._session.abandon()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
            if self._thread.is_alive():
                self._session.give_up()
                self._given_up = True  # the thread releases it, since it reads from it
                if self._thread.is_alive():
                    return
        with contextlib.suppress(Exception):
            while stops and self._reader is not None and not self._ended:
                self._next()
        self._release()

    def _release(self) -> None:
        with contextlib.suppress(adbc.Error):
            if self._reader is not None:
                self._reader.close()
            if self._statement is not None:
                self._statement.close()
        self._session.leave()
