"""The script of a hostile page: every way of `tests/cases/hostile_page` against given addresses."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_gov.wire.messages import API

CASES = Path(__file__).parents[1] / "cases" / "hostile_page"
_HEADER = re.compile(r"// (GET|FRAME|POST|OPTIONS): .+")

SERVICE_WORKER = """
self.addEventListener('install', event => {
  const asked = new URL(self.location.href).searchParams;
  event.waitUntil(
    fetch(asked.get('to'), {
      method: 'POST', mode: 'no-cors', credentials: 'include',
      headers: {'Content-Type': 'application/x-www-form-urlencoded'}, body: asked.get('body')
    }).catch(() => {})
  );
});
"""

_RUNNER = """
(async () => {
  const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
  const tabs = [];
  const open = (to, name) => {
    const tab = window.open(to, name || `tab${Math.random()}`);
    tabs.push(tab);
    return tab;
  };
  const frame = () => {
    const made = document.createElement('iframe');
    made.name = `frame${Math.random()}`;
    document.body.append(made);
    return made;
  };
  const form = (to, fields, more) => {
    const made = document.createElement('form');
    Object.assign(made, {action: to, method: 'POST', ...more});
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement('input');
      [input.name, input.value] = [name, value];
      made.append(input);
    }
    document.body.append(made);
    return made;
  };
  const ways = {WAYS};
  const one = async (name, [to, fields]) => {
    try {
      const got = await Promise.race([ways[name](to, fields), pause(5000)]);
      return [name, to, got ? String(got) : ''];
    } catch {
      return [name, to, ''];
    }
  };
  window.hostile = {got: [], done: false};
  for (const [name, targets] of Object.entries(PLAN)) {
    window.hostile.got.push(...await Promise.all(targets.map(target => one(name, target))));
  }
  await pause(500);
  for (const tab of tabs) { try { tab.close(); } catch {} }
  window.hostile.done = true;
})();
"""

Target = tuple[str, dict[str, str]]
"""An address, and the fields that the right form would send there."""


@dataclass(frozen=True, slots=True)
class Way:
    """One case."""

    name: str
    method: str
    body: str


def ways() -> Iterator[Way]:
    """Every case, in the order of names."""
    for path in sorted(CASES.glob("*.js")):
        text = path.read_text()
        header = _HEADER.fullmatch(text.splitlines()[0])
        assert header is not None, f"{path.name}: its first line says no method"
        yield Way(path.stem, header[1], text)


def script(plan: dict[Way, list[Target]]) -> str:
    """JavaScript that carries out *plan* and leaves what it could read in `window.hostile`."""
    functions = (f"{w.name}: async (to, fields) => {{\n{w.body}\n}}" for w in plan)
    targets = {way.name: aims for way, aims in plan.items()}
    made = _RUNNER.replace("{WAYS}", "{" + ",\n".join(functions) + "}")
    return made.replace("PLAN", json.dumps(targets))


def attempts_of(plan: dict[Way, list[Target]], forms: set[str]) -> Counter[str]:
    """
    Paths → how many refused attempts *plan* leaves behind.

    Args:
        forms: paths that only decide, so that asking for them is an attempt as well.
    """
    return Counter(
        path
        for way, targets in plan.items()
        for path in (urlsplit(to).path for to, _ in targets)
        if path != f"{API}/health"  # which says the same to everybody
        if way.method in ("POST", "OPTIONS")
        or (way.method == "FRAME" and not path.startswith("/api/"))
        or (way.method == "GET" and path in forms)
        or (way.name == "fetch_get" and path.startswith("/api/"))  # it names its origin
    )


def covering(patterns: Iterable[str], paths: Iterable[str]) -> list[str]:
    """Of a router's patterns those that no path matches."""
    tried = list(paths)
    return [p for p in patterns if not any(re.fullmatch(p, path) for path in tried)]
