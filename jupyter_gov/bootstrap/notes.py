"""What a configuration may say and an admin should know that it says."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from jupyter_gov.bootstrap.check import Checked
from jupyter_gov.bootstrap.presets import preset_notes
from jupyter_gov.bootstrap.settings import PATHS
from jupyter_gov.connections.model import leaf_tags
from jupyter_gov.masking.model import Treatment

_STAND_FOR_VALUES = frozenset({Treatment.PSEUDONYM, Treatment.FPE, Treatment.SURROGATE})


def notes(checked: Checked) -> tuple[str, ...]:
    """Each names its config path: printed by the check, logged and recorded at a start."""
    presets = preset_notes(
        checked.eligibilities, checked.profiles, checked.identifiers, checked.areas
    )
    return (*_untagged(checked), *_look_up_tables(checked), *presets)


def _untagged(checked: Checked) -> Iterator[str]:
    for profile in checked.profiles.values():
        if profile.untagged.treatment is Treatment.CLEAR:
            yield (
                f"{PATHS['untagged']}: columns without a tag are shown as they are, also those"
                " that are added to a database tomorrow"
            )
            return


def _look_up_tables(checked: Checked) -> Iterator[str]:
    """One profile shows a value, another its pseudonym: side by side they name everybody."""
    said: set[tuple[str, str]] = set()
    for (shows, first), (hides, second) in permutations(checked.profiles.items(), 2):
        if first.connection != second.connection:
            continue
        used = {
            tag
            for columns in first.tags.values()
            for own in columns.values()
            for tag in leaf_tags(own)
        }
        for tag in sorted(used):
            if (
                first.policy(tag).treatment is Treatment.CLEAR
                and second.policy(tag).treatment in _STAND_FOR_VALUES
                and (tag, first.connection) not in said
            ):
                said.add((tag, first.connection))
                yield (
                    f'{PATHS["eligibilities"]}["{shows}"]: shows {tag!r} as it is, and'
                    f' ["{hides}"] shows its {second.policy(tag).treatment} on the same'
                    " connection: whoever sees both has a look-up table"
                )
