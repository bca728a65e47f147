"""Small areas: three-digit ZIP codes of so few people that they are shown as 000."""

from __future__ import annotations

import re
from dataclasses import dataclass

_AREA = re.compile(r"[0-9]{3}")
_SMALL = "036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893"


@dataclass(frozen=True, slots=True)
class SmallAreas:
    """The list, and where it is from."""

    areas: frozenset[str]
    source: str
    date: str
    """Of the population figures or of the list, as its source gives it."""

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not self.source.strip() or not self.date.strip():
            raise ValueError("name its source and its date")
        if not self.areas:
            raise ValueError("list the areas")
        for area in sorted(self.areas):
            if not _AREA.fullmatch(area):
                raise ValueError(f"{area!r} is not a three-digit ZIP area")


HHS_2000 = SmallAreas(
    frozenset(_SMALL.split()),
    "HHS, Guidance Regarding Methods for De-identification of PHI, 26 November 2012, on"
    " 45 CFR 164.514(b)(2)(i)(B)",
    "2000 census",
)
"""Areas of 20,000 people or fewer by the 2000 census: the list that HHS itself has given."""

SMALL_ZIP3 = HHS_2000.areas
