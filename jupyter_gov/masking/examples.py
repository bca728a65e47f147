"""One invented value for each class of identifiers, and what the treatments really make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from jupyter_gov.masking import treatments as t
from jupyter_gov.masking.identifiers import Identifier
from jupyter_gov.masking.model import Treatment

I = Identifier  # noqa: E741

TODAY = date(2026, 3, 1)
KEY = bytes(range(32))
"""Made up: the tokens of the examples are nobody's."""

VALUES: Mapping[Identifier, tuple[t.Value, ...]] = {
    I.NAME: ("Marisol Abernathy",),
    I.STREET: ("3 Cedar Close",),
    I.PLACE: ("Burlington",),
    I.ZIP: ("98101", "03601"),
    I.STATE: ("VT",),
    I.BIRTH_DATE: ("1984-07-19", "1931-02-03"),
    I.DATE: ("2025-09-22T09:00:00",),
    I.AGE: (41, 97),
    I.PHONE: ("206-555-0142",),
    I.FAX: ("206-555-0143",),
    I.EMAIL: ("marisol@mail.example",),
    I.SSN: ("900-51-3041",),
    I.MRN: ("MRN-7710037",),
    I.HEALTH_PLAN: ("W900512345",),
    I.ACCOUNT: ("ACCT-0049-118",),
    I.LICENSE: ("D900-5134-2210",),
    I.VEHICLE: ("1M8GDM9AXKP042788",),
    I.DEVICE: ("SN-4471-0092",),
    I.URL: ("https://portal.example/u/4471",),
    I.IP: ("192.0.2.17",),
    I.BIOMETRIC: (b"\x46\x4d\x52\x00",),
    I.PHOTO: (b"\xff\xd8\xff\xe0",),
    I.UNIQUE: ("TRIAL-0042",),
    I.FREE_TEXT: ("Called Ingrid, 206-555-0142",),
}
"""Two where one would not show the rule: a small area, somebody over 89."""


Codes = Callable[[str, Sequence[str]], Sequence[str | None]]
"""Domain and values → the gateway's codes for them, which are random."""


def treat(
    treatment: Treatment, identifier: Identifier, codes: Codes
) -> Callable[[t.Value], t.Value] | None:
    """The treatment itself; None for one that needs more than a value."""
    return {
        Treatment.CLEAR: lambda value: value,
        Treatment.WITHHOLD: lambda value: None,
        Treatment.PSEUDONYM: t.pseudonym(KEY, identifier),
        Treatment.PARTIAL: t.partial,
        Treatment.YEAR: t.year(TODAY),
        Treatment.AGE: t.age(TODAY),
        Treatment.ZIP3: t.zip3(),
        Treatment.SURROGATE: lambda value: codes(identifier, [str(value)])[0],
    }.get(treatment)


def shown(value: t.Value) -> str:
    """A value as an administrator reads it."""
    if value is None:
        return "NULL"
    return "bytes " + value.hex(" ") if isinstance(value, bytes) else str(value)


def before_and_after(
    treatment: Treatment, identifier: Identifier, codes: Codes
) -> list[tuple[str, str]]:
    """Each example, and what it becomes; nothing for a treatment that needs more than a value."""
    function = treat(treatment, identifier, codes)
    if function is None:
        return []
    return [(shown(value), shown(function(value))) for value in VALUES[identifier]]
