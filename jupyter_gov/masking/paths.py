"""
A JSON value, rebuilt from its listed paths, each with a treatment of its own.

A path that is not listed is absent, and so is one whose treatment withholds.  An array stands for
its elements, which keep their places: one that is withheld becomes null.  An array right inside an
array is withheld.  Under a `clear` path everything is as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from jupyter_gov.masking.canonical import Value
from jupyter_gov.masking.model import ColumnPolicy, Treatment


class _Number(str):
    """As the document spells it."""

    __slots__ = ()


class _Absent:
    """What is not there."""


_ABSENT = _Absent()


def _refuse(constant: str) -> Any:
    raise ValueError(constant)  # NaN and Infinity are no JSON


def rebuilt(
    policy: ColumnPolicy, leaves: Mapping[ColumnPolicy, Callable[..., Any]]
) -> Callable[..., str | None]:
    """
    A function of a JSON text, and of its row's subject if a path goes by it.

    Args:
        leaves: the function of each policy that a path ends in.

    Returns:
        The JSON text of what is left; None for what is no JSON, and where nothing is left.
    """

    def node(value: Any, policy: ColumnPolicy, subject: Value, *, within: bool = False) -> Any:
        if policy.treatment is Treatment.CLEAR:
            return value
        if policy.treatment is Treatment.WITHHOLD:
            return _ABSENT
        if isinstance(value, list):
            if within:
                return _ABSENT
            found = [node(each, policy, subject, within=True) for each in value]
            return [None if each is _ABSENT else each for each in found]
        if value is None:
            return None
        if policy.treatment is Treatment.PATHS:
            if not isinstance(value, dict):
                return _ABSENT
            parts = {
                key: node(value[key], below, subject) for key, below in policy.paths if key in value
            }
            return {key: part for key, part in parts.items() if part is not _ABSENT}
        if isinstance(value, dict):
            return _ABSENT
        plain = Decimal(value) if isinstance(value, _Number) else value
        treated = leaves[policy](plain, subject) if policy.by_subject else leaves[policy](plain)
        return _ABSENT if treated is None else treated

    def treat(value: Value, subject: Value = None) -> str | None:
        if not isinstance(value, str):
            return None
        try:
            document = json.loads(
                value, parse_int=_Number, parse_float=_Number, parse_constant=_refuse
            )
            left = node(document, policy, subject)
            return None if left is _ABSENT else _written(left)
        except (ValueError, InvalidOperation, RecursionError):
            return None

    return treat


def _written(value: Any) -> str:
    """JSON, with numbers as they were spelled."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)}: {_written(part)}" for key, part in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
