"""The honest words for one column: what protects it, and how well where that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from jupyter_gov.masking.model import ColumnPolicy, Profile, Treatment


class Guarantees(Protocol):
    """A detector, as it speaks for itself."""

    @property
    def releases(self) -> bool: ...

    @property
    def guarantee(self) -> str: ...


def enforcement(policy: ColumnPolicy, detectors: Mapping[str, Guarantees]) -> str:
    """``clear``, ``engine-treated``, ``scanned`` or ``withheld``, with the detectors there are."""
    if policy.treatment is Treatment.SEAL and policy.detector:
        detector = detectors.get(policy.detector)
        return "scanned" if detector is not None and detector.releases else "withheld"
    return policy.enforcement


def guarantee(policy: ColumnPolicy, detectors: Mapping[str, Guarantees]) -> str:
    """The same in a sentence: which detector scans it and what it was measured to find, or why
    nothing leaves."""
    return "; ".join(dict.fromkeys(_said(leaf, detectors) for leaf in policy.leaves()))


def _said(policy: ColumnPolicy, detectors: Mapping[str, Guarantees]) -> str:
    if policy.treatment is not Treatment.SEAL:
        return policy.enforcement
    if not policy.detector:
        return "withheld: no detector scans it"
    detector = detectors.get(policy.detector)
    if detector is None:
        return f"withheld: there is no detector {policy.detector!r}"
    return detector.guarantee


def guarantees(
    columns: Mapping[str, Treatment], profile: Profile, detectors: Mapping[str, Guarantees]
) -> Iterator[tuple[str, str]]:
    """For each ``table.column`` that was treated."""
    for name in columns:
        table, _, column = name.rpartition(".")
        policy = profile.policy(profile.tags.get(table, {}).get(column))
        yield name, guarantee(policy, detectors)
