"""Transactions on the state's database, which may be full, read-only or gone."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection, Hashable, Iterator

from sqlalchemy import Connection, Delete, Engine, Update
from sqlalchemy.exc import OperationalError

from jupyter_gov.errors import Unavailable
from jupyter_gov.store.remembered import Remembered
from jupyter_gov.store.reserve import Reserve, is_full


def _full() -> Unavailable:
    return Unavailable(
        "the gateway's state volume is full, so nothing was run",
        hint=f"Free space on the gateway's state volume ({os.strerror(errno.ENOSPC)}), then retry.",
    )


def _unavailable(error: OperationalError) -> Unavailable:
    if is_full(error.orig):
        return _full()
    name = getattr(error.orig, "sqlite_errorname", type(error.orig).__name__)
    return Unavailable(
        "the gateway's state cannot be read or written, so nothing was run",
        hint=f"The gateway's administrator should look at {name}.",
    )


class Transactions:
    """
    What every part of the state is written with.

    Each raises Unavailable when the file cannot be read or written, and is then not done.  What
    takes something away is written on a full volume too, in room that *reserve* holds back.
    """

    def __init__(self, engine: Engine, reserve: Reserve | None = None) -> None:
        self._engine = engine
        self._reserve = reserve
        self._recent = Remembered()
        if reserve is not None:
            reserve.hold()

    @property
    def engine(self) -> Engine:
        """The database, for what is kept beside."""
        return self._engine

    def close(self) -> None:
        """Close the connections that wait for the next transaction."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _read(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as c:
                yield c
        except OperationalError as error:
            raise _unavailable(error) from None

    @contextlib.contextmanager
    def _write(self, touched: Collection[Hashable] | None = None) -> Iterator[Connection]:
        """A transaction, and what it makes of what is remembered: all of it old, or *touched*."""
        if self._reserve is not None and not self._reserve.hold():
            raise _full()
        try:
            with self._engine.begin() as c:
                yield c
        except OperationalError as error:
            raise _unavailable(error) from None
        finally:  # also where the commit's fate is not known
            self._recent.forget(touched)

    def _take_away(self, *statements: Update | Delete) -> int:
        """Run them in one transaction; returns how many rows the last one changed."""
        for last in (False, True):
            try:
                with self._engine.begin() as c:
                    return [c.execute(statement).rowcount for statement in statements][-1]
            except OperationalError as error:
                if last or self._reserve is None or not is_full(error.orig):
                    raise _unavailable(error) from None
                self._reserve.release()
            finally:
                self._recent.forget()
        raise AssertionError
