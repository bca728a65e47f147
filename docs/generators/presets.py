"""docs/reference/presets.md: the rules as the check applies them, examples by the treatments."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from unittest.mock import patch

from generators.text import code, document, table
from jupyter_gov.bootstrap.passing import passing_codes
from jupyter_gov.bootstrap.presets import UNTOLD
from jupyter_gov.bootstrap.settings import PATHS
from jupyter_gov.masking.examples import TODAY, VALUES, Codes, before_and_after, shown
from jupyter_gov.masking.identifiers import LAW, NONE, Identifier
from jupyter_gov.masking.model import Treatment
from jupyter_gov.masking.presets import DIRECT, OF_A_TAG, RULES, Preset, citation, telling
from jupyter_gov.store import surrogates

LETTERS = "ABCDEFGHIJKLMNOPQR"


def _may(preset: Preset, identifier: Identifier) -> str:
    may = telling(preset, identifier)
    return "any treatment" if set(may) == set(OF_A_TAG) else ", ".join(map(code, may))


def _out(preset: Preset, identifier: Identifier, codes: Codes) -> str:
    """What the examples become under each treatment that may be used; NULL where it is short."""
    may = telling(preset, identifier)
    if set(may) == set(OF_A_TAG):
        may = (Treatment.CLEAR,)
    said = []
    for treatment in may:
        after = [out for _, out in before_and_after(treatment, identifier, codes)]
        if after and set(after) == {"NULL"}:
            after = ["NULL"]
        if after:
            said.append(f"{code(treatment)}: " + ", ".join(map(code, after)))
    return "; ".join(said)


def _rows(preset: Preset, codes: Codes) -> list[list[str]]:
    return [
        [citation(preset, identifier).removeprefix("45 CFR 164.514"), code(identifier), said.what,
         ", ".join(code(shown(value)) for value in VALUES[identifier]),
         _out(preset, identifier, codes), _may(preset, identifier)]
        for identifier, said in LAW.items()
    ]  # fmt: skip


def _named(classes: set[Identifier]) -> str:
    if classes == DIRECT:
        return "the sixteen, and text"
    others = set(Identifier) - classes
    listed = classes if len(classes) <= len(others) else others
    names = ", ".join(code(identifier) for identifier in Identifier if identifier in listed)
    return names if listed is classes else f"all but {names}"


def _barred(preset: Preset) -> list[list[str]]:
    """treatment → each reason, with the classes that it is the reason for."""
    rows = []
    for treatment in OF_A_TAG:
        rule = RULES[preset][treatment]
        reasons: dict[str, list[Identifier]] = {}
        for identifier in Identifier:
            if identifier not in rule.of:
                reasons.setdefault(rule.why(identifier), []).append(identifier)
        for reason, classes in reasons.items():
            rows.append([code(treatment), _named(set(classes)), reason])
    return rows


@contextlib.contextmanager
def _same_every_time() -> Iterator[None]:
    """The store's own random codes, from a generator with a seed: the page must stand still."""
    seeded = random.Random(45)  # noqa: S311
    with patch.object(surrogates.secrets, "token_bytes", seeded.randbytes):
        yield


_HEAD = ["rule", "class", "what", "value", "what is read", "may become"]
_WHY = ["treatment", "barred on", "because it"]


def page() -> str:
    """The page."""
    letters = "".join(dict.fromkeys(said.letter for said in LAW.values() if "-" not in said.letter))
    if letters != LETTERS:
        raise AssertionError(f"the classes do not cover (A) to (R): {letters}")
    for preset in Preset:
        if missing := set(map(str, Treatment)) - RULES[preset].keys():
            raise AssertionError(f"{preset} has no rule for {sorted(missing)}")
    with _same_every_time(), passing_codes() as codes:
        rows = {preset: _rows(preset, codes) for preset in Preset}
    return document(
        "Presets",
        "A preset holds an eligibility to rules of 45 CFR 164.514. It changes no treatment: the"
        " check of the configuration refuses what the rules bar, with the config path, the rule"
        " and the fix. What it says at the end is *rules applied*, with what that rests on. It"
        " says nothing of the data as a whole. See how to"
        " [apply Safe Harbor](../howto/apply-safe-harbor.md).",
        "```python\n"
        'c.GovAccess.eligibilities["research"]["preset"] = "safe_harbor"\n'
        'c.GovAccess.eligibilities["registry"]["preset"] = "limited_data_set"\n'
        'c.GovAccess.eligibilities["registry"]["data_use_agreement"] = "DUA-2026-014"\n'
        "```",
        "`jupyter gov preset show safe_harbor` prints the table below; with `--eligibility NAME`,"
        " what each tag of that eligibility comes to, also before it has the preset.",
        "Examples are by the treatments themselves, on"
        f" {TODAY.day} {TODAY:%B %Y}, with a key made up for this page; the codes of `surrogate`"
        " are random, and drawn once for it.",
        "## Safe Harbor, 164.514(b)(2)",
        "The eighteen identifiers of the individual, and of relatives, employers and household"
        " members. Three are in parts, since the law treats the parts differently.",
        table(_HEAD, rows[Preset.SAFE_HARBOR]),
        "### What is barred, and why",
        table(_WHY, _barred(Preset.SAFE_HARBOR)),
        "### What the rules say, where it matters",
        "- **Geography, (B).** Every subdivision smaller than a State goes: street, city, county,"
        " precinct, ZIP code, and codes that mean the same, such as coordinates or a census"
        " tract. A State stays. Of a ZIP code, three digits stay if all codes that begin with them"
        " hold more than 20,000 people together, by the Census Bureau's currently available data;"
        " else they become 000. Which list of small areas is used stands in"
        " [treatments](treatments.md#details).\n"
        "- **Dates, (C).** Every element but the year goes, of each date directly related to an"
        " individual: birth, admission, discharge, death, service. A day of the week, a quarter or"
        " an interval that keeps them is an element too.\n"
        "- **Ages, (C).** Ages over 89 become one category, 90 or older, and so does everything"
        " that tells such an age, the year of birth among it. An age here is of today: who asks"
        " again after a birthday sees it pass. `year` does not have that.\n"
        "- **Unique codes, (R).** A code may stand for a record only if it is not derived from"
        " information about the individual, 164.514(c)(1), and its mechanism is not disclosed,"
        " (c)(2). A keyed hash is derived. A `surrogate` is random; the gateway holds which value"
        " it stands for. It repeats as often as the value does, so that a frequent name stays"
        " frequent: for names, `withhold` hides more.\n"
        "- **Text.** Any of the eighteen may stand in it, and no detector finds all of them."
        " It is withheld.\n"
        f"- **Actual knowledge, (b)(2)(ii).** {UNTOLD[0].upper()}{UNTOLD[1:]}. Nor can software"
        " know that a column holds what its tag says. Both are for the covered entity.",
        "## Limited data set, 164.514(e)",
        "The sixteen direct identifiers of (e)(2) must be gone. Dates, ages, town or city, county,"
        " State and ZIP code may stay, and so may unique codes. It is given for research, public"
        " health or health care operations only, (e)(3), under a data use agreement, (e)(4): the"
        " eligibility names its reference in `data_use_agreement`, which stands in the record of"
        " each grant (`grant.opened`). Without one the configuration is refused. When it changes,"
        " the grants that were given under the former end.",
        table(_HEAD, rows[Preset.LIMITED_DATA_SET]),
        "### What a limited data set bars, and why",
        table(_WHY, _barred(Preset.LIMITED_DATA_SET)),
        "## Classes and the tags that mean them",
        f"`{PATHS['identifiers']}` maps your own tags to a class, or to `{NONE}`, and goes before"
        " this table. Under a preset, each tag that the eligibility can meet needs one or the"
        f" other, and untagged columns must be withheld. What is `{NONE}` and shown as it is stands"
        " in a note of the check, and in the record (`config.loaded`).",
        table(
            ["class", "tags"],
            [[code(i), ", ".join(map(code, said.tags.split()))] for i, said in LAW.items()],
        ),
    )
