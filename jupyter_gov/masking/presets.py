"""
Presets: the rules of 45 CFR 164.514(b)(2) and (e)(2) about each treatment, as data.

A preset judges a configuration; it changes nothing.  It says what the *rules* come to, column by
column.  It says nothing of the data as a whole: whether somebody knows that what is left could
identify a person, (b)(2)(ii), is beyond any program.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jupyter_gov.connections.model import Tags, leaf_tags
from jupyter_gov.masking.identifiers import LAW, NONE, Identifier, identifier_of
from jupyter_gov.masking.model import Treatment

I = Identifier  # noqa: E741


class Preset(enum.StrEnum):
    """A set of rules that an eligibility's profile is held to."""

    SAFE_HARBOR = "safe_harbor"
    LIMITED_DATA_SET = "limited_data_set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a preset says of one treatment."""

    of: frozenset[Identifier]
    """Classes that may be treated so."""
    because: str = ""
    """Why it may be used, where it may."""
    barred: str = ""
    """Why it may not, on the other classes."""
    but: Mapping[Identifier, str] = field(default_factory=dict)
    """Where the reason is another."""

    def why(self, identifier: Identifier) -> str:
        if identifier in self.of:
            return self.because
        return self.but.get(identifier, self.barred)


ALL = frozenset(Identifier)
_DATES = (I.BIRTH_DATE, I.DATE)
_NOBODY: frozenset[Identifier] = frozenset()
_WHOLE = frozenset({I.FREE_TEXT, I.BIOMETRIC, I.PHOTO})
"""What is no number or name: a text, a print, a picture."""
_CODED = ALL - {I.STREET, I.PLACE, I.ZIP, I.BIRTH_DATE, I.DATE, I.AGE} - _WHOLE
"""What stands for one person, so that a code may stand for it."""
DIRECT = frozenset(i for i, said in LAW.items() if said.limited)
"""The sixteen of (e)(2), and text in which any of them may stand."""
_INDIRECT = ALL - DIRECT
_CODE = "164.514(c)(1) permits only a code that is not derived from the individual's information"
_PART = "leaves a part of the identifier, or something derived from it"


_PATHS = Rule(of=ALL, because="each of its paths has a tag, which is held to the rules")


def _safe_harbor() -> Mapping[str, Rule]:
    state, stays = frozenset({I.STATE}), "a State may stay"
    range_of_dates = (
        "keeps more of a date than its year, or tells apart those who are over 89; only the year"
        " may stay"
    )
    range_of_ages = "tells ages over 89 apart, which must be one category of 90 or older"
    ranges = {**dict.fromkeys(_DATES, range_of_dates), I.AGE: range_of_ages}
    return {
        "clear": Rule(
            of=state, because=stays, barred="shows the identifier itself"
        ),
        "withhold": Rule(of=ALL, because="the value is gone"),
        "pseudonym": Rule(
            of=state, because=stays,
            barred=f"is a keyed hash, so derived from the value; {_CODE}",
        ),
        "partial": Rule(of=state, because=stays, barred=_PART),
        "year": Rule(
            of=state | set(_DATES),
            because="the year of a date may stay; 90 and more years ago are one",
            barred="is for dates",
            but={I.AGE: "is for dates; an age may stay up to 89"},
        ),
        "month": Rule(
            of=state, because=stays, barred="is for dates",
            but=dict.fromkeys(_DATES, "keeps the month, and only the year may stay"),
        ),
        "date_shift": Rule(
            of=state, because=stays, barred="is for dates",
            but=dict.fromkeys(
                _DATES,
                "is derived from the true date and keeps every interval; only the year may stay",
            ),
        ),
        "age": Rule(
            of=state | {I.BIRTH_DATE, I.AGE},
            because="ages up to 89 may stay; 90 stands for 90 and over",
            barred="is for dates of birth and ages",
            but={I.DATE: "counts years since a day that is no birth; the year may stay"},
        ),
        "zip3": Rule(
            of=state | {I.ZIP},
            because="three digits may stay of areas with more than 20,000 people; the rest are 000",
            barred="is for ZIP codes",
        ),
        "bucket": Rule(of=state, because=stays, barred=_PART, but=ranges),
        "round": Rule(of=state, because=stays, barred=_PART, but=ranges),
        "seal": Rule(
            of=state, because=stays,
            barred="keeps what a detector misses in the text; without a detector, a statement"
            " can still compare, count and measure it",
        ),
        "fpe": Rule(
            of=state, because=stays,
            barred=f"is the value encrypted, so derived from it; {_CODE}",
        ),
        "surrogate": Rule(
            of=_CODED, because="a random code, held by the gateway, as 164.514(c) permits",
            barred="is a code, and 164.514(c) permits one for a record, not for a place, a date, an"
            " age, a text or a picture",
        ),
        "paths": _PATHS,
    }  # fmt: skip


def _limited_data_set() -> Mapping[str, Rule]:
    stay = "a limited data set may hold it"
    gone = "the identifier is gone; (e)(2) does not list a code in its place"
    coded = ALL - _WHOLE
    weaker = Rule(of=_INDIRECT, because=stay, barred="does not take the identifier away")
    return {
        "clear": Rule(of=_INDIRECT, because=stay, barred="shows the identifier itself"),
        "withhold": Rule(of=ALL, because="the value is gone"),
        "pseudonym": Rule(
            of=coded, because=gone, barred="makes one code of a whole text, print or picture"
        ),
        "partial": Rule(of=_INDIRECT, because=stay, barred=_PART),
        "year": weaker,
        "month": weaker,
        "date_shift": weaker,
        "age": weaker,
        "zip3": weaker,
        "bucket": weaker,
        "round": weaker,
        "seal": Rule(
            of=_INDIRECT, because=stay,
            barred="keeps what a detector misses in the text; without a detector, a statement"
            " can still compare, count and measure it",
        ),
        "fpe": Rule(
            of=_INDIRECT, because=stay,
            barred="is the identifier encrypted, and whoever has the key reads it",
        ),
        "surrogate": Rule(
            of=coded, because=gone, barred="makes one code of a whole text, print or picture"
        ),
        "paths": _PATHS,
    }  # fmt: skip


RULES: Mapping[Preset, Mapping[str, Rule]] = {
    Preset.SAFE_HARBOR: _safe_harbor(),
    Preset.LIMITED_DATA_SET: _limited_data_set(),
}
"""Preset → treatment → rule.  A treatment without one is barred, and fails a test."""

UNRULED = Rule(of=_NOBODY, barred="is a treatment that this preset has no rule for")


def citation(preset: Preset, identifier: Identifier) -> str:
    """Where the law lists that class."""
    said = LAW[identifier]
    limited = preset is Preset.LIMITED_DATA_SET
    paragraph, place = ("(e)(2)", said.limited) if limited else ("(b)(2)(i)", said.letter)
    first, _, last = place.partition("-")
    to = f" to ({last})" if last else ""
    return f"45 CFR 164.514{paragraph}" + (f"({first}){to}" if first else "")


OF_A_TAG = tuple(t for t in Treatment if t is not Treatment.PATHS)
"""What a tag may become; `paths` is of a column, and each of its paths has a tag."""


def allowed(preset: Preset, identifier: Identifier) -> tuple[Treatment, ...]:
    """The treatments that a column of that class may have."""
    rules = RULES[preset]
    return tuple(t for t in OF_A_TAG if identifier in rules.get(t, UNRULED).of)


def telling(preset: Preset, identifier: Identifier) -> tuple[Treatment, ...]:
    """The same, those that leave something first."""
    return tuple(sorted(allowed(preset, identifier), key=lambda t: t is Treatment.WITHHOLD))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a preset says of one tag."""

    tag: str
    identifier: Identifier | str | None
    """``none``: identifies nobody, as the administrator says.  None: nobody said."""
    treatment: Treatment
    columns: tuple[str, ...]
    """``table.column``, for the reader."""
    ok: bool
    why: str
    rule: str = ""
    """Where the law says so."""
    allowed: tuple[Treatment, ...] = ()


def columns_by_tag(tags: Tags, tables: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """
    tag → the columns it is on, of what somebody with *tables* can read.

    A name without tags may be a view, which may read any table: then all of them count.
    """
    wanted = set(tables)
    if not wanted <= tags.keys():
        wanted = set(tags)
    found: dict[str, list[str]] = {}
    for table in sorted(wanted):
        for column, value in tags[table].items():
            for tag in dict.fromkeys(leaf_tags(value)):
                found.setdefault(tag, []).append(f"{table}.{column}")
    return {tag: tuple(columns) for tag, columns in sorted(found.items())}


def judge(
    preset: Preset,
    columns: Mapping[str, tuple[str, ...]],
    treatments: Mapping[str, Treatment],
    own: Mapping[str, str],
) -> list[Judged]:
    """
    Each tag in use, held to the rules.

    Args:
        columns: tag → columns, of `columns_by_tag`.
        treatments: tag → treatment; what is missing is withheld.
        own: tag → class or ``none``, as the administrator says.
    """
    judged = []
    for tag, where in columns.items():
        identifier = identifier_of(tag, own)
        treatment = treatments.get(tag, Treatment.WITHHOLD)
        if isinstance(identifier, Identifier):
            rule = RULES[preset].get(treatment, UNRULED)
            judged.append(
                Judged(
                    tag=tag, identifier=identifier, treatment=treatment, columns=where,
                    ok=identifier in rule.of, why=rule.why(identifier),
                    rule=citation(preset, identifier), allowed=allowed(preset, identifier),
                )
            )  # fmt: skip
        else:
            judged.append(
                Judged(
                    tag=tag, identifier=identifier, treatment=treatment, columns=where,
                    ok=identifier == NONE,
                    why="identifies nobody, the administrator says" if identifier == NONE
                    else "has no class of identifier",
                )
            )  # fmt: skip
    return judged
