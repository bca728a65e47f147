"""docs/reference/cli.md: every command and option of `jupyter gov`."""

from __future__ import annotations

import argparse
import re

from generators.source import summary
from generators.text import code, document, fenced, table
from jupyter_gov.cli import admin, detector, main, preset

_VERBS = {
    "config": {"check": admin.check, "reload": admin.reload},
    "preset": {"show": preset.show},
    "detector": {"measure": detector.measure},
    "audit": {},
}
"""Verbs whose function has the words."""
_AUDIT = {
    "list": "One line a record; `--json` prints one JSON object a line.",
    "show": "One record in full. Its statement is opened if its audit key is at hand.",
    "verify": "Every hash, the root, and what the records say of each other.",
}
_NEEDS = {
    "gateway": "Runs until it gets SIGTERM or SIGINT; then it ends what runs, and records it.",
    "enroll": "Runs as the gateway's user, on the gateway's machine; the gateway need not run."
    " The credential file must not exist yet.",
    "unenroll": "Needs the running gateway, and its user.",
    "config": "`reload` needs the running gateway, and its user.",
    "classify": "Runs as the gateway's user; the gateway need not run. A look at content is"
    " recorded before the first row is read. Prints TOML, and no value. See how to"
    " [propose tags](../howto/propose-tags.md).",
    "provision": "Runs as the gateway's user; the gateway need not run. Needs a superuser's login;"
    " `--check` uses the gateway's own. See how to [put PostgreSQL under"
    " governance](../howto/put-postgresql-under-governance.md).",
    "preset": "Reads the configuration, and no database. With `--eligibility`, exit code 1 if the"
    " preset bars something.",
    "detector": "Reads the configuration and the notes, and no database; the gateway need not run."
    " Prints no text of a note. See how to [scan free text](../howto/scan-free-text.md).",
    "explain": "Reads the configuration and the database's catalog, for a session that holds no"
    " grant yet. Needs no gateway and records nothing.",
    "audit": "Reads only. With `--log` it needs neither the configuration nor the gateway's user.",
    "passwd": "Runs as the gateway's user; a running gateway takes the new passwords at once.",
}


def _commands() -> dict[str, argparse.ArgumentParser]:
    (chosen,) = [
        action
        for action in main.parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    return dict(chosen.choices)


def _shown(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if not action.option_strings:
        if action.choices:
            return "{" + ",".join(map(str, action.choices)) + "}"
        return action.dest.upper()
    return action.option_strings[-1] + ("" if action.nargs == 0 else f" {value}")


def _usage(name: str, actions: list[argparse.Action]) -> str:
    parts = []
    for action in actions:
        shown = _shown(action)
        if action.nargs in ("?", "*"):
            shown = f"[{shown}{' …' if action.nargs == '*' else ''}]"
        elif not action.required:
            shown = f"[{shown}]"
        parts.append(shown)
    return " ".join(["jupyter gov", name, *parts])


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    actions = [
        action
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction) and action.help != argparse.SUPPRESS
    ]
    rows = [
        [code(_shown(action)), "required" if action.required and action.option_strings else "",
         action.help or ""]
        for action in actions
    ]  # fmt: skip
    parts = [
        f"## jupyter gov {name}",
        parser.description or "",
        fenced(_usage(name, actions)),
        _NEEDS[name],
        table(["argument", " ", "meaning"], rows),
    ]
    verbs = {
        verb: summary(function).partition(": ")[2]
        for verb, function in _VERBS.get(name, {}).items()
    }
    if name == "audit":
        verbs = _AUDIT
    chosen = next((set(a.choices) for a in actions if a.choices), set())
    if verbs.keys() != chosen:
        raise AssertionError(f"{name}: verbs {sorted(chosen)}, described {sorted(verbs)}")
    if verbs:
        parts.append(table(["verb", "does"], [[code(v), does] for v, does in verbs.items()]))
    return "\n\n".join(parts)


def page() -> str:
    """The page."""
    commands = _commands()
    told = " ".join((main.main.__doc__ or "").partition("exit code: ")[2].split())
    codes = re.findall(r"(\d) ([^,.]+)", told)
    return document(
        "Command line",
        "`jupyter gov COMMAND`, or `jupyter-gov COMMAND`. Comes with `jupyter-gov[gateway]`.",
        "Every command takes `--config FILE`, more than once if need be. Without it, the"
        f" {' and '.join(map(code, main.CONFIG_NAMES))} of Jupyter's configuration folders are"
        " read. They must be the gateway's own: the state folder is found through them.",
        "## Exit codes",
        table(["code", "meaning"], [[number, text] for number, text in codes]),
        *(_command(name, parser) for name, parser in commands.items()),
    )
