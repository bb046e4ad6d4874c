"""The evidence log, in public formats (C2SP), so that tools which we did not write can check it.

merkle      the RFC 6962 tree: hashes, compact ranges, inclusion and consistency proofs
folder      files that are there whole or not at all, also after a crash
tiles       tlog-tiles: paths, entry bundles, reading a tree back from a folder
note        signed-note keys and signatures: Ed25519 and Ed25519 cosignatures
checkpoint  origin, size and root, as the text that is signed
log         TileLog, the one writer of a folder
policy      tlog-policy: which logs, which witnesses, how many of them
witness     the decision of a tlog-witness, and what it remembers
proof       tlog-proof texts, and the bundle that carries several entries to someone offline
verify      checking a folder or a bundle, and saying which entry is wrong
faults      what a person is told

Ground floor: only the standard library and the Ed25519 part of `cryptography` are imported here.
"""
