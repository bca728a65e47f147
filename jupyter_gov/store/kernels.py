"""Notebook servers and the kernels they opened slots for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Update, delete, func, insert, select, update

from jupyter_gov.identity.model import Kernel, Server
from jupyter_gov.store import tables as t
from jupyter_gov.store.transactions import Transactions
from jupyter_gov.wire.times import from_utc, utc


def _server(row: Row[Any]) -> Server:
    return Server(**row._mapping)


def _kernel(row: Row[Any]) -> Kernel:
    values = dict(row._mapping)
    values["opened_at"] = from_utc(values["opened_at"])
    revoked = values["revoked_at"]
    values["revoked_at"] = None if revoked is None else from_utc(revoked)
    return Kernel(**values)


def _revocation(server_id: str, kernel_id: str, at: datetime) -> Update:
    kernel = t.kernel.c
    return (
        update(t.kernel)
        .where(
            kernel.server_id == server_id,
            kernel.kernel_id == kernel_id,
            kernel.revoked_at.is_(None),
        )
        .values(revoked_at=utc(at))
    )


class Kernels(Transactions):
    """The part of the IdentityStore that is about servers and kernels."""

    def add_server(self, server: Server) -> None:
        with self._write() as c:
            c.execute(
                insert(t.server).values(
                    server_id=server.server_id,
                    name=server.name,
                    owner=server.owner,
                    public_key=server.public_key,
                    managed=server.managed,
                )
            )

    def server(self, server_id: str) -> Server | None:
        return self._recent.get(("server", server_id), lambda: self._server(server_id))

    def _server(self, server_id: str) -> Server | None:
        with self._read() as c:
            row = c.execute(select(t.server).where(t.server.c.server_id == server_id)).first()
        return None if row is None else _server(row)

    def remove_server(self, server_id: str, *, at: datetime) -> bool:
        kernels = (
            update(t.kernel)
            .where(t.kernel.c.server_id == server_id, t.kernel.c.revoked_at.is_(None))
            .values(revoked_at=utc(at))
        )
        server = delete(t.server).where(t.server.c.server_id == server_id)
        return self._take_away(kernels, server) == 1

    def open_kernel(self, kernel: Kernel) -> None:
        with self._write() as c:
            c.execute(_revocation(kernel.server_id, kernel.kernel_id, kernel.opened_at))
            c.execute(
                insert(t.kernel).values(
                    slot_id=kernel.slot_id,
                    server_id=kernel.server_id,
                    kernel_id=kernel.kernel_id,
                    generation=kernel.generation,
                    opened_at=utc(kernel.opened_at),
                    secret_hash=kernel.secret_hash,
                    claimed_notebook=kernel.claimed_notebook,
                    claimed_user=kernel.claimed_user,
                    public_key=None,
                    client_address="",
                    isolation=kernel.isolation,
                    revoked_at=None,
                    second_enrolments=0,
                )
            )

    def kernel(self, slot_id: str) -> Kernel | None:
        return self._recent.get(("kernel", slot_id), lambda: self._kernel(slot_id))

    def _kernel(self, slot_id: str) -> Kernel | None:
        with self._read() as c:
            row = c.execute(select(t.kernel).where(t.kernel.c.slot_id == slot_id)).first()
        return None if row is None else _kernel(row)

    def current_kernel(self, server_id: str, kernel_id: str) -> Kernel | None:
        with self._read() as c:
            row = c.execute(
                select(t.kernel).where(
                    t.kernel.c.server_id == server_id,
                    t.kernel.c.kernel_id == kernel_id,
                    t.kernel.c.revoked_at.is_(None),
                )
            ).first()
        return None if row is None else _kernel(row)

    def last_kernel(self, server_id: str, kernel_id: str) -> Kernel | None:
        with self._read() as c:
            row = c.execute(
                select(t.kernel)
                .where(t.kernel.c.server_id == server_id, t.kernel.c.kernel_id == kernel_id)
                .order_by(t.kernel.c.generation.desc())
                .limit(1)
            ).first()
        return None if row is None else _kernel(row)

    def last_generation(self, server_id: str, kernel_id: str) -> int:
        with self._read() as c:
            last = c.execute(
                select(func.max(t.kernel.c.generation)).where(
                    t.kernel.c.server_id == server_id, t.kernel.c.kernel_id == kernel_id
                )
            ).scalar()
        return last or 0

    def enrol_kernel(
        self, slot_id: str, *, public_key: bytes, client_address: str, isolation: str
    ) -> bool:
        with self._write() as c:
            done = c.execute(
                update(t.kernel)
                .where(
                    t.kernel.c.slot_id == slot_id,
                    t.kernel.c.public_key.is_(None),
                    t.kernel.c.revoked_at.is_(None),
                )
                .values(public_key=public_key, client_address=client_address, isolation=isolation)
            )
            return done.rowcount == 1

    def count_second_enrolment(self, slot_id: str) -> None:
        with self._write() as c:
            c.execute(
                update(t.kernel)
                .where(t.kernel.c.slot_id == slot_id)
                .values(second_enrolments=t.kernel.c.second_enrolments + 1)
            )

    def revoke_kernel(self, server_id: str, kernel_id: str, *, at: datetime) -> None:
        self._take_away(_revocation(server_id, kernel_id, at))
