"""asciicast v2, the written form of a terminal session: sans-io, bytes in and events out, and back.

https://docs.asciinema.org/manual/asciicast/v2/

cast      Header, Event; CastEncoder, CastDecoder
faults    what is no cast
"""
