"""What the presets say of a configuration: each mistake with its config path, rule and fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_gov.access.model import Eligibility
from jupyter_gov.bootstrap.settings import PATHS
from jupyter_gov.connections.model import leaf_tags
from jupyter_gov.masking.identifiers import NONE, Identifier
from jupyter_gov.masking.model import Profile, Treatment
from jupyter_gov.masking.places import SmallAreas
from jupyter_gov.masking.presets import Judged, Preset, columns_by_tag, judge
from jupyter_gov.masking.rows import row_filter

PRESETS = tuple(map(str, Preset))
UNTOLD = (
    "whether anybody knows that what is left could identify a person, alone or with other"
    " information, 164.514(b)(2)(ii), is not checked"
)
"""The half of Safe Harbor that no program can look at."""


def identifiers(value: Mapping[str, Any], by_tag: Mapping[str, Any], problems: list[str]) -> None:
    """Check ``c.GovMasking.identifiers``."""
    classes = [*map(str, Identifier), NONE]
    for tag, given in value.items():
        where = f'{PATHS["identifiers"]}["{tag}"]'
        if not isinstance(tag, str):
            problems.append(f"{PATHS['identifiers']}[{tag!r}]: write the name as a text")
        elif given not in classes:
            problems.append(f"{where}: {given!r} is not a class; known: {', '.join(classes)}")
        elif tag not in by_tag:
            problems.append(
                f"{where}: the tag has no treatment in {PATHS['treatments']}; remove it"
            )


def judged(
    preset: Preset, eligibility: Eligibility, profile: Profile, own: Mapping[str, str]
) -> list[Judged]:
    """Every tag that a holder's statements can meet, held to the rules of a preset."""
    every = tuple(profile.tags) if eligibility.tables == ("*",) else eligibility.tables
    columns = columns_by_tag(profile.tags, every)
    treatments = {tag: profile.policy(tag).treatment for tag in columns}
    return judge(preset, columns, treatments, own)


def mistakes(eligibility: Eligibility, profile: Profile, own: Mapping[str, str]) -> Iterator[str]:
    """What an eligibility's preset bars in its profile."""
    where = f'{PATHS["eligibilities"]}["{eligibility.name}"]'
    if eligibility.preset not in PRESETS:
        return
    preset = Preset(eligibility.preset)
    if preset is Preset.LIMITED_DATA_SET and not eligibility.data_use_agreement:
        yield (
            f'{where}["data_use_agreement"]: is missing; a limited data set is given under a data'
            " use agreement only, 45 CFR 164.514(e)(4): write its reference"
        )
    if profile.untagged.treatment is not Treatment.WITHHOLD:
        yield (
            f"{PATHS['untagged']}: is {profile.untagged.treatment}, and {where} is held to"
            f" {preset}: nobody has said what an untagged column holds, so write"
            f' {PATHS["untagged"]} = "withhold"'
        )
    for found in judged(preset, eligibility, profile, own):
        if not found.ok:
            yield _barred(where, eligibility, preset, found)
    yield from _filters(where, preset, profile, own)


def _filters(where: str, preset: Preset, profile: Profile, own: Mapping[str, str]) -> Iterator[str]:
    """A filter tells of every row what it compares, as far as the holder knows the condition."""
    for table, condition in profile.rows.items():
        tags = {name.lower(): tag for name, tag in profile.tags.get(table, {}).items()}
        for column in row_filter(condition).columns:
            at = f'{where}["rows"]["{table}"]'
            held = f"and {where} is held to {preset}: filter by what may be shown as it is"
            if column.lower() not in tags:
                yield f"{at}: compares {column}, which has no tag, {held}"
                continue
            columns = dict.fromkeys(leaf_tags(tags[column.lower()]), (f"{table}.{column}",))
            shown = dict.fromkeys(columns, Treatment.CLEAR)
            for found in judge(preset, columns, shown, own):
                if not found.ok and isinstance(found.identifier, Identifier):
                    yield (
                        f"{at}: compares {column}, of the class {found.identifier}"
                        f" ({found.rule}), {held}"
                    )


def _barred(where: str, eligibility: Eligibility, preset: Preset, found: Judged) -> str:
    held = f"{where} is held to {preset}"
    tag = found.tag
    if found.identifier is None:
        return (
            f'{PATHS["identifiers"]}["{tag}"]: is missing, and {held}: write the class of what'
            f' {_some(found.columns)} identifies, or "{NONE}" if it identifies nobody'
        )
    if tag in eligibility.clear:
        at = f'{where}["clear"]'
    elif tag in eligibility.treatments:
        at = f'{where}["treatments"]["{tag}"]'
    else:
        at = f'{PATHS["treatments"]}["{tag}"]'
    may = " or ".join(f'"{treatment}"' for treatment in found.allowed)
    fix = f'write {may} in {where}["treatments"]["{tag}"]'
    if tag in eligibility.clear:
        fix += ', and take it out of "clear"'
    return (
        f"{at}: {found.treatment} {found.why}; {held}, and {_some(found.columns)} is of the class"
        f" {found.identifier} ({found.rule}): {fix}"
    )


def _some(columns: tuple[str, ...]) -> str:
    more = f" and {len(columns) - 1} more" if len(columns) > 1 else ""
    return columns[0] + more


def preset_notes(
    eligibilities: Mapping[str, Eligibility],
    profiles: Mapping[str, Profile],
    own: Mapping[str, str],
    areas: SmallAreas,
) -> Iterator[str]:
    """What an eligibility with a preset rests on: the administrator's word, and what is left."""
    for name, eligibility in eligibilities.items():
        if not eligibility.preset:
            continue
        preset = Preset(eligibility.preset)
        where = f'{PATHS["eligibilities"]}["{name}"]'
        every = judged(preset, eligibility, profiles[name], own)
        shown = [
            f"{found.tag} ({', '.join(found.columns)})"
            for found in every
            if found.identifier == NONE and found.treatment is Treatment.CLEAR
        ]
        agreement = (
            f" under {eligibility.data_use_agreement}" if eligibility.data_use_agreement else ""
        )
        small = any(found.treatment is Treatment.ZIP3 for found in every)
        yield "; ".join(
            [
                f"{where}: rules of {preset} applied{agreement}",
                f"shown as they are, because {PATHS['identifiers']} says that they identify nobody:"
                f" {', '.join(shown) if shown else 'no column'}",
                *([f"small ZIP areas by {areas.source} ({areas.date})"] if small else []),
                *([UNTOLD] if preset is Preset.SAFE_HARBOR else []),
            ]
        )
