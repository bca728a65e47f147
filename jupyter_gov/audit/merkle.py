"""
The Merkle tree hash of the log, and proofs about it.

Source: RFC 6962, section 2.1 (the same trees as RFC 9162).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The root of a growing log: one hash per set bit of its size is all that is kept."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append a leaf hash."""
        self._peaks.append(leaf)
        size = self.size
        while size & 1:
            right = self._peaks.pop()
            self._peaks.append(_node(self._peaks.pop(), right))
            size >>= 1
        self.size += 1

    def root(self) -> bytes:
        """The Merkle tree hash of what was added."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = _node(peak, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash of these leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The audit path of leaf *index*, leaf end first."""
    if not 0 <= index < len(leaves):
        raise ValueError("no such leaf")
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return [*inclusion_proof(index, leaves[:k]), root_of(leaves[k:])]
    return [*inclusion_proof(index - k, leaves[k:]), root_of(leaves[:k])]


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that a path leads to.  Raises ValueError for a path of the wrong length."""
    hashes = list(path)

    def climb(index: int, size: int) -> bytes:
        if size == 1:
            return leaf
        if not hashes:
            raise ValueError("the proof is too short")
        k = _split(size)
        sibling = hashes.pop()
        if index < k:
            return _node(climb(index, k), sibling)
        return _node(sibling, climb(index - k, size - k))

    root = climb(index, size)
    if hashes:
        raise ValueError("the proof is too long")
    return root
