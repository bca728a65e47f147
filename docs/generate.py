"""
Write the generated pages of docs/reference, or compare them with the code.

    python docs/generate.py            writes
    python docs/generate.py --check    compares; exits 1 and shows the difference
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REFERENCE = HERE / "reference"
sys.path.insert(0, str(HERE))

from generators import (  # noqa: E402
    api,
    cli,
    configuration,
    errors,
    events,
    magics,
    openapi,
    presets,
    testing,
    treatments,
)

PAGES = {
    "configuration.md": configuration.page,
    "cli.md": cli.page,
    "errors.md": errors.page,
    "audit-events.md": events.page,
    "api.md": api.page,
    "openapi.json": openapi.page,
    "treatments.md": treatments.page,
    "presets.md": presets.page,
    "magics.md": magics.page,
    "testing.md": testing.page,
}


def differences() -> list[str]:
    """For each page that is not what the code says: the lines that differ."""
    found = []
    for name, page in PAGES.items():
        path = REFERENCE / name
        written = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = difflib.unified_diff(
            written.splitlines(), page().splitlines(), f"docs/reference/{name}", "the code",
            lineterm="",
        )  # fmt: skip
        if text := "\n".join(lines):
            found.append(text)
    return found


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description="The generated pages of docs/reference.")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    if parser.parse_args().check:
        found = differences()
        print("\n".join(found) or "docs/reference is what the code says")
        if found:
            print("run `make docs`, and read what changed", file=sys.stderr)
        return 1 if found else 0
    REFERENCE.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
