"""
Whether the kernel at the other end could read the gateway: measured, not assumed.

The kernel of the operating system knows which user owns the other end of a loopback connection.
If that user is the gateway's own, or root, nothing the gateway holds is safe from it.  Nor is it
if others may read the gateway's files and databases, or put others in their place.
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from jupyter_gov.identity.model import SAME_USER, SEPARATE

_PR_SET_DUMPABLE = 4


def harden_process() -> None:
    """No core dumps and no /proc/PID/mem for other processes of this user (Linux)."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (OSError, AttributeError):
        return  # not Linux: the isolation class says what that means


def _hex_address(address: str, port: int, family: int) -> str:
    packed = socket.inet_pton(family, address)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"


def peer_uid(peer: tuple[str, int], own: tuple[str, int], family: int) -> int | None:
    """The user of a connection's other end if it is on this host; None if it is not."""
    table = "/proc/net/tcp6" if family == socket.AF_INET6 else "/proc/net/tcp"
    wanted = [_hex_address(*peer, family), _hex_address(*own, family)]
    with Path(table).open() as rows:
        for row in rows:
            parts = row.split()
            if parts[1:3] == wanted:
                return int(parts[7])
    return None


def _closed(folder: os.stat_result) -> bool:
    """Whether nobody but its owner may enter it."""
    return not stat.S_IMODE(folder.st_mode) & 0o011


def _ours(found: os.stat_result) -> bool:
    return found.st_uid in (os.geteuid(), 0)


def _open_above(above: Mapping[Path, os.stat_result]) -> Path | None:
    """The first folder above a path in which others could put something else in its place."""
    for folder, found in above.items():
        mode = stat.S_IMODE(found.st_mode)
        if not _ours(found) or (mode & 0o022 and not mode & stat.S_ISVTX):
            return folder
        if _closed(found):
            return None
    return None


def exposed(secret: Iterable[Path], code: Iterable[Path] = ()) -> list[str]:
    """
    What other users could read of *secret*, or change of *secret* and *code*, with the fix.

    A file in a folder nobody else may enter is private whatever its own mode.  Files that are
    not there are not looked at.
    """
    problems = []
    looked = [(path, 0o066) for path in secret] + [(path, 0o022) for path in code]
    for path, forbidden in looked:
        try:
            found = path.stat()
            above = {folder: folder.stat() for folder in path.parents}
        except OSError:
            continue
        inside = any(_closed(folder) and _ours(folder) for folder in above.values())
        if not _ours(found):
            problems.append(f"{path} belongs to another user: chown it to the gateway's")
        elif stat.S_IMODE(found.st_mode) & forbidden and not inside:
            mode = "go-rwx" if forbidden == 0o066 else "go-w"
            problems.append(f"{path} is open to others: chmod {mode} {path}")
        elif (replaced := _open_above(above)) is not None:
            problems.append(f"{path} could be replaced, since others can change {replaced}")
    return problems


def own_code() -> tuple[Path, ...]:
    """What the gateway runs: whoever can change it is the gateway."""
    return (Path(__file__).resolve().parents[1], Path(sys.executable))


def own(files: Iterable[Path], *, managed: bool = False) -> str:
    """The gateway's own class, before it has met a kernel: for records no kernel is behind."""
    return SAME_USER if managed or exposed(files, own_code()) else SEPARATE


def measure(connection: socket.socket, files: Iterable[Path]) -> str:
    """
    The isolation class of the kernel, or of the notebook server, behind *connection*.

    Args:
        files: what the gateway must keep to itself (see `bootstrap.compose.Gateway.files`).
    """
    family = connection.family
    if family not in (socket.AF_INET, socket.AF_INET6):
        return SAME_USER
    try:
        uid = peer_uid(connection.getpeername()[:2], connection.getsockname()[:2], family)
    except (OSError, ValueError):
        return SAME_USER  # not measurable here: claim nothing
    return SAME_USER if uid in (os.geteuid(), 0) else own(files)
