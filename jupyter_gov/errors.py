"""
The whole error tree.

Every refusal names the rule that made it and the one thing to do next.  Texts are built from the
policy and from the user's own statement, never from a row of the database, so that showing them
to whoever asked is always safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Next:
    """What to do now: a machine-readable *action* with the command for each kind of reader."""

    action: str
    """One of: login, request_grant, fix_sql, retry, narrow, restart_kernel, ask_admin."""
    magic: str = ""
    """The line a person types in a notebook, e.g. ``%gov login``."""
    call: str = ""
    """The call an agent makes, e.g. ``gov.login()``."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the user's own statement: line and column count from 1, offset from 0."""

    line: int
    column: int
    offset: int


class GovError(Exception):
    """Root of the tree.  Never raised itself."""

    code: ClassVar[str] = "gov_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        next: Next | None = None,
        position: Position | None = None,
        record: str = "",
        near: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.next = next
        self.position = position
        self.record = record
        """The audit record of the refused or failed command, empty when none was written."""
        self.near = near
        """Names close to the one that was not found, from the grant's own projections."""
        self.statement = ""
        """The user's own SQL, set by the client so that *position* can be shown in it."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the refusal and the next step, instead of our stack."""
        lines = [f"{type(self).__name__}: {self}"]
        text = self.statement.split("\n")
        if self.position is not None and self.statement and self.position.line <= len(text):
            shown = text[self.position.line - 1]
            before = shown[: self.position.column - 1].ljust(self.position.column - 1)
            indent = "".join("\t" if c == "\t" else " " for c in before)
            lines += [f"    {shown}", f"    {indent}^"]
        if self.next is not None and self.next.magic and self.next.magic not in lines[0]:
            lines.append(f"Next: {self.next.magic}")
        return lines

    def __str__(self) -> str:
        parts = [self.message]
        if self.position is not None:
            parts[0] += f" (line {self.position.line}, column {self.position.column})"
        if self.near:
            parts.append("Did you mean: " + ", ".join(self.near) + "?")
        if self.hint:
            parts.append(self.hint)
        if self.record:
            parts.append(f"[{self.code}, record {self.record}]")
        return "\n".join(parts)


class Denied(GovError):
    """The policy refused.  *hint* is safe to show to whoever asked."""

    code = "denied"


class NotAttached(Denied):
    """No person has confirmed this kernel yet, or their attachment has ended."""

    code = "not_attached"


class NoGrant(Denied):
    """No active grant, and no eligibility that would open one."""

    code = "no_grant"


class GrantOver(Denied):
    """The grant's end has passed, or somebody ended it; also raised in the middle of a stream."""

    code = "grant_over"


class GrantNotStarted(Denied):
    """The grant starts later."""

    code = "grant_not_started"


class OutOfScope(Denied):
    """A grant exists, but no single one covers these tables and this action."""

    code = "out_of_scope"


class StatementRefused(Denied):
    """The gate does not let statements of this kind pass."""

    code = "statement_refused"


class EngineRefused(Denied):
    """The engine's own wall refused a read, a function or a reserved name."""

    code = "engine_refused"


class BudgetSpent(Denied):
    """The grant's rows or statements are used up."""

    code = "budget_spent"


class SessionOver(Denied):
    """The session ended: signed out, idle too long, at its absolute end, or ended by someone."""

    code = "session_over"


class DecisionRefused(Denied):
    """A deciding request did not come from a signed-in person on the gateway's own origin."""

    code = "decision_refused"


class Unauthenticated(GovError):
    """The request is not signed by a key this gateway knows, or it was sent before."""

    code = "unauthenticated"


class EnrolmentRefused(Unauthenticated):
    """The enrolment secret is unknown, revoked, or was used once already."""

    code = "enrolment_refused"


class BadRequest(GovError):
    """The request does not follow the API."""

    code = "bad_request"


class NotFound(GovError):
    """No such thing, or none that the asker may know of."""

    code = "not_found"


class Busy(GovError):
    """A limit on concurrent or frequent work; nothing was run."""

    code = "busy"
    retryable = True


class QueryFailed(GovError):
    """The database could not run the statement; the text is ours, never the engine's."""

    code = "query_failed"


class UnknownName(QueryFailed):
    """A table, column or function that the grant's projections do not have."""

    code = "unknown_name"


class BadSyntax(QueryFailed):
    """The statement does not parse."""

    code = "bad_syntax"


class BindMissing(QueryFailed):
    """The statement has a parameter without a value, or a value of a type that cannot be sent."""

    code = "bind_missing"


class TimedOut(QueryFailed):
    """The statement ran longer than the connection allows."""

    code = "timed_out"


class Cancelled(GovError):
    """Interrupted by its own kernel."""

    code = "cancelled"
    retryable = True


class ResultCut(GovError):
    """The result was longer than the limit, so what arrived is not the whole answer."""

    code = "result_cut"


class StreamBroken(GovError):
    """The stream ended without its end: the frame is incomplete and is not handed out."""

    code = "stream_broken"
    retryable = True


class Unavailable(GovError):
    """Something the gateway needs is down.  Nothing was run."""

    code = "unavailable"
    retryable = True


class AuditUnavailable(Unavailable):
    """The record cannot be written, so nothing runs."""

    code = "audit_unavailable"


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached or its secret cannot be read."""

    code = "database_unavailable"


class GatewayUnreachable(Unavailable):
    """The kernel cannot reach the gateway."""

    code = "gateway_unreachable"


class ConfigInvalid(GovError):
    """The configuration is wrong; *problems* says each config path and its fix."""

    code = "config_invalid"

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("the configuration is not valid:\n  " + "\n  ".join(problems))
        self.problems = problems


def tree(root: type[GovError] = GovError) -> Iterator[type[GovError]]:
    """Every class of the tree, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def by_code(code: str) -> type[GovError]:
    """The class that publishes *code*; the root for a code of a newer gateway."""
    return next((cls for cls in tree() if cls.code == code and cls is not ConfigInvalid), GovError)
