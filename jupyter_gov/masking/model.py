"""Treatments and profiles: what each column of a connection becomes for one kind of reader."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass


class Treatment(enum.StrEnum):
    """What a column becomes.  A column that is out of scope is absent."""

    CLEAR = "clear"
    PSEUDONYM = "pseudonym"
    PARTIAL = "partial"
    YEAR = "year"
    AGE = "age"
    ZIP3 = "zip3"
    SEAL = "seal"
    WITHHOLD = "withhold"


_TREATED_TYPE = {
    Treatment.PSEUDONYM: "TEXT",
    Treatment.PARTIAL: "TEXT",
    Treatment.YEAR: "DATE",
    Treatment.AGE: "INTEGER",
    Treatment.ZIP3: "TEXT",
    Treatment.SEAL: "TEXT",
}


@dataclass(frozen=True, slots=True)
class ColumnPolicy:
    """One column's treatment; *domain* names whose pseudonyms agree with whose."""

    treatment: Treatment
    domain: str = ""

    def treated_type(self, declared: str) -> str:
        """The SQL type after the treatment, from the type before it."""
        return _TREATED_TYPE.get(self.treatment, declared)

    @property
    def enforcement(self) -> str:
        """The honest word for what protects the column."""
        if self.treatment is Treatment.CLEAR:
            return "clear"
        if self.treatment in (Treatment.WITHHOLD, Treatment.SEAL):
            return "withheld"
        return "engine-treated"


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
    tags: Mapping[str, Mapping[str, str]]
    """table → column → tag."""

    @property
    def profile_id(self) -> str:
        says = json.dumps(
            [
                self.connection,
                {tag: [p.treatment, p.domain] for tag, p in self.by_tag.items()},
                [self.untagged.treatment, self.untagged.domain],
                {table: dict(columns) for table, columns in self.tags.items()},
            ],
            sort_keys=True,
        )
        return "P-" + hashlib.sha256(says.encode()).hexdigest()[:16]

    def policy(self, tag: str | None) -> ColumnPolicy:
        """The treatment of a column with that tag; an unknown tag counts as untagged."""
        return self.untagged if tag is None else self.by_tag.get(tag, self.untagged)

    def clear_columns(self) -> int:
        """How many tagged columns it shows as they are: the measure of *narrow*."""
        return sum(
            self.policy(tag).treatment is Treatment.CLEAR
            for columns in self.tags.values()
            for tag in columns.values()
        )

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
        if self.untagged != newer.untagged and newer.untagged.treatment is not Treatment.CLEAR:
            changed.append("(untagged columns)")
        return tuple(changed)
