"""provision: PostgreSQL's wall, put up, looked at and taken down."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from jupyter_gov.bootstrap.check import Checked
from jupyter_gov.bootstrap.check import check as check_settings
from jupyter_gov.bootstrap.compose import open_keys
from jupyter_gov.bootstrap.dba import as_dba
from jupyter_gov.bootstrap.engines import needed_of, pads_of, profiles_of
from jupyter_gov.bootstrap.settings import Settings
from jupyter_gov.cli.admin import record
from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.engines.postgres.check import inspect
from jupyter_gov.engines.postgres.keys import literals_of, load_keys
from jupyter_gov.engines.postgres.link import conninfo_of
from jupyter_gov.engines.postgres.script import removal, script
from jupyter_gov.engines.postgres.source import Source, look
from jupyter_gov.errors import ConfigInvalid, DatabaseUnavailable
from jupyter_gov.gateway.config import GatewayConfig


def run(files: list[Path], connection: str, verb: str, *, dry: bool, url: str, secret: str) -> int:
    """
    `provision CONNECTION`: *verb* is ``apply``, ``check``, ``remove`` or ``keys``.

    Returns 0, or 1 if the check finds that the engine does not enforce the masking.
    """
    settings = GatewayConfig(files).settings()
    checked = check_settings(settings)
    spec = _postgres(checked, connection)
    if verb == "check":
        return _check(settings, checked, spec)
    try:
        with psycopg.connect(as_dba(spec, url, secret), autocommit=True) as session:
            match verb:
                case "remove":
                    return _remove(settings, checked, spec, session, dry=dry)
                case "keys":
                    return _keys(settings, checked, spec, session)
                case _:
                    return _apply(settings, checked, spec, session, dry=dry)
    except psycopg.Error as error:
        raise _said(spec, error) from None


def _postgres(checked: Checked, name: str) -> ConnectionSpec:
    spec = checked.connections.get(name)
    if spec is None:
        raise ConfigInvalid((f"there is no connection {name} in the configuration",))
    if spec.dialect != "postgres":
        raise ConfigInvalid(
            (f"{name} is no PostgreSQL database: there is nothing to provision in a file",)
        )
    return spec


def _said(spec: ConnectionSpec, error: psycopg.Error) -> DatabaseUnavailable:
    """To an admin at the database's own door the database may speak for itself."""
    text = str(error).strip().splitlines() or [type(error).__name__]
    return DatabaseUnavailable(f"{spec.name}: {text[0]}", hint="Nothing was changed.")


def _gateway(spec: ConnectionSpec) -> str:
    login = make_url(spec.url).username
    assert login is not None  # checked
    return login


def _apply(
    settings: Settings, checked: Checked, spec: ConnectionSpec,
    session: psycopg.Connection[Any], *, dry: bool,
) -> int:  # fmt: skip
    source = look(session, spec, profiles_of(checked, spec.name), _gateway(spec))
    text = script(source)
    if dry:
        print(text, end="")
        return 0
    record(
        settings, checked, "database.provisioned",
        {
            "action": "provision",
            "profiles": [plan.profile.profile_id for plan in source.plans],
            "script": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
        },
        connection=spec.name,
    )  # fmt: skip
    session.execute(text.encode())
    if spec.secret is not None:
        _set_password(session, _gateway(spec), spec.secret.fetch())
    _load(settings, checked, spec, session, source)
    for note in source.notes:
        print(f"note: {note}")
    views = sum(len(plan.projections) for plan in source.plans)
    print(f"provisioned {spec.name}: {len(source.plans)} profiles, {views} projections")
    return _check(settings, checked, spec)


def _set_password(session: psycopg.Connection[Any], login: str, password: str) -> None:
    """The one the configuration names, as a verifier: no log shows it."""
    verifier = session.pgconn.encrypt_password(
        password.encode(), login.encode(), b"scram-sha-256"
    ).decode()
    session.execute(
        psycopg.sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            psycopg.sql.Identifier(login), psycopg.sql.Literal(verifier)
        )
    )


def _pads(settings: Settings, checked: Checked, spec: ConnectionSpec) -> dict[str, bytes]:
    return pads_of(checked, spec.name, open_keys(settings.state_dir))


def _load(
    settings: Settings, checked: Checked, spec: ConnectionSpec,
    session: psycopg.Connection[Any], source: Source,
) -> None:  # fmt: skip
    areas = frozenset().union(*(p.small_areas for p in profiles_of(checked, spec.name)))
    load_keys(session, _pads(settings, checked, spec), areas, literals_of(source))


def _keys(
    settings: Settings, checked: Checked, spec: ConnectionSpec, session: psycopg.Connection[Any]
) -> int:
    record(settings, checked, "database.provisioned", {"action": "keys"}, connection=spec.name)
    source = look(session, spec, profiles_of(checked, spec.name), _gateway(spec))
    _load(settings, checked, spec, session, source)
    print(f"loaded this gateway's keys into {spec.name}")
    return 0


def _remove(
    settings: Settings, checked: Checked, spec: ConnectionSpec,
    session: psycopg.Connection[Any], *, dry: bool,
) -> int:  # fmt: skip
    text = removal(session)
    if dry:
        print(text, end="")
        return 0
    record(settings, checked, "database.provisioned", {"action": "remove"}, connection=spec.name)
    session.execute(text.encode())
    print(f"removed from {spec.name}; the login {_gateway(spec)} stays, and may connect")
    return 0


def _check(settings: Settings, checked: Checked, spec: ConnectionSpec) -> int:
    """As the gateway will look at it, with the gateway's own login."""
    try:
        with psycopg.connect(conninfo_of(spec), autocommit=True) as session:
            found = inspect(
                session,
                spec,
                profiles_of(checked, spec.name),
                needed_of(checked, spec.name),
                _pads(settings, checked, spec),
            )
    except psycopg.Error as error:
        raise _said(spec, error) from None
    for note in found.notes:
        print(f"note: {note}")
    for problem in found.problems:
        print(f"wrong: {problem}", file=sys.stderr)
    if found.problems:
        print(
            f"{spec.name}: engine enforcement is refused until each of these is mended",
            file=sys.stderr,
        )
        return 1
    print(f"{spec.name}: the engine enforces the masking of {len(found.exposed)} tables")
    return 0
