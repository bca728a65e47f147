"""What is shown in a notebook.  Names and purposes are untrusted: escaped for each sink."""

from __future__ import annotations

import html
from typing import Any

_REPLACED = "\N{REPLACEMENT CHARACTER}"


def plain(text: str) -> str:
    """*text* for a terminal: control and direction characters are shown, not obeyed."""
    return "".join(c if c.isprintable() else _REPLACED for c in text)


def time_left(seconds: int) -> str:
    """``30 min``, ``45 s``, ``2 h 5 min``; to the nearest minute from one minute on."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = (seconds + 30) // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def frame_line(gov: dict[str, Any]) -> str:
    """The quiet line under a frame, from its ``attrs["gov"]``."""
    who = gov["principal"]
    if gov["on_behalf_of"]:
        who = f"{who} (agent of {gov['on_behalf_of']})"
    treated = gov["treated"]
    names = [f"{column} {treatment}" for column, treatment in list(treated.items())[:6]]
    if len(treated) > 6:
        names.append(f"and {len(treated) - 6} more")
    rows = f"{gov['rows']:,} rows"
    if gov["cut"]:
        rows = f"CUT at {rows}: this is not the whole answer"
    parts = [
        who,
        f"{gov['connection']} {time_left(gov['seconds_left'])} left",
        rows,
        "treated: " + (", ".join(names) if names else "nothing"),
        f"record {gov['record']}",
        gov["isolation"],
    ]
    return plain(" · ".join(parts))


class FrameLine:
    """`frame_line` for both a browser and a terminal."""

    def __init__(self, gov: dict[str, Any]) -> None:
        self._text = frame_line(gov)

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return (
            '<div class="jp-gov-line" style="font-size: 80%; opacity: .7">'
            f"{html.escape(self._text)}</div>"
        )
