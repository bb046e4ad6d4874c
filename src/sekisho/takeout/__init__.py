"""Nothing leaves without several people: a request, signatures over its digest, one release.

facts, tables   what is recorded of a take-out; the lists
inspection      what is in a file, from the file itself
canonical       the one text of a request, and its digest
signatures      OpenSSH's signatures and passkeys' answers over it
history         people and keys at one moment, from the leaves of the log alone
judge           verify_release: may it leave, was it right that it left
desk            TakeoutDesk: ask, approve, end, release
seats           whose shares a package needs, from the published log
sealing         a file sealed to a key that is split among the seats; shares at home; opening
packages        the sealed packages of a checkpoint, handed out by a release
faults
"""
