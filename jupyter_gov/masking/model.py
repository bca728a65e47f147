"""Treatments and profiles: what each column of a connection becomes for one kind of reader."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from jupyter_gov.connections.model import Paths, Tag, Tags, leaf_tags
from jupyter_gov.masking.places import SMALL_ZIP3


class Treatment(enum.StrEnum):
    """What a column becomes.  A column that is out of scope is absent."""

    CLEAR = "clear"
    WITHHOLD = "withhold"
    PSEUDONYM = "pseudonym"
    PARTIAL = "partial"
    YEAR = "year"
    MONTH = "month"
    DATE_SHIFT = "date_shift"
    AGE = "age"
    ZIP3 = "zip3"
    BUCKET = "bucket"
    ROUND = "round"
    SEAL = "seal"
    FPE = "fpe"
    SURROGATE = "surrogate"
    PATHS = "paths"
    """Of a JSON column: rebuilt from its listed paths, each with a treatment of its own."""


SEALED = frozenset({Treatment.SEAL, Treatment.FPE, Treatment.SURROGATE})
"""The engine seals these; what becomes of them happens on the frame."""

SUBJECT = "subject"
"""The tag of the column that says whom a row is about."""

_TEXTS = SEALED | {Treatment.PSEUDONYM, Treatment.PARTIAL, Treatment.ZIP3}


@dataclass(frozen=True, slots=True)
class ColumnPolicy:
    """One column's treatment with its parameters; those it does not take are empty."""

    treatment: Treatment
    domain: str = ""
    """Of `pseudonym`, `fpe` and `surrogate`: values of one domain agree wherever they stand."""
    space: str = ""
    """Of `pseudonym`, `fpe` and `date_shift`: whose keys.  In a profile never empty for those."""
    days: int = 0
    """Of `date_shift`: the most that a date moves, either way."""
    width: Decimal = Decimal(0)
    """Of `bucket`."""
    start: Decimal = Decimal(0)
    """Of `bucket`: a lower edge."""
    to: Decimal = Decimal(0)
    """Of `round`: to a multiple of it."""
    alphabet: str = ""
    """Of `fpe`: ``digits`` or ``alnum``."""
    detector: str = ""
    """Of `seal`: which one scans the text on the frame; empty: it is withheld."""
    paths: tuple[tuple[str, ColumnPolicy], ...] = ()
    """Of `paths`: key → what becomes of what is under it."""

    def treated_type(self, declared: str) -> str:
        """The SQL type after the treatment, from the type before it, in its own case."""
        if self.treatment in _TEXTS:
            after = "text"
        elif self.treatment is Treatment.AGE:
            after = "integer"
        else:
            return declared
        if declared.endswith("[]"):
            after += "[]"
        return after.upper() if declared == declared.upper() else after

    @property
    def enforcement(self) -> str:
        """The honest word for what protects the column."""
        if self.treatment is Treatment.CLEAR:
            return "clear"
        if self.treatment is Treatment.SEAL and self.detector:
            return "scanned"
        if self.treatment in (Treatment.WITHHOLD, Treatment.SEAL):
            return "withheld"
        return "engine-treated"

    @property
    def kind(self) -> str:
        """What a seal of this column says that it is for; empty if it is not sealed."""
        match self.treatment:
            case Treatment.SEAL:
                return f"seal:{self.detector}"
            case Treatment.FPE:
                return f"fpe:{self.space}/{self.domain}:{self.alphabet}"
            case Treatment.SURROGATE:
                return f"surrogate:{self.domain}"
            case _:
                return ""

    def leaves(self) -> Iterator[ColumnPolicy]:
        """Itself, or those of its paths."""
        if self.treatment is not Treatment.PATHS:
            yield self
        for _, below in self.paths:
            yield from below.leaves()

    @property
    def by_subject(self) -> bool:
        """Whether it needs to know whom a row is about."""
        return any(leaf.treatment is Treatment.DATE_SHIFT for leaf in self.leaves())

    def pads(self) -> frozenset[str]:
        """Names of the HMAC keys it needs: ``space:NAME`` and ``shift:NAME``."""
        kinds = {Treatment.PSEUDONYM: "space", Treatment.DATE_SHIFT: "shift"}
        return frozenset(
            f"{kinds[leaf.treatment]}:{leaf.space}"
            for leaf in self.leaves()
            if leaf.treatment in kinds
        )

    def says(self) -> list[object]:
        """All of it, for a digest."""
        return [
            str(self.treatment), self.domain, self.space, self.days, str(self.width),
            str(self.start), str(self.to), self.alphabet, self.detector,
            [[key, below.says()] for key, below in self.paths],
        ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """
    A treatment for every column of a connection.

    Finite: computed from the config, never made at request time.  The id is a digest of what it
    does, so that an edit that changes nothing keeps it.
    """

    connection: str
    by_tag: Mapping[str, ColumnPolicy]
    untagged: ColumnPolicy
    tags: Tags
    small_areas: frozenset[str] = SMALL_ZIP3
    """Three-digit ZIP areas that become 000."""
    rows: Mapping[str, str] = field(default_factory=dict)
    """table → the condition on the rows it shows; see `rows.row_filter`."""
    min_group: int = 0
    """Results are of groups of at least so many subjects; 0: rows may be seen."""
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What follows from the rest, and is asked for several times a statement."""

    @property
    def profile_id(self) -> str:
        made: str | None = self._known.get("id")
        if made is None:
            made = self._known["id"] = self._digest()
        return made

    def _digest(self) -> str:
        says = json.dumps(
            [
                self.connection,
                {tag: policy.says() for tag, policy in self.by_tag.items()},
                self.untagged.says(),
                {
                    table: {name: _spelled(tag) for name, tag in columns.items()}
                    for table, columns in self.tags.items()
                },
                sorted(self.small_areas),
                dict(self.rows),
                *([self.min_group] if self.min_group else []),
            ],
            sort_keys=True,
        )
        return "P-" + hashlib.sha256(says.encode()).hexdigest()[:16]

    def policy(self, tag: Tag | None) -> ColumnPolicy:
        """The treatment of a column with that tag; an unknown tag counts as untagged."""
        if isinstance(tag, Paths):
            parts = tuple((key, self.policy(below)) for key, below in tag.parts)
            return ColumnPolicy(Treatment.PATHS, paths=parts)
        return self.untagged if tag is None else self.by_tag.get(tag, self.untagged)

    def policies(self) -> frozenset[ColumnPolicy]:
        """Of every tag, and of what has none."""
        return frozenset({*self.by_tag.values(), self.untagged})

    def subject_of(self, table: str) -> str | None:
        """The column that says whom the table's rows are about."""
        columns = self.tags.get(table, {})
        return next((name for name, tag in columns.items() if tag == SUBJECT), None)

    def clear_columns(self) -> int:
        """How many tagged columns it shows as they are: the measure of *narrow*."""
        made: int | None = self._known.get("clear")
        if made is None:
            made = self._known["clear"] = sum(
                self.policy(tag).treatment is Treatment.CLEAR
                for columns in self.tags.values()
                for column in columns.values()
                for tag in leaf_tags(column)
            )
        return made

    def tightened(self, newer: Profile, tables: frozenset[str]) -> tuple[str, ...]:
        """
        Columns of *tables* that *newer* treats otherwise, and not by clearing them.

        Any change but to ``clear`` counts, since two masks cannot be ranked: better to cut a
        stream than to finish it under a rule that is gone.
        """
        changed = []
        for table in sorted(tables):
            names = self.tags.get(table, {}).keys() | newer.tags.get(table, {}).keys()
            for name in sorted(names):
                before = self.policy(self.tags.get(table, {}).get(name))
                after = newer.policy(newer.tags.get(table, {}).get(name))
                if before != after and after.treatment is not Treatment.CLEAR:
                    changed.append(f"{table}.{name}")
        changed += [
            f"{table} (its rows)"
            for table in sorted(tables)
            if newer.rows.get(table) not in (None, self.rows.get(table))
        ]
        if self.untagged != newer.untagged and newer.untagged.treatment is not Treatment.CLEAR:
            changed.append("(untagged columns)")
        if newer.small_areas - self.small_areas:
            changed.append("(small ZIP areas)")
        if newer.min_group > self.min_group:
            changed.append("(the size of groups)")
        return tuple(changed)


def _spelled(tag: Tag) -> object:
    if isinstance(tag, Paths):
        return [[key, _spelled(below)] for key, below in tag.parts]
    return tag
