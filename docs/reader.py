#!/usr/bin/env python3
"""A second reader of Sekisho's evidence, sharing no code with it.

    python3 reader.py FOLDER [LOG-KEY [WITNESS-KEY ...]]

It needs only Python and an Ed25519 library (`cryptography`), and follows the public formats:
c2sp.org/tlog-tiles, signed-note, tlog-checkpoint and tlog-cosignature, RFC 6962 section 2.1. It recomputes the tree
from the entries and compares it with every hash in the tiles and with the root that the log signed and the witnesses
cosigned. The last line begins with OK or BAD; the exit status is 0 or 1.
"""

# ruff: noqa: T201 (its output is what it is for)

import base64
import hashlib
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class EvidenceError(Exception):
    """What is wrong."""


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def tree_hash(hashes: list[bytes]) -> bytes:
    """RFC 6962 2.1, the Merkle Tree Hash, over hashes that stand for subtrees of equal size."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + tree_hash(hashes[:split]) + tree_hash(hashes[split:])).digest()


def index_path(index: int) -> str:
    """tlog-tiles: 1234067 is x001/x234/067."""
    path = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        path = f"x{index % 1000:03}/{path}"
    return path


def read(folder: Path, name: str, width: int) -> bytes:
    """A full tile or bundle, or the partial one; a partial one may have been replaced by the full one."""
    partial = folder / f"{name}.p" / str(width)
    path = partial if width < 256 and partial.exists() else folder / name
    if not path.exists():
        raise EvidenceError(f"{name} ({width} wide) is missing")
    return path.read_bytes()


def entries_of(bundle: bytes) -> list[bytes]:
    entries, at = [], 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2], "big")
        entries.append(bundle[at + 2 : at + 2 + length])
        at += 2 + length
    return entries


def check_level_0(folder: Path, size: int) -> list[bytes]:
    """Every entry against its number and its leaf hash. Returns the roots of the full tiles, then loose hashes."""
    roots: list[bytes] = []
    for index in range(-(-size // 256)):
        width = min(256, size - index * 256)
        entries = entries_of(read(folder, f"tile/entries/{index_path(index)}", width))[:width]
        tile = read(folder, f"tile/0/{index_path(index)}", width)
        for offset in range(width):
            number = index * 256 + offset
            if offset >= len(entries):
                raise EvidenceError(f"entry {number} is missing")
            if leaf_hash(entries[offset]) != tile[offset * 32 : offset * 32 + 32]:
                raise EvidenceError(f"entry {number} is not the one that was recorded")
            if not entries[offset].startswith(b'{"seq":%d,' % number):
                raise EvidenceError(f"entry {number} carries another number")
        hashes = [tile[at : at + 32] for at in range(0, width * 32, 32)]
        roots += [tree_hash(hashes)] if width == 256 else hashes
    return roots


def check_upper_levels(folder: Path, size: int, below: list[bytes]) -> bytes:
    """Every upper tile against the roots of the full tiles below it. Returns the root of the tree.

    `below` holds the hashes of one level that are full tiles, and after them those of the partial tile.
    """
    loose: list[list[bytes]] = []  # of each level, from the lowest: the hashes of its partial tile
    level, count = 0, size // 256
    while True:
        full, rest = below[:count], below[count:]
        loose.append(rest)
        if not full:
            break
        level += 1
        below = []
        for index in range(-(-len(full) // 256)):
            hashes = full[index * 256 : index * 256 + 256]
            tile = read(folder, f"tile/{level}/{index_path(index)}", len(hashes))[: len(hashes) * 32]
            if tile != b"".join(hashes):
                raise EvidenceError(f"tile {level}/{index} does not fit the entries below it")
            below += [tree_hash(hashes)] if len(hashes) == 256 else hashes
        count = len(full) // 256
    root = None
    for hashes in loose:  # the smaller subtrees stand to the right
        at = len(hashes)
        while at:
            block = at & -at  # the largest perfect subtree that ends here
            part = tree_hash(hashes[at - block : at])
            root = part if root is None else hashlib.sha256(b"\x01" + part + root).digest()
            at -= block
    return tree_hash([]) if root is None else root


def check_signatures(note: bytes, keys: list[str]) -> None:
    """signed-note: each given key must have signed. Type 1 is the log's, type 4 a witness's with its time."""
    text, _, lines = note.decode().rpartition("\n\n")
    text += "\n"
    for key in keys:
        name, key_id, material = key.split("+", 2)
        kind, public = base64.b64decode(material)[0], base64.b64decode(material)[1:]
        if hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).hexdigest()[:8] != key_id:
            raise EvidenceError(f"the key of {name} is mistyped")
        signatures = [
            base64.b64decode(line.split(" ")[2]) for line in lines.splitlines() if line.split(" ")[1] == name
        ]
        found = [signature[4:] for signature in signatures if signature[:4].hex() == key_id]
        if not found:
            raise EvidenceError(f"{name} did not sign")
        message = text.encode()
        if kind == 4:
            message = f"cosignature/v1\ntime {int.from_bytes(found[0][:8], 'big')}\n{text}".encode()
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(found[0][-64:], message)
        except InvalidSignature:
            raise EvidenceError(f"the signature of {name} does not fit") from None


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    folder, keys = Path(sys.argv[1]), sys.argv[2:]
    try:
        note = (folder / "checkpoint").read_bytes()
        origin, size_text, root_text = note.decode().split("\n")[:3]
        size = int(size_text)
        check_signatures(note, keys)
        if keys and keys[0].split("+")[0] != origin:
            raise EvidenceError(f"this is the log of {origin}")
        if check_upper_levels(folder, size, check_level_0(folder, size)) != base64.b64decode(root_text):
            raise EvidenceError("the entries do not add up to the signed root")
    except (EvidenceError, OSError, ValueError, IndexError) as bad:
        print(f"BAD: {bad}")
        return 1
    if not keys:
        print("Nobody's signature was checked: give the log's key, and the witnesses' keys after it.")
    print(f"OK: {size} entries of {origin}, {len(keys)} signatures checked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
