"""
The last look at each Arrow batch before it leaves the gateway.

Seals are opened here and nowhere else.  What was sealed as free text is scanned, what was sealed
to be replaced is replaced, and whatever does not open is withheld.  And each output column that is
plainly a treated base column is checked again: a value without the shape of its treatment means
that the engine's wall has a hole, so it is withheld and counted, and the record says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jupyter_gov.masking.detection.detector import Found, Surrogates
from jupyter_gov.masking.model import SEALED, Treatment
from jupyter_gov.masking.seals import CLOSE, OPEN, Opened, Opener, Remembering
from jupyter_gov.masking.shapes import UNCHECKED, misshapen
from jupyter_gov.masking.tokens import TOKEN, Withheld, opened, rewritten, tokens_in
from jupyter_gov.wire.cells import MIXED, decode_cell, encode_cell

_MARK, _CLOSE = OPEN[0].encode(), CLOSE.encode()
_PORTION = 256
"""Texts that are scanned before it is asked again whether to go on."""


class Scans(Protocol):
    """A detector, as the frame needs it."""

    def mask(self, texts: Sequence[str], profile: str, surrogates: Surrogates) -> Found: ...


class Replaces(Protocol):
    """What replaces a sealed value by one of the same form (`fpe`)."""

    def encrypt(self, kind: str, values: Sequence[str]) -> list[str | None]:
        """One for each value; None: it is withheld."""


class NoSurrogates:
    """Where no store is: nothing is replaced, so it is withheld."""

    def codes(self, domain: str, values: Sequence[str]) -> list[str | None]:
        return [None] * len(values)


NO_SURROGATES = NoSurrogates()


class Shut:
    """Opens nothing."""

    def open(self, token: str) -> Opened | None:
        return None


@dataclass(slots=True)
class FrameCounts:
    """What the frame step did, for the outcome record.  Cells, unless it says otherwise."""

    sealed: int = 0
    """Withheld because they carried a seal that did not open, or a part of one."""
    mismatched: int = 0
    """Withheld because they did not have their treatment's shape.  Never 0 by luck."""
    scanned: int = 0
    """With free text that a detector scanned and that may leave, as it was masked."""
    replaced: int = 0
    """With a value that was replaced on the frame."""
    unanswered: int = 0
    """Texts, each once a batch, that were withheld because no detector answered for them."""
    entities: Counter[str] = field(default_factory=Counter)
    """Places that detectors found in texts they had not seen before."""
    columns: set[int] = field(default_factory=set)
    """Of the output, with a withheld cell."""


class FrameMask:
    """
    Used by one thread, for one statement.

    Args:
        opener: opens what this statement's projections sealed.
        detectors: by name; text for one that is not there is withheld.
        profile: its id; what was scanned under one is not remembered for another.
        check: called before each portion of texts is scanned; what it raises ends the batch.
    """

    def __init__(
        self,
        opener: Opener,
        detectors: Mapping[str, Scans],
        surrogates: Surrogates,
        counts: FrameCounts,
        *,
        fpe: Replaces | None = None,
        profile: str = "",
        check: Callable[[], None] | None = None,
    ) -> None:
        self._opener = Remembering(opener)
        self._detectors = detectors
        self._surrogates = surrogates
        self._counts = counts
        self._fpe = fpe
        self._profile = profile
        self._check = check

    def mask(self, batch: pa.RecordBatch, expected: Sequence[Treatment | None]) -> pa.RecordBatch:
        """
        Open what may be opened, and withhold what must not leave.

        Args:
            batch: as the engine gave it.
            expected: per output column the treatment of the base column it plainly shows; None
                where that is not known.  Shorter than the batch: the rest is not known.

        Returns:
            A batch of the same schema and length.
        """
        columns = []
        for index, column in enumerate(batch.columns):
            treatment = expected[index] if index < len(expected) else None
            mixed = MIXED in (batch.schema.field(index).metadata or {})
            column = self._opened(column, treatment, mixed, index)
            if treatment is not None and treatment not in UNCHECKED:
                column = self._checked(column, treatment, mixed, index)
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema)

    # ------------------------------------------------------------------ seals

    def _opened(
        self, column: pa.Array, treatment: Treatment | None, mixed: bool, index: int
    ) -> pa.Array:
        kind = column.type
        sealed = treatment in SEALED
        if mixed:
            # Decoded, since JSON's escapes and base64 would hide the marks.
            return self._by_value(column, sealed, index, decode_cell, encode_cell)
        if _holds_no_text(kind):
            return self._all_mismatched(column, index) if sealed else column
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return self._texts(column, sealed, index) if sealed or _may_carry(column) else column
        if pa.types.is_string_view(kind):
            return self._texts(column.cast(pa.large_string()), sealed, index).cast(kind)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            if sealed:
                return self._all_mismatched(column, index)
            return self._bytes(column, index) if _may_carry(column) else column
        return self._by_value(column, sealed, index, _same, _same)

    def _texts(self, column: pa.Array, sealed: bool, index: int) -> pa.Array:
        """Each distinct text once, however often it comes."""
        encoded = column.dictionary_encode()
        distinct = encoded.dictionary.to_pylist()
        times = {
            pair["values"]: pair["counts"] for pair in pc.value_counts(encoded.indices).to_pylist()
        }
        release = self._released(t for text in distinct for t in TOKEN.findall(text))
        after = [
            self._text(text, sealed, index, times.get(place, 0), release)
            for place, text in enumerate(distinct)
        ]
        if all(a is b for a, b in zip(after, distinct, strict=True)):
            return column
        return pa.array(after, column.type).take(encoded.indices)

    def _text(
        self, text: str, sealed: bool, index: int, times: int, release: _Released
    ) -> str | None:
        if sealed and not TOKEN.fullmatch(text):
            self._mismatch(index, times)
            return None
        release.begin()
        try:
            after = opened(text, release)
        except Withheld:
            self._withhold(index, times)
            return None
        self._count(release, times)
        return after if release.used else text

    def _by_value(
        self,
        column: pa.Array,
        sealed: bool,
        index: int,
        decode: Callable[[Any], Any],
        encode: Callable[[Any], Any],
    ) -> pa.Array:
        """Cell by cell, at any depth; a list that loses an item keeps the others."""
        cells = column.to_pylist()
        values = [decode(cell) for cell in cells]
        release = self._released(token for value in values for token in tokens_in(value))
        after = [
            cell if value is None else self._value(cell, value, sealed, index, release, encode)
            for cell, value in zip(cells, values, strict=True)
        ]
        if all(a is b for a, b in zip(after, cells, strict=True)):
            return column
        return pa.array(after, column.type)

    def _value(
        self,
        cell: Any,
        value: Any,
        sealed: bool,
        index: int,
        release: _Released,
        encode: Callable[[Any], Any],
    ) -> Any:
        if sealed and not _all_tokens(value):
            return self._mismatch(index, 1)
        release.begin()
        lost: list[int] = []
        try:
            after = rewritten(value, release, lambda: lost.append(index))
        except Withheld:
            return self._withhold(index, 1)
        if lost:
            self._withhold(index, 1)
        else:
            self._count(release, 1)
        return cell if after is value else encode(after)

    def _bytes(self, column: pa.Array, index: int) -> pa.Array:
        bad = pc.or_(pc.match_substring(column, _MARK), pc.match_substring(column, _CLOSE))
        bad = pc.fill_null(bad, False)
        self._withhold(index, pc.sum(bad).as_py() or 0)
        return _nulled(column, bad)

    # ------------------------------------------------------------------ what is in them

    def _released(self, tokens: Iterable[str]) -> _Released:
        """What may leave of each token, scanned together."""
        by_kind: dict[str, dict[str, str]] = {}
        for token in dict.fromkeys(tokens):
            inside = self._opener.open(token)
            if inside is not None:
                by_kind.setdefault(inside.kind, {})[token] = inside.text
        released = _Released()
        for kind, texts in by_kind.items():
            what, _, how = kind.partition(":")
            distinct = list(dict.fromkeys(texts.values()))
            said = dict(zip(distinct, self._said(what, how, distinct), strict=True))
            released.put({token: said[text] for token, text in texts.items()}, what == "seal")
        return released

    def _said(self, what: str, how: str, texts: list[str]) -> list[str | None]:
        if what == "seal" and how in self._detectors:
            return self._scan(self._detectors[how], texts)
        if what == "surrogate":
            return self._surrogates.codes(how, texts)
        if what == "fpe" and self._fpe is not None:
            return self._fpe.encrypt(f"{what}:{how}", texts)
        return [None] * len(texts)

    def _scan(self, detector: Scans, texts: list[str]) -> list[str | None]:
        said: list[str | None] = []
        for start in range(0, len(texts), _PORTION):
            if self._check is not None:
                self._check()
            portion = texts[start : start + _PORTION]
            found = detector.mask(portion, self._profile, self._surrogates)
            said += found.texts
            self._counts.entities += found.entities
            self._counts.unanswered += found.unanswered
        return said

    # ------------------------------------------------------------------ counts

    def _count(self, release: _Released, times: int) -> None:
        if release.scanned:
            self._counts.scanned += times
        elif release.used:
            self._counts.replaced += times

    def _withhold(self, index: int, times: int) -> None:
        if times:
            self._counts.sealed += times
            self._counts.columns.add(index)

    def _mismatch(self, index: int, times: int) -> None:
        if times:
            self._counts.mismatched += times
            self._counts.columns.add(index)

    def _all_mismatched(self, column: pa.Array, index: int) -> pa.Array:
        self._mismatch(index, len(column) - column.null_count)
        return _nulled(column, pc.is_valid(column))

    def _checked(self, column: pa.Array, treatment: Treatment, mixed: bool, index: int) -> pa.Array:
        if column.null_count == len(column):
            return column
        if mixed or treatment is Treatment.WITHHOLD:
            bad = pc.is_valid(column)
        else:
            bad = misshapen(column, treatment)
        hits = pc.sum(bad).as_py() or 0
        if not hits:
            return column
        self._mismatch(index, hits)
        return _nulled(column, bad)


class _Released:
    """Token → what may leave, and what was used of it in one cell."""

    def __init__(self) -> None:
        self._said: dict[str, str | None] = {}
        self._free_text: set[str] = set()
        self.used = self.scanned = False

    def put(self, said: Mapping[str, str | None], free_text: bool) -> None:
        self._said.update(said)
        if free_text:
            self._free_text.update(said)

    def begin(self) -> None:
        """A new cell."""
        self.used = self.scanned = False

    def __call__(self, token: str) -> str | None:
        self.used = True
        self.scanned |= token in self._free_text
        return self._said.get(token)


def mask_batch(
    batch: pa.RecordBatch, expected: Sequence[Treatment | None], counts: FrameCounts
) -> pa.RecordBatch:
    """`FrameMask.mask` where nothing can be opened: every seal is withheld."""
    return FrameMask(Shut(), {}, NoSurrogates(), counts).mask(batch, expected)


def _same(value: Any) -> Any:
    return value


def _all_tokens(value: Any) -> bool:
    """Whether a cell of a sealed column holds nothing but whole tokens."""
    if isinstance(value, list):
        return all(item is None or _all_tokens(item) for item in value)
    return isinstance(value, str) and TOKEN.fullmatch(value) is not None


def _nulled(column: pa.Array, bad: pa.Array) -> pa.Array:
    """Nulls where *bad*, in a column of any type."""
    try:
        return pc.if_else(bad, pa.scalar(None, column.type), column)
    except pa.ArrowNotImplementedError:
        pairs = zip(column.to_pylist(), bad.to_pylist(), strict=True)
        return pa.array([None if hit else value for value, hit in pairs], column.type)


def _holds_no_text(kind: pa.DataType) -> bool:
    is_a = pa.types
    return bool(
        is_a.is_null(kind) or is_a.is_boolean(kind) or is_a.is_integer(kind)
        or is_a.is_floating(kind) or is_a.is_decimal(kind) or is_a.is_temporal(kind)
    )  # fmt: skip


def _may_carry(column: pa.Array) -> bool:
    """A seal is not ASCII: one pass over the bytes spares the ordinary column the rest."""
    data = column.buffers()[2]
    if data is None or not data.size or np.frombuffer(data, np.int8).min() >= 0:
        return False
    plain = data.to_pybytes()
    return _MARK in plain or _CLOSE in plain
