"""
Whether the kernel at the other end could read the gateway: measured, not assumed.

The kernel of the operating system knows which user owns the other end of a loopback connection.
If that user is the gateway's own, or root, nothing the gateway holds is safe from it.
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from jupyter_gov.bootstrap.settings import Settings, files_of
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


def private(paths: Iterable[Path]) -> list[str]:
    """Of the gateway's files, those that other users could read, with the fix."""
    problems = []
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        # A file in a folder nobody else may enter is private whatever its own mode.
        closed = any(not stat.S_IMODE(folder.stat().st_mode) & 0o011 for folder in path.parents)
        if mode & 0o044 and not closed:
            problems.append(f"{path} can be read by others: chmod 600 {path}")
    return problems


def own(settings: Settings, *, managed: bool = False) -> str:
    """The gateway's own class, before it has met a kernel: for records no kernel is behind."""
    if managed or private((*files_of(settings), settings.state_dir)):
        return SAME_USER
    return SEPARATE


def measure(connection: socket.socket, settings: Settings) -> str:
    """The isolation class of the kernel, or of the notebook server, behind *connection*."""
    family = connection.family
    if family not in (socket.AF_INET, socket.AF_INET6):
        return SAME_USER
    try:
        uid = peer_uid(connection.getpeername()[:2], connection.getsockname()[:2], family)
    except (OSError, ValueError):
        return SAME_USER  # not measurable here: claim nothing
    if uid is None:
        return SEPARATE
    return SAME_USER if uid in (os.geteuid(), 0) else own(settings)
