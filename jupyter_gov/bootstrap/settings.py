"""The configuration as plain values, before it is believed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_gov.broker.limits import Rates
from jupyter_gov.identity.model import Lifetimes

Source = Mapping[str, Any] | str
"""A mapping, or the path of a TOML file that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an admin can say.  Mappings may be paths of TOML files."""

    state_dir: Path
    connections: Source = field(default_factory=dict)
    tags: Source = field(default_factory=dict)
    treatments: Source = field(default_factory=dict)
    identifiers: Source = field(default_factory=dict)
    detectors: Source = field(default_factory=dict)
    untagged: str = "withhold"
    small_areas: str = ""
    """The path of a file; empty: the list that HHS itself has given."""
    eligibilities: Source = field(default_factory=dict)
    purposes: Source = field(default_factory=dict)
    evaluation_identities: Source = field(default_factory=dict)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    rates: Rates = field(default_factory=Rates)
    loopback: bool = True
    """Whether the gateway listens on loopback only."""
    base: Path = field(default_factory=Path.cwd)
    """Where relative paths start: the folder of the config file."""
    files: tuple[Path, ...] = ()
    """Every file the configuration came from, and the TLS key, to measure who can reach them."""
    at_start: Mapping[str, str] = field(default_factory=dict)
    """Config path → value of what only a start reads."""


PATHS = {
    "connections": "c.GovConnections.connections",
    "tags": "c.GovConnections.tags",
    "treatments": "c.GovMasking.treatments",
    "identifiers": "c.GovMasking.identifiers",
    "detectors": "c.GovMasking.detectors",
    "untagged": "c.GovMasking.untagged",
    "small_areas": "c.GovMasking.small_areas",
    "eligibilities": "c.GovAccess.eligibilities",
    "purposes": "c.GovAccess.purposes",
    "evaluation_identities": "c.GovIdentity.evaluation_identities",
}
"""Field → the config path that sets it, for the text of a mistake."""

MAPPINGS = tuple(name for name in PATHS if name not in ("untagged", "small_areas"))


def mapping_of(settings: Settings, name: str, problems: list[str]) -> Mapping[str, Any]:
    """The mapping itself, read from its TOML file if it is a path."""
    source = getattr(settings, name)
    where = PATHS[name]
    if isinstance(source, str) and "://" in source:  # not shown: it may hold a password
        problems.append(f"{where}: write a mapping, or the path of a TOML file, not a URL")
        return {}
    if isinstance(source, str):
        path = settings.base / source
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            problems.append(f"{where}: {path} cannot be read ({error.strerror}); check the path")
        except ValueError as error:  # not TOML, not UTF-8, or no path at all
            problems.append(f"{where}: {path} is not TOML ({error})")
        return {}
    if not isinstance(source, Mapping):
        problems.append(f"{where}: write a mapping, or the path of a TOML file")
        return {}
    return source


def files_of(settings: Settings) -> tuple[Path, ...]:
    """The config files and every file they name."""
    named = [getattr(settings, name) for name in (*MAPPINGS, "small_areas")]
    return settings.files + tuple(settings.base / n for n in named if n and isinstance(n, str))
