"""Who acts: principals, the notebook servers and kernels they act from, and their sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

EVALUATION_ISSUER = "evaluation"
"""The issuer of the built-in evaluation identities; every record that names it is not evidence."""

SAME_USER = "same-user: evaluation"
SEPARATE = "separate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """
    A named person, or an agent acting on a named person's behalf.

    An agent's subject is ``person/agents/name``, so that two people's agents of the same name
    are two principals.
    """

    issuer: str
    subject: str
    on_behalf_of: str | None = None
    """Subject of the person an agent acts for; None for a person."""

    @property
    def is_agent(self) -> bool:
        return self.on_behalf_of is not None

    @property
    def name(self) -> str:
        """The short name shown to people."""
        return self.subject.rsplit("/agents/", 1)[-1]

    @property
    def person(self) -> str:
        """Subject of the person who answers for what this principal does."""
        return self.on_behalf_of or self.subject

    def agent(self, name: str) -> Principal:
        """The agent called *name* on this person's behalf."""
        return Principal(
            issuer=self.issuer,
            subject=f"{self.subject}/agents/{name}",
            on_behalf_of=self.subject,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An enrolled notebook server: it may open kernel slots for its user, and nothing else."""

    server_id: str
    name: str
    owner: str | None
    """Subject of the only person who may confirm for its kernels; None when not known."""
    public_key: bytes
    managed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """
    A kernel slot: one running kernel's place, made anew at each restart.

    The claims come from the untrusted server; the rest the gateway saw itself.
    """

    slot_id: str
    server_id: str
    kernel_id: str
    generation: int
    """1 at the first start, one more at each restart."""
    opened_at: datetime
    secret_hash: bytes
    claimed_notebook: str
    claimed_user: str
    public_key: bytes | None = None
    """None until it has enrolled; set once."""
    client_address: str = ""
    isolation: str = SAME_USER
    revoked_at: datetime | None = None
    second_enrolments: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One kernel attached to exactly one principal, with a purpose."""

    session_id: str
    server_id: str
    kernel_id: str
    generation: int
    """
    Of the kernel that was attached, or of its restart that took the session over: the kernel's
    memory up to here is this principal's.
    """
    principal: Principal
    purpose: str
    started_at: datetime
    ends_at: datetime
    """Exclusive."""
    seen_at: datetime | None = None
    """When it was last used, to the minute; None: not since it started."""
    ended_at: datetime | None = None
    ended_why: str = ""

    def active(self, at: datetime) -> bool:
        return self.ended_at is None and at < self.ends_at

    def in_start(self, kernel: Kernel) -> bool:
        """Whether it is of this start of its kernel, or came over to it (`broker.continuity`)."""
        return self.generation == kernel.generation


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachRequest:
    """A code waiting for a person.  Only its hash is kept."""

    request_id: str
    code_hash: bytes
    server_id: str
    kernel_id: str
    generation: int
    suggested_agent: str
    opened_at: datetime
    expires_at: datetime
    state: str = "pending"
    """pending, confirmed, refused, expired."""
    tries_left: int = 5
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long attachments and codes live."""

    session_max: timedelta = timedelta(hours=12)
    session_idle: timedelta = timedelta(hours=2)
    code: timedelta = timedelta(minutes=10)
    pause_after_refusal: timedelta = timedelta(minutes=1)
    proof: timedelta = timedelta(minutes=5)
    """How long a sign-in counts as the fresh proof of one confirmation."""
