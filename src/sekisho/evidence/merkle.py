"""The Merkle tree of RFC 6962 section 2.1 over SHA-256: hashes, compact ranges, proofs. Pure.

A row of hashes is one `bytes` value (32 bytes each, left to right), which is also how a tile stores it.
Proofs are built from `subtree(start, end)`, the hash of the entries [start, end), and so from any storage.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()

Subtree = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def perfect_root(row: bytes) -> bytes:
    """The root over a row of 2**n hashes."""
    while len(row) > HASH_BYTES:
        row = b"".join(
            [
                sha256(b"\x01" + row[i : i + 2 * HASH_BYTES]).digest()
                for i in range(0, len(row), 2 * HASH_BYTES)
            ]
        )
    return row


class Frontier:
    """The right edge of a growing tree: one hash per 1-bit of its size, largest subtree first."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        self.append_subtree(0, leaf)

    def append_subtree(self, height: int, root: bytes) -> None:
        """Append a perfect subtree of 2**height leaves. Raises ValueError when the edge is not aligned to it."""
        if self.size & ((1 << height) - 1):
            raise ValueError(f"a subtree of height {height} cannot start at leaf {self.size}")
        carry = self.size >> height
        while carry & 1:
            root = node_hash(self._peaks.pop(), root)
            carry >>= 1
        self._peaks.append(root)
        self.size += 1 << height

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        *larger, root = self._peaks
        for peak in reversed(larger):
            root = node_hash(peak, root)
        return root

    def copy(self) -> "Frontier":
        twin = Frontier()
        twin.size, twin._peaks = self.size, self._peaks.copy()
        return twin


def split(width: int) -> int:
    """RFC 6962 2.1: the largest power of two smaller than `width` (width > 1)."""
    return 1 << ((width - 1).bit_length() - 1)


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """RFC 6962 2.1.1, from the leaf's sibling up. Raises ValueError when the index is outside the tree."""
    if not 0 <= index < size:
        raise ValueError(f"entry {index} is not in a tree of {size}")
    start, end = 0, size
    path: list[bytes] = []
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    path.reverse()
    return path


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """RFC 6962 2.1.2; empty for old = 0 (C2SP tlog-witness) and old = new. Raises ValueError when old > new."""
    if not 0 <= old <= new:
        raise ValueError(f"no consistency proof from {old} to {new}")
    if old in (0, new):
        return []
    start, end = 0, new
    path: list[bytes] = []
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    if start > 0:  # the verifier knows the old root already when the old tree is one subtree of the new one
        path.append(subtree(start, end))
    path.reverse()
    return path


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """RFC 9162 2.1.3.2: the root that the proof leads to, or None when its length does not fit."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        node >>= 1
        last >>= 1
    return root if last == 0 else None


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    return root_from_inclusion(leaf, index, size, proof) == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162 2.1.4.2, and for old = 0 the convention of C2SP tlog-witness: an empty proof."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if not proof:
        return False
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    first = second = path[0]
    for hash_ in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first = node_hash(hash_, first)
            second = node_hash(hash_, second)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            second = node_hash(second, hash_)
        node >>= 1
        last >>= 1
    return last == 0 and first == old_root and second == new_root
