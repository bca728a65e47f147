"""A gateway before a PostgreSQL hospital, provisioned as an admin would do it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.support.gateway import GatewayProcess, free_port
from tests.support.postgres import CASES, OWNER, Server

LOGIN = "gov_gateway"
PEOPLE = {
    "ana": {"name": "Ana Lyst", "groups": ["analysts"]},
    "ivo": {"name": "Ivo Tern", "groups": ["interns"]},
    "eva": {"name": "Eva Nomore", "groups": []},
    "noa": {"name": "Noa Body", "groups": []},
}
ELIGIBILITIES = {
    "analysis": {
        "who": ["group:analysts"], "agents": "yes", "connection": "hospital", "tables": ["*"],
        "default_duration": "30m",
    },
    "contact": {
        "who": ["group:interns"], "connection": "hospital",
        "tables": ["patients", "encounters"], "clear": ["phone"],
    },
    "counts": {
        "who": ["eva"], "connection": "hospital",
        "tables": ["patients", "encounters", "messages_2025"],
        "aggregate_only": True, "min_group": 5,
    },
}  # fmt: skip


@dataclass
class PostgresSite:
    """A database, a configuration over it, and the gateway, which is not started yet."""

    server: Server
    database: str
    gateway: GatewayProcess

    def provision(self, *options: str) -> tuple[int, str, str]:
        """`jupyter gov provision hospital …` as the DBA: exit code, output, errors."""
        done = self.gateway.here(
            "provision", "hospital", "--dba-url", f"postgresql://{OWNER}@/{self.database}",
            "--dba-secret", "env:TEST_DBA_PASSWORD", *options,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def roles(self) -> list[str]:
        """Login roles that were made for grants in this database."""
        with self.server.connect(self.database) as dba:
            rows = dba.execute(
                "SELECT rolname FROM pg_roles WHERE rolname ~ ('^gov_e_' || left(encode(sha256("
                "current_database()::text::bytea), 'hex'), 8) || '_') ORDER BY 1"
            )
            return [name for (name,) in rows]


def make(server: Server, template: str, folder: Path, more: str = "") -> PostgresSite:
    """A fresh database and a configuration; *more* are lines added to it."""
    database = f"site_{folder.name.replace('-', '_')}"[:60].lower()
    server.create(database, template)
    said = tomllib.loads((CASES / "postgres" / "policy.toml").read_text())
    config = folder / "jupyter_server_config.py"
    connection = {
        "url": server.url(database).replace("//", f"//{LOGIN}@"),
        "secret": "env:TEST_GATEWAY_PASSWORD",
        "description": "a small hospital",
        "schemas": said["schemas"],
    }
    lines = [
        "c = get_config()",
        f"c.GovGateway.state_dir = {str(folder / 'state')!r}",
        f"c.GovConnections.connections = {{'hospital': {connection!r}}}",
        f"c.GovConnections.tags = {{'hospital': {said['tags']!r}}}",
        f"c.GovMasking.treatments = {said['treatments']!r}",
        f"c.GovAccess.eligibilities = {ELIGIBILITIES!r}",
        "c.GovAccess.purposes = {'quality': 'Quality of care'}",
        f"c.GovIdentity.evaluation_identities = {json.loads(json.dumps(PEOPLE))!r}",
        more,
    ]
    config.write_text("\n".join(lines) + "\n")
    config.chmod(0o600)
    gateway = GatewayProcess(
        config=config,
        state_dir=folder / "state",
        port=free_port(),
        env={"TEST_GATEWAY_PASSWORD": "gateway-secret", "TEST_DBA_PASSWORD": server.password},
    )
    return PostgresSite(server, database, gateway)
