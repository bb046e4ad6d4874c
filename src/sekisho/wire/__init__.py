"""Sans-io codecs: bytes in, messages out. No socket, no clock, no decision lives here.

faults      what a peer can do wrong on the wire (SEK-WIRE-…)
postgres    PostgreSQL frontend/backend protocol 3.0
asciicast   asciicast v2, the written form of a terminal session
"""
