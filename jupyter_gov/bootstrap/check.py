"""
From settings to a policy, or to the list of what is wrong.

Each mistake names its config path and the fix; nothing is guessed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jupyter_gov.access.model import Action, Agents, Eligibility
from jupyter_gov.bootstrap import detectors, presets, treatments, urls
from jupyter_gov.bootstrap.reader import Reader, named, near
from jupyter_gov.bootstrap.settings import MAPPINGS, PATHS, Settings, mapping_of
from jupyter_gov.connections.model import ConnectionSpec, Tag, Tags
from jupyter_gov.connections.secrets import SecretRef
from jupyter_gov.errors import ConfigInvalid, DatabaseUnavailable
from jupyter_gov.identity.evaluation import EvaluationIdentity
from jupyter_gov.masking.detection.model import DetectorSpec
from jupyter_gov.masking.model import SUBJECT, ColumnPolicy, Profile, Treatment
from jupyter_gov.masking.places import SmallAreas
from jupyter_gov.masking.rows import row_filter
from jupyter_gov.wire.times import show_duration

MIN_GROUP = 11
"""People of a group, where nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A configuration without a mistake in itself; databases have not been looked at."""

    connections: Mapping[str, ConnectionSpec]
    eligibilities: Mapping[str, Eligibility]
    """``tables`` may still hold ``*``."""
    profiles: Mapping[str, Profile]
    detectors: Mapping[str, DetectorSpec]
    purposes: Mapping[str, str]
    identifiers: Mapping[str, str]
    """tag → class of identifier, or ``none``, as the administrator says."""
    areas: SmallAreas
    identities: Mapping[str, EvaluationIdentity]
    digest: str
    lines: Mapping[str, str]
    """Config path → canonical value: what two configurations are compared by."""


def check(settings: Settings) -> Checked:
    """Raises ConfigInvalid with every mistake at once."""
    problems: list[str] = []
    read = {name: mapping_of(settings, name, problems) for name in MAPPINGS}
    by_tag = treatments.of_tags(read["treatments"], problems)
    presets.identifiers(read["identifiers"], by_tag, problems)
    untagged = treatments.untagged(settings.untagged, problems)
    specs = detectors.read(read["detectors"], settings.base, problems)
    areas = treatments.small_areas(settings, problems)
    tags = _tags(read["tags"], read["connections"], by_tag, problems)
    connections = _connections(read["connections"], tags, problems)
    identities = _identities(read["evaluation_identities"], settings.loopback, problems)
    groups = {group for identity in identities.values() for group in identity.groups}
    eligibilities: dict[str, Eligibility] = {}
    profiles: dict[str, Profile] = {}
    for name, value in named(PATHS["eligibilities"], read["eligibilities"], problems):
        where = f'{PATHS["eligibilities"]}["{name}"]'
        eligibility = _eligibility(where, name, value, connections, problems)
        _check_who(where, eligibility, identities, groups, problems)
        eligibilities[name] = eligibility
        profiles[name] = replace(
            _profile(where, eligibility, by_tag, untagged, tags, problems),
            small_areas=areas.areas,
            rows=_rows(where, value, problems),
            min_group=eligibility.min_group,
        )
        _check_groups(where, profiles[name], problems)
    for name, own in tags.items():
        of_it = [profile for profile in profiles.values() if profile.connection == name]
        problems += treatments.subjects(name, own, of_it)
    problems += detectors.unknown(profiles, specs)
    if not problems:
        for name, eligibility in eligibilities.items():
            problems += presets.mistakes(eligibility, profiles[name], read["identifiers"])
    purposes = _purposes(read["purposes"], problems)
    if problems:
        raise ConfigInvalid(tuple(problems))
    lines = _lines(read, settings, areas)
    return Checked(
        connections=connections,
        eligibilities=eligibilities,
        profiles=profiles,
        detectors=specs,
        purposes=purposes,
        identifiers=read["identifiers"],
        areas=areas,
        identities=identities,
        digest=hashlib.sha256(json.dumps(lines, sort_keys=True).encode()).hexdigest()[:16],
        lines=lines,
    )


def _tags(
    value: Mapping[str, Any],
    connections: Mapping[str, Any],
    by_tag: Mapping[str, ColumnPolicy],
    problems: list[str],
) -> dict[str, dict[str, dict[str, Tag]]]:
    where = PATHS["tags"]
    tags: dict[str, dict[str, dict[str, Tag]]] = {}
    for connection, tables in named(where, value, problems):
        if connection not in connections:
            problems.append(
                f'{where}["{connection}"]: there is no such connection'
                + near(connection, connections)
            )
        if not isinstance(tables, Mapping):
            problems.append(f'{where}["{connection}"]: write table = {{column = "tag"}}')
            continue
        for table, columns in named(f'{where}["{connection}"]', tables, problems):
            below = f'{where}["{connection}"]["{table}"]'
            if not isinstance(columns, Mapping):
                problems.append(f'{below}: write column = "tag"')
                continue
            tags.setdefault(connection, {})[table] = {
                column: treatments.tag_of(f'{below}["{column}"]', tag, by_tag, problems)
                for column, tag in named(below, columns, problems)
            }
    return tags


def _connections(
    value: Mapping[str, Any],
    tags: Mapping[str, Tags],
    problems: list[str],
) -> dict[str, ConnectionSpec]:
    made = {}
    for name, given in named(PATHS["connections"], value, problems):
        where = f'{PATHS["connections"]}["{name}"]'
        keys = (
            "url", "secret", "description", "timeout", "max_rows", "max_bytes", "schemas",
            "max_sessions",
        )  # fmt: skip
        reader = Reader(where, given, problems, keys)
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


def _secret(reader: Reader, given: Any) -> SecretRef | None:
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
    for subject, given in named(where, value, problems):
        reader = Reader(f'{where}["{subject}"]', given, problems, ("name", "groups"))
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
        "data_use_agreement", "rows", "aggregate_only", "min_group",
    )  # fmt: skip
    reader = Reader(where, value, problems, keys)
    connection = reader.text("connection")
    if connection and connection not in connections:
        reader.bad('["connection"]', "there is no such connection" + near(connection, connections))
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
        min_group=_min_group(reader, value),
    )


def _min_group(reader: Reader, value: Any) -> int:
    """0 where rows may be seen."""
    given = value if isinstance(value, Mapping) else {}
    only = given.get("aggregate_only", False)
    if not isinstance(only, bool):
        reader.bad('["aggregate_only"]', "write True or False")
    if not only:
        if "min_group" in given:
            reader.bad('["min_group"]', 'needs "aggregate_only": True beside it')
        return 0
    size = reader.count("min_group", MIN_GROUP) or MIN_GROUP
    if size < 2:
        reader.bad('["min_group"]', "a group of one person is a person; write 2 or more")
    return size


def _given(reader: Reader, value: Any, key: str) -> str:
    """A text that may be left out."""
    return reader.text(key) if isinstance(value, Mapping) and key in value else ""


def _preset(reader: Reader, value: Any) -> str:
    preset = _given(reader, value, "preset")
    if preset and preset not in presets.PRESETS:
        reader.bad('["preset"]', f"{preset!r} is not a preset{near(preset, presets.PRESETS)}")
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
                problems.append(f'{where}["who"]: nobody is in {who!r}{near(group, groups)}')
        elif who not in identities:
            problems.append(f'{where}["who"]: {who!r} is not known{near(who, identities)}')


def _profile(
    where: str,
    eligibility: Eligibility,
    by_tag: Mapping[str, ColumnPolicy],
    untagged: ColumnPolicy,
    tags: Mapping[str, Tags],
    problems: list[str],
) -> Profile:
    own = dict(by_tag)
    for tag, given in named(f'{where}["treatments"]', eligibility.treatments, problems):
        if tag not in by_tag:
            problems.append(
                f'{where}["treatments"]["{tag}"]: there is no such tag{near(str(tag), by_tag)}'
            )
        own[tag] = treatments.read(f'{where}["treatments"]["{tag}"]', given, str(tag), problems)
    for tag in eligibility.clear:
        if tag not in by_tag:
            problems.append(f'{where}["clear"]: there is no tag {tag!r}{near(tag, by_tag)}')
        if tag in eligibility.treatments:
            problems.append(
                f'{where}["clear"]: {tag!r} has a treatment in the same eligibility; keep one'
            )
        own[tag] = ColumnPolicy(Treatment.CLEAR)
    return Profile(
        connection=eligibility.connection,
        by_tag={t: treatments.placed(p, eligibility.connection) for t, p in own.items()},
        untagged=treatments.placed(untagged, eligibility.connection),
        tags=tags.get(eligibility.connection, {}),
    )


def _check_groups(where: str, profile: Profile, problems: list[str]) -> None:
    """Whether the people of a group can be counted."""
    if not profile.min_group:
        return
    if not any(profile.subject_of(table) for table in profile.tags):
        problems.append(
            f'{where}["aggregate_only"]: no table has a column tagged "{SUBJECT}", so the people'
            " of a group cannot be counted"
        )
    elif profile.policy(SUBJECT).treatment is Treatment.WITHHOLD:
        problems.append(
            f'{where}["aggregate_only"]: the tag "{SUBJECT}" is withheld, so the people of a group'
            ' cannot be counted; treat it as "pseudonym"'
        )


def _rows(where: str, value: Any, problems: list[str]) -> dict[str, str]:
    given = value.get("rows", {}) if isinstance(value, Mapping) else {}
    if not isinstance(given, Mapping):
        problems.append(f'{where}["rows"]: write {{table = "condition"}}')
        return {}
    made = {}
    for table, text in named(f'{where}["rows"]', given, problems):
        try:
            made[table] = row_filter(str(text)).text
        except ValueError as error:
            problems.append(f'{where}["rows"]["{table}"]: {error}')
    return made


def _purposes(value: Mapping[str, Any], problems: list[str]) -> dict[str, str]:
    for name, text in named(PATHS["purposes"], value, problems):
        if not isinstance(text, str) or not text.strip():
            problems.append(f'{PATHS["purposes"]}["{name}"]: write what it means')
    return {name: str(text) for name, text in value.items()}


def _lines(
    read: Mapping[str, Mapping[str, Any]], settings: Settings, areas: SmallAreas
) -> dict[str, str]:
    lines = {PATHS["untagged"]: json.dumps(settings.untagged)}
    if settings.small_areas:
        says = [areas.source, areas.date, " ".join(sorted(areas.areas))]
        lines[PATHS["small_areas"]] = json.dumps("; ".join(says))
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
