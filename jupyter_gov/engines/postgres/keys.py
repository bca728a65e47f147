"""
Keys, small areas and the constants of row filters, in the database.

Loaded by COPY, whose data no statement log shows.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

from jupyter_gov.engines.postgres.guard import foreign
from jupyter_gov.engines.postgres.names import (
    ADMIN,
    PRIVATE,
)
from jupyter_gov.engines.postgres.source import EMPTY_PATH, Source, names_of


def pads(key: bytes) -> tuple[bytes, bytes]:
    """The two pads of RFC 2104 for SHA-256; a longer key than a block is hashed first."""
    if len(key) > 64:
        key = hmac.digest(b"", key, "sha256")
    block = key.ljust(64, b"\0")
    return bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)


def literals_of(source: Source) -> dict[str, str]:
    """Every constant of a condition on rows, by its name."""
    return {
        name: value
        for plan in source.plans
        for projection in plan.projections
        for name, value in projection.literals.items()
    }


def load_keys(
    session: psycopg.Connection[Any],
    keys: Mapping[str, bytes],
    small_areas: Iterable[str],
    literals: Mapping[str, str],
) -> None:
    """
    Put what no statement may show where only the projections read it.  Raises psycopg.Error.

    Args:
        keys: name of the pad → key, 64 bytes at most.
        literals: see `literals_of`.
    """
    with session.transaction(), session.cursor() as cursor:
        cursor.execute(EMPTY_PATH)
        foreign(session, names_of(session))
        for table, rows in (
            ("pad", [(name, *pads(key)) for name, key in sorted(keys.items())]),
            ("small_area", [(area,) for area in sorted(small_areas)]),
            ("literal", sorted(literals.items())),
        ):
            cursor.execute(f"DELETE FROM {PRIVATE}.{table}")
            with cursor.copy(f"COPY {PRIVATE}.{table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        # Kept under other keys they would be wrong.
        cursor.execute(f"DELETE FROM {PRIVATE}.token")
        functions = cursor.execute(
            "SELECT p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n"
            " ON n.oid = p.pronamespace WHERE n.nspname = %s AND p.proname ~ '^learn_' ORDER BY 1",
            (ADMIN,),
        ).fetchall()
        for (function,) in functions:
            cursor.execute(f"SELECT {ADMIN}.{function}()")


def key_marks(keys: Mapping[str, bytes], literals: Mapping[str, str]) -> set[str]:
    """What ``gov_admin.keys()`` says if these are loaded."""
    marks = set()
    for name, key in keys.items():
        inner, outer = pads(key)
        marks.add(f"{name} {hashlib.sha256(inner + outer).hexdigest()[:16]}")
    for name, value in literals.items():
        marks.add(f"literal {name} {hashlib.sha256(value.encode()).hexdigest()[:16]}")
    return marks
