"""The RFC 6962 tree against the known roots of its reference implementation, and against another implementation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.evidence_oracle import oracle
from sekisho.evidence.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    perfect_root,
    verify_consistency,
    verify_inclusion,
)

# The leaves and roots of the Certificate Transparency reference tests (certificate-transparency-go, merkletree).
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def tree(size: int) -> oracle.MerkleTree:
    return oracle.MerkleTree([b"%d" % index for index in range(size)])


def subtree(start: int, end: int) -> bytes:
    frontier = Frontier()
    for index in range(start, end):
        frontier.append(leaf_hash(b"%d" % index))
    return frontier.root()


def test_known_roots() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for size, root in enumerate(ROOTS, 1):
        frontier.append(leaf_hash(LEAVES[size - 1]))
        assert (frontier.size, frontier.root().hex()) == (size, root)


def test_a_known_inclusion_and_a_known_consistency_proof() -> None:
    # certificate-transparency-go, merkletree: the path of leaf 6 of 8, and the proof from 1 to 8
    path = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    proof = [bytes.fromhex(text) for text in path]
    assert verify_inclusion(leaf_hash(LEAVES[5]), 5, 8, proof, bytes.fromhex(ROOTS[7]))
    path = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    proof = [bytes.fromhex(text) for text in path]
    assert verify_consistency(1, 8, bytes.fromhex(ROOTS[0]), bytes.fromhex(ROOTS[7]), proof)


def test_every_proof_of_small_trees_equals_the_other_implementation() -> None:
    for size in range(1, 34):
        other = tree(size)
        for index in range(size):
            proof = inclusion_proof(index, size, subtree)
            assert proof == list(other.inclusion_proof(index))
            assert verify_inclusion(leaf_hash(b"%d" % index), index, size, proof, other.root())
        for old in range(1, size + 1):
            proof = consistency_proof(old, size, subtree)
            assert proof == list(other.consistency_proof(old))
            assert verify_consistency(old, size, subtree(0, old), other.root(), proof)


def test_the_conventions_for_an_empty_tree() -> None:
    assert consistency_proof(0, 5, subtree) == []
    assert verify_consistency(0, 5, EMPTY_ROOT, subtree(0, 5), [])
    assert not verify_consistency(0, 5, EMPTY_ROOT, subtree(0, 5), [bytes(32)])
    assert not verify_consistency(0, 0, EMPTY_ROOT, bytes(32), [])
    assert verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])


@given(st.integers(1, 300), st.data())
def test_no_changed_proof_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, leaf = subtree(0, size), leaf_hash(b"%d" % index)
    proof = inclusion_proof(index, size, subtree)
    other_index = data.draw(st.integers(0, size + 1))
    changed = data.draw(st.sampled_from([*range(len(proof)), None]))
    assert verify_inclusion(leaf, index, size, proof, root)
    assert not verify_inclusion(leaf, index, size, [*proof, bytes(32)], root)
    if other_index != index:
        assert not verify_inclusion(leaf, other_index, size, proof, root)
    if changed is not None:
        assert not verify_inclusion(leaf, index, size, [*proof[:changed], *proof[changed + 1 :]], root)
        broken = [hash_ if i != changed else bytes(32) for i, hash_ in enumerate(proof)]
        assert not verify_inclusion(leaf, index, size, broken, root)
    old = data.draw(st.integers(1, size))
    consistency, old_root = consistency_proof(old, size, subtree), subtree(0, old)
    assert verify_consistency(old, size, old_root, root, consistency)
    assert not verify_consistency(old, size, old_root, root, [*consistency, bytes(32)])
    assert not verify_consistency(old, size, bytes(32), root, consistency)
    assert not verify_consistency(old, size, old_root, bytes(32), consistency)
    if consistency:
        assert not verify_consistency(old, size, old_root, root, consistency[1:])
        assert not verify_consistency(old, size, old_root, root, [bytes(32), *consistency[1:]])


@given(st.integers(0, 200), st.integers(0, 4))
def test_a_frontier_takes_whole_subtrees(leaves: int, height: int) -> None:
    width = 1 << height
    one, other = Frontier(), Frontier()
    for index in range(leaves * width):
        one.append(leaf_hash(b"%d" % index))
    for block in range(leaves):
        row = b"".join(leaf_hash(b"%d" % index) for index in range(block * width, (block + 1) * width))
        other.append_subtree(height, perfect_root(row))
    assert one.root() == other.root()
    if height:
        other.append(b"1" * 32)
        with pytest.raises(ValueError, match="cannot start"):
            other.append_subtree(height, b"1" * 32)


def test_out_of_range() -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_proof(5, 5, subtree)
    with pytest.raises(ValueError, match="no consistency proof"):
        consistency_proof(6, 5, subtree)
    assert not verify_inclusion(leaf_hash(b"0"), 5, 5, [], subtree(0, 5))
    assert not verify_consistency(6, 5, subtree(0, 6), subtree(0, 5), [])
    assert node_hash(leaf_hash(b"0"), leaf_hash(b"1")) == subtree(0, 2)
