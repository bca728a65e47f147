"""What a session may see of itself and of what it can reach, as messages of the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from jupyter_gov.access.model import Eligibility, Grant
from jupyter_gov.broker.caller import Caller
from jupyter_gov.broker.ports import Policy
from jupyter_gov.connections.model import Table
from jupyter_gov.identity.model import Kernel, Principal, Session
from jupyter_gov.masking.detection.detector import Detector
from jupyter_gov.masking.guarantee import enforcement, guarantee
from jupyter_gov.masking.model import Profile
from jupyter_gov.wire.messages import (
    ColumnView,
    ConnectionView,
    GrantView,
    Head,
    PrincipalView,
    SessionView,
    TableView,
)
from jupyter_gov.wire.times import show_duration, utc


def principal_view(principal: Principal) -> PrincipalView:
    return PrincipalView(
        kind="agent" if principal.is_agent else "person",
        name=principal.name,
        issuer=principal.issuer,
        on_behalf_of=principal.on_behalf_of,
    )


def grant_view(grant: Grant, now: datetime) -> GrantView:
    state = grant.state(now)
    left = int((grant.end - now).total_seconds()) if state == "active" else 0
    return GrantView(
        grant=grant.grant_id,
        connection=grant.connection,
        eligibility=grant.eligibility,
        tables=tuple(sorted(grant.tables)),
        actions=tuple(sorted(map(str, grant.actions))),
        start=utc(grant.start),
        end=utc(grant.end),
        seconds_left=left,
        state=state,
        preset=grant.preset,
        data_use_agreement=grant.data_use_agreement,
    )


def head_of(caller: Caller, grant: Grant, record: str, opened: bool, now: datetime) -> Head:
    return Head(
        record=record,
        principal=principal_view(caller.session.principal),
        grant=grant_view(grant, now),
        purpose=caller.session.purpose,
        isolation=caller.kernel.isolation,
        opened_grant=opened,
    )


def session_view(
    kernel: Kernel, session: Session | None, grants: list[Grant], page_url: str, now: datetime
) -> SessionView:
    """Who a kernel is; *session* None while it is attached to nobody."""
    notices = []
    if kernel.second_enrolments:
        notices.append(
            f"something tried {kernel.second_enrolments} time(s) to use this kernel's enrolment"
            " secret again; it was refused and recorded"
        )
    active = session is not None and session.active(now)
    return SessionView(
        kernel_id=kernel.kernel_id,
        isolation=kernel.isolation,
        page_url=page_url,
        attached=active,
        session=session.session_id if session and active else "",
        principal=principal_view(session.principal) if session and active else None,
        purpose=session.purpose if session and active else "",
        ends_at=utc(session.ends_at) if session and active else "",
        grants=tuple(grant_view(g, now) for g in grants if g.state(now) == "active"),
        notices=tuple(notices),
    )


def connection_views(
    policy: Policy, eligible: dict[str, list[Eligibility]], active: set[str]
) -> tuple[ConnectionView, ...]:
    """Connections with at least one eligibility; others are not told of."""
    return tuple(
        ConnectionView(
            name=name,
            description=policy.connections[name].description,
            dialect=policy.connections[name].dialect,
            active=name in active,
            may_request=True,
            default_duration=show_duration(max(e.default_duration for e in offers)),
            max_duration=show_duration(max(e.max_duration for e in offers)),
        )
        for name, offers in sorted(eligible.items())
        if offers
    )


def table_view(
    table: Table, profile: Profile, detectors: Mapping[str, Detector] | None = None
) -> TableView:
    """A table's columns, with types before and after their treatment."""
    columns = []
    for column in table.columns:
        if table.kind == "view":
            tag, treated = "", column.type
            treatment = enforced = "as its tables"
            promised = ""
        else:
            policy = profile.policy(column.tag)
            tag, treatment = str(column.tag or ""), str(policy.treatment)
            treated = policy.treated_type(column.type)
            enforced = enforcement(policy, detectors or {})
            promised = guarantee(policy, detectors or {})
        columns.append(
            ColumnView(
                name=column.name,
                tag=tag,
                treatment=treatment,
                type=column.type,
                treated_type=treated,
                enforcement=enforced,
                guarantee=promised,
            )
        )
    return TableView(name=table.name, kind=table.kind, columns=tuple(columns))
