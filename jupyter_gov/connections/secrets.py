"""Where a connection's secret comes from.  It is read when it is needed and never stored."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from jupyter_gov.errors import DatabaseUnavailable


@dataclass(frozen=True, slots=True)
class SecretRef:
    """``env:NAME``, ``file:/path`` (mode 0600) or ``credential:NAME`` (systemd)."""

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """Raises ValueError with the fix."""
        kind, _, name = text.partition(":")
        if kind not in ("env", "file", "credential") or not name:
            raise ValueError("write env:NAME, file:/absolute/path or credential:NAME")
        if kind == "file" and not Path(name).is_absolute():
            raise ValueError("a secret file needs an absolute path")
        if kind == "credential" and "/" in name:
            raise ValueError("a systemd credential is a plain name")
        return cls(kind, name)

    def fetch(self) -> str:
        """The secret.  Raises DatabaseUnavailable, naming the source and never its content."""
        if self.kind == "env":
            value = os.environ.get(self.name)
            if value is None:
                raise DatabaseUnavailable(f"the environment variable {self.name} is not set")
            return value
        if self.kind == "file":
            return _read_private(Path(self.name))
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if folder is None:
            raise DatabaseUnavailable(
                f"no systemd credentials are loaded (LoadCredential={self.name}:…)"
            )
        # systemd lets the service's user in by an access list, which shows as the group's bits.
        return _read_private(Path(folder) / self.name, others=0o007)


def _read_private(path: Path, *, others: int = 0o077) -> str:
    try:
        with path.open() as handle:
            mode = stat.S_IMODE(os.fstat(handle.fileno()).st_mode)
            if mode & others:
                raise DatabaseUnavailable(
                    f"{path} can be read by others (mode {mode:04o})", hint=f"chmod 600 {path}"
                )
            return handle.read().rstrip("\n")
    except OSError as error:
        raise DatabaseUnavailable(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:  # its message would hold bytes of the secret
        raise DatabaseUnavailable(f"{path} is not a text file (UTF-8)") from None
