"""
Codes that stand for values, and are not derived from them (45 CFR 164.514(c)).

The store holds no value: an entry's name is a keyed hash of domain and value, and its code is
random.  Whoever has the table but not the key learns how many values there are, and nothing else.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from jupyter_gov.store.tables import surrogate
from jupyter_gov.store.transactions import Transactions

PREFIX = "s_"
_RANDOM_BYTES = 10
_PORTION = 400
"""Entries of one statement: SQLite took 999 parameters at most for a long time."""


def _new_code() -> str:
    return PREFIX + base64.b32encode(secrets.token_bytes(_RANDOM_BYTES)).decode().lower()


class Surrogates(Transactions):
    """
    The same code for the same value of a domain, over grants, sessions and restarts.

    Safe from many threads and processes: of two that name a value for the first time, one wins,
    and both answer its code.

    Args:
        key: 32 bytes or more; with another one, every value gets another code.
    """

    def __init__(self, engine: Engine, key: bytes) -> None:
        super().__init__(engine)
        if len(key) < 32:
            raise ValueError("the key of surrogates has at least 32 bytes")
        self._key = key

    def codes(self, domain: str, values: Sequence[str]) -> list[str | None]:
        """A code for each value.  Raises Unavailable."""
        names = [self._name(domain, value) for value in values]
        held: dict[bytes, str] = {}
        for portion in _portions(list(dict.fromkeys(names))):
            with self._read() as c:
                held.update(_held(c, portion))
            missing = [name for name in portion if name not in held]
            if missing:
                with self._write(()) as c:
                    _add(c, missing)
                with self._read() as c:
                    held.update(_held(c, missing))
        return [held[name] for name in names]

    def _name(self, domain: str, value: str) -> bytes:
        said = domain.encode() + b"\0" + value.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, said, "sha256")


def _portions(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(names), _PORTION):
        yield names[start : start + _PORTION]


def _held(c: Connection, names: Sequence[bytes]) -> dict[bytes, str]:
    asked = select(surrogate.c.name, surrogate.c.code).where(surrogate.c.name.in_(names))
    return {bytes(name): code for name, code in c.execute(asked)}


def _add(c: Connection, names: Sequence[bytes]) -> None:
    """Those that somebody else has added meanwhile stay as they are."""
    dialect: Any = postgresql if c.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(surrogate).on_conflict_do_nothing()
    c.execute(statement, [{"name": name, "code": _new_code()} for name in names])
