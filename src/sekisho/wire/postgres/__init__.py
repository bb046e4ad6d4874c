"""PostgreSQL frontend/backend protocol 3.0 (PostgreSQL 15 manual, chapter 55), sans-io.

    frame       5-byte header, size limits, packing and unpacking of field types
    frontend    messages that a client sends: values, parse, encode
    backend     messages that a server sends: values, parse, encode
    decode      FrontendDecoder, BackendDecoder: chunks in, messages out; the phases as tables
    rows        the fast path over DataRow: count, read the subject key, mask, cut
    exchange    which answer belongs to which request; prepared statements and portals
    scram       SCRAM-SHA-256(-PLUS), client and server side
    errors      SQLSTATE names, and ErrorResponse in our own words

`docs/wire-postgres.md` shows the tables as diagrams and says what is refused.
"""
