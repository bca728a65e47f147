"""Cells of a column in which the engine returned several types: JSON, in a column of texts."""

from __future__ import annotations

import base64
import json
from typing import Any

MIXED = b"gov.mixed"
"""Arrow field metadata of such a column."""

KIND = b"gov.kind"
"""Arrow field metadata of a column of texts: what they stand for, if not for themselves."""
DECIMAL = b"decimal"
"""A number with all its digits, or NaN, Infinity, -Infinity."""
INTERVAL = b"interval"
"""As PostgreSQL writes it: ``1 year 2 mons -3 days +04:05:06.789``."""
JSON = b"json"
JSON_FLOAT = b"json-float"
"""Lists of numbers; a text in them is NaN, Infinity or -Infinity."""
JSON_DECIMAL = b"json-decimal"
"""The same, of numbers whose digits all count."""


def encode_cell(value: Any) -> str | None:
    """NULL stays NULL; bytes become an object, which no other value is."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return json.dumps({"bytes": base64.b64encode(value).decode()})
    return json.dumps(value, ensure_ascii=False)


def decode_cell(cell: str | None) -> Any:
    """The value again.  Raises ValueError, KeyError, TypeError for what is no such cell."""
    if cell is None:
        return None
    value = json.loads(cell)
    return base64.b64decode(value["bytes"]) if isinstance(value, dict) else value
