"""People: one human, one identity.

facts         a person was added, a credential set, a door token issued, a login failed
tables        the projections
credentials   password (argon2id) and time-based one-time codes, checked together
tokens        the short-lived password of a door, bound to person, ticket and target
"""
