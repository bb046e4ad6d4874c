"""Emergency access works at once, is loud, and turns red at the client without two reviews in time."""

from typing import Any

import pytest

from gate.gate_examples import HOUR, NOON, House, Staff, asked, emergency, employ
from sekisho.faults import Fault
from sekisho.gate import faults
from sekisho.gate.break_glass import (
    BreakGlassStanding,
    Review,
    break_glass,
    break_glass_standing,
    review_break_glass,
)
from sekisho.gate.decide import AccessRequest, Grant, decide
from sekisho.gate.facts import BreakGlassOpened
from sekisho.gate.refusal import Refusal
from sekisho.gate.state import gather
from sekisho.gate.tickets import Ending, approve_ticket, close_ticket
from sekisho.ledger import Ledger, Recorded
from sekisho.people.roles import Role

REVIEW_BY = NOON + 24 * HOUR


class Siren:
    def __init__(self) -> None:
        self.heard: list[str] = []

    async def __call__(self, opened: BreakGlassOpened, recorded: Recorded) -> None:
        self.heard.append(f"{opened.asked.person} {recorded.about}")


async def standing(ledger: Ledger, now: int) -> BreakGlassStanding:
    async with ledger.read() as connection:
        [found] = await break_glass_standing(connection, now, organisation="minato")
        assert await break_glass_standing(connection, now, organisation="aoba") == []
    return found


async def refusal(ledger: Ledger, by: str) -> str:
    with pytest.raises(Fault) as refused:
        await review_break_glass(ledger, "B-0001", by=by, justified=True, note="ok")
    return refused.value.code


async def test_it_opens_at_once_without_approval_and_is_loud(house: House) -> None:
    siren = Siren()
    await break_glass(house.ledger, emergency(), siren)
    assert siren.heard == ["sato B-0001"]
    request = AccessRequest("sato", "B-0001", "callcentre", "postgres", NOON)
    grant = decide(request, await gather(house.ledger, house.published, request))
    assert isinstance(grant, Grant)
    assert grant.broken_glass
    assert grant.unmask == frozenset()
    late = AccessRequest("sato", "B-0001", "callcentre", "postgres", NOON + HOUR)
    assert isinstance(decide(late, await gather(house.ledger, house.published, late)), Refusal)


@pytest.mark.parametrize(("by", "how"), [("sato", "done"), ("mori", "revoked")])
async def test_it_is_closed_early_and_still_to_be_reviewed(house: House, by: str, how: Ending) -> None:
    await break_glass(house.ledger, emergency(), Siren())
    never: list[tuple[str, Ending]] = [
        ("sato", "withdrawn"),
        ("mori", "declined"),
        ("mori", "done"),
        ("sato", "revoked"),
    ]
    for person, ending in never:
        with pytest.raises(Fault) as refused:
            await close_ticket(house.ledger, "B-0001", by=person, reason="x", how=ending)
        assert refused.value.kind is faults.NOT_YOUR_DUTY
    with pytest.raises(Fault) as refused:
        await approve_ticket(house.ledger, "B-0001", "mori")
    assert refused.value.kind is faults.NO_TICKET
    await close_ticket(house.ledger, "B-0001", by=by, reason="the calls go through again", how=how)
    request = AccessRequest("sato", "B-0001", "callcentre", "postgres", NOON)
    answer = decide(request, await gather(house.ledger, house.published, request))
    assert isinstance(answer, Refusal)
    assert answer.kind is faults.TICKET_CLOSED
    assert (await standing(house.ledger, REVIEW_BY)).review is Review.OVERDUE


@pytest.mark.parametrize(
    "changes", [{"limits": asked().limits}, {"closes": NOON + 2 * HOUR}, {"unmask": asked().unmask}]
)
async def test_it_is_small_or_not_recorded(ledger: Ledger, changes: dict[str, Any]) -> None:
    siren = Siren()
    with pytest.raises(Fault) as refused:
        await break_glass(ledger, emergency(**changes), siren)
    assert refused.value.kind is faults.GLASS_TOO_LARGE
    assert siren.heard == []


async def test_only_a_worker_breaks_the_glass(ledger: Ledger) -> None:
    for person in ("mori", "kanri", "kido"):
        with pytest.raises(Fault) as refused:
            await break_glass(ledger, emergency(person=person), Siren())
        assert refused.value.kind is faults.NOT_YOUR_DUTY


async def test_two_outside_the_chain_must_review_it_in_time(ledger: Ledger) -> None:
    await break_glass(ledger, emergency(), Siren())
    assert await refusal(ledger, "sato") == faults.NOT_YOUR_DUTY.code
    assert await refusal(ledger, "mori") == faults.ONE_CHAIN.code  # commands the worker
    assert await refusal(ledger, "kato") == faults.ONE_CHAIN.code  # is commanded
    assert (await standing(ledger, REVIEW_BY - 1)).review is Review.DUE
    await review_break_glass(ledger, "B-0001", by="hara", justified=True, note="the calls did fail")
    assert await refusal(ledger, "hara") == faults.ONE_CHAIN.code  # once each
    one = await standing(ledger, REVIEW_BY)
    assert (one.review, one.red, one.reviewers) == (Review.OVERDUE, True, ("hara",))
    await employ(ledger, "kubo", Staff(Role.PROCESSOR_MANAGER, "lead", "hara"))
    assert await refusal(ledger, "kubo") == faults.ONE_CHAIN.code  # under the first reviewer
    await review_break_glass(ledger, "B-0001", by="kido", justified=True, note="ok")
    both = await standing(ledger, REVIEW_BY + 1)
    assert (both.review, both.red) == (Review.JUSTIFIED, False)


async def test_one_objection_is_red(ledger: Ledger) -> None:
    await break_glass(ledger, emergency(), Siren())
    await review_break_glass(ledger, "B-0001", by="hara", justified=True, note="ok")
    await review_break_glass(ledger, "B-0001", by="kido", justified=False, note="no emergency")
    found = await standing(ledger, NOON)
    assert (found.review, found.red) == (Review.UNJUSTIFIED, True)


async def test_a_review_that_is_overdue_bars_the_next_one(ledger: Ledger) -> None:
    await break_glass(ledger, emergency(), Siren())
    within = emergency("B-0002", opens=REVIEW_BY - HOUR, closes=REVIEW_BY - HOUR // 2)
    await break_glass(ledger, within, Siren())
    late = emergency("B-0003", opens=REVIEW_BY, closes=REVIEW_BY + HOUR // 2)
    with pytest.raises(Fault) as refused:
        await break_glass(ledger, late, Siren())
    assert refused.value.kind is faults.GLASS_UNREVIEWED


async def test_there_must_be_something_to_review(ledger: Ledger) -> None:
    with pytest.raises(Fault) as refused:
        await review_break_glass(ledger, "B-0009", by="hara", justified=True, note="ok")
    assert refused.value.kind is faults.NOT_REVIEWABLE
