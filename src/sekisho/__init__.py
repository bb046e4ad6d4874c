"""Sekisho: a checkpoint between the people who maintain a system and the personal data entrusted to it.

Rooms, from the ground floor up (imports run downwards only):

    faults      what can go wrong, as codes with a sentence in Japanese and English
    evidence    tree, tiles, checkpoints, witness, proofs, offline verification
    wire        sans-io protocol codecs: bytes in, messages out
    text        masking, and the normal forms of names, phones, dates
    witness     a witness of checkpoints over HTTP, and its client
    ledger      facts and their projections in one SQL transaction; the publisher; confidential parts
    register    client organisations, targets, datasets, the catalogue of columns
    people      persons, their authenticators and the short-lived tokens of the doors
    notify      notices that leave the program: mail, webhooks, apprise
    gate        tickets, grants, budgets: pure decisions
    relay       the doors
    console     the web face
    service     one running checkpoint: ledger, publisher, doors and console under one task group
    demo        a synthetic call centre and the first act of the incident
    cli         the command line
"""

__version__ = "0.1.0"
