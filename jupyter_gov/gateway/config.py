"""
The configuration as an admin writes it, in jupyter_server_config.py or a file of its own.

Traits are read here and nowhere else; the rest of the gateway sees plain, checked values.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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

    treatments = _mapping("tag → treatment, or {treatment, …} with its parameters.")
    identifiers = _mapping(
        "tag → class of identifier, or none: what presets go by, where the tag does not say it."
    )
    detectors = _mapping(
        "name → engine, model, language, entities, patterns, threshold, workers, timeout,"
        " cache_mb, recall: what scans free text."
    )
    untagged = Unicode("withhold", help="Treatment of columns without a tag.").tag(config=True)
    small_areas = Unicode(
        "",
        help="File (.toml or text) with the three-digit ZIP areas that become 000, their source"
        " and date; empty: HHS's list of 2012, by the 2000 census.",
    ).tag(config=True)


class GovAccess(Configurable):
    """Who may ask for what, and why."""

    eligibilities = _mapping(
        "name → who, agents, connection, tables, actions, approval, default_duration,"
        " max_duration, clear, treatments, max_rows, max_queries, preset, data_use_agreement,"
        " rows, aggregate_only, min_group."
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


def state_dir_of(files: list[Path]) -> Path:
    """Where a gateway with these files keeps its state, whatever else they say."""
    section = read_files(files)["GovGateway"]
    found = section.get("state_dir")
    return _folder(found if isinstance(found, str) else GovGateway().state_dir)


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


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


def wrong_values(config: Config) -> list[str]:
    """Settings whose value is of the wrong kind; the value itself may be a secret."""
    problems = []
    for cls in SECTIONS:
        for name, trait in cls.class_traits(config=True).items():
            if name not in config[cls.__name__]:
                continue
            value = config[cls.__name__][name]
            try:
                cls(config=Config({cls.__name__: {name: value}}))
            except Exception:
                problems.append(
                    f"c.{cls.__name__}.{name}: write {trait.info()}, not a {type(value).__name__}"
                )
    return problems


_ABOVE_ZERO = (
    "statements_per_kernel",
    "statements_per_principal",
    "statements_in_all",
    "requests_per_second",
)


def wrong_process(gateway: GovGateway, *, loopback: bool) -> list[str]:
    """What cannot be served as it is asked."""
    problems = [
        f"c.GovGateway.{name}: write a number above 0"
        for name in _ABOVE_ZERO
        if not getattr(gateway, name) > 0
    ]
    if gateway.page_host in ("localhost", "127.0.0.1", "::1", "[::1]"):
        problems.append(
            f"c.GovGateway.page_host: {gateway.page_host} is the notebook server's own name too,"
            " and a browser would send it the pages' cookie; write gov.localhost"
        )
    if not 0 <= gateway.port <= 65_535:
        problems.append("c.GovGateway.port: write a port from 0 (any free one) to 65535")
    page = urlsplit(gateway.page_url)
    if gateway.page_url and (page.scheme not in ("http", "https") or not page.netloc):
        problems.append("c.GovGateway.page_url: write an address such as https://gov.example.org/")
    if not loopback and not gateway.certfile and page.scheme != "https":
        problems.append(
            "c.GovGateway.certfile: off loopback the answers need TLS; name a certificate, or set"
            " c.GovGateway.page_url to the https address of the proxy that stands before it"
        )
    for name in ("certfile", "keyfile"):
        path = getattr(gateway, name)
        if path and not Path(path).is_file():
            problems.append(f"c.GovGateway.{name}: {path} is not a file; check the path")
    return problems


def _near(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(sorted(known))}"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class GatewayConfig:
    """All sections of one configuration.  Raises ConfigInvalid."""

    def __init__(self, files: list[Path], *, port: int | None = None) -> None:
        self.files = [path.absolute() for path in files]
        self.port = port
        config = read_files(self.files)
        problems = unknown_names(config) + wrong_values(config)
        if problems:
            raise ConfigInvalid(tuple(problems))
        self._made: dict[type[Configurable], Any] = {cls: cls(config=config) for cls in SECTIONS}
        self.gateway: GovGateway = self._made[GovGateway]
        if port is not None:
            self.gateway.port = port
        if problems := wrong_process(self.gateway, loopback=self.loopback):
            raise ConfigInvalid(tuple(problems))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it: by its address, and by its pages' name."""
        page = urlsplit(self.gateway.page_url).hostname or self.gateway.page_host
        return _is_loopback(self.gateway.address) and _is_loopback(page)

    def _at_start(self) -> dict[str, str]:
        """Config path → value of every setting that is read when the gateway starts."""
        identity: GovIdentity = self._made[GovIdentity]
        values = {
            f"c.GovGateway.{name}": getattr(self.gateway, name)
            for name in self.gateway.trait_names(config=True)
        }
        for name in ("session_max", "session_idle"):
            values[f"c.GovIdentity.{name}"] = getattr(identity, name)
        return {path: json.dumps(value) for path, value in values.items()}

    def _key_file(self) -> tuple[Path, ...]:
        return (Path(self.gateway.keyfile),) if self.gateway.keyfile else ()

    def settings(self) -> Settings:
        """The plain values that `bootstrap` composes from."""
        identity: GovIdentity = self._made[GovIdentity]
        connections: GovConnections = self._made[GovConnections]
        masking: GovMasking = self._made[GovMasking]
        access: GovAccess = self._made[GovAccess]
        gateway = self.gateway
        return Settings(
            state_dir=_folder(gateway.state_dir),
            connections=connections.connections,
            tags=connections.tags,
            treatments=masking.treatments,
            identifiers=masking.identifiers,
            detectors=masking.detectors,
            untagged=masking.untagged,
            small_areas=masking.small_areas,
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
            files=(*self.files, *self._key_file()),
            at_start=self._at_start(),
        )
