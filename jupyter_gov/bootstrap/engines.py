"""An engine for each connection, from the configuration and the gateway's keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.engine import make_url

from jupyter_gov.bootstrap.check import Checked
from jupyter_gov.bootstrap.keys import Keys
from jupyter_gov.broker.ports import Engine
from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.engines.postgres.engine import PostgresEngine
from jupyter_gov.engines.postgres.grants import DatabaseGrants
from jupyter_gov.engines.sqlite.engine import SqliteEngine
from jupyter_gov.masking.model import Profile


def profiles_of(checked: Checked, connection: str) -> tuple[Profile, ...]:
    """Each profile of a connection once, in a stable order."""
    found = {
        profile.profile_id: profile
        for profile in checked.profiles.values()
        if profile.connection == connection
    }
    return tuple(found[name] for name in sorted(found))


def pads_of(checked: Checked, connection: str, keys: Keys) -> dict[str, bytes]:
    """Every key that the connection's projections need, by the name of its row."""
    names = {
        name
        for profile in profiles_of(checked, connection)
        for policy in profile.policies()
        for name in policy.pads()
    }
    made = {"space": keys.space, "shift": keys.shift}
    return {name: made[kind](of) for name in sorted(names) for kind, _, of in [name.partition(":")]}


def needed_of(checked: Checked, connection: str) -> dict[str, set[str]]:
    """Profile id → tables that an eligibility names under it."""
    needed: dict[str, set[str]] = {}
    for name, eligibility in checked.eligibilities.items():
        if eligibility.connection == connection:
            tables = needed.setdefault(checked.profiles[name].profile_id, set())
            tables |= set(eligibility.tables) - {"*"}
    return needed


def engine(
    name: str,
    checked: Checked,
    keys: Keys | None,
    before: Mapping[str, Engine] | None = None,
    specs_before: Mapping[str, ConnectionSpec] | None = None,
) -> Engine:
    """
    The engine of one connection.

    Args:
        keys: None to look only: then nothing can be read, and whether the database has them is
            not asked.
        before: engines of the configuration in force, which go on where they can.
    """
    spec = checked.connections[name]
    old = None
    if before is not None and specs_before is not None and specs_before.get(name) == spec:
        old = before.get(name)
    if spec.dialect == "postgres":
        profiles, needed = profiles_of(checked, name), needed_of(checked, name)
        pads = {} if keys is None else pads_of(checked, name, keys)
        if isinstance(old, PostgresEngine):
            return old.under(profiles, needed, pads)
        gateway = "0" * 16 if keys is None else keys.gateway()
        return PostgresEngine(spec, profiles, needed, pads, DatabaseGrants(spec, gateway))
    if old is not None:
        return old
    database = make_url(spec.url).database
    assert database is not None  # checked
    return SqliteEngine(spec, Path(database), keys or Keys.none())


def shares(one: Engine, other: Engine | None) -> bool:
    """Whether both stand on the same connections to the database, so that closing one cuts both."""
    if isinstance(one, PostgresEngine) and isinstance(other, PostgresEngine):
        return one.held is other.held
    return one is other
