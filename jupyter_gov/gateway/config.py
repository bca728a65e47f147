"""
The configuration as an admin writes it, in jupyter_server_config.py or a file of its own.

Traits are read here and nowhere else; the rest of the gateway sees plain, checked values.
"""

from __future__ import annotations

import difflib
from datetime import timedelta
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from traitlets import Dict, Float, Int, TraitType, Unicode, Union, default
from traitlets.config import Config, Configurable
from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

from jupyter_gov.bootstrap.settings import Settings
from jupyter_gov.broker.limits import Rates
from jupyter_gov.errors import BadRequest, ConfigInvalid
from jupyter_gov.identity.model import Lifetimes
from jupyter_gov.wire.times import parse_duration


class Duration(TraitType[str, str]):
    """A length of time: ``90s``, ``30m``, ``4h``, ``2d``."""

    info_text = "a duration such as 90s, 30m, 4h or 2d"

    def validate(self, obj: Any, value: Any) -> str:
        try:
            parse_duration(value)
        except (BadRequest, TypeError):
            self.error(obj, value)
        return str(value)


def _mapping(help: str) -> Any:
    return Union(
        [Dict(), Unicode()], help=help + " A mapping, or the path of a TOML file with it."
    ).tag(config=True)


class GovGateway(Configurable):
    """The gateway's process."""

    address = Unicode("127.0.0.1", help="Where it listens.").tag(config=True)
    port = Int(8899, help="Port; 0 for any free one.").tag(config=True)
    page_host = Unicode(
        "gov.localhost",
        help="Host name of the pages on which people decide. Never the notebook server's own.",
    ).tag(config=True)
    page_url = Unicode(
        "", help="Address of the pages where a proxy stands before them; empty: computed."
    ).tag(config=True)
    certfile = Unicode("", help="TLS certificate chain (PEM).").tag(config=True)
    keyfile = Unicode("", help="TLS private key (PEM, mode 0600).").tag(config=True)
    state_dir = Unicode(
        help="Folder of state, keys and audit log; mode 0700, the gateway's user's own."
    ).tag(config=True)
    statements_per_kernel = Int(4, help="Statements of one kernel at the same time.").tag(
        config=True
    )
    statements_per_principal = Int(8, help="Statements of one principal at a time.").tag(
        config=True
    )
    statements_in_all = Int(64, help="Statements at the same time.").tag(config=True)
    requests_per_second = Float(20.0, help="Requests of one kernel, averaged.").tag(config=True)

    @default("state_dir")
    def _state_dir(self) -> str:
        return str(Path(jupyter_data_dir()) / "gov")


class GovConnections(Configurable):
    """The databases, and what their columns hold."""

    connections = _mapping("name → url, secret, description, timeout, max_rows, max_bytes.")
    tags = _mapping("connection → table → column → tag.")


class GovMasking(Configurable):
    """What a column becomes."""

    treatments = _mapping("tag → treatment, or {treatment, domain}.")
    untagged = Unicode("withhold", help="Treatment of columns without a tag.").tag(config=True)


class GovAccess(Configurable):
    """Who may ask for what, and why."""

    eligibilities = _mapping(
        "name → who, agents, connection, tables, actions, approval, default_duration,"
        " max_duration, clear, treatments, max_rows, max_queries."
    )
    purposes = _mapping("name → what it means; offered when a kernel is attached.")


class GovIdentity(Configurable):
    """Who there is, and how long they stay signed in."""

    evaluation_identities = _mapping("subject → name, groups. On loopback only.")
    session_max = Duration("12h", help="An attachment lasts at most this long.").tag(config=True)
    session_idle = Duration("2h", help="An attachment nobody uses ends after this.").tag(
        config=True
    )


SECTIONS = (GovGateway, GovConnections, GovMasking, GovAccess, GovIdentity)
ELSEWHERE = "GovServer"
"""The notebook server's own section, which the Jupyter extension reads."""


def read_files(files: list[Path]) -> Config:
    """The merged configuration.  Raises ConfigInvalid."""
    merged = Config()
    for path in files:
        loader = JSONFileConfigLoader if path.suffix == ".json" else PyFileConfigLoader
        try:
            merged.merge(loader(path.name, path=str(path.parent.absolute())).load_config())
        except Exception as error:  # the file is a program: anything may happen in it
            raise ConfigInvalid(
                (f"{path}: cannot be read ({type(error).__name__}: {error})",)
            ) from None
    return merged


def unknown_names(config: Config) -> list[str]:
    """Sections and traits nobody reads: usually a slip of the pen, so they stop the start."""
    sections = {cls.__name__: cls for cls in SECTIONS}
    problems = []
    for section in config:
        if not section.startswith("Gov") or section == ELSEWHERE:
            continue
        if section not in sections:
            problems.append(f"c.{section}: there is no such section{_near(section, sections)}")
            continue
        traits = sections[section].class_trait_names(config=True)
        problems += [
            f"c.{section}.{name}: there is no such setting{_near(name, traits)}"
            for name in config[section]
            if name not in traits
        ]
    return problems


def _near(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(sorted(known))}"


class GatewayConfig:
    """All sections of one configuration.  Raises ConfigInvalid."""

    def __init__(self, files: list[Path], *, port: int | None = None) -> None:
        self.files = [path.absolute() for path in files]
        config = read_files(self.files)
        problems = unknown_names(config)
        made: dict[type[Configurable], Any] = {}
        for cls in SECTIONS:
            try:
                made[cls] = cls(config=config)
            except Exception as error:  # traitlets' TraitError names the trait and the value
                problems.append(f"c.{cls.__name__}: {error}")
        if problems:
            raise ConfigInvalid(tuple(problems))
        self.gateway: GovGateway = made[GovGateway]
        if port is not None:
            self.gateway.port = port
        self._made = made

    @property
    def loopback(self) -> bool:
        return self.gateway.address in ("127.0.0.1", "::1", "localhost")

    def settings(self) -> Settings:
        """The plain values that `bootstrap` composes from."""
        identity: GovIdentity = self._made[GovIdentity]
        connections: GovConnections = self._made[GovConnections]
        masking: GovMasking = self._made[GovMasking]
        access: GovAccess = self._made[GovAccess]
        gateway = self.gateway
        return Settings(
            state_dir=Path(gateway.state_dir).expanduser().absolute(),
            connections=connections.connections,
            tags=connections.tags,
            treatments=masking.treatments,
            untagged=masking.untagged,
            eligibilities=access.eligibilities,
            purposes=access.purposes,
            evaluation_identities=identity.evaluation_identities,
            lifetimes=Lifetimes(
                session_max=parse_duration(identity.session_max),
                session_idle=parse_duration(identity.session_idle),
                code=timedelta(minutes=10),
            ),
            rates=Rates(
                per_kernel=gateway.statements_per_kernel,
                per_principal=gateway.statements_per_principal,
                everyone=gateway.statements_in_all,
                per_second=gateway.requests_per_second,
            ),
            loopback=self.loopback,
            base=self.files[-1].parent if self.files else Path.cwd(),
            files=tuple(self.files),
        )
