"""preset show: what a preset's rules come to, class by class or tag by tag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from jupyter_gov.bootstrap.check import check
from jupyter_gov.bootstrap.passing import passing_codes
from jupyter_gov.bootstrap.presets import UNTOLD, judged
from jupyter_gov.bootstrap.settings import Settings, mapping_of
from jupyter_gov.errors import ConfigInvalid
from jupyter_gov.gateway.config import GatewayConfig
from jupyter_gov.masking.examples import Codes, before_and_after
from jupyter_gov.masking.identifiers import LAW, NONE, Identifier
from jupyter_gov.masking.presets import OF_A_TAG, Judged, Preset, allowed, citation, telling


def show(files: list[Path], name: str, eligibility: str | None) -> int:
    """`preset show`: without --eligibility the rules; with it, what each of its tags comes to."""
    preset = Preset(name)
    with passing_codes() as codes:
        return _show(files, preset, eligibility, codes)


def _show(files: list[Path], preset: Preset, eligibility: str | None, codes: Codes) -> int:
    if eligibility is None:
        rows = [_class(preset, identifier, codes) for identifier in LAW]
        print(_table(("class", "rule", "may become", "for example"), rows))
        _say_what_is_not_checked(preset)
        return 0
    checked = check(_without_presets(GatewayConfig(files).settings()))
    if eligibility not in checked.eligibilities:
        raise ConfigInvalid((f"--eligibility {eligibility}: there is no such eligibility",))
    chosen = checked.eligibilities[eligibility]
    found = judged(preset, chosen, checked.profiles[eligibility], checked.identifiers)
    rows = [_tag(one, codes) for one in found]
    print(_table(("tag", "class", "becomes", "for example", "", "rule"), rows))
    for one in found:
        if not one.ok:
            print(f"{one.tag}: {one.treatment} {one.why}")
    _say_what_is_not_checked(preset)
    return 0 if all(one.ok for one in found) else 1


def _class(preset: Preset, identifier: Identifier, codes: Codes) -> tuple[str, ...]:
    may = allowed(preset, identifier)
    return (
        identifier,
        citation(preset, identifier),
        "any treatment" if may == OF_A_TAG else ", ".join(may),
        _examples(preset, identifier, codes),
    )


def _examples(preset: Preset, identifier: Identifier, codes: Codes) -> str:
    """Of what says most: the first allowed treatment that does more than withhold."""
    first, *_ = telling(preset, identifier)
    said = before_and_after(first, identifier, codes)
    return "; ".join(f"{before} -> {after}" for before, after in said)


def _tag(found: Judged, codes: Codes) -> tuple[str, ...]:
    if not isinstance(found.identifier, Identifier):
        return (found.tag, NONE if found.ok else "?", found.treatment, "",
                "ok" if found.ok else "barred", found.why)  # fmt: skip
    said = before_and_after(found.treatment, found.identifier, codes) if found.ok else []
    shown = "; ".join(f"{before} -> {after}" for before, after in said)
    state = "ok" if found.ok else "barred"
    return (found.tag, found.identifier, found.treatment, shown, state, found.rule)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [tuple(map(str, row)) for row in (head, *rows)]
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, wide, strict=True)).rstrip()
        for line in lines
    )


def _without_presets(settings: Settings) -> Settings:
    """The same, so that what a preset bars can be shown and not only refused."""
    problems: list[str] = []
    written = mapping_of(settings, "eligibilities", problems)
    if problems:
        raise ConfigInvalid(tuple(problems))
    plain = {
        name: {key: below for key, below in value.items() if key != "preset"}
        if isinstance(value, dict)
        else value
        for name, value in written.items()
    }
    return replace(settings, eligibilities=plain)


def _say_what_is_not_checked(preset: Preset) -> None:
    if preset is Preset.SAFE_HARBOR:
        print(f"rules applied; {UNTOLD}")
    else:
        print("rules applied; what the data is used for, 164.514(e)(3), is not checked")
