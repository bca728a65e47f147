"""
From settings to a policy, or to the list of what is wrong.

Each mistake names its config path and the fix; nothing is guessed.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jupyter_gov.access.model import Action, Agents, Eligibility
from jupyter_gov.bootstrap import presets, urls
from jupyter_gov.bootstrap.settings import PATHS, Settings, mapping_of
from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.connections.secrets import SecretRef
from jupyter_gov.errors import BadRequest, ConfigInvalid, DatabaseUnavailable
from jupyter_gov.identity.evaluation import EvaluationIdentity
from jupyter_gov.masking.model import ColumnPolicy, Profile, Treatment
from jupyter_gov.wire.times import parse_duration, show_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A configuration without a mistake in itself; databases have not been looked at."""

    connections: Mapping[str, ConnectionSpec]
    eligibilities: Mapping[str, Eligibility]
    """``tables`` may still hold ``*``."""
    profiles: Mapping[str, Profile]
    purposes: Mapping[str, str]
    identifiers: Mapping[str, str]
    """tag → class of identifier, or ``none``, as the administrator says."""
    identities: Mapping[str, EvaluationIdentity]
    digest: str
    lines: Mapping[str, str]
    """Config path → canonical value: what two configurations are compared by."""


class _Reader:
    """Reads one nested mapping, noting what is wrong."""

    def __init__(self, where: str, value: Any, problems: list[str], known: Iterable[str]) -> None:
        self.where = where
        self._problems = problems
        self._value: Mapping[str, Any] = {}
        if not isinstance(value, Mapping):
            self.bad("", f"write a mapping with {', '.join(known)}")
            return
        self._value = value
        for key in value:
            if key not in known:
                self.bad(f'["{key}"]', "there is no such key" + _near(str(key), known))

    def bad(self, below: str, text: str) -> None:
        self._problems.append(f"{self.where}{below}: {text}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._value.get(key, default)
        if not isinstance(value, str) or not value:
            self.bad(f'["{key}"]', "write a text" if key in self._value else "is missing")
            return ""
        return value

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        value = self._value.get(key, default)
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            self.bad(f'["{key}"]', "write a list of texts")
            return ()
        if default is None and not value:
            self.bad(f'["{key}"]', "is empty")
        return tuple(value)

    def duration(self, key: str, default: str) -> timedelta:
        value = self._value.get(key, default)
        try:
            return parse_duration(str(value))
        except BadRequest as error:
            self.bad(f'["{key}"]', f"{error.message}; write 90s, 30m, 4h or 2d")
            return timedelta(minutes=1)

    def count(self, key: str, default: int | None) -> int | None:
        value = self._value.get(key, default)
        if value is None:
            return None
        if type(value) is not int or value < 1:
            self.bad(f'["{key}"]', "write a whole number above 0")
            return default
        return value


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(map(str, known))
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else "; none is there"


def _named(where: str, value: Mapping[Any, Any], problems: list[str]) -> Iterator[tuple[str, Any]]:
    """The entries whose names are texts; a Python mapping may have others."""
    for name, given in value.items():
        if isinstance(name, str) and name:
            yield name, given
        else:
            problems.append(f"{where}[{name!r}]: write the name as a text")


def check(settings: Settings) -> Checked:
    """Raises ConfigInvalid with every mistake at once."""
    problems: list[str] = []
    read = {name: mapping_of(settings, name, problems) for name in PATHS if name != "untagged"}
    by_tag = _treatments(read["treatments"], problems)
    presets.identifiers(read["identifiers"], by_tag, problems)
    untagged = _treatment(PATHS["untagged"], settings.untagged, "untagged", problems)
    tags = _tags(read["tags"], read["connections"], by_tag, problems)
    connections = _connections(read["connections"], tags, problems)
    identities = _identities(read["evaluation_identities"], settings.loopback, problems)
    groups = {group for identity in identities.values() for group in identity.groups}
    eligibilities: dict[str, Eligibility] = {}
    profiles: dict[str, Profile] = {}
    for name, value in _named(PATHS["eligibilities"], read["eligibilities"], problems):
        where = f'{PATHS["eligibilities"]}["{name}"]'
        eligibility = _eligibility(where, name, value, connections, problems)
        _check_who(where, eligibility, identities, groups, problems)
        eligibilities[name] = eligibility
        profiles[name] = _profile(where, eligibility, by_tag, untagged, tags, problems)
    if not problems:
        for name, eligibility in eligibilities.items():
            problems += presets.mistakes(eligibility, profiles[name], read["identifiers"])
    purposes = _purposes(read["purposes"], problems)
    if problems:
        raise ConfigInvalid(tuple(problems))
    lines = _lines(read, settings)
    return Checked(
        connections=connections,
        eligibilities=eligibilities,
        profiles=profiles,
        purposes=purposes,
        identifiers=read["identifiers"],
        identities=identities,
        digest=hashlib.sha256(json.dumps(lines, sort_keys=True).encode()).hexdigest()[:16],
        lines=lines,
    )


def _treatment(where: str, value: Any, domain: str, problems: list[str]) -> ColumnPolicy:
    known = [str(t) for t in Treatment]
    if isinstance(value, Mapping):
        reader = _Reader(where, value, problems, ("treatment", "domain"))
        domain, value = reader.text("domain", domain), reader.text("treatment")
    if value not in known:
        problems.append(f"{where}: {value!r} is not a treatment{_near(str(value), known)}")
        return ColumnPolicy(Treatment.WITHHOLD)
    treatment = Treatment(value)
    return ColumnPolicy(treatment, domain if treatment is Treatment.PSEUDONYM else "")


def _treatments(value: Mapping[str, Any], problems: list[str]) -> dict[str, ColumnPolicy]:
    where = PATHS["treatments"]
    return {
        tag: _treatment(f'{where}["{tag}"]', given, tag, problems)
        for tag, given in _named(where, value, problems)
    }


def _tags(
    value: Mapping[str, Any],
    connections: Mapping[str, Any],
    by_tag: Mapping[str, ColumnPolicy],
    problems: list[str],
) -> dict[str, dict[str, dict[str, str]]]:
    where = PATHS["tags"]
    tags: dict[str, dict[str, dict[str, str]]] = {}
    for connection, tables in _named(where, value, problems):
        if connection not in connections:
            problems.append(
                f'{where}["{connection}"]: there is no such connection'
                + _near(connection, connections)
            )
        if not isinstance(tables, Mapping):
            problems.append(f'{where}["{connection}"]: write table = {{column = "tag"}}')
            continue
        for table, columns in _named(f'{where}["{connection}"]', tables, problems):
            below = f'{where}["{connection}"]["{table}"]'
            if not isinstance(columns, Mapping):
                problems.append(f'{below}: write column = "tag"')
                continue
            for column, tag in _named(below, columns, problems):
                if not isinstance(tag, str) or tag not in by_tag:
                    problems.append(
                        f'{below}["{column}"]: the tag {tag!r} has no treatment; add it to'
                        f" {PATHS['treatments']}{_near(str(tag), by_tag)}"
                    )
            tags.setdefault(connection, {})[table] = {c: str(t) for c, t in columns.items()}
    return tags


def _connections(
    value: Mapping[str, Any],
    tags: Mapping[str, Mapping[str, Mapping[str, str]]],
    problems: list[str],
) -> dict[str, ConnectionSpec]:
    made = {}
    for name, given in _named(PATHS["connections"], value, problems):
        where = f'{PATHS["connections"]}["{name}"]'
        keys = (
            "url", "secret", "description", "timeout", "max_rows", "max_bytes", "schemas",
            "max_sessions",
        )  # fmt: skip
        reader = _Reader(where, given, problems, keys)
        if not name.replace("-", "_").isidentifier():
            reader.bad("", "a connection's name is letters, digits, - and _")
        url = reader.text("url")
        for mistake in urls.mistakes(url) if url else ():
            reader.bad('["url"]', mistake)
        made[name] = ConnectionSpec(
            name=name,
            url=url,
            secret=_secret(reader, given),
            description=reader.text("description", "(no description)"),
            timeout=reader.duration("timeout", "5m"),
            max_rows=reader.count("max_rows", 5_000_000) or 1,
            max_bytes=reader.count("max_bytes", 2_000_000_000) or 1,
            tags=tags.get(name, {}),
            schemas=reader.texts("schemas", ("public",)) or ("public",),
            max_sessions=reader.count("max_sessions", 20) or 1,
        )
    return made


def _secret(reader: _Reader, given: Any) -> SecretRef | None:
    if not isinstance(given, Mapping) or "secret" not in given:
        return None
    try:
        secret = SecretRef.parse(reader.text("secret"))
        secret.fetch()
    except ValueError as error:
        reader.bad('["secret"]', str(error))
        return None
    except DatabaseUnavailable as error:
        reader.bad('["secret"]', f"{error.message} {error.hint}".strip())
        return None
    return secret


def _identities(
    value: Mapping[str, Any], loopback: bool, problems: list[str]
) -> dict[str, EvaluationIdentity]:
    where = PATHS["evaluation_identities"]
    if value and not loopback:
        problems.append(
            f"{where}: evaluation identities are for loopback only; remove them, or set"
            ' c.GovGateway.address = "127.0.0.1"'
        )
    made = {}
    for subject, given in _named(where, value, problems):
        reader = _Reader(f'{where}["{subject}"]', given, problems, ("name", "groups"))
        if not subject.replace("-", "").replace(".", "").replace("_", "").isalnum():
            reader.bad("", "an identity is letters, digits, dots, - and _")
        made[subject] = EvaluationIdentity(
            subject=subject,
            name=reader.text("name", subject),
            groups=reader.texts("groups", ()),
        )
    return made


def _eligibility(
    where: str,
    name: str,
    value: Any,
    connections: Mapping[str, ConnectionSpec],
    problems: list[str],
) -> Eligibility:
    keys = (
        "who", "agents", "connection", "tables", "actions", "approval", "default_duration",
        "max_duration", "clear", "treatments", "max_rows", "max_queries", "preset",
        "data_use_agreement",
    )  # fmt: skip
    reader = _Reader(where, value, problems, keys)
    connection = reader.text("connection")
    if connection and connection not in connections:
        reader.bad('["connection"]', "there is no such connection" + _near(connection, connections))
    agents = reader.text("agents", "no")
    if agents not in list(Agents):
        reader.bad('["agents"]', 'write "no", "yes" or "only"')
        agents = "no"
    approval = reader.text("approval", "auto")
    if approval != "auto":
        reader.bad('["approval"]', 'this version grants by "auto" only')
    actions = reader.texts("actions", ("read",))
    for action in actions:
        if action not in list(Action):
            reader.bad('["actions"]', f"{action!r} is not an action; this version has: read")
    default, longest = (
        reader.duration("default_duration", "30m"),
        reader.duration("max_duration", "4h"),
    )
    if default > longest:
        reader.bad(
            '["default_duration"]', f"is longer than max_duration ({show_duration(longest)})"
        )
    treatments = value.get("treatments", {}) if isinstance(value, Mapping) else {}
    if not isinstance(treatments, Mapping):
        reader.bad('["treatments"]', 'write {tag: "treatment"}')
        treatments = {}
    return Eligibility(
        name=name,
        who=reader.texts("who"),
        agents=Agents(agents),
        connection=connection,
        tables=reader.texts("tables"),
        actions=frozenset(Action(a) for a in actions if a in list(Action)),
        approval=approval,
        default_duration=default,
        max_duration=longest,
        clear=frozenset(reader.texts("clear", ())),
        treatments=treatments,
        max_rows=reader.count("max_rows", None),
        max_queries=reader.count("max_queries", None),
        preset=_preset(reader, value),
        data_use_agreement=_given(reader, value, "data_use_agreement"),
    )


def _given(reader: _Reader, value: Any, key: str) -> str:
    """A text that may be left out."""
    return reader.text(key) if isinstance(value, Mapping) and key in value else ""


def _preset(reader: _Reader, value: Any) -> str:
    preset = _given(reader, value, "preset")
    if preset and preset not in presets.PRESETS:
        reader.bad('["preset"]', f"{preset!r} is not a preset{_near(preset, presets.PRESETS)}")
        return ""
    return preset


def _check_who(
    where: str,
    eligibility: Eligibility,
    identities: Mapping[str, EvaluationIdentity],
    groups: set[str],
    problems: list[str],
) -> None:
    for who in eligibility.who:
        group = who.removeprefix("group:")
        if who.startswith("group:"):
            if group not in groups:
                problems.append(f'{where}["who"]: nobody is in {who!r}{_near(group, groups)}')
        elif who not in identities:
            problems.append(f'{where}["who"]: {who!r} is not known{_near(who, identities)}')


def _profile(
    where: str,
    eligibility: Eligibility,
    by_tag: Mapping[str, ColumnPolicy],
    untagged: ColumnPolicy,
    tags: Mapping[str, Mapping[str, Mapping[str, str]]],
    problems: list[str],
) -> Profile:
    own = dict(by_tag)
    for tag, given in _named(f'{where}["treatments"]', eligibility.treatments, problems):
        if tag not in by_tag:
            problems.append(
                f'{where}["treatments"]["{tag}"]: there is no such tag{_near(str(tag), by_tag)}'
            )
        own[tag] = _treatment(f'{where}["treatments"]["{tag}"]', given, str(tag), problems)
    for tag in eligibility.clear:
        if tag not in by_tag:
            problems.append(f'{where}["clear"]: there is no tag {tag!r}{_near(tag, by_tag)}')
        if tag in eligibility.treatments:
            problems.append(
                f'{where}["clear"]: {tag!r} has a treatment in the same eligibility; keep one'
            )
        own[tag] = ColumnPolicy(Treatment.CLEAR)
    return Profile(
        connection=eligibility.connection,
        by_tag=own,
        untagged=untagged,
        tags=tags.get(eligibility.connection, {}),
    )


def _purposes(value: Mapping[str, Any], problems: list[str]) -> dict[str, str]:
    for name, text in _named(PATHS["purposes"], value, problems):
        if not isinstance(text, str) or not text.strip():
            problems.append(f'{PATHS["purposes"]}["{name}"]: write what it means')
    return {name: str(text) for name, text in value.items()}


def _lines(read: Mapping[str, Mapping[str, Any]], settings: Settings) -> dict[str, str]:
    lines = {PATHS["untagged"]: json.dumps(settings.untagged)}
    for name, value in read.items():
        lines.update(_leaves(PATHS[name], value))
    return lines


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """One line for each value, so that a difference names what changed and nothing else."""
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from _leaves(f'{path}["{key}"]', below)
    else:
        yield path, json.dumps(value, sort_keys=True, default=list)
