"""The watch hears of each step of a take-out, in its own words."""

import pytest

from sekisho.faults import Fault
from sekisho.takeout.recipients import list_recipients, remove_recipient
from sekisho.watch.observation import Observation
from sekisho.watch.reading import read_observation
from takeout.takeout_examples import House


async def heard(house: House, kind: str) -> list[Observation]:
    found = [read_observation(one.leaf) for one in await house.ledger.facts(0, 500)]
    return [one for one in found if one is not None and one.kind == kind]


async def test_the_watch_hears_what_is_asked_signed_refused_and_left(house: House) -> None:
    asked = await house.request(persons=40)
    with pytest.raises(Fault):
        await house.desk.approve(house.signed(asked, "sato"))
    await house.approve(asked, "mori", "hara")
    await house.desk.release("O-1", by="hara")
    other = await house.request("O-2")
    await house.desk.close(other.takeout, by="hara", how="declined", reason="no")
    stranger = house.asked("O-3", recipient="Nobody", persons=32_759, rows=32_759)
    with pytest.raises(Fault) as caught:
        await house.desk.request(stranger)
    assert caught.value.code == "SEK-TAKE-015"
    [first, *_] = await heard(house, "ticket")
    assert (first.actor, first.client, first.ticket, first.expected) == ("sato", "minato", "O-1", 40)
    assert [(one.actor, one.ticket) for one in await heard(house, "approval")] == [
        ("mori", "O-1"),
        ("hara", "O-1"),
    ]
    [signed, tried] = await heard(house, "refused")
    assert (signed.actor, signed.persons) == ("sato", 0)
    assert (tried.actor, tried.what, tried.persons) == ("sato", "SEK-TAKE-015", 32_759)
    [left] = await heard(house, "takeout")
    assert (left.actor, left.client, left.ticket, left.persons) == ("sato", "minato", "T-0001", 40)
    assert [(one.ticket, one.what) for one in await heard(house, "ticket_end")] == [("O-2", "declined")]


async def test_a_recipient_is_registered_by_three_and_removed_by_one(house: House) -> None:
    [known] = await list_recipients(house.ledger)
    assert known.registered
    with pytest.raises(Fault):
        await remove_recipient(house.ledger, known.recipient, reason="x", by="sato")
    asked = await house.request()
    await house.approve(asked, "mori", "hara")
    await remove_recipient(house.ledger, known.recipient, reason="closed down", by="ono")
    with pytest.raises(Fault) as caught:
        await house.desk.release("O-1", by="hara")
    assert caught.value.code == "SEK-TAKE-015"
    whats = [one.what for one in await heard(house, "admin") if one.what == "recipient"]
    assert len(whats) == 4
