"""
The gateway's own keys: made at the first start, in files only its user may read.

A key that is missing later is not made anew: with another pseudonym key every pseudonym would
change, and with another audit key the statements of the record could no longer be read.  The ids
of the keys in use are recorded at each start, so that an exchange shows.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import OperationalError

from jupyter_gov.errors import ConfigInvalid

_NAMES = ("audit", "pseudonym", "seal", "code")
_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """32 bytes each."""

    audit: bytes
    pseudonym: bytes
    seal: bytes
    code: bytes

    def space(self, name: str) -> bytes:
        """
        The key of a pseudonym space: the same over sessions, grants and edits.

        A connection's own space has the connection's name.
        """
        return hmac.digest(self.pseudonym, b"space:" + name.encode(), "sha256")

    def shift(self, name: str) -> bytes:
        """The key by which dates about one subject are shifted in a space."""
        return hmac.digest(self.pseudonym, b"shift:" + name.encode(), "sha256")

    def fpe(self, name: str) -> bytes:
        """The AES-256 key of format-preserving encryption in a space."""
        return hmac.digest(self.pseudonym, b"fpe:" + name.encode(), "sha256")

    def surrogates(self) -> bytes:
        """Under which the store names the values that codes stand for."""
        return hmac.digest(self.pseudonym, b"surrogates", "sha256")

    def seal_of(self, grant_id: str) -> bytes:
        """64 bytes for AES-256-SIV, of one grant."""
        return hmac.digest(self.seal, b"seal:" + grant_id.encode(), "sha512")

    def gateway(self) -> str:
        """Tells this gateway from another at the same database; 16 hex digits."""
        return hashlib.sha256(b"gateway\0" + self.seal).hexdigest()[:16]

    @classmethod
    def none(cls) -> Keys:
        """To look at a database with; what is treated with them means nothing."""
        return cls(audit=b"", pseudonym=bytes(_BYTES), seal=b"", code=b"")

    def ids(self) -> dict[str, str]:
        """Name → id, which tells nothing of the key; that of ``audit`` stands in each record."""
        return {
            name: hashlib.sha256(f"{name} key id".encode() + getattr(self, name)).hexdigest()[:16]
            for name in _NAMES
        }


@contextlib.contextmanager
def opening(path: Path) -> Iterator[None]:
    """Say it as a mistake of the configuration if *path* cannot be used.  Raises ConfigInvalid."""
    try:
        yield
    except (OSError, sqlite3.Error, OperationalError) as error:
        why = getattr(error, "strerror", None) or getattr(error, "orig", None) or error
        raise ConfigInvalid(
            (f"c.GovGateway.state_dir: {path} cannot be used ({why}); it needs a volume with room"
             " that the gateway's user may write",)
        ) from None  # fmt: skip


def private_folder(path: Path) -> Path:
    """Make *path* with mode 0700, or refuse one that others can enter.  Raises ConfigInvalid."""
    with opening(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigInvalid(
            (f"c.GovGateway.state_dir: {path} is not private; chown it to the gateway's user and"
             " chmod 700 it",)
        )  # fmt: skip
    return path


def audit_keys(state_dir: Path) -> list[bytes]:
    """The audit key, and those that were exchanged and kept beside it as ``audit*.key``."""
    found = [path.read_bytes() for path in sorted((state_dir / "keys").glob("audit*.key"))]
    return [key for key in found if len(key) == _BYTES]


def load_keys(state_dir: Path, *, make: bool) -> Keys:
    """
    Read the keys.

    Args:
        make: this state folder is new: make those that are missing.

    Raises ConfigInvalid.
    """
    folder = private_folder(state_dir / "keys")
    found = {}
    for name in _NAMES:
        path = folder / f"{name}.key"
        if not path.exists():
            if not make:
                raise ConfigInvalid(
                    (f"{path} is missing; restore it from your backup (the how-to 'Keys and"
                     " backups' says what is lost without it)",)
                )  # fmt: skip
            fresh = path.with_suffix(f".{secrets.token_hex(4)}")
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as out:
                out.write(secrets.token_bytes(_BYTES))
                out.flush()
                os.fsync(out.fileno())
            try:
                os.link(fresh, path)  # never replaces a key that another process just made
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        key = path.read_bytes()
        if len(key) != _BYTES:
            raise ConfigInvalid(
                (f"{path} does not hold {_BYTES} bytes; restore it from your backup",)
            )
        found[name] = key
    return Keys(**found)
