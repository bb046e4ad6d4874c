"""The decoders: phases, limits, and the same messages however the bytes are cut."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.faults import FaultKind
from sekisho.wire.faults import MALFORMED, OVERSIZED, SMUGGLED, UNEXPECTED, UNKNOWN, ProtocolViolation
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import BackendDecoder, ClientPhase, FrontendDecoder, ServerPhase
from sekisho.wire.postgres.frame import Limits
from sekisho.wire.postgres.rows import Rows, row_reader

STARTUP = f.StartupMessage({"user": "u", "database": "d"})

REQUESTS: list[Any] = [
    f.Query(b"select 1"),
    f.Parse(b"s", b"select $1", (23,)),
    f.Bind(b"", b"s", (0,), (b"1",), (0,)),
    f.Describe(b"P", b""),
    f.Execute(),
    f.Sync(),
    f.FunctionCall(1, (), (b"x",), 0),
    f.CopyData(b"1\n"),
    f.CopyDone(),
    f.CopyFail(b"no"),
    f.Close(b"S", b"s"),
    f.Flush(),
    f.Terminate(),
]

DESCRIPTION = b.RowDescription((b.Column(b"id", 9, 1, 23, 4, -1, 0), b.Column(b"name", 9, 2, 25, -1, -1, 0)))

ANSWERS: list[Any] = [
    b.ParameterStatus(b"TimeZone", b"UTC"),
    DESCRIPTION,
    b.DataRow((b"1", "佐藤".encode())),
    b.DataRow((b"2", None)),
    b.DataRow((b"3", b"")),
    b.CommandComplete(b"SELECT 3"),
    b.ReadyForQuery(b"I"),
    b.ParseComplete(),
    b.BindComplete(),
    b.NoData(),
    b.CopyOutResponse(0, (0,)),
    f.CopyData(b"1\n"),
    f.CopyDone(),
    b.FunctionCallResponse(None),
    b.NotificationResponse(1, b"c", b"p"),
    b.ErrorResponse(((b"S", b"ERROR"), (b"V", b"ERROR"), (b"C", b"42P01"), (b"M", b"no"))),
]


def encoded(messages: Sequence[Any]) -> bytes:
    return b"".join(message.encode() for message in messages)


def logged_in_client() -> FrontendDecoder:
    decoder = FrontendDecoder()
    assert list(decoder.feed(STARTUP.encode())) == [STARTUP]
    decoder.authenticated()
    decoder.take()
    return decoder


def logged_in_server() -> BackendDecoder:
    decoder = BackendDecoder()
    list(decoder.feed(b.Authentication(b.OK).encode() + b.ReadyForQuery(b"I").encode()))
    assert decoder.phase is ServerPhase.READY
    decoder.take()
    return decoder


def violation(kind: FaultKind, decoder: FrontendDecoder | BackendDecoder, data: bytes) -> ProtocolViolation:
    with pytest.raises(ProtocolViolation) as raised:
        list(decoder.feed(data))
    assert raised.value.kind is kind
    assert raised.value.sentence("ja")
    return raised.value


def chunks(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


@given(st.lists(st.sampled_from(REQUESTS[:-1]), max_size=8), st.lists(st.integers(0, 400), max_size=6))
def test_requests_do_not_depend_on_how_they_are_cut(messages: list[Any], cuts: list[int]) -> None:
    decoder, found, taken = logged_in_client(), [], b""
    for chunk in chunks(encoded(messages), cuts):
        for message in decoder.feed(chunk):
            found.append(message)
            assert decoder.raw == message.encode()
        taken += decoder.take()
    assert found == messages
    assert taken == encoded(messages)
    assert decoder.held == 0


def test_requests_byte_by_byte() -> None:
    decoder = logged_in_client()
    data = encoded(REQUESTS)
    assert [message for byte in data for message in decoder.feed(bytes((byte,)))] == REQUESTS
    assert decoder.phase is ClientPhase.CLOSED


@given(st.lists(st.sampled_from(ANSWERS), max_size=10), st.lists(st.integers(0, 600), max_size=6))
def test_answers_do_not_depend_on_how_they_are_cut(messages: list[Any], cuts: list[int]) -> None:
    decoder, found, taken = logged_in_server(), [], b""
    decoder.rows = row_reader(2, key=0)
    keys: list[bytes | None] = []
    for chunk in chunks(encoded(messages), cuts):
        for message in decoder.feed(chunk):
            if isinstance(message, Rows):
                keys += message.keys
                assert decoder.raw == message.frames
            else:
                found.append(message)
        taken += decoder.take()
    assert found == [message for message in messages if not isinstance(message, b.DataRow)]
    assert keys == [message.values[0] for message in messages if isinstance(message, b.DataRow)]
    assert taken == encoded(messages)


def test_a_reader_set_at_the_description_reads_the_rows_behind_it_in_the_same_chunk() -> None:
    decoder = logged_in_server()
    out = b""
    for message in decoder.feed(encoded(ANSWERS[1:7])):
        if message is DESCRIPTION or message == DESCRIPTION:
            decoder.rows = row_reader(2, masks={1: lambda value: b"*"})
        out += message.frames if isinstance(message, Rows) else decoder.raw
    assert out == encoded(
        [
            DESCRIPTION,
            b.DataRow((b"1", b"*")),
            b.DataRow((b"2", None)),
            b.DataRow((b"3", b"*")),
            *ANSWERS[5:7],
        ]
    )


@given(st.data())
def test_damaged_traffic_is_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    client = data.draw(st.booleans())
    decoder: Any = logged_in_client() if client else logged_in_server()
    raw = bytearray(encoded(REQUESTS if client else ANSWERS))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    stop = data.draw(st.integers(0, len(raw)))
    try:
        for chunk in chunks(bytes(raw[:stop]), data.draw(st.lists(st.integers(0, 600), max_size=3))):
            list(decoder.feed(chunk))
            decoder.take()
    except ProtocolViolation:
        return
    assert decoder.held <= len(raw)


@given(st.binary(max_size=64), st.booleans())
def test_noise_at_the_door_is_refused(noise: bytes, server: bool) -> None:
    decoder: Any = BackendDecoder(asked_encryption=True) if server else FrontendDecoder()
    try:
        list(decoder.feed(noise))
    except ProtocolViolation:
        return


# The opening


def test_encryption_is_asked_for_once_each_and_then_the_session_opens() -> None:
    decoder = FrontendDecoder()
    assert list(decoder.feed(f.GSSENCRequest().encode())) == [f.GSSENCRequest()]
    decoder.encryption_answered()
    assert list(decoder.feed(f.SSLRequest().encode())) == [f.SSLRequest()]
    decoder.encryption_answered()
    assert list(decoder.feed(STARTUP.encode())) == [STARTUP]
    assert decoder.phase is ClientPhase.AUTHENTICATING
    answer = f.AuthenticationResponse.of_password(b"x")
    assert list(decoder.feed(answer.encode())) == [answer]


@pytest.mark.parametrize("ask", [f.SSLRequest(), f.GSSENCRequest()])
def test_asking_twice_for_the_same_encryption_is_refused(ask: Any) -> None:
    decoder = FrontendDecoder()
    list(decoder.feed(ask.encode()))
    decoder.encryption_answered()
    violation(UNEXPECTED, decoder, ask.encode())


@pytest.mark.parametrize("smuggled", [b"\0", STARTUP.encode()])
def test_bytes_behind_a_request_for_encryption_never_reach_the_encrypted_session(smuggled: bytes) -> None:
    violation(SMUGGLED, FrontendDecoder(), f.SSLRequest().encode() + smuggled)
    decoder = FrontendDecoder()
    list(decoder.feed(f.SSLRequest().encode()))
    violation(SMUGGLED, decoder, smuggled)
    decoder = FrontendDecoder()
    next(decoder.feed(f.SSLRequest().encode() + smuggled))
    with pytest.raises(ProtocolViolation) as raised:
        decoder.encryption_answered()
    assert raised.value.kind is SMUGGLED


def test_bytes_behind_the_answer_about_encryption_are_refused() -> None:
    assert list(BackendDecoder(asked_encryption=True).feed(b"S")) == [b.EncryptionAnswer(b"S")]
    violation(SMUGGLED, BackendDecoder(asked_encryption=True), b"S" + b.Authentication(b.OK).encode())
    violation(UNKNOWN, BackendDecoder(asked_encryption=True), b"E\0\0\0\x10")


def test_a_cancel_request_is_all_there_is() -> None:
    decoder = FrontendDecoder()
    cancel = f.CancelRequest(1, b"abcd")
    assert list(decoder.feed(cancel.encode())) == [cancel]
    violation(UNEXPECTED, decoder, b"more")


@pytest.mark.parametrize("request_", REQUESTS[:-1])
def test_nothing_is_asked_before_authentication(request_: Any) -> None:
    decoder = FrontendDecoder()
    list(decoder.feed(STARTUP.encode()))
    violation(UNEXPECTED, decoder, request_.encode())


def test_a_password_after_authentication_is_refused() -> None:
    violation(UNEXPECTED, logged_in_client(), f.AuthenticationResponse(b"x").encode())


def test_authentication_needs_a_start_up_message() -> None:
    with pytest.raises(ProtocolViolation):
        FrontendDecoder().authenticated()


def test_nothing_follows_terminate() -> None:
    violation(UNEXPECTED, logged_in_client(), encoded([f.Terminate(), f.Sync()]))


@pytest.mark.parametrize(
    "answer", [DESCRIPTION, b.DataRow((b"1",)), b.CommandComplete(b"x"), b.ParseComplete()]
)
def test_a_server_sends_no_results_before_it_is_ready(answer: Any) -> None:
    violation(UNEXPECTED, BackendDecoder(), answer.encode())


@pytest.mark.parametrize("answer", [b.Authentication(b.OK), b.BackendKeyData(1, b"abcd")])
def test_a_server_does_not_log_in_again(answer: Any) -> None:
    violation(UNEXPECTED, logged_in_server(), answer.encode())


# Unknown and oversized


@pytest.mark.parametrize("kind", sorted(set(range(256)) - {message.KIND[0] for message in REQUESTS} - {112}))
def test_unknown_requests_are_refused(kind: int) -> None:
    violation(UNKNOWN, logged_in_client(), bytes((kind, 0, 0, 0, 4)))


def test_unknown_answers_are_refused() -> None:
    known = set(b"RKSNEvZATDCI123nstGHWdcV")
    for kind in set(range(256)) - known:
        violation(UNKNOWN, logged_in_server(), bytes((kind, 0, 0, 0, 4)))


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_length_that_excludes_itself_is_refused(length: int) -> None:
    violation(MALFORMED, logged_in_client(), b"Q" + length.to_bytes(4, "big"))
    violation(MALFORMED, logged_in_server(), b"D" + length.to_bytes(4, "big"))
    violation(MALFORMED, FrontendDecoder(), length.to_bytes(4, "big"))


def test_a_message_that_announces_too_much_is_refused_before_it_is_kept() -> None:
    fault = violation(OVERSIZED, logged_in_client(), b"Q\x7f\xff\xff\xff")
    assert fault.values["limit"] == 16 << 20
    violation(OVERSIZED, logged_in_client(), b"S\0\0\x80\0")
    violation(OVERSIZED, FrontendDecoder(), b"\0\0\x80\0")
    violation(OVERSIZED, logged_in_server(), b"D\x7f\xff\xff\xff")
    violation(OVERSIZED, logged_in_server(), b"T\0\x7f\xff\xff")


def test_limits_can_be_set() -> None:
    decoder = FrontendDecoder(Limits(request=20))
    list(decoder.feed(STARTUP.encode()))
    decoder.authenticated()
    list(decoder.feed(f.Query(b"q" * 15).encode()))
    violation(OVERSIZED, decoder, f.Query(b"q" * 16).encode())


def test_a_long_message_is_joined_once() -> None:
    decoder = logged_in_client()
    query = f.Query(b"q" * 4_000_000)
    data = query.encode()
    found = [m for at in range(0, len(data), 1000) for m in decoder.feed(data[at : at + 1000])]
    assert found == [query]
    assert decoder.held == 0
    assert decoder.take() == data


def test_a_message_in_hand_can_be_left_out_of_what_is_taken() -> None:
    decoder = logged_in_client()
    before = [
        decoder.take(before=True)
        for message in decoder.feed(encoded(REQUESTS[:4]))
        if isinstance(message, f.Bind)
    ]
    assert before == [encoded(REQUESTS[:2])]
    assert decoder.take() == encoded(REQUESTS[2:4])
    assert decoder._data == b"", "an idle session keeps nothing"


def test_the_incomplete_message_is_all_that_is_held() -> None:
    decoder = logged_in_server()
    rows = encoded([b.DataRow((b"x" * 100, b"y"))] * 500)
    for at in range(0, len(rows), 777):
        list(decoder.feed(rows[at : at + 777]))
        decoder.take()
        assert decoder.held < 120
