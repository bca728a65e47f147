"""
A PostgreSQL database behind the wall, in this process: gate, engine, frame, DataFrame.

With and without the doorman: two walls must fall before a value leaks, so each is tried alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jupyter_gov.connections.model import ConnectionSpec, Tags
from jupyter_gov.engines.postgres.engine import PostgresEngine
from jupyter_gov.engines.postgres.grants import DatabaseGrants
from jupyter_gov.engines.postgres.keys import literals_of, load_keys
from jupyter_gov.engines.postgres.script import script
from jupyter_gov.engines.postgres.source import look
from jupyter_gov.errors import GovError
from jupyter_gov.masking.model import Profile
from jupyter_gov.masking.places import SMALL_ZIP3
from jupyter_gov.masking.seals import Seals
from jupyter_gov.sql import gate
from jupyter_gov.wire.messages import Bind
from tests.support.postgres import CASES, Server
from tests.support.wall import Seen, collect, policy

GATEWAY = "abcdef0123456789"
LOGIN = "gov_gateway"


@dataclass(slots=True)
class Wall:
    """One database, one profile, one grant."""

    engine: PostgresEngine
    held: DatabaseGrants
    profile: Profile
    tables: frozenset[str]
    grant_id: str
    database: str

    def forget_sessions(self) -> None:
        """Close what is idle, so that the server has counted all it did."""
        self.held.pool.close_idle(time.monotonic() + 1)

    def ask(
        self,
        sql: str,
        binds: Mapping[str, Bind] | None = None,
        *,
        doorman: bool = True,
        seconds: float = 20.0,
    ) -> Seen:
        """Run a statement as a kernel would; without the doorman nothing looks at it first."""
        seen, began = Seen(), time.monotonic()
        try:
            self._run(sql, dict(binds or {}), seen, doorman, began + seconds)
        except GovError as error:
            seen.error = error
        except Exception as fault:
            seen.fault = fault
        seen.seconds = time.monotonic() - began
        return seen

    def _run(
        self, sql: str, binds: dict[str, Bind], seen: Seen, doorman: bool, deadline: float
    ) -> None:
        if doorman:
            statement = gate.read(sql, "postgres", self.engine.functions)
        else:
            statement = gate.Statement(
                text=sql, action="read", relations=(), binds=(), sources=None, dialect="postgres"
            )
        now = datetime.now(UTC)
        execution = self.engine.start(
            statement, binds, profile=self.profile, tables=self.tables, seals=Seals(bytes(64)),
            today=now.date(), deadline=deadline, grant_id=self.grant_id,
            ends_at=now + timedelta(hours=1),
        )  # fmt: skip
        collect(execution, seen)


def hospital(treatments: Mapping[str, str] = {}) -> tuple[Profile, Tags, tuple[str, ...]]:
    """The profile, tags and schemas of the cases' hospital; *treatments* differ from the file."""
    said = tomllib.loads((CASES / "postgres" / "policy.toml").read_text())
    tags: Tags = said["tags"]
    by_tag = {tag: policy(name, tag) for tag, name in {**said["treatments"], **treatments}.items()}
    profile = Profile(
        connection="hospital", by_tag=by_tag, untagged=policy("withhold", "untagged"), tags=tags
    )
    return profile, tags, tuple(said["schemas"])


def keys_of(profile: Profile) -> dict[str, bytes]:
    """A key for each that its projections need."""
    names = {name for each in profile.policies() for name in each.pads()}
    return dict.fromkeys(names, b"k" * 32)


@contextlib.contextmanager
def walls(
    server: Server, template: str, profiles: Mapping[str, Profile], tags: Tags,
    schemas: tuple[str, ...], *, max_sessions: int = 20,
) -> Iterator[dict[str, Wall]]:  # fmt: skip
    """A database made from *template*, provisioned for these profiles; a grant under each."""
    database = f"wall_{secrets.token_hex(4)}"
    server.create(database, template)
    spec = ConnectionSpec(
        name="hospital", url=server.url(database).replace("//", f"//{LOGIN}@"), tags=tags,
        schemas=schemas, max_sessions=max_sessions,
    )  # fmt: skip
    keys: dict[str, bytes] = {}
    for profile in profiles.values():
        keys |= keys_of(profile)
    with server.connect(database) as dba:
        source = look(dba, spec, profiles.values(), LOGIN)
        dba.execute(script(source).encode())
        load_keys(dba, keys, SMALL_ZIP3, literals_of(source))
        dba.execute(f"ALTER ROLE {LOGIN} PASSWORD 'gateway'")
    spec = dataclasses.replace(spec, secret=_Told("gateway"))
    held = DatabaseGrants(spec, GATEWAY)
    engine = PostgresEngine(spec, profiles.values(), {}, keys, held)
    try:
        yield {
            name: Wall(
                engine, held, profile, frozenset(engine.catalog().tables),
                f"G-{secrets.token_hex(4)}", database,
            )
            for name, profile in profiles.items()
        }  # fmt: skip
    finally:
        engine.close()
        server.drop(database)


@dataclass(frozen=True, slots=True)
class _Told:
    """A secret that a test knows."""

    value: str
    kind: str = "test"
    name: str = "test"

    def fetch(self) -> str:
        return self.value
