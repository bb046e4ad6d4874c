"""Recordings of interactive sessions: encrypted, hashed into the ledger about once a second, watched by two persons'
decision.

frames       the stored form: sealed frames in a file
recordings   Recordings, Recording: writing; live views
reading      a stored recording read, verified, recovered after a crash
viewing      who may watch: asked by one, approved by another, for an hour
facts        what is recorded of it
tables       recordings and requests to watch them
faults       why a recording ends a session, or is not shown
"""
