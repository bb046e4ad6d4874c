"""Every message: written by hand from the manual, and written back from what was read."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import errors
from sekisho.wire.postgres import frontend as f

NAMES = st.binary(max_size=12).map(lambda value: value.replace(b"\0", b"x"))
VALUES = st.none() | st.binary(max_size=12)
FORMATS = st.lists(st.integers(0, 1), max_size=4).map(tuple)
OIDS = st.integers(0, 2**32 - 1)
INT16 = st.integers(-(2**15), 2**15 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
FIELDS = st.lists(st.tuples(st.sampled_from([b"S", b"V", b"C", b"M", b"D", b"H"]), NAMES), max_size=5).map(
    tuple
)
COLUMNS = st.lists(
    st.builds(b.Column, NAMES, OIDS, INT16, OIDS, INT16, INT32, st.integers(0, 1)), max_size=4
).map(tuple)

FRONTEND: st.SearchStrategy[Any] = st.one_of(
    st.builds(f.AuthenticationResponse, st.binary(max_size=20)),
    st.builds(f.Query, NAMES),
    st.builds(f.Parse, NAMES, NAMES, st.lists(OIDS, max_size=3).map(tuple)),
    st.builds(f.Bind, NAMES, NAMES, FORMATS, st.lists(VALUES, max_size=4).map(tuple), FORMATS),
    st.builds(f.Describe, st.sampled_from([b"S", b"P"]), NAMES),
    st.builds(f.Close, st.sampled_from([b"S", b"P"]), NAMES),
    st.builds(f.Execute, NAMES, INT32),
    st.builds(f.FunctionCall, OIDS, FORMATS, st.lists(VALUES, max_size=3).map(tuple), st.integers(0, 1)),
    st.builds(f.CopyData, st.binary(max_size=20)),
    st.builds(f.CopyFail, NAMES),
    st.sampled_from([f.Sync(), f.Flush(), f.Terminate(), f.CopyDone()]),
)

BACKEND: st.SearchStrategy[Any] = st.one_of(
    st.builds(b.Authentication, st.sampled_from([6, 7, 8, 9, 10, 11, 12]), st.binary(max_size=12)),
    st.builds(b.Authentication, st.just(b.MD5), st.binary(min_size=4, max_size=4)),
    st.sampled_from([b.Authentication(b.OK), b.Authentication(b.CLEARTEXT)]),
    st.builds(b.NegotiateProtocolVersion, OIDS, st.lists(NAMES, max_size=3).map(tuple)),
    st.builds(b.BackendKeyData, OIDS, st.binary(min_size=4, max_size=4)),
    st.builds(b.ParameterStatus, NAMES, NAMES),
    st.builds(b.ErrorResponse, FIELDS),
    st.builds(b.NoticeResponse, FIELDS),
    st.builds(b.NotificationResponse, OIDS, NAMES, NAMES),
    st.builds(b.ReadyForQuery, st.sampled_from([b"I", b"T", b"E"])),
    st.builds(b.RowDescription, COLUMNS),
    st.builds(b.ParameterDescription, st.lists(OIDS, max_size=4).map(tuple)),
    st.builds(b.DataRow, st.lists(VALUES, max_size=4).map(tuple)),
    st.builds(b.CommandComplete, NAMES),
    st.builds(b.CopyInResponse, st.integers(0, 1), FORMATS),
    st.builds(b.CopyOutResponse, st.integers(0, 1), FORMATS),
    st.builds(b.CopyBothResponse, st.integers(0, 1), FORMATS),
    st.builds(b.FunctionCallResponse, VALUES),
    st.builds(f.CopyData, st.binary(max_size=20)),
    st.sampled_from(
        [b.ParseComplete(), b.BindComplete(), b.CloseComplete(), b.EmptyQueryResponse(), b.NoData()]
    ),
    st.sampled_from([b.PortalSuspended(), f.CopyDone()]),
)

# PostgreSQL 55.7, by hand: length and type byte, then the fields.
WRITTEN = [
    (f.SSLRequest(), "00000008 04d2162f"),
    (f.GSSENCRequest(), "00000008 04d21630"),
    (f.CancelRequest(258, b"\x01\x02\x03\x04"), "00000010 04d2162e 00000102 01020304"),
    (f.StartupMessage({"user": "a"}), "00000010 00030000 7573657200 6100 00"),
    (f.Query(b"select"), "51 0000000b 73656c65637400"),
    (f.Parse(b"s", b"q", (23,)), "50 0000000e 7300 7100 0001 00000017"),
    (f.Bind(b"p", b"s", (1,), (None, b"ab"), ()),
     "42 0000001a 7000 7300 0001 0001 0002 ffffffff 00000002 6162 0000"),
    (f.Describe(b"P", b"p"), "44 00000007 50 7000"),
    (f.Execute(b"", 5), "45 00000009 00 00000005"),
    (f.Sync(), "53 00000004"),
    (f.FunctionCall(1, (0,), (b"x",), 1), "46 00000015 00000001 0001 0000 0001 00000001 78 0001"),
    (f.CopyFail(b"no"), "66 00000007 6e6f00"),
    (b.Authentication.sasl(b"SCRAM-SHA-256"),
     "52 00000017 0000000a 534352414d2d5348412d32353600 00"),
    (b.Authentication(b.MD5, b"salt"), "52 0000000c 00000005 73616c74"),
    (b.BackendKeyData(258, b"\x01\x02\x03\x04"), "4b 0000000c 00000102 01020304"),
    (b.ReadyForQuery(b"I"), "5a 00000005 49"),
    (b.RowDescription((b.Column(b"c", 16390, 3, 23, 4, -1, 0),)),
     "54 0000001a 0001 6300 00004006 0003 00000017 0004 ffffffff 0000"),
    (b.DataRow((b"1", None)), "44 0000000f 0002 00000001 31 ffffffff"),
    (b.CopyOutResponse(0, (0, 0)), "48 0000000b 00 0002 0000 0000"),
    (b.FunctionCallResponse(None), "56 00000008 ffffffff"),
    (b.NegotiateProtocolVersion(196608, (b"_pq_.x",)), "76 00000013 00030000 00000001 5f70715f2e7800"),
    (b.ErrorResponse(((b"S", b"ERROR"), (b"C", b"42P01"))), "45 00000013 53 4552524f5200 43 343250303100 00"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "written"), WRITTEN, ids=lambda value: type(value).__name__)
def test_messages_are_written_as_the_manual_says(message: Any, written: str) -> None:
    raw = bytes.fromhex(written)
    assert message.encode() == raw
    if isinstance(message, f.Startup):
        assert f.parse_startup(raw[4:]) == message
    else:
        assert type(message).parse(raw[5:]) == message


@given(FRONTEND | BACKEND)
def test_what_is_written_is_read_back(message: Any) -> None:
    raw = message.encode()
    assert raw[:1] == message.KIND
    assert int.from_bytes(raw[1:5], "big") == len(raw) - 1
    assert type(message).parse(raw[5:]) == message


@given(FRONTEND | BACKEND, st.data())
def test_a_body_of_another_length_is_no_message(message: Any, data: st.DataObject) -> None:
    body = message.encode()[5:]
    cut = data.draw(st.integers(0, max(0, len(body) - 1)))
    for broken in (body[:cut], body + b"\0", b"\xff" + body):
        try:
            again = type(message).parse(broken)
        except (ValueError, IndexError, struct.error):
            continue
        # Where another length still makes a message, it is that message and nothing is silently dropped.
        assert again.encode()[5:] == broken


@given(st.binary(max_size=60), st.sampled_from([196608, 80877102, 80877103, 80877104, 131072, 0]))
def test_startup_packets_are_read_or_refused(rest: bytes, code: int) -> None:
    body = code.to_bytes(4, "big") + rest
    try:
        message: Any = f.parse_startup(body)
    except (ValueError, struct.error):
        return
    assert f.parse_startup(message.encode()[4:]) == message


def test_a_start_up_parameter_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        f.parse_startup(b"\0\3\0\0user\0a\0user\0b\0\0")


def test_extensions_are_told_apart() -> None:
    startup = f.StartupMessage({"user": "a", "_pq_.command_compression": "on"}, minor=2)
    assert startup.extensions == ("_pq_.command_compression",)
    assert f.parse_startup(startup.encode()[4:]) == startup


@pytest.mark.parametrize("write", [f.Query, f.CopyFail, lambda name: f.Parse(name, b""), b.CommandComplete])
def test_a_text_with_a_zero_byte_is_never_written(write: Any) -> None:
    with pytest.raises(ValueError, match="zero byte"):
        write(b"select 1\0drop").encode()


def test_authentication_answers_are_read_by_what_was_asked() -> None:
    assert f.AuthenticationResponse.of_password(b"secret").password() == b"secret"
    assert f.AuthenticationResponse.of_sasl_initial(b"X", b"abc").sasl_initial() == (b"X", b"abc")
    assert f.AuthenticationResponse.of_sasl_initial(b"X", None).sasl_initial() == (b"X", None)
    assert b.Authentication.sasl(b"A", b"B").mechanisms() == (b"A", b"B")
    assert b.Authentication(7).method == "gss"
    with pytest.raises(ValueError, match="unknown way"):
        b.Authentication.parse(b"\0\0\0\x63")


def test_secrets_are_not_shown() -> None:
    for message in (
        f.AuthenticationResponse(b"secret"), f.CancelRequest(1, b"secr"), b.BackendKeyData(1, b"secr")
    ):  # fmt: skip
        assert "secr" not in repr(message)


def test_a_description_seen_before_is_the_same_object() -> None:
    body = b.RowDescription((b.Column(b"c", 1, 1, 23, 4, -1, 0),)).encode()[5:]
    assert b.RowDescription.parse(body) is b.RowDescription.parse(bytes(bytearray(body)))


def test_errors_carry_what_a_client_shows() -> None:
    error = errors.error(errors.LIMIT_EXCEEDED, "人数の上限\0です", detail="d", hint="h", fatal=True)
    assert (error.severity, error.sqlstate, error.message) == ("FATAL", "53400", "人数の上限 です")
    assert (error.field(b"D"), error.field(b"H"), error.field(b"W")) == (b"d", b"h", None)
    assert b.ErrorResponse.parse(error.encode()[5:]) == error
    assert errors.notice("00000", "n").severity == "NOTICE"
    assert errors.condition("42P01") == "undefined_table"
    assert errors.condition("42999") == "syntax error or access rule violation"
    assert errors.condition("QQ000") == "QQ000"
