"""One running checkpoint: ledger, publisher, doors and console under one task group.

settings      sekisho.toml of a state folder
service       opens the parts in order, runs them, closes them in reverse
published     tickets' facts held against the published log
openid        the providers that the settings name
certificates  the checkpoint's own authority for TLS
"""
