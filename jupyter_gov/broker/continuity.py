"""
What becomes of an attachment when its kernel is restarted.

It goes on, so that *Restart & Run All* asks nothing.  That the new process is the old kernel's is
the notebook server's word, though, and whoever runs code beside that server may have its
credential.  So an attachment goes on only where nobody else could be meant: as long as its server
has served no other principal since.  Otherwise it ends, and its person confirms again.
"""

from __future__ import annotations

from jupyter_gov.audit.events import Event
from jupyter_gov.audit.ports import AuditLog
from jupyter_gov.broker.end import Ender, Target, actor_of
from jupyter_gov.identity.model import Kernel
from jupyter_gov.identity.ports import Clock, IdentityStore

SHARED = "its kernel was restarted on a notebook server where somebody else, or an agent, acts too"


class Continuity:
    """Carries attachments over to restarted kernels, or ends them."""

    def __init__(self, store: IdentityStore, log: AuditLog, ender: Ender, clock: Clock) -> None:
        self._store = store
        self._log = log
        self._ender = ender
        self._clock = clock

    def carry_over(self, kernel: Kernel) -> None:
        """
        *kernel* has just enrolled: give it the session of its earlier start, if it may have it.

        A crash before the store is written leaves the kernel unattached.
        """
        session = self._store.session_of(kernel.server_id, kernel.kernel_id)
        if session is None or session.generation >= kernel.generation:
            return
        if not session.active(self._clock()):
            self._ender.end(Target("session", session.session_id), "its time was over")
            return
        if self._store.served_others(session):
            self._ender.end(Target("session", session.session_id), SHARED)
            return
        self._log.append(
            Event(
                kind="session.continued",
                at=self._clock(),
                actor=actor_of(session, slot=kernel.slot_id, isolation=kernel.isolation),
                says={
                    "restart": kernel.generation - 1,
                    "address": kernel.client_address,
                    "claimed_notebook": kernel.claimed_notebook,
                },
            )
        )
        self._store.continue_session(session.session_id, generation=kernel.generation)
