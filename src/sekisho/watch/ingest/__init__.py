"""Live foreign logs: rows of registered sources become part of what the watch has seen, durably and once.

sources    who may deliver, and how its rows are read: facts
intake     a batch of rows -> one fact and its sealed segment, before it is acknowledged
segments   what a segment holds, and what the engine and the rules are shown of it
listener   syslog over TLS, each source known by its certificate
"""
