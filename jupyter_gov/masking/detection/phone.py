"""
The phone recogniser of presidio, with the same findings in a fraction of the time.

Presidio walks the text once for each of eight regions.  Where a number can be found does not
depend on the region; only whether it is one does.  So the text is walked once, a region is tried
only where its numbering plan knows such digits, and a number found whole is not looked for again.
A candidate of which only a part is a number ends the short way: presidio's own then decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import phonenumbers
from phonenumbers import phonenumbermatcher
from presidio_analyzer import RecognizerResult
from presidio_analyzer.predefined_recognizers import PhoneRecognizer

matching: Any = phonenumbermatcher
"""Its private names are used below; a test compares what is found with presidio's own."""
_KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip",
    "pager", "uan", "voicemail",
)  # fmt: skip
_BREAKS = re.compile(r"[/(.xX~\s\u2012-\u2015\uff0d]+")
"""Where phonenumbers looks for a number that is only a part of a candidate, or for an extension."""
_PLAIN = re.compile(r"[(\[]*([+＋]?)[-\d/(.xX\s)\[\]~\u2010-\u2015\uff0d]*")
"""A candidate whose digits tell enough, and whether it begins with a plus sign."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A region's numbering plan, as far as it tells what cannot be a number."""

    code: str
    shortest: int
    """Digits of the shortest valid number."""
    numbers: re.Pattern[str]
    """Takes every valid number of a region with that calling code."""
    prefix: re.Pattern[str] | None
    """What stands before a number within the country."""
    rule: str

    abroad: re.Pattern[str]
    """What stands before the country code of another country."""
    prefixed: tuple[tuple[re.Pattern[str], re.Pattern[str] | None, bool], ...]
    """Form, leading digits, and whether the national prefix must be written."""

    def may_hold(self, digits: str) -> bool:
        """Whether digits, written without a plus sign, may be a number to someone there."""
        if len(digits) < self.shortest:
            return False
        if self.abroad.match(digits):
            return True
        if self.numbers.fullmatch(digits) and not self._lacks_prefix(digits):
            return True
        others = [*self._stripped(digits)][1:]
        if digits.startswith(self.code):
            others += self._stripped(digits[len(self.code) :])
        return any(map(self.numbers.fullmatch, others))

    def _lacks_prefix(self, digits: str) -> bool:
        for form, leading, needed in self.prefixed:
            if (leading is None or leading.match(digits)) and form.fullmatch(digits):
                return needed
        return False

    def _stripped(self, digits: str) -> Iterator[str]:
        yield digits
        if self.prefix is not None and (found := self.prefix.match(digits)):
            rest = digits[found.end() :]
            yield rest
            if self.rule and found[found.re.groups] is not None:
                yield found.expand(self.rule) + rest


def _descriptions(calling_code: int) -> list[Any]:
    """What is said of each kind of number in each region that shares a calling code."""
    found = []
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[calling_code]:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(
            calling_code, region
        )
        for kind in _KINDS:
            description = getattr(metadata, kind, None)
            if description is not None and description.national_number_pattern:
                found.append(description)
    return found


def _shortest(calling_code: int) -> int:
    lengths = [n for d in _descriptions(calling_code) for n in d.possible_length if n > 0]
    return min(lengths, default=1)


def plan_of(region: str) -> Plan:
    """What can be a number of a region."""
    code = phonenumbers.country_code_for_region(region)
    own: Any = phonenumbers.PhoneMetadata.metadata_for_region(region)
    # The country's main region says how its numbers are written.
    main: Any = phonenumbers.PhoneMetadata.metadata_for_region(
        phonenumbers.region_code_for_country_code(code)
    )
    patterns = dict.fromkeys(d.national_number_pattern for d in _descriptions(code))
    before, rule = own.national_prefix_for_parsing, own.national_prefix_transform_rule or ""
    return Plan(
        code=str(code),
        # A rule that puts digits in makes a valid number of a shorter one.
        shortest=1 if re.search(r"(?<!\\)\d", rule) else _shortest(code),
        numbers=re.compile("|".join(f"(?:{p})" for p in patterns)),
        prefix=re.compile(before) if before else None,
        rule=rule,
        abroad=re.compile(own.international_prefix or ""),
        prefixed=tuple(_form(form) for form in main.number_format),
    )


def _form(form: Any) -> tuple[re.Pattern[str], re.Pattern[str] | None, bool]:
    leading = form.leading_digits_pattern
    rule = form.national_prefix_formatting_rule
    needed = bool(rule) and not form.national_prefix_optional_when_formatting
    if needed and re.fullmatch(r"\(?\\1\)?", rule):
        needed = False
    return re.compile(form.pattern), re.compile(leading[-1]) if leading else None, needed


def shortest_abroad() -> int:
    """Digits of the shortest number with its country code."""
    return min(
        len(str(code)) + _shortest(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    )


def _digits(text: str) -> str:
    return "".join([str(unicodedata.decimal(c)) for c in text if c.isdecimal()])


def _parts(candidate: str) -> list[str]:
    """The digits of all that may be taken for a number within a candidate."""
    blocks = [digits for block in _BREAKS.split(candidate) if (digits := _digits(block))]
    return [
        "".join(blocks[first:last])
        for first in range(len(blocks))
        for last in range(len(blocks), first, -1)
    ]


class OncePhoneRecognizer(PhoneRecognizer):
    """As `PhoneRecognizer`: what either covers, both cover."""

    def load(self) -> None:
        self._plans = {region: plan_of(region) for region in self.supported_regions}
        same = {plan: region for region, plan in reversed(self._plans.items())}
        self._regions = [region for region in self._plans if region in same.values()]
        """Without those that take the same numbers in the same form as an earlier one."""
        shortest = min(plan.shortest for plan in self._plans.values())
        self.least_digits = min(shortest, shortest_abroad())
        self._memory: dict[tuple[str, str, str], bool | None] = {}

    def forget(self) -> None:
        """Drop what was remembered of earlier texts."""
        self._memory.clear()

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        found = []
        index = 0
        pattern, second = matching._PATTERN, matching._SECOND_NUMBER_START_PATTERN
        while (match := pattern.search(text, index)) is not None:
            start = match.start()
            candidate = match.group()
            if cut := second.search(candidate):
                candidate = candidate[: cut.start()]
            index = start + len(candidate)
            # What decides beside the candidate itself: the characters around it.
            key = (text[start - 1 : start], candidate, text[index : index + 3])
            if key not in self._memory:
                self._memory[key] = self._whole(text, candidate, start)
            whole = self._memory[key]
            if whole is None:
                return list(super().analyze(text, entities, nlp_artifacts))
            if whole:
                found.append(self._result(start, index))
        return found

    def _whole(self, text: str, candidate: str, start: int) -> bool | None:
        """Whether all of the candidate is a number somewhere; None if only a part of it is."""
        if len(_digits(candidate)) < self.least_digits:
            return False
        if matching._SLASH_SEPARATED_DATES.search(candidate):
            return False
        told = _PLAIN.fullmatch(candidate)
        abroad = told is not None and bool(told[1])
        parts = _parts(candidate) if told is not None else []
        part = False
        for at, region in enumerate(self._regions):
            # With a plus sign a whole number is one everywhere or nowhere: asked once.
            asked = told is None or (abroad and at == 0)
            if not asked and not any(map(self._plans[region].may_hold, parts)):
                continue
            matcher = phonenumbers.PhoneNumberMatcher(text, region, leniency=self.leniency)
            match = matcher._extract_match(candidate, start)
            if match is None:
                continue
            if match.start == start and match.end == start + len(candidate):
                return True
            part = True
        return None if part else False

    def _result(self, start: int, end: int) -> RecognizerResult:
        return RecognizerResult(
            entity_type=self.supported_entities[0], start=start, end=end, score=self.SCORE,
            recognition_metadata={
                RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            },
        )  # fmt: skip
