"""Nothing leaves without several people: a request, signatures over its digest, one release.

asking, apart, inside    from a file in a workspace to a sealed request; the inspection's own process
inspection, whose        what is in a file, from the file itself; whose the persons are
copies, marking …        one copy a recipient: manifest, watermark, canaries; naming a copy from what was found
facts, tables, overview  what is recorded; lists; what an approver sees beside a request
canonical, signatures    the one text of a request, and what signs it
history, judge           people, policy and keys from the leaves of the log alone: may it leave, was it right
recipients               to whom data may go; nobody registers one alone
desk                     TakeoutDesk: ask, approve, give a share, end, release
seats, sealing, packages whose shares a package needs; sealed, split, handed out by a release
channels, links, sftp …  from a release to the recipient, once
custody …                where copies are, and whether they came back
telling                  who is told
faults
"""
