"""docs/reference/configuration.md: every trait, and the keys inside the mappings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from traitlets import Bool, Dict, Float, Int, Unicode, Union
from traitlets.config import Configurable

from generators.text import code, document, table
from jupyter_gov.bootstrap.check import check
from jupyter_gov.bootstrap.settings import PATHS, Settings
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.gateway.config import SECTIONS, Duration
from jupyter_gov.server.extension import GovServer
from jupyter_gov.wire.times import show_duration

_TYPES = {Duration: "duration", Union: "mapping or path", Unicode: "text", Int: "whole number",
          Float: "number", Bool: "true or false", Dict: "mapping"}  # fmt: skip

_KEYS: dict[str, dict[str, tuple[str, str]]] = {
    "connections": {
        "url": ("required", "A SQLAlchemy URL without a password. This version has one engine:"
                " `sqlite:////absolute/path/to/file.db`."),
        "secret": ("none", "Where the password comes from: `env:NAME`, `file:/absolute/path` (mode"
                   " 0600) or `credential:NAME` (systemd). It is looked for at start; SQLite does"
                   " not use it."),
        "description": ("", "What people see in `%gov connections`."),
        "timeout": ("", "A statement runs at most this long, and never beyond its grant's end."),
        "max_rows": ("", "A result has at most so many rows; a longer one is cut, and says so."),
        "max_bytes": ("", "And at most so many bytes, as Arrow lays them out."),
        "schemas": ("", "Of PostgreSQL: the schemas whose tables are exposed. Tables of the first"
                    " need no prefix."),
        "max_sessions": (
            "",
            "Of PostgreSQL: statements of all grants at once; each may hold two of its"
            " connections.",
        ),
    },
    "evaluation_identities": {
        "name": ("the key itself", "The person's full name."),
        "groups": ("none", "Groups that eligibilities name as `group:NAME`."),
    },
    "eligibilities": {
        "who": ("required", "Identities, or `group:NAME`."),
        "agents": ("", "`no`: people only. `yes`: people and their agents. `only`: agents only."),
        "connection": ("required", "The name of a connection."),
        "tables": ("required", 'Tables and views; `["*"]` stands for all of them at the time the'
                   " configuration is read."),
        "actions": ("", "This version has one: `read`."),
        "approval": ("", "This version has one: `auto`, granted when asked for, and recorded."),
        "default_duration": ("", "Length of the grant that the first query opens."),
        "max_duration": ("", "Longest grant that may be asked for."),
        "clear": ("none", "Tags shown as they are."),
        "treatments": ("none", "Tag → treatment, where it differs from"
                       " `c.GovMasking.treatments`."),
        "rows": ("none", "Table → condition on its own columns, such as `\"state = 'VT'\"`: other"
                 " rows are not there."),
        "max_rows": ("", "Rows of one grant, all statements together."),
        "max_queries": ("", "Statements of one grant."),
        "preset": ("none", "`safe_harbor` or `limited_data_set`: the rules that its treatments are"
                   " [held to](presets.md)."),
        "data_use_agreement": ("none", "Reference of the agreement under which the data is given;"
                               " it stands in the record of each grant. A limited data set needs"
                               " one."),
        "aggregate_only": ("`False`", "Counts, sums and averages over groups of people, and no"
                           " rows."),
        "min_group": ("11", "With `aggregate_only`: people that a group must have to be shown."),
    },
}  # fmt: skip
_SAMPLES: dict[str, Any] = {
    "connections": {"x": {"url": "sqlite:////a.db"}},
    "evaluation_identities": {"x": {}},
    "eligibilities": {"x": {"who": ["x"], "connection": "x", "tables": ["t"]}},
}


def keys_of(mapping: str) -> set[str]:
    """The keys a mapping takes, as its own check lists them."""
    try:
        check(Settings(state_dir=Path("/s"), **{mapping: {"x": {"qqqqqqqq": 1}}}))
    except ConfigInvalid as wrong:
        for problem in wrong.problems:
            if found := re.search(r'\["qqqqqqqq"\]: there is no such key; known: (.+)', problem):
                return set(found[1].split(", "))
    raise AssertionError(f"the check of {mapping} does not list its keys")


def _defaults() -> dict[str, dict[str, Any]]:
    """What a mapping's keys are where nothing is said, from the real check."""
    checked = check(Settings(state_dir=Path("/s"), **_SAMPLES))
    return {
        "connections": _plain(checked.connections["x"]),
        "eligibilities": _plain(checked.eligibilities["x"]),
        "evaluation_identities": {},
    }


def _plain(made: Any) -> dict[str, str]:
    shown = {}
    for name in made.__slots__:
        value = getattr(made, name)
        if hasattr(value, "total_seconds"):
            shown[name] = code(show_duration(value))
        elif isinstance(value, frozenset):
            shown[name] = code(str(sorted(map(str, value))).replace("'", '"'))
        else:
            shown[name] = "not limited" if value is None else code(f"{value}")
    return shown


def _type(trait: Any) -> str:
    return next(name for cls, name in _TYPES.items() if isinstance(trait, cls))


def _default(value: Any) -> str:
    if isinstance(value, str):
        folder = jupyter_data_dir()
        if value.startswith(folder):
            return "`" + value.removeprefix(folder).strip("/") + "` in Jupyter's data folder"
    return "empty" if value in ("", {}) else code(str(value))


def _section(cls: type[Configurable], values: dict[str, Any]) -> str:
    traits = cls.class_own_traits(config=True)
    rows = [
        [code(f"c.{cls.__name__}.{name}"), _type(traits[name]), _default(values[name]),
         traits[name].help]
        for name in vars(cls)
        if name in traits
    ]  # fmt: skip
    head = ["setting", "type", "default", "meaning"]
    return f"## {cls.__name__}\n\n{(cls.__doc__ or '').strip()}\n\n" + table(head, rows)


def _values(cls: type[Configurable]) -> dict[str, Any]:
    if cls is GovServer:  # an application: making one would change this process
        return {n: t.default() for n, t in cls.class_own_traits(config=True).items()}
    made = cls()
    return {name: getattr(made, name) for name in cls.class_own_traits(config=True)}


def _nested(mapping: str, defaults: dict[str, Any]) -> str:
    told = _KEYS[mapping]
    if told.keys() != keys_of(mapping):
        raise AssertionError(f"{mapping}: described {sorted(told)}, taken {keys_of(mapping)}")
    rows = [
        [code(key), default or defaults[mapping][key], meaning]
        for key, (default, meaning) in told.items()
    ]
    return f"### Inside {PATHS[mapping]}\n\n" + table(["key", "default", "meaning"], rows)


def page() -> str:
    """The page."""
    defaults = _defaults()
    sections = [_section(cls, _values(cls)) for cls in (*SECTIONS, GovServer)]
    return document(
        "Configuration",
        "Ordinary Jupyter configuration: `jupyter_server_config.py` or `.json`, or any file named"
        " with `--config`. Several files are merged in order. The gateway reads every section but"
        " `GovServer`, which the notebook server reads.",
        "Everything is checked at start. An unknown section, setting or key, a tag without a"
        " treatment, a table that does not exist, a URL with a password: each stops the gateway"
        " with its config path and the fix. `jupyter gov config check` does the same without"
        " starting.",
        *sections,
        "## Mappings",
        "Each of these is a mapping, or the path of a TOML file that holds the same. Relative"
        " paths start at the folder of the last config file. Checks and messages are the same.",
        *(_nested(mapping, defaults) for mapping in _KEYS),
        "### The simple ones\n\n"
        + table(
            ["mapping", "shape"],
            [
                [
                    code(PATHS["tags"]),
                    "connection → table → column → tag. A column that is not listed is untagged."
                    " Of a JSON column: key → tag, nested as the document is.",
                ],
                [
                    code(PATHS["treatments"]),
                    "tag → [treatment](treatments.md), or"
                    " `{treatment, …}` with its [parameters](treatments.md#parameters).",
                ],
                [
                    code(PATHS["identifiers"]),
                    "tag → [class of identifier](presets.md#classes-and-the-tags-that-mean-them),"
                    " or `none` for what identifies nobody. Presets go by it; a tag that a preset"
                    " meets and that has no class stops the start.",
                ],
                [
                    code(PATHS["purposes"]),
                    "name → the text people choose from when a kernel is attached.",
                ],
            ],
        ),
        "## Durations\n\nWritten `90s`, `30m`, `4h`, `1h30m` or `2d`.",
        "## When a change takes effect",
        "`jupyter gov config reload` puts `GovConnections`, `GovMasking`, `GovAccess` and"
        " `c.GovIdentity.evaluation_identities` in force. The rest (`GovGateway`, and the"
        " lifetimes of `GovIdentity`) is read when the gateway starts.",
    )
