"""Treatments, their parameters, and tags, as an admin writes them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from jupyter_gov.bootstrap.reader import Reader, named, near
from jupyter_gov.bootstrap.settings import PATHS, Settings
from jupyter_gov.connections.model import Paths, Tag, Tags
from jupyter_gov.masking.dates import DEFAULT_DAYS, MOST_DAYS
from jupyter_gov.masking.model import SUBJECT, ColumnPolicy, Profile, Treatment
from jupyter_gov.masking.places import HHS_2000, SmallAreas

TAKES: Mapping[Treatment, tuple[str, ...]] = {
    Treatment.PSEUDONYM: ("domain", "space"),
    Treatment.DATE_SHIFT: ("space", "days"),
    Treatment.BUCKET: ("width", "start"),
    Treatment.ROUND: ("to",),
    Treatment.SEAL: ("detector",),
    Treatment.FPE: ("domain", "space", "alphabet"),
    Treatment.SURROGATE: ("domain",),
}
"""Treatment → its parameters."""
NAMES = tuple(str(t) for t in Treatment if t is not Treatment.PATHS)
"""What an admin may write."""
ALPHABETS = ("digits", "alnum")

_SPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_LARGEST, _SMALLEST = Decimal(10) ** 15, Decimal("1e-9")
_DEEPEST = 8
_KEYED = (Treatment.PSEUDONYM, Treatment.DATE_SHIFT, Treatment.FPE)


class _Parameters:
    """Reads the parameters of one treatment."""

    def __init__(self, reader: Reader, given: Mapping[str, Any]) -> None:
        self._reader = reader
        self._given = given

    def domain(self, tag: str) -> str:
        text = self._reader.text("domain", tag)
        if not text.isprintable() or len(text) > 100:
            self._reader.bad('["domain"]', "write at most 100 signs that can be printed")
        return text

    def space(self) -> str:
        if "space" not in self._given:
            return ""  # the connection's own, once it is known
        text = self._reader.text("space")
        if text and not _SPACE.fullmatch(text):
            self._reader.bad('["space"]', "a space is letters, digits, dots, - and _")
        return text

    def days(self) -> int:
        days = self._reader.count("days", DEFAULT_DAYS) or DEFAULT_DAYS
        if days > MOST_DAYS:
            self._reader.bad('["days"]', f"write at most {MOST_DAYS}")
        return days

    def number(self, key: str, default: int | None = None) -> Decimal:
        value = self._given.get(key, default)
        if value is None:
            self._reader.bad(f'["{key}"]', "is missing")
            return Decimal(1)
        try:
            if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
                raise InvalidOperation
            number = Decimal(str(value))
        except (InvalidOperation, ValueError):
            number = Decimal("NaN")
        if not number.is_finite() or abs(number) > _LARGEST:
            self._reader.bad(f'["{key}"]', "write a number up to 10^15")
            return Decimal(1)
        if number and abs(number) < _SMALLEST:
            self._reader.bad(f'["{key}"]', "write at most nine decimals")
            return Decimal(1)
        return number.normalize()

    def size(self, key: str) -> Decimal:
        number = self.number(key)
        if number <= 0:
            self._reader.bad(f'["{key}"]', "write a number above 0")
            return Decimal(1)
        return number

    def detector(self) -> str:
        text = self._reader.text("detector")
        if text and not _SPACE.fullmatch(text):
            self._reader.bad('["detector"]', "a detector is letters, digits, dots, - and _")
        return text

    def alphabet(self) -> str:
        text = self._reader.text("alphabet", ALPHABETS[0])
        if text not in ALPHABETS:
            self._reader.bad('["alphabet"]', 'write "digits" or "alnum"')
        return text


def read(where: str, value: Any, tag: str, problems: list[str]) -> ColumnPolicy:
    """A treatment's name, or a mapping of it and its parameters; withheld if it is wrong."""
    given: Mapping[str, Any] = {"treatment": value}
    if isinstance(value, Mapping):
        given = value
    name = given.get("treatment")
    if name not in NAMES:
        if isinstance(value, Mapping) and "treatment" not in value:
            problems.append(f'{where}["treatment"]: is missing')
        else:
            problems.append(f"{where}: {name!r} is not a treatment{near(str(name), NAMES)}")
        return ColumnPolicy(Treatment.WITHHOLD)
    treatment = Treatment(name)
    reader = Reader(where, given, problems, ("treatment", *TAKES.get(treatment, ())))
    return _made(treatment, _Parameters(reader, given), given, tag)


def _made(
    treatment: Treatment, parameters: _Parameters, given: Mapping[str, Any], tag: str
) -> ColumnPolicy:
    plain = ColumnPolicy(treatment)
    match treatment:
        case Treatment.PSEUDONYM:
            return replace(plain, domain=parameters.domain(tag), space=parameters.space())
        case Treatment.DATE_SHIFT:
            return replace(plain, space=parameters.space(), days=parameters.days())
        case Treatment.BUCKET:
            width, start = parameters.size("width"), parameters.number("start", 0)
            return replace(plain, width=width, start=start)
        case Treatment.ROUND:
            return replace(plain, to=parameters.size("to"))
        case Treatment.SEAL if "detector" in given:
            return replace(plain, detector=parameters.detector())
        case Treatment.FPE:
            return replace(
                plain,
                domain=parameters.domain(tag),
                space=parameters.space(),
                alphabet=parameters.alphabet(),
            )
        case Treatment.SURROGATE:
            return replace(plain, domain=parameters.domain(tag))
        case _:
            return plain


def of_tags(value: Mapping[str, Any], problems: list[str]) -> dict[str, ColumnPolicy]:
    """Tag → treatment."""
    where = PATHS["treatments"]
    return {
        tag: read(f'{where}["{tag}"]', given, tag, problems)
        for tag, given in named(where, value, problems)
    }


def untagged(value: Any, problems: list[str]) -> ColumnPolicy:
    """The treatment of columns without a tag."""
    where = PATHS["untagged"]
    policy = read(where, value, "untagged", problems)
    if policy.treatment in (Treatment.DATE_SHIFT, Treatment.FPE, Treatment.SURROGATE):
        problems.append(
            f"{where}: {policy.treatment} needs to know what a column holds; tag the columns, and"
            " write withhold here"
        )
    return policy


def placed(policy: ColumnPolicy, connection: str) -> ColumnPolicy:
    """With the connection's own space, where none is named."""
    if policy.treatment in _KEYED and not policy.space:
        return replace(policy, space=connection)
    return policy


def tag_of(
    where: str, value: Any, by_tag: Mapping[str, ColumnPolicy], problems: list[str], depth: int = 0
) -> Tag:
    """A tag, or the tags of a JSON column's parts."""
    if isinstance(value, Mapping):
        if not value or depth >= _DEEPEST:
            problems.append(f"{where}: list between one and {_DEEPEST} levels of keys")
            return Paths(())
        parts = []
        for key, below in named(where, value, problems):
            if "\0" in key or len(key) > 200:
                problems.append(f"{where}[{key!r}]: is no key")
            path = f'{where}["{key}"]'
            parts.append((key, tag_of(path, below, by_tag, problems, depth + 1)))
        return Paths(tuple(parts))
    if not isinstance(value, str) or value not in by_tag:
        problems.append(
            f"{where}: the tag {value!r} has no treatment; add it to"
            f" {PATHS['treatments']}{near(str(value), by_tag)}"
        )
    return str(value)


def subjects(connection: str, tags: Tags, profiles: list[Profile]) -> Iterator[str]:
    """What is wrong with whom the rows are about, where a treatment goes by it."""
    for table, columns in tags.items():
        where = f'{PATHS["tags"]}["{connection}"]["{table}"]'
        found = sorted(name for name, tag in columns.items() if tag == SUBJECT)
        shifted = sorted(
            name
            for name, tag in columns.items()
            if any(profile.policy(tag).by_subject for profile in profiles)
        )
        if len(found) > 1:
            yield f"{where}: {' and '.join(found)} are both tagged subject; keep one"
        elif shifted and not found:
            yield (
                f'{where}["{shifted[0]}"]: date_shift moves the dates about one subject together,'
                " and this table does not say whom a row is about; tag the column that does,"
                ' such as patient_id, as "subject", or choose another treatment'
            )


def small_areas(settings: Settings, problems: list[str]) -> SmallAreas:
    """The list in force: HHS's own, unless a file is named."""
    if not settings.small_areas:
        return HHS_2000
    where, path = PATHS["small_areas"], settings.base / settings.small_areas
    try:
        text = path.read_text(encoding="utf-8")
        return _from_toml(text) if path.suffix == ".toml" else _from_text(text)
    except OSError as error:
        problems.append(f"{where}: {path} cannot be read ({error.strerror}); check the path")
    except ValueError as error:  # not UTF-8, not TOML, no path, or an incomplete list
        problems.append(
            f"{where}: {settings.small_areas!r} is no list of areas ({error}); write source,"
            " date, and the areas of three digits"
        )
    return HHS_2000


def _from_toml(text: str) -> SmallAreas:
    """Raises ValueError."""
    found = tomllib.loads(text)
    if unknown := sorted(found.keys() - {"source", "date", "areas"}):
        raise ValueError(f"{unknown[0]} is not known")
    areas = found.get("areas", [])
    if not isinstance(areas, list):
        raise ValueError("areas is not a list")
    return SmallAreas(
        frozenset(map(str, areas)), str(found.get("source", "")), str(found.get("date", ""))
    )


def _from_text(text: str) -> SmallAreas:
    """
    ``source: …`` and ``date: …``, and areas in any number of lines; ``#`` begins a comment.

    Raises ValueError.
    """
    areas: set[str] = set()
    said = {"source": "", "date": ""}
    for line in text.splitlines():
        key, colon, rest = line.partition(":")
        if colon and key.strip().lower() in said:
            said[key.strip().lower()] = rest.strip()
        else:
            areas |= set(line.partition("#")[0].replace(",", " ").split())
    return SmallAreas(frozenset(areas), said["source"], said["date"])
