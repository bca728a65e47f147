"""The way in: `jupyter gov …`, `python -m jupyter_gov.cli …`."""

from __future__ import annotations

import sys


def main() -> int:
    """Returns the exit code; 2 too where the trusted side's packages are not installed."""
    try:
        from jupyter_gov.cli.main import main as run
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("jupyter_gov"):
            raise
        print(
            f"jupyter gov: the gateway's side is not installed here ({missing.name} is missing);"
            " run: pip install 'jupyter-gov[gateway]'",
            file=sys.stderr,
        )
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
