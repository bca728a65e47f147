"""Other users of this machine, where it allows them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.gateway import ROOT

_NEEDED = """
import subprocess, sys
import jupyter_gov.cli.main, jupyter_gov.server.extension, ipykernel, jupyterlab
# A child must find the interpreter too; this process was started with root's reach.
subprocess.run([sys.executable, "-c", ""], check=True)
"""
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, kw_only=True)
class OsUser:
    """Who starts a process, with which interpreter, and the folder that is theirs."""

    uid: int
    home: Path
    python: list[str]
    path: str
    """PYTHONPATH; empty where the interpreter finds everything by itself."""

    @property
    def env(self) -> dict[str, str]:
        """A clean environment of this user's, with nothing of whoever runs the tests."""
        prefix = Path(sys.prefix)
        env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "USER": f"user{self.uid}",
            "IPYTHONDIR": str(self.home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(self.home / "config"),
            "JUPYTER_DATA_DIR": str(self.home / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.home / "runtime"),
            "JUPYTER_PATH": str(prefix / "share" / "jupyter"),
            "JUPYTER_CONFIG_PATH": str(prefix / "etc" / "jupyter"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.home / "lab-settings"),
            "JUPYTERLAB_DIR": str(prefix / "share" / "jupyter" / "lab"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return env | ({"PYTHONPATH": self.path} if self.path else {})

    def own(self, *paths: Path) -> None:
        """Give files or folders to this user, for nobody else to read."""
        for path in paths:
            path.chmod(0o700 if path.is_dir() else 0o600)
            if os.geteuid() == 0:
                os.chown(path, self.uid, self.uid)


def myself(home: Path) -> OsUser:
    """Whoever runs the tests."""
    home.mkdir(parents=True, exist_ok=True)
    path = os.environ.get("PYTHONPATH", "")
    return OsUser(uid=os.geteuid(), home=home, python=[sys.executable], path=path)


def other(uid: int, home: Path) -> OsUser:
    """Another user of this machine.  Raises LookupError, saying why there is none."""
    python, path = _reachable(uid)
    for above in home.parents:
        if not above.stat().st_mode & 0o001:
            raise LookupError(f"other users cannot enter {above}")
    home.mkdir(parents=True, exist_ok=True)
    user = OsUser(uid=uid, home=home, python=[*_as(uid), python], path=path)
    user.own(home)
    return user


def _as(uid: int) -> list[str]:
    return [
        "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs",
        "--inh-caps=-all", "--bounding-set=-all", "--",
    ]  # fmt: skip


_found: list[tuple[str, str]] = []
"""What one of them can run, all can."""


def _reachable(uid: int) -> tuple[str, str]:
    """An interpreter that runs jupyter_gov for that user, and the path it needs."""
    if _found:
        return _found[0]
    if os.geteuid() != 0:
        raise LookupError("only root can start processes as another user")
    if shutil.which("setpriv") is None:
        raise LookupError("there is no setpriv (package util-linux)")
    tried = []
    for python, path in _interpreters():
        command = [*_as(uid), python, "-c", _NEEDED]
        env = {"PATH": "/usr/bin:/bin", "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, env=env | {"PYTHONPATH": path}, cwd="/", capture_output=True, text=True,
                timeout=120, check=False,
            )  # fmt: skip
        except OSError as problem:
            tried.append(f"{python}: {problem}")
            continue
        if done.returncode == 0:
            _found.append((python, path))
            return python, path
        tried.append(f"{python}: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
    raise LookupError(f"no interpreter runs jupyter_gov as uid {uid}: " + "; ".join(tried))


def _interpreters() -> Iterator[tuple[str, str]]:
    """
    The environment's own interpreter; or one of the same version that other users can reach.

    A virtual environment's interpreter is a link, often into somebody's home.
    """
    yield sys.executable, ""
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    path = os.pathsep.join([str(ROOT), *sorted(installed)])
    for folder in ("/usr/bin", "/usr/local/bin", "/opt/python/bin"):
        python = Path(folder) / f"python{_VERSION}"
        if python.exists():
            yield str(python), path
