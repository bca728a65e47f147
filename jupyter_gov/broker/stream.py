"""
The answer as Arrow IPC: head, masked batches, and a trailer with the outcome.

The head stands in the schema's metadata, the trailer in the metadata of a last, empty batch.  A
change of type starts a new segment: another IPC stream in the same body.  An answer without its
trailer is a failed query, whatever arrived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from jupyter_gov.broker.ports import Execution, Sink
from jupyter_gov.errors import Cancelled, GovError
from jupyter_gov.masking.detection.detector import Detector
from jupyter_gov.masking.frame import FrameCounts, FrameMask, NoSurrogates, Shut
from jupyter_gov.masking.guarantee import guarantees
from jupyter_gov.masking.model import Profile, Treatment
from jupyter_gov.wire.messages import (
    TRAILER,
    Head,
    Trailer,
    TreatedColumn,
    encode,
    encode_error,
)


def rows_within(batch: pa.RecordBatch, room: int) -> int:
    """How many of the batch's first rows fit in *room* bytes."""
    if batch.nbytes <= room:
        return int(batch.num_rows)
    fits, over = 0, batch.num_rows
    while over - fits > 1:
        middle = (fits + over) // 2
        if batch.slice(0, middle).nbytes <= room:
            fits = middle
        else:
            over = middle
    return fits


class _Chunks:
    """A file for Arrow to write to; what was written is taken out in one piece."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        """Nothing is buffered below."""

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


class ArrowStream:
    """Writes one answer into a sink.  Used by one thread."""

    def __init__(self, sink: Sink, head: Head) -> None:
        self._sink = sink
        self._head = encode(head)
        self._chunks = _Chunks()
        self._writer: Any = None
        self._schema: pa.Schema | None = None
        self._hash = hashlib.sha256()
        self.counts = FrameCounts()
        self._mask = FrameMask(Shut(), {}, NoSurrogates(), self.counts)
        self._guarantees: dict[str, str] = {}
        self._treated: dict[str, Treatment] = {}
        self.reads: tuple[str, ...] = ()
        self.role = ""
        self.rows = 0
        self.bytes = 0
        """Of the masked columns; `produced` counts the framing as well."""
        self.cut_by = ""
        """What ended the answer before its end; empty if nothing did."""
        self.produced = 0

    @property
    def sent(self) -> int:
        return self._sink.sent

    @property
    def started(self) -> bool:
        """Whether a byte has left, after which only the trailer can tell of an error."""
        return self.produced > 0

    @property
    def digest(self) -> str:
        """SHA-256 of the body up to the trailer, hex."""
        return self._hash.hexdigest()

    def opens(self, mask: FrameMask) -> None:
        """How seals are opened from now on; until then, and without, each is withheld."""
        self._mask = mask

    def send(self, batch: pa.RecordBatch, expected: list[Treatment | None]) -> None:
        """Mask and write a batch."""
        if self.cut_by and not batch.num_rows and self._schema is not None:
            return  # cut just where an earlier batch ended
        masked = self._mask.mask(batch, expected)
        if self._schema is None or not masked.schema.equals(self._schema, check_metadata=True):
            self._open(masked.schema)
        self._writer.write_batch(masked)
        self.rows += masked.num_rows
        self.bytes += masked.nbytes
        self._write()

    def _open(self, schema: pa.Schema) -> None:
        if self._writer is not None:
            self._writer.close()
        self._schema = schema
        self._writer = pa.ipc.new_stream(self._chunks, schema.with_metadata({TRAILER: self._head}))

    def _write(self) -> None:
        data = self._chunks.take()
        self._hash.update(data)
        self.produced += len(data)
        self._sink.write(data)

    def drain(self) -> None:
        """Wait until the kernel has taken everything."""
        self._sink.drain()

    def note(
        self, execution: Execution, profile: Profile, detectors: Mapping[str, Detector]
    ) -> None:
        """Keep what the engine saw, before its connection is handed back."""
        self.reads = execution.reads
        self.role = execution.role
        self._treated = dict(execution.treated)
        self._guarantees = dict(guarantees(self._treated, profile, detectors))

    def trailer(self, error: GovError | None) -> Trailer:
        """What the last batch will say."""
        return Trailer(
            rows=self.rows,
            cut=bool(self.cut_by),
            cut_by=self.cut_by,
            treated=tuple(
                TreatedColumn(
                    column=column,
                    treatment=str(treatment),
                    guarantee=self._guarantees.get(column, ""),
                )
                for column, treatment in sorted(self._treated.items())
            ),
            withheld_cells=self.counts.sealed + self.counts.mismatched,
            scanned_cells=self.counts.scanned,
            replaced_cells=self.counts.replaced,
            unanswered_texts=self.counts.unanswered,
            error=None if error is None else encode_error(error),
        )

    def finish(self, trailer: Trailer) -> None:
        """The regular end."""
        assert self._schema is not None
        self._last(trailer)
        self._writer.close()
        self._sink.write(self._chunks.take())
        self._sink.end()

    def fail(self, trailer: Trailer, error: GovError) -> None:
        """Tell of an error: by raising it while nothing has left, else in a trailer, unclosed."""
        if not self.started:
            raise error
        try:
            # Serialised again: only now does the error carry its record.
            self._last(replace(trailer, error=encode_error(error)))
            self._sink.write(self._chunks.take())
            self._sink.end()
        except Cancelled:
            pass  # nobody is there to be told; the outcome is in the record

    def _last(self, trailer: Trailer) -> None:
        assert self._schema is not None
        empty = self._schema.empty_table().to_batches()
        batch = (
            empty[0]
            if empty
            else pa.RecordBatch.from_arrays(
                [pa.array([], field.type) for field in self._schema], schema=self._schema
            )
        )
        self._writer.write_batch(batch, custom_metadata={TRAILER: encode(trailer)})
