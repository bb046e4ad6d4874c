"""Trace: a found list names the sessions it is consistent with, or clears us.

keys          the trace key, kept apart; what unlocks a registry
parts         keyed digests of normal forms: what is left of a person's row
registry      parts by record, and the records that each session was shown
match         rows of a list to candidate records: joins, the telling tiers first
sessions      which sessions explain the hits of one dataset
canaries      invented persons that name the copy of a list
attribution   sessions, client organisations, what stays open, over all datasets
apart         a hostile file is read by a process that has nothing
release       the key in memory while two persons' shares are together
desk          lists as they are brought, lookups as they run, in a running checkpoint
cases         a lookup on record, repeatable to the byte; report writes it down
faults        what it refuses

Nothing here says who did it: a list is consistent with a session, and docs/trace.md says what misleads.
"""
