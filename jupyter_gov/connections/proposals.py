"""
From clues to a proposed tag, with how sure it is and why.

What may identify somebody goes before what may not: a column that is withheld by mistake is seen
at once, one that is shown by mistake is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from jupyter_gov.connections.described import Described
from jupyter_gov.connections.look import Look
from jupyter_gov.connections.naming import OF_STAFF, Clue, clues_of, of_staff

HARMLESS = frozenset({"category", "code", "amount", "provider"})
"""Tags that name no patient; `state` does, and may stay."""
ENOUGH = 0.5
"""Below it nothing is proposed."""
FEW = 5
"""With fewer values than this a sample says less."""

_WHOLE: tuple[tuple[str, str, float, float], ...] = (
    # shape, tag, share from which on it counts, weight
    ("ssn", "ssn", 0.6, 0.95),
    ("email", "email", 0.5, 0.97),
    ("phone", "phone", 0.5, 0.92),
    ("ip", "ip", 0.8, 0.9),
    ("url", "url", 0.6, 0.9),
    ("device", "device", 0.8, 0.85),
    ("vehicle", "vehicle", 0.8, 0.95),
    ("account", "account", 0.8, 0.9),
    ("member_id", "member_id", 0.8, 0.8),
    ("mrn", "mrn", 0.6, 0.9),
    ("image", "photo", 0.5, 0.9),
    ("street", "street", 0.5, 0.9),
    ("state", "state", 0.9, 0.75),
    ("date", "date", 0.8, 0.75),
    ("npi", "provider", 0.9, 0.75),
    ("code", "code", 0.8, 0.55),
    ("zip", "zip", 0.9, 0.3),
    ("ten digits", "phone", 0.9, 0.3),
)
_SAYS = {
    "ssn": "social security numbers", "email": "e-mail addresses", "phone": "telephone numbers",
    "ip": "IP addresses", "url": "web addresses", "device": "hardware addresses",
    "vehicle": "vehicle identification numbers", "account": "card or account numbers",
    "member_id": "Medicare beneficiary numbers", "mrn": "record numbers",
    "image": "pictures", "street": "street addresses", "state": "States",
    "date": "dates", "npi": "provider numbers", "code": "codes of a vocabulary",
    "zip": "ZIP codes", "ten digits": "telephone numbers", "name": "names of people",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a column seems to hold."""

    tag: str
    """Empty: nothing is proposed, so the column stays untagged."""
    confidence: float
    evidence: tuple[str, ...]
    """Never a value."""


def propose(column: Described, look: Look | None = None) -> Proposal:
    """
    The tag that most speaks for.

    Args:
        look: at a sample of it; None if there was none.
    """
    clues = list(clues_of(column))
    if look is not None:
        clues += _of_contents(look, named=any(clue.weight >= 0.7 for clue in clues))
        clues += _of_few(look) if any(clue.tag == "category" for clue in clues) else ()
    at_work = of_staff(column)
    if at_work:
        clues = [replace(clue, tag="provider") if clue.tag in OF_STAFF else clue for clue in clues]
    doubt: dict[str, float] = {}
    for clue in clues:
        doubt[clue.tag] = doubt.get(clue.tag, 1.0) * (1 - clue.weight)
    sure = {tag: 1 - left for tag, left in doubt.items() if 1 - left >= ENOUGH}
    tag = _strongest(clue_tags(sure, harmless=False), sure) or _strongest(sure, sure)
    why = dict.fromkeys(clue.why for clue in clues if clue.tag == tag)
    if at_work and tag == "provider":
        why["its table is of staff or institutions"] = None
    return Proposal(
        tag=tag,
        confidence=round(sure.get(tag, max((1 - left for left in doubt.values()), default=0.0)), 2),
        evidence=tuple(why) or ("nothing speaks for a tag",),
    )


def inherited(
    found: Sequence[tuple[Described, Proposal]],
) -> list[tuple[Described, Proposal]]:
    """The same, where what is generated from a column that may identify somebody has its tag."""
    known = {(column.table, column.name): proposal for column, proposal in found}
    made = []
    for column, proposal in found:
        of = [known[column.table, n] for n in column.computed_from if (column.table, n) in known]
        may = [p for p in of if p.tag not in ("", *HARMLESS)]
        worst = max(may, key=lambda p: p.confidence, default=None)
        if worst is not None and worst.confidence > proposal.confidence:
            proposal = replace(worst, evidence=("it is generated from such a column",))
        made.append((column, proposal))
    return made


def clue_tags(tags: Iterable[str], *, harmless: bool) -> list[str]:
    """Those that name nobody, or the others."""
    return [tag for tag in tags if (tag in HARMLESS) is harmless]


def _strongest(tags: Iterable[str], sure: dict[str, float]) -> str:
    return max(tags, key=lambda tag: sure[tag], default="")


def _of_contents(look: Look, *, named: bool) -> Iterator[Clue]:
    if not look.distinct:
        return
    believed = 1.0 if look.distinct >= FEW else 0.7
    for shape, tag, least, weight in _WHOLE:
        if look.share(shape) >= least:
            yield Clue(tag, weight * believed, _counted(look, look.whole[shape], _SAYS[shape]))
    varied = look.distinct / look.values
    if look.share("uuid") >= 0.8 and not named:
        yield Clue("identifier", 0.6, _counted(look, look.whole["uuid"], "UUIDs"))
    if look.share("nine digits") >= 0.8 and varied >= 0.5 and not named:
        yield Clue("ssn", 0.55, _counted(look, look.whole["nine digits"], "nine digits, as an SSN"))
    if look.share("name") >= 0.7 and varied >= 0.3:
        yield Clue("name", 0.6, _counted(look, look.whole["name"], _SAYS["name"]))
    yield from _of_text(look, varied)
    if look.years >= 60 and look.share("date") >= 0.8:
        yield Clue("birth_date", 0.45, f"dates over {look.years} years")
    is_one = look.share("one identifier") >= 0.95 and look.distinct >= 20
    if is_one and varied >= 0.95 and look.share("date") < 0.5 and not named:
        yield Clue("identifier", 0.55, "a different number or code in each row")


def _of_text(look: Look, varied: float) -> Iterator[Clue]:
    inside = sum(look.inside.values())
    if inside:
        kinds = sorted(look.inside)
        said = " and ".join(_SAYS.get(kind, kind) for kind in kinds)
        yield Clue("free_text", 0.75, f"{said} inside the text of some")
    if look.words >= 4 and varied >= 0.3 and look.share("street") < 0.5:
        yield Clue("free_text", 0.7, f"text of {look.words:.0f} words on average, seldom the same")


def _of_few(look: Look) -> Iterator[Clue]:
    """A fixed list.  Alone it says nothing: towns and ZIP codes recur too."""
    few = look.values >= 30 and look.distinct <= 0.2 * look.values
    if few and look.words < 6 and not look.inside:
        yield Clue("category", 0.5, f"{look.distinct} different values in {look.values}")


def _counted(look: Look, found: int, what: str) -> str:
    return f"{found} of {look.distinct} different values look like {what}"
