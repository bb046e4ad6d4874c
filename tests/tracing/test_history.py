"""Sessions that content cannot tell apart: which of them the download history speaks for."""

from sekisho.ledger import Commitment
from sekisho.relay.facts import Statement
from sekisho.trace.history import NOTHING, favoured, judge

ITEM_OF = {
    "customers.name": "name",
    "customers.phone": "phone",
    "customers.address": "address",
    "customers.note": "",
}


def statement(rows: int, *columns: str, masked: tuple[str, ...] = (), outcome: str = "passed") -> Statement:
    return Statement(
        session="s",
        number=1,
        ticket="T",
        organisation="a",
        read=tuple(f"customers.{one}" for one in columns),
        masked=tuple(f"customers.{one}" for one in masked),
        rows=rows,
        persons=rows,
        bytes=0,
        duration=0,
        outcome=outcome,
        code="",
        text=Commitment("0" * 64),
    )


def test_a_session_that_saw_only_masked_numbers_is_not_what_a_list_with_numbers_left_through() -> None:
    items = ("name", "phone")
    saw = judge([statement(900, "name", "phone")], ITEM_OF, items, 880)
    masked = judge([statement(900, "name", "phone", masked=("phone",))], ITEM_OF, items, 880)
    other = judge([statement(900, "name", "address", "note")], ITEM_OF, items, 880)
    assert (saw.shown, saw.added) == (("name", "phone"), ())
    assert (masked.shown, masked.added) == (("name",), ("phone",))
    assert saw.weight > masked.weight > other.weight
    refused = [statement(900, "name", "phone", outcome="refused")]
    assert judge(refused, ITEM_OF, items, 880) == NOTHING


def test_the_number_of_rows_speaks_for_a_statement_with_just_as_many() -> None:
    same = judge([statement(10, "name"), statement(880, "name", "phone")], ITEM_OF, ("name", "phone"), 880)
    near = judge([statement(881, "name", "phone")], ITEM_OF, ("name", "phone"), 880)
    assert same.same_rows
    assert not near.same_rows
    assert same.weight > near.weight


def test_one_of_equal_sessions_is_favoured_only_a_thousand_to_one() -> None:
    items = ("name", "phone", "address")
    all_three = judge([statement(9, "name", "phone", "address")], ITEM_OF, items, 8)
    one = judge([statement(9, "name")], ITEM_OF, items, 8)
    two = judge([statement(9, "name", "phone")], ITEM_OF, items, 8)
    assert favoured("s-1", ["s-2"], {"s-1": one, "s-2": all_three}) == "s-2"
    assert favoured("s-1", ["s-2"], {"s-1": all_three, "s-2": one}) == "s-1"
    assert favoured("s-1", ["s-2"], {"s-1": two, "s-2": all_three}) == ""
    # Of a terminal there is no history: it may have been that one.
    assert favoured("s-1", ["s-2", "s-3"], {"s-1": all_three, "s-2": one}) == ""
    assert favoured("s-1", ["s-2"], {"s-1": all_three, "s-2": NOTHING}) == ""
    assert favoured("s-1", [], {"s-1": all_three}) == ""
