"""The book of requests and answers: scripts of messages in and out."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.faults import TOO_MUCH_KEPT, UNEXPECTED, ProtocolViolation
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import errors
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.exchange import STEPS, Exchange, Request, Step
from sekisho.wire.postgres.rows import Rows

IDLE, OPEN, FAILED = (b.ReadyForQuery(status) for status in (b"I", b"T", b"E"))
ERROR = errors.error("42P01", "no such table")
FATAL = errors.error("57P01", "shutting down", fatal=True)
PARSED, BOUND, CLOSED = b.ParseComplete(), b.BindComplete(), b.CloseComplete()
ROWS = Rows(1, [], b"")


def described(name: bytes) -> b.RowDescription:
    return b.RowDescription((b.Column(name, 1, 1, 23, 4, -1, 0),))


def done(tag: bytes = b"SELECT 1") -> b.CommandComplete:
    return b.CommandComplete(tag)


A, B = described(b"a"), described(b"b")


def play(exchange: Exchange, *script: Any) -> list[Request | None]:
    """Frontend messages are sent, backend messages answered; the requests that the answers belong to."""
    answered = []
    for message in script:
        if isinstance(message, f.FrontendMessage) and not isinstance(message, f.CopyData | f.CopyDone):
            exchange.send(message)
        else:
            answered.append(exchange.answer(message))
    return answered


def refuse(exchange: Exchange, message: Any) -> None:
    with pytest.raises(ProtocolViolation) as raised:
        exchange.answer(message)
    assert raised.value.kind is UNEXPECTED


def prepared(exchange: Exchange, name: bytes = b"s", sql: bytes = b"select a") -> None:
    play(exchange, f.Parse(name, sql), f.Sync(), PARSED, IDLE)


def test_a_query_with_several_statements() -> None:
    exchange = Exchange()
    query = f.Query(b"select a; update t; select b")
    answers = play(exchange, query, A, ROWS, done(), done(b"UPDATE 1"), B, ROWS, done(), IDLE)
    assert {request.sql for request in answers if request} == {query.sql}
    assert exchange.idle


def test_the_description_in_force_is_that_of_the_statement_whose_rows_come() -> None:
    exchange = Exchange()
    exchange.send(f.Query(b"select a; select b"))
    seen = []
    for message in (A, ROWS, done(), B, ROWS, ROWS, done()):
        request = exchange.answer(message)
        assert request is not None
        if message is ROWS:
            seen.append(request.description)
    assert seen == [A, B, B]


def test_pipelined_requests_are_answered_in_their_order() -> None:
    exchange = Exchange()
    prepared(exchange)
    requests = [
        exchange.send(message)
        for bind in (f.Bind(b"", b"s"), f.Bind(b"p", b"s"))
        for message in (bind, f.Describe(b"P", bind.portal), f.Execute(bind.portal), f.Sync())
    ]
    answers = play(exchange, *[BOUND, A, ROWS, done(), IDLE] * 2)
    assert answers[:5] == [requests[0], requests[1], requests[2], requests[2], requests[3]]
    assert answers[5:] == [requests[4], requests[5], requests[6], requests[6], requests[7]]
    assert answers[2] is not None
    assert answers[2].sql == b"select a"
    assert answers[2].description is A


def test_after_an_error_everything_up_to_sync_is_skipped() -> None:
    exchange = Exchange()
    play(
        exchange,
        f.Parse(b"", b"bad"),
        f.Bind(),
        f.Execute(),
        f.Query(b"skipped too"),
        f.Sync(),
        f.Query(b"x"),
        ERROR,
    )
    assert isinstance(exchange.current and exchange.current.message, f.Sync)
    play(exchange, IDLE, done(), IDLE)
    assert exchange.idle


def test_what_is_sent_after_an_error_is_skipped_until_sync() -> None:
    exchange = Exchange()
    play(exchange, f.Parse(b"", b"bad"), f.Flush(), ERROR)
    assert exchange.send(f.Bind()) is None
    assert exchange.send(f.Execute()) is None
    refuse(exchange, BOUND)
    play(exchange, f.Sync(), IDLE)
    assert exchange.idle


def test_an_error_in_a_query_skips_nothing() -> None:
    exchange = Exchange()
    play(exchange, f.Query(b"bad"), f.Query(b"good"), ERROR, IDLE, done(), IDLE)
    assert exchange.idle


# Names


def test_a_parse_that_fails_does_not_change_what_its_name_stands_for() -> None:
    exchange = Exchange()
    prepared(exchange, b"s", b"select a")
    play(exchange, f.Parse(b"s", b"select b"), f.Sync(), ERROR, IDLE)
    answers = play(exchange, f.Bind(b"", b"s"), f.Execute(), f.Sync(), BOUND, done(), IDLE)
    assert answers[1] is not None
    assert answers[1].sql == b"select a"


def test_a_portal_keeps_the_statement_that_it_was_bound_to() -> None:
    exchange = Exchange()
    script = [f.Parse(b"", b"select a"), f.Bind(b"p"), f.Parse(b"", b"select b"), f.Execute(b"p"), f.Sync()]
    answers = play(exchange, *script, PARSED, BOUND, PARSED, done(), IDLE)
    assert answers[3] is not None
    assert answers[3].sql == b"select a"


def test_names_go_when_closed_and_portals_when_their_transaction_ends() -> None:
    exchange = Exchange()
    prepared(exchange)
    play(exchange, f.Query(b"begin"), done(b"BEGIN"), OPEN)
    play(
        exchange,
        f.Bind(b"p", b"s"),
        f.Bind(b"q", b"s"),
        f.Close(b"P", b"q"),
        f.Sync(),
        BOUND,
        BOUND,
        CLOSED,
        OPEN,
    )
    assert list(exchange.portals) == [b"p"]
    play(exchange, f.Query(b"commit"), done(b"COMMIT"), IDLE)
    assert not exchange.portals
    play(exchange, f.Close(b"S", b"s"), f.Sync(), CLOSED, IDLE)
    assert not exchange.statements
    assert exchange._kept == 0


def test_a_simple_query_ends_the_unnamed_statement_and_portal() -> None:
    exchange = Exchange()
    play(exchange, f.Query(b"begin"), done(b"BEGIN"), OPEN)
    play(exchange, f.Parse(b"", b"a"), f.Parse(b"s", b"b"), f.Bind(), f.Sync(), PARSED, PARSED, BOUND, OPEN)
    play(exchange, f.Query(b"select"), done(), OPEN)
    assert list(exchange.statements) == [b"s"]
    assert not exchange.portals


@pytest.mark.parametrize("tag", [b"DEALLOCATE", b"DEALLOCATE ALL", b"DISCARD ALL", b"PREPARE"])
def test_sql_that_changes_names_makes_their_text_unknown(tag: bytes) -> None:
    exchange = Exchange()
    prepared(exchange)
    play(exchange, f.Query(b"deallocate s; prepare s as select secret"), done(tag), IDLE)
    answers = play(exchange, f.Bind(b"", b"s"), f.Execute(), f.Sync(), BOUND, done(), IDLE)
    assert answers[1] is not None
    assert answers[1].sql is None


# Descriptions: rows without a certain one must be told apart, or they would pass under the columns of others


def test_a_portal_described_just_before_has_a_certain_description() -> None:
    exchange = Exchange()
    prepared(exchange)
    execute = f.Execute()
    exchange.send(f.Bind(b"", b"s"))
    assert exchange.needs_describe(execute)
    exchange.send(f.Describe(b"P"))
    assert not exchange.needs_describe(execute)
    answers = play(exchange, execute, f.Sync(), BOUND, A, ROWS)
    assert answers[2] is not None
    assert answers[2].description is A
    play(exchange, done(), IDLE)
    assert exchange.needs_describe(execute), "the next transaction may find anything"


BETWEEN: list[list[Any]] = [
    [f.Bind(b"p", b"s")],
    [f.Bind(b"other", b"s")],
    [f.Query(b"select f()")],
    [f.Execute(b"other")],
    [f.FunctionCall(1, (), (), 0)],
    [f.Describe(b"P", b"other")],
    [f.Sync()],
]


@pytest.mark.parametrize("between", BETWEEN, ids=lambda messages: type(messages[0]).__name__)
def test_whatever_may_change_a_portal_takes_the_certainty(between: list[Any]) -> None:
    exchange = Exchange()
    for message in (f.Bind(b"p", b"s"), f.Describe(b"P", b"p"), *between):
        exchange.send(message)
    assert exchange.needs_describe(f.Execute(b"p"))


def test_a_portal_replaced_by_what_ran_in_between_has_no_description() -> None:
    exchange = Exchange()
    prepared(exchange)
    play(exchange, f.Query(b"begin"), done(b"BEGIN"), OPEN)
    play(exchange, f.Bind(b"p", b"s"), f.Describe(b"P", b"p"), f.Sync(), BOUND, A, OPEN)
    play(exchange, f.Query(b"do 'close p; declare p cursor for select secret'"), done(b"DO"), OPEN)
    answers = play(exchange, f.Execute(b"p"), ROWS)
    assert answers[0] is not None
    assert answers[0].description is None


def test_a_suspended_portal_goes_on_under_its_description() -> None:
    exchange = Exchange()
    prepared(exchange)
    play(
        exchange,
        f.Bind(b"p", b"s"),
        f.Describe(b"P", b"p"),
        f.Execute(b"p", 1),
        BOUND,
        A,
        ROWS,
        b.PortalSuspended(),
    )
    assert not exchange.needs_describe(f.Execute(b"p"))
    answers = play(exchange, f.Execute(b"p", 1), ROWS)
    assert answers[0] is not None
    assert answers[0].description is A


def test_a_cursor_of_sql_can_be_described_and_read_but_its_text_is_unknown() -> None:
    exchange = Exchange()
    play(
        exchange,
        f.Query(b"begin; declare c cursor for select a"),
        done(b"BEGIN"),
        done(b"DECLARE CURSOR"),
        OPEN,
    )
    answers = play(
        exchange, f.Describe(b"P", b"c"), f.Execute(b"c"), f.Sync(), A, ROWS, done(b"FETCH 1"), OPEN
    )
    assert answers[1] is not None
    assert answers[1].description is A
    assert answers[1].sql is None


def test_a_description_of_our_own_is_told_apart() -> None:
    exchange = Exchange()
    prepared(exchange)
    exchange.send(f.Bind(b"", b"s"))
    exchange.send(f.Describe(b"P"), own=True)
    answers = play(exchange, f.Execute(), f.Sync(), BOUND, A, ROWS)
    assert [request.own for request in answers if request] == [False, True, False]


# Copy


def test_copy_out() -> None:
    exchange = Exchange()
    response = b.CopyOutResponse(0, (0,))
    play(
        exchange,
        f.Query(b"copy t to stdout"),
        response,
        f.CopyData(b"1"),
        f.CopyDone(),
        done(b"COPY 1"),
        IDLE,
    )
    play(exchange, f.Parse(b"", b"copy"), f.Bind(), f.Execute(), f.Sync(), PARSED, BOUND, response)
    play(exchange, f.CopyData(b"1"), f.CopyDone(), done(b"COPY 1"), IDLE)
    assert exchange.idle


def test_copy_in_ignores_the_sync_sent_before_it_was_known() -> None:
    exchange = Exchange()
    play(
        exchange,
        f.Parse(b"", b"copy"),
        f.Bind(),
        f.Execute(),
        f.Sync(),
        PARSED,
        BOUND,
        b.CopyInResponse(0, (0,)),
    )
    assert exchange.send(f.CopyData(b"1")) is None
    assert exchange.send(f.Sync()) is None
    exchange.send(f.CopyDone())
    play(exchange, f.Sync(), done(b"COPY 1"), IDLE)
    assert exchange.idle


def test_copy_data_ahead_of_the_servers_word() -> None:
    exchange = Exchange()
    for message in (f.Query(b"copy t from stdin"), f.CopyData(b"1"), f.CopyDone()):
        exchange.send(message)
    with pytest.raises(ProtocolViolation):
        exchange.send(f.CopyData(b"2"))
    play(exchange, b.CopyInResponse(0, (0,)), done(b"COPY 1"), IDLE)
    assert exchange.idle


def test_copy_data_late_after_an_error() -> None:
    exchange = Exchange()
    play(exchange, f.Query(b"copy t from stdin"), b.CopyInResponse(0, (0,)), ERROR, IDLE)
    for message in (f.CopyData(b"1"), f.CopyFail(b"giving up")):
        exchange.send(message)
    play(exchange, f.Query(b"select"), done(), IDLE)
    assert exchange.idle


def test_copy_data_that_nobody_asked_for_is_refused() -> None:
    for message in (f.CopyData(b"1"), f.CopyDone(), f.CopyFail(b"")):
        with pytest.raises(ProtocolViolation):
            Exchange().send(message)
    with pytest.raises(ProtocolViolation):
        Exchange().send(f.AuthenticationResponse(b""))


# What may come at any time, and what never


def test_notices_belong_to_no_request() -> None:
    exchange = Exchange()
    exchange.send(f.Query(b"select"))
    for message in (
        errors.notice("00000", "n"), b.ParameterStatus(b"a", b"b"), b.NotificationResponse(1, b"c", b""),
    ):  # fmt: skip
        assert exchange.answer(message) is None
        assert Exchange().answer(message) is None
    assert exchange.in_flight == 1


def test_a_server_may_end_the_session_at_any_time() -> None:
    exchange = Exchange()
    assert exchange.answer(FATAL) is None
    refuse(exchange, ERROR)
    request = exchange.send(f.FunctionCall(1, (), (), 0))
    play(exchange, ERROR)
    assert exchange.answer(FATAL) is request


ANSWERS: list[Any] = [
    A, ROWS, done(), b.EmptyQueryResponse(), PARSED, BOUND, CLOSED, b.NoData(), b.PortalSuspended(),
    b.ParameterDescription(()), b.CopyInResponse(0), b.CopyOutResponse(0), b.CopyBothResponse(0),
    f.CopyData(b""), f.CopyDone(), b.FunctionCallResponse(None), IDLE, ERROR,
]  # fmt: skip

WAYS: list[tuple[Step, list[Any]]] = [
    (Step.QUERY, [f.Query(b"")]),
    (Step.QUERY_ROWS, [f.Query(b""), A]),
    (Step.QUERY_NEXT, [f.Query(b""), done()]),
    (Step.QUERY_COPY_IN, [f.Query(b""), b.CopyInResponse(0)]),
    (Step.QUERY_COPY_OUT, [f.Query(b""), b.CopyOutResponse(0)]),
    (Step.QUERY_COPY_BOTH, [f.Query(b""), b.CopyBothResponse(0)]),
    (Step.QUERY_COPIED, [f.Query(b""), b.CopyOutResponse(0), f.CopyDone()]),
    (Step.PARSE, [f.Parse(b"", b"")]),
    (Step.BIND, [f.Bind()]),
    (Step.DESCRIBE_STATEMENT, [f.Describe(b"S")]),
    (Step.DESCRIBE_RESULT, [f.Describe(b"S"), b.ParameterDescription(())]),
    (Step.DESCRIBE_PORTAL, [f.Describe(b"P")]),
    (Step.EXECUTE, [f.Execute()]),
    (Step.EXECUTE_COPY_IN, [f.Execute(), b.CopyInResponse(0)]),
    (Step.EXECUTE_COPY_OUT, [f.Execute(), b.CopyOutResponse(0)]),
    (Step.EXECUTE_COPIED, [f.Execute(), b.CopyOutResponse(0), f.CopyDone()]),
    (Step.CLOSE, [f.Close(b"S")]),
    (Step.FUNCTION, [f.FunctionCall(1, (), (), 0)]),
    (Step.SYNC, [f.Sync()]),
    (Step.ENDING, [f.Query(b""), ERROR]),
]


@pytest.mark.parametrize(
    ("step", "way"), WAYS, ids=lambda value: value.name if isinstance(value, Step) else ""
)
def test_each_step_takes_the_answers_of_its_row_and_no_other(step: Step, way: list[Any]) -> None:
    for answer in ANSWERS:
        exchange = Exchange()
        play(exchange, *way)
        assert exchange.current is not None
        assert exchange.current.step is step
        if type(answer) in STEPS[step]:
            exchange.answer(answer)
        else:
            refuse(exchange, answer)


def test_the_ways_above_reach_every_step() -> None:
    assert [step for step, _ in WAYS] == list(STEPS)
    assert set(Step) - set(STEPS) == {Step.DONE, Step.SKIPPED}


# Bounds


def test_requests_in_flight_are_bounded() -> None:
    exchange = Exchange(in_flight=3)
    for _ in range(3):
        exchange.send(f.Sync())
    with pytest.raises(ProtocolViolation) as raised:
        exchange.send(f.Sync())
    assert raised.value.kind is TOO_MUCH_KEPT


@pytest.mark.parametrize(
    "greedy",
    [
        lambda n: [f.Parse(b"%d" % n, b"x" * 100), PARSED],
        lambda n: [f.Bind(b"%d" % n, b"", parameters=(b"x" * 100,)), BOUND],
        lambda n: [f.Query(b"x" * 100)],
    ],
)
def test_kept_text_and_parameters_are_bounded(greedy: Any) -> None:
    exchange = Exchange(kept_bytes=100_000)
    script = [message for number in range(2_000) for message in greedy(number)]
    with pytest.raises(ProtocolViolation) as raised:
        play(exchange, *script)
    assert raised.value.kind is TOO_MUCH_KEPT


SENT = st.one_of(
    st.builds(f.Query, st.just(b"q")),
    st.builds(f.Parse, st.sampled_from([b"", b"s"]), st.just(b"sql")),
    st.builds(f.Bind, st.sampled_from([b"", b"p"]), st.sampled_from([b"", b"s"])),
    st.builds(f.Describe, st.sampled_from([b"S", b"P"]), st.sampled_from([b"", b"p"])),
    st.builds(f.Execute, st.sampled_from([b"", b"p"])),
    st.builds(f.Close, st.sampled_from([b"S", b"P"]), st.sampled_from([b"", b"s", b"p"])),
    st.just(f.Sync()),
    st.just(f.FunctionCall(1, (), (), 0)),
)


@given(st.lists(SENT, max_size=25), st.data())
def test_any_order_that_the_table_allows_leaves_nothing_behind(sent: list[Any], data: st.DataObject) -> None:
    """A server that answers as STEPS allow, at a pace of its own: every answer finds its request, and at the end
    nothing waits and nothing is kept but what statements and portals cost."""
    exchange = Exchange()
    to_send: deque[Any] = deque([*sent, f.Sync()])
    copy = (b.CopyInResponse, b.CopyOutResponse, b.CopyBothResponse)
    steps = 0
    while to_send or exchange.current:
        steps += 1
        current = exchange.current
        send_more: bool = data.draw(st.booleans())
        if current is None or (to_send and send_more):
            exchange.send(to_send.popleft())
            continue
        allowed = [
            answer
            for answer in ANSWERS
            if type(answer) in STEPS[current.step] and not isinstance(answer, copy)
        ]
        # A server that goes on forever is not what is tested here.
        answer = allowed[-1] if steps > 300 else data.draw(st.sampled_from(allowed))
        assert exchange.answer(answer) is current
    assert exchange.idle
    kept = [item.cost for item in exchange.statements.values()] + [
        item.cost for item in exchange.portals.values()
    ]
    assert exchange._kept == sum(kept)
