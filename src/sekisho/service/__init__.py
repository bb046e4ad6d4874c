"""One running checkpoint: ledger, publisher, doors and console under one task group.

settings      sekisho.toml of a state folder
service       opens the parts in order, runs them, closes them in reverse
published     tickets' facts held against the published log
certificates  the checkpoint's own authority for TLS
"""
