"""The tree hash and its proofs, against the published vectors of Certificate Transparency."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.audit.merkle import (
    EMPTY_ROOT,
    Tree,
    inclusion_proof,
    leaf_hash,
    root_from_inclusion,
    root_of,
)

# The eight leaves and the roots of the trees of the first n, from the reference implementation of
# RFC 6962 (google/certificate-transparency, merkletree tests).
LEAVES = [
    leaf_hash(bytes.fromhex(data))
    for data in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

logs = st.lists(st.binary(max_size=8), min_size=1, max_size=70).map(
    lambda datas: [leaf_hash(data) for data in datas]
)


def by_definition(leaves: list[bytes]) -> bytes:
    """The tree hash exactly as section 2.1 of RFC 6962 writes it down."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    left, right = by_definition(leaves[:k]), by_definition(leaves[k:])
    return hashlib.sha256(b"\x01" + left + right).digest()


class TestPublishedVectors:
    @pytest.mark.parametrize("size", range(9))
    def test_roots(self, size):
        """Of the first n leaves."""
        assert root_of(LEAVES[:size]).hex() == ROOTS[size]

    @pytest.mark.parametrize(("place", "path"), PATHS.items(), ids=str)
    def test_inclusion_paths(self, place, path):
        """Made, and followed to the published root."""
        index, size = place
        assert [part.hex() for part in inclusion_proof(index, LEAVES[:size])] == path
        parts = [bytes.fromhex(part) for part in path]
        assert root_from_inclusion(index, size, LEAVES[index], parts).hex() == ROOTS[size]

    def test_a_leaf_is_no_node(self):
        """The prefixes keep a node from being passed off as a record."""
        assert leaf_hash(b"") == hashlib.sha256(b"\0").digest()
        assert leaf_hash(LEAVES[0] + LEAVES[1]) != root_of(LEAVES[:2])


class TestAnyLog:
    @given(logs)
    def test_the_growing_tree_is_the_defined_one(self, leaves):
        """At every size on the way, though only one hash per set bit is kept."""
        tree = Tree()
        assert tree.root() == EMPTY_ROOT
        for size, leaf in enumerate(leaves, start=1):
            tree.add(leaf)
            assert tree.size == size
            assert tree.root() == by_definition(leaves[:size])
            assert len(tree._peaks) == size.bit_count()

    @given(logs, st.data())
    def test_a_proof_leads_to_the_root(self, leaves, data):
        """In as many steps as the tree is deep at most."""
        index = data.draw(st.integers(0, len(leaves) - 1))
        path = inclusion_proof(index, leaves)
        assert root_from_inclusion(index, len(leaves), leaves[index], path) == root_of(leaves)
        assert len(path) <= (len(leaves) - 1).bit_length()

    @given(logs, st.data())
    def test_a_changed_proof_leads_elsewhere(self, leaves, data):
        """Another leaf, a changed, swapped, missing or added part."""
        index = data.draw(st.integers(0, len(leaves) - 1))
        path, root = inclusion_proof(index, leaves), root_of(leaves)
        other = leaf_hash(b"another record entirely")
        size = len(leaves)
        assert root_from_inclusion(index, size, other, path) != root
        for at in range(len(path)):
            changed = [*path[:at], other, *path[at + 1 :]]
            assert root_from_inclusion(index, size, leaves[index], changed) != root
            with pytest.raises(ValueError, match="too short"):
                root_from_inclusion(index, size, leaves[index], path[:at] + path[at + 1 :])
        with pytest.raises(ValueError, match="too long"):
            root_from_inclusion(index, size, leaves[index], [*path, other])

    @pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3)])
    def test_no_proof_of_what_is_not_there(self, index, size):
        """An index outside of the log."""
        with pytest.raises(ValueError, match="no such leaf"):
            inclusion_proof(index, LEAVES[:size])
