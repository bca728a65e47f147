"""From the gateway's Arrow stream to a DataFrame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import urllib3

from jupyter_gov.errors import BadRequest, StreamBroken
from jupyter_gov.kernel.objects import as_shown, needs_objects
from jupyter_gov.wire.cells import MIXED, decode_cell
from jupyter_gov.wire.messages import TRAILER, Head, Trailer, decode, decode_error

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

DtypeBackend = Literal["numpy", "pyarrow"]
_MALFORMED = (EOFError, KeyError, OSError, TypeError, ValueError, AttributeError)


@dataclass(slots=True, kw_only=True)
class Answer:
    """A whole answer: its head, its tables (one per segment), its trailer."""

    head: Head
    tables: list[pa.Table]
    trailer: Trailer


class _Body:
    """The answer's body as a file for Arrow: reads exactly what is asked for."""

    closed = False

    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        self._answer = answer

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return self._answer.read()
        parts = []
        while size > 0:
            part = self._answer.read(size)
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """The connection is the caller's."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return False


def read_answer(answer: urllib3.BaseHTTPResponse) -> Answer:
    """
    Read to the end of the body.

    Raises the error that the trailer carries, or StreamBroken if there is none or if it does not
    fit what came: half an answer is never handed out.
    """
    import pyarrow as pa

    try:
        whole = _read(_Body(answer))
        error = whole.trailer.error
        failure = None if error is None else decode_error(error)
        if failure is None:
            _check_end(whole, answer)
    except (pa.ArrowException, urllib3.exceptions.HTTPError, BadRequest, *_MALFORMED):
        raise StreamBroken(
            "the stream ended without its end, so there is no result",
            hint="The gateway or the connection failed; the record says how far it came.",
        ) from None
    if failure is not None:
        raise failure
    return whole


def _read(body: _Body) -> Answer:
    import pyarrow as pa

    head: Head | None = None
    tables: list[pa.Table] = []
    while True:
        reader = pa.ipc.open_stream(body)
        metadata = reader.schema.metadata or {}
        if head is None:
            head = decode(Head, metadata[TRAILER])
        batches = []
        for batch, said in _batches(reader):
            if said is None:
                batches.append(batch)
                continue
            tables.append(pa.Table.from_batches(batches, reader.schema))
            trailer = decode(Trailer, said)
            if trailer.error is None:
                for _ in _batches(reader):
                    raise ValueError("a batch after the trailer")
            return Answer(head=head, tables=tables, trailer=trailer)
        tables.append(pa.Table.from_batches(batches, reader.schema))


def _check_end(whole: Answer, answer: urllib3.BaseHTTPResponse) -> None:
    """The rows are those of the trailer, and the body ends: its connection may be used again."""
    if sum(table.num_rows for table in whole.tables) != whole.trailer.rows:
        raise ValueError("rows are missing, or too many")
    if answer.read(1):
        raise ValueError("more after the end")


def _batches(reader: Any) -> Iterator[tuple[Any, bytes | None]]:
    while True:
        try:
            batch, metadata = reader.read_next_batch_with_custom_metadata()
        except StopIteration:
            return
        said = metadata.get(TRAILER) if metadata is not None else None
        yield batch, None if said is None else bytes(said)


def to_pandas(answer: Answer, dtype_backend: DtypeBackend = "numpy") -> pd.DataFrame:
    """
    The frame, with the dtypes `pandas.read_sql` would give.

    Consumes the answer's tables.
    """
    import pandas as pd
    import pyarrow as pa

    tables, answer.tables = answer.tables, []
    mixed = {
        i
        for table in tables
        for i, field in enumerate(table.schema)
        if field.metadata and MIXED in field.metadata
    }
    if mixed or _texts_and_blobs(tables):
        return _object_columns(tables, dtype_backend)
    options: dict[str, Any] = {"split_blocks": True, "self_destruct": True}
    if dtype_backend == "pyarrow":
        options = {"types_mapper": pd.ArrowDtype}
    names = tables[0].column_names
    positions = [str(i) for i in range(len(names))]  # names may repeat
    plain = [table.replace_schema_metadata(None).rename_columns(positions) for table in tables]
    try:
        joined = pa.concat_tables(plain, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return _object_columns(tables, dtype_backend)
    fields = [field.with_type(joined.schema.types[i]) for i, field in enumerate(tables[0].schema)]
    del plain, tables
    objects: dict[str, list[Any]] = {}
    for i, field in enumerate(fields):
        if needs_objects(field):
            shown = as_shown(joined.column(i), field, exact=dtype_backend == "pyarrow")
            if isinstance(shown, list):
                objects[str(i)], shown = shown, pa.nulls(joined.num_rows)
            joined = joined.set_column(i, str(i), shown)
            del shown
    frame: pd.DataFrame = joined.to_pandas(**options)
    for position, values in objects.items():
        frame[position] = pd.Series(values, dtype=object)
    frame.columns = pd.Index(names)
    return frame


def _texts_and_blobs(tables: list[pa.Table]) -> bool:
    """Whether a column has both, in segments of their own: joining would make bytes of texts."""
    import pyarrow as pa

    kinds = [{table.schema.field(i).type for table in tables} for i in range(tables[0].num_columns)]
    return any({pa.string(), pa.binary()} <= kind for kind in kinds)


def _object_columns(tables: list[pa.Table], dtype_backend: DtypeBackend) -> pd.DataFrame:
    """
    A frame with columns in which the database returned several types.

    Those hold Python objects, as read_sql gives them; the others what they would hold anyway.
    """
    import pandas as pd

    names = tables[0].column_names
    columns: list[list[Any]] = [[] for _ in names]
    for table in tables:
        for i, field in enumerate(table.schema):
            values = table.column(i).to_pylist()
            if field.metadata and MIXED in field.metadata:
                values = [decode_cell(value) for value in values]
            columns[i] += values
    make = _arrow_series if dtype_backend == "pyarrow" else pd.Series
    frame = pd.DataFrame({i: make(values) for i, values in enumerate(columns)})
    frame.columns = pd.Index(names)
    return frame


def _arrow_series(values: list[Any]) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa

    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    elif len(kinds) > 1:
        return pd.Series(values, dtype=object)
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values)))
