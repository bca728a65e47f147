"""What a database says of a column without showing a value, and where samples come from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A column of a base table, as the database's catalog has it."""

    table: str
    """As the configuration names it."""
    name: str
    type: str
    comment: str = ""
    table_comment: str = ""
    key: bool = False
    """It is the table's primary key, alone."""
    refers_to: str = ""
    """Table that a foreign key of this column alone leads to."""
    computed_from: tuple[str, ...] = ()
    """Columns of the same table that it is generated from."""


class Source(Protocol):
    """A database that tables are sampled from, read-only and for a limited time."""

    def columns(self) -> list[Described]:
        """Every column of every base table, tables together.  Raises DatabaseUnavailable."""

    def sample(self, table: str, columns: Sequence[Described], rows: int) -> list[list[object]]:
        """
        At most *rows* values of each column, long ones cut.  Raises DatabaseUnavailable.

        No value stands in a statement, so none gets into the database's log.
        """

    def close(self) -> None:
        """Nothing is left open."""


def words_of(name: str) -> str:
    """
    A name's words, in lower case, with one space between them.

    ``PatientId``, ``patient_id`` and ``Patient ID`` are all ``patient id``.
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"[a-z]+|[0-9]+", spaced.lower()))
