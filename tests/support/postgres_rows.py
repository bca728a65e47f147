"""What one statement returns by our session, and by psycopg as anyone would use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
from psycopg.adapt import Loader

from jupyter_gov.engines.postgres.fetch import Fetch
from jupyter_gov.engines.postgres.session import Session
from jupyter_gov.kernel.frame import to_pandas
from jupyter_gov.wire.messages import Bind

DRIVERS = ("adbc", "psycopg")


@dataclass
class Fetched:
    """A whole result."""

    fetch: Fetch
    batches: list[pa.RecordBatch]

    @property
    def table(self) -> pa.Table:
        return pa.Table.from_batches(self.batches, self.fetch.schema)

    def frame(self) -> pd.DataFrame:
        """As a kernel makes it."""
        return to_pandas(SimpleNamespace(tables=[self.table]))  # type: ignore[arg-type]


def fetched(
    session: Session, sql: str, parameters: Sequence[Bind] = (), *, driver: str = "", **options: Any
) -> Fetched:
    """Run to the end; the session is as good as before."""
    session.begin(30)
    try:
        fetch = Fetch(session, sql, parameters, driver=driver, **options)
        return Fetched(fetch, list(fetch.batches()))
    finally:
        assert session.end()


class _Text(Loader):
    def load(self, data: Any) -> str:
        return bytes(data).decode()


def plain(connection: psycopg.Connection[Any], sql: str) -> list[list[tuple[Any, str | None]]]:
    """
    Per column its values: psycopg's Python object, and PostgreSQL's own text.

    The object is PostgreSQL's text where psycopg cannot load it.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql)
        result = cursor.pgresult
        assert result is not None
        columns = []
        for i in range(result.nfields):
            loader = connection.adapters.get_loader(result.ftype(i), psycopg.pq.Format.TEXT)
            load = (loader or _Text)(result.ftype(i), connection).load
            values: list[tuple[Any, str | None]] = []
            for row in range(result.ntuples):
                data = result.get_value(row, i)
                if data is None:
                    values.append((None, None))
                    continue
                try:
                    values.append((load(data), data.decode()))
                except psycopg.DataError:
                    values.append((data.decode(), data.decode()))
            columns.append(values)
        return columns
