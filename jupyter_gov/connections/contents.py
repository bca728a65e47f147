"""
What a sample of a column looks like: how many values have which shape, and never a value.

Presidio's pattern recognisers, and shapes of our own for what they do not know or only together
with a word beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

# Before tldextract is imported: it would ask the network for the list of domains.
os.environ.setdefault("TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS", "")

from presidio_analyzer import EntityRecognizer
from presidio_analyzer import predefined_recognizers as presidio

from jupyter_gov.connections.look import Look

CHARACTERS = 2_000
"""So much of a value is looked at."""
_PRESIDIO: Mapping[str, tuple[str, Callable[[], EntityRecognizer]]] = {
    "US_SSN": ("ssn", presidio.UsSsnRecognizer),
    "EMAIL_ADDRESS": ("email", presidio.EmailRecognizer),
    "PHONE_NUMBER": (
        "phone", lambda: presidio.PhoneRecognizer(supported_regions=("US",), leniency=1)
    ),
    "IP_ADDRESS": ("ip", presidio.IpRecognizer),
    "URL": ("url", presidio.UrlRecognizer),
    "CREDIT_CARD": ("account", presidio.CreditCardRecognizer),
    "IBAN_CODE": ("account", presidio.IbanRecognizer),
    "US_MBI": ("member_id", presidio.UsMbiRecognizer),
    "US_NPI": ("npi", presidio.UsNpiRecognizer),
    "MAC_ADDRESS": ("device", presidio.MacAddressRecognizer),
}  # fmt: skip
"""Entity → shape, recogniser."""
_NO_NLP: Any = None
"""Patterns need none."""
_SURE = 0.4
"""Presidio's scores below are of patterns that it believes beside a word only."""

_WORDS = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ"
    " NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY PR GU VI AS MP"
    " ALABAMA ALASKA ARIZONA ARKANSAS CALIFORNIA COLORADO CONNECTICUT DELAWARE FLORIDA GEORGIA"
    " HAWAII IDAHO ILLINOIS INDIANA IOWA KANSAS KENTUCKY LOUISIANA MAINE MARYLAND MASSACHUSETTS"
    " MICHIGAN MINNESOTA MISSISSIPPI MISSOURI MONTANA NEBRASKA NEVADA OHIO OKLAHOMA OREGON"
    " PENNSYLVANIA TENNESSEE TEXAS UTAH VERMONT VIRGINIA WASHINGTON WISCONSIN WYOMING"
)
_STATES = frozenset(_WORDS.split())
_ROADS = (
    r"(?:st(?:reet)?|ave(?:nue)?|r(?:oa)?d|bl(?:v|oule)\w*d|lane|ln|drive|dr|court|ct|close|way|mews"
    r"|row|terrace|place|pl|square|sq|circle|cir|trail|highway|hwy|parkway|pkwy|lock|neck|box)"
)
_SHAPES: Mapping[str, re.Pattern[str]] = {
    "ssn": re.compile(r"(?!000|666)\d{3}-(?!00)\d\d-(?!0000)\d{4}"),
    "nine digits": re.compile(r"(?!000|666)\d{3}(?!00)\d\d(?!0000)\d{4}"),
    "email": re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"),
    "phone": re.compile(r"(?:\+?1[-. ]?)?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?: ?x\d+)?"),
    "ten digits": re.compile(r"(?:1?[2-9]\d{2}[2-9]\d{6})"),
    "mrn": re.compile(r"(?i:mrn?|med|hosp|pt|pat)[-_# ]?\d{4,}"),
    "uuid": re.compile(r"(?i:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"),
    "url": re.compile(r"(?i:https?://|www\.)\S+"),
    "date": re.compile(
        r"(?:1[89]|20)\d\d-[01]\d-[0-3]\d(?:[T ].*)?|[01]?\d/[0-3]?\d/(?:1[89]|20)?\d\d(?: .*)?"
        r"|(?:1[89]|20)\d\d[01]\d[0-3]\d"
    ),
    "zip": re.compile(r"\d{5}(?:-\d{4})?"),
    "code": re.compile(r"[A-TV-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?|\d{1,5}-\d"),
    "street": re.compile(rf"(?i:\d+\w? [\w' ]+ {_ROADS}\b.*|po box \d+)"),
    "name": re.compile(
        r"(?:(?:Dr|Mrs?|Ms|Prof)\.? )?[A-ZÀ-Þ][\w'’ʼ.-]*,? (?:[A-ZÀ-Þ][\w'’ʼ.-]*,? ?){1,3}"
    ),
    "one identifier": re.compile(r"(?=\S*\d)\S{6,40}"),
}  # fmt: skip
"""Shapes of whole values."""
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_VIN_VALUES = {c: int(v) for c, v in zip(
    "ABCDEFGHJKLMNPRSTUVWXYZ0123456789", "12345678123457923456789" + "0123456789", strict=True
)}  # fmt: skip
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM")
_ISO = re.compile(r"((?:1[89]|20)\d\d)-([01]\d)-([0-3]\d)")


class Contents:
    """The recognisers, made once: some take a while."""

    def __init__(self) -> None:
        self._known = [(shape, make()) for shape, make in _PRESIDIO.values()]

    def look(self, values: Iterable[object]) -> Look:
        """The counts; nothing of a value is kept."""
        seen = [value for value in _flat(values) if value not in (None, "")]
        distinct = {_text(value): value for value in seen}
        whole: dict[str, int] = {}
        inside: dict[str, int] = {}
        dates: list[date] = []
        for text, value in distinct.items():
            for shape in self._of_whole(text, value):
                whole[shape] = whole.get(shape, 0) + 1
            for shape in self._of_parts(text) if isinstance(value, str) else ():
                inside[shape] = inside.get(shape, 0) + 1
            if found := _ISO.match(text):
                dates += _day(found)
        return Look(
            values=len(seen),
            distinct=len(distinct),
            whole=whole,
            inside=inside,
            words=sum(len(text.split()) for text in distinct) / max(len(distinct), 1),
            years=(max(dates).year - min(dates).year) if dates else 0,
        )

    def _of_whole(self, text: str, value: object) -> set[str]:
        if isinstance(value, bytes | bytearray | memoryview):
            return {"image" if bytes(value).startswith(_IMAGES) else "bytes"}
        found = {shape for shape, pattern in _SHAPES.items() if pattern.fullmatch(text)}
        if text.upper() in _STATES:
            found.add("state")
        if _VIN.fullmatch(text) and _is_vin(text):
            found.add("vehicle")
        if isinstance(value, str):
            for shape, sure, start, end in self._spans(text):
                if start == 0 and end == len(text) and (sure or shape == "npi"):
                    found.add(shape)
        return found

    def _of_parts(self, text: str) -> set[str]:
        if len(text.split()) < 2:
            return set()
        return {
            shape
            for shape, sure, start, end in self._spans(text)
            if sure and (start > 0 or end < len(text))
        }

    def _spans(self, text: str) -> list[tuple[str, bool, int, int]]:
        found: list[tuple[str, bool, int, int]] = []
        if not any(c.isdigit() or c in "@.:" for c in text):
            return found  # none of the recognisers finds anything in letters alone
        for shape, recogniser in self._known:
            found_in: Any = recogniser.analyze(text, recogniser.supported_entities, _NO_NLP)
            found += [(shape, r.score >= _SURE, r.start, r.end) for r in found_in or ()]
        return found


def _flat(values: Iterable[object]) -> Iterable[object]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)[:64].hex()
    return str(value)[:CHARACTERS].strip()


def _day(found: re.Match[str]) -> list[date]:
    try:
        return [date(int(found[1]), int(found[2]), int(found[3]))]
    except ValueError:
        return []


def _is_vin(text: str) -> bool:
    """By its check digit (49 CFR 565.15)."""
    total = sum(_VIN_VALUES[c] * w for c, w in zip(text, _VIN_WEIGHTS, strict=True))
    return "0123456789X"[total % 11] == text[8]
