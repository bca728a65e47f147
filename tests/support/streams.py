"""Answers read as slowly as a test wants, and statements that are long in the making."""

from __future__ import annotations

import io
import secrets
from typing import Any

import pyarrow as pa
import urllib3

from jupyter_gov.kernel.frame import Answer, read_answer
from jupyter_gov.wire.messages import TRAILER, Head, Query, decode, encode
from tests.support.gateway import StubKernel

ENDLESS = """\
WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000000000)
SELECT count(*) AS n FROM c"""
"""Computes for hours and returns one row."""


def numbers(rows: int, columns: str = "n") -> str:
    """A statement that returns so many rows, each made when it is asked for."""
    return (
        f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {rows})"
        f" SELECT {columns} FROM c"
    )


class _Replayed:
    """A body some of which was read already."""

    def __init__(self, prefix: bytes, answer: urllib3.BaseHTTPResponse) -> None:
        self._prefix = io.BytesIO(prefix)
        self._answer = answer

    def read(self, size: int) -> bytes:
        return self._prefix.read(size) or self._answer.read(size)


class Stream:
    """One statement's answer.  Nothing more is read than what is asked for."""

    def __init__(self, kernel: StubKernel, sql: str, *, connection: str = "clinic", **more: Any):
        self.query_id = secrets.token_urlsafe(12)
        query = Query(query_id=self.query_id, connection=connection, sql=sql, **more)
        self.kernel = kernel
        self.answer = kernel.http.open("POST", "/queries", encode(query))
        self._prefix = b""

    @property
    def head(self) -> Head:
        """Who, under which grant, which record: at the very front."""
        while True:
            try:
                schema = pa.ipc.open_stream(io.BytesIO(self._prefix)).schema
            except (pa.ArrowInvalid, EOFError):
                more = self.answer.read(4096)
                assert more, "no head"
                self._prefix += more
                continue
            return decode(Head, schema.metadata[TRAILER])

    def finish(self) -> Answer:
        """Read to the end.  Raises the error that ended it."""
        try:
            return read_answer(_Replayed(self._prefix, self.answer))  # type: ignore[arg-type]
        finally:
            self.close()

    def close(self) -> None:
        """Hang up."""
        self.answer.close()
