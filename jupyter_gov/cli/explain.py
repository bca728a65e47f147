"""explain: what would become of a statement for somebody, from the configuration alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from jupyter_gov.bootstrap.check import check
from jupyter_gov.bootstrap.compose import policy_now
from jupyter_gov.broker.explain import foresee
from jupyter_gov.broker.views import principal_view
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.gateway.config import GatewayConfig
from jupyter_gov.identity.model import EVALUATION_ISSUER, Principal
from jupyter_gov.kernel.explanation import Explanation
from jupyter_gov.store.clock import ForwardClock
from jupyter_gov.wire.messages import Query, decode, encode


def run(files: list[Path], asked: argparse.Namespace) -> int:
    """`explain`: prints the decision for a session that holds no grant yet."""
    if not files:
        raise ConfigInvalid(("no config file was found; name one with --config",))
    settings = GatewayConfig(files).settings()
    checked = check(settings)
    if asked.principal not in checked.identities:
        known = ", ".join(sorted(checked.identities)) or "none"
        raise ConfigInvalid((f"--as {asked.principal}: there is no such person; known: {known}",))
    if asked.connection not in checked.connections:
        known = ", ".join(sorted(checked.connections)) or "none"
        raise ConfigInvalid((f"there is no connection {asked.connection}; known: {known}",))
    principal = Principal(issuer=EVALUATION_ISSUER, subject=asked.principal)
    if asked.agent:
        principal = principal.agent(asked.agent)
    query = Query(query_id="", connection=asked.connection, sql=asked.sql)
    with policy_now(checked, settings.state_dir) as policy:
        found = foresee(policy, query, principal, at=ForwardClock()())
        told = encode(found.told(policy, query, principal_view(principal)))
    print(told.decode() if asked.json else decode(Explanation, told).of(asked.sql))
    return 1 if found.refusal else 0
