"""A restraint at the gate: what it asks, who ends it, and that it cannot be taken away by editing a database."""

import pytest

from gate.gate_examples import HOUR, NOON, House, asked, emergency
from sekisho.faults import Fault
from sekisho.gate import faults
from sekisho.gate.break_glass import break_glass
from sekisho.gate.decide import AccessRequest, Grant, decide
from sekisho.gate.restraints import RestraintKind, ask_lift, cut, impose, lift, list_restraints
from sekisho.gate.state import gather
from sekisho.gate.tickets import approve_second, approve_ticket, request_ticket
from sekisho.people import faults as people_faults

REQUEST = AccessRequest("sato", "T-0001", "callcentre", "postgres", NOON)
SMALL = asked().limits


@pytest.fixture
async def granted(house: House) -> House:
    await request_ticket(house.ledger, asked())
    await approve_ticket(house.ledger, "T-0001", "mori")
    return house


async def restrain(house: House, kind: RestraintKind, percent: int = 100) -> str:
    done = await impose(
        house.ledger, "sato", kind, hours=6, percent=percent, reason="r", alert="a-1", now=NOON, by="sekisho"
    )
    return done.leaf_hash.hex()


async def answer(house: House, request: AccessRequest = REQUEST) -> object:
    found = decide(request, await gather(house.ledger, house.published, request))
    return found if isinstance(found, Grant) else found.kind


async def test_a_second_approval_is_asked_and_given_by_somebody_free(granted: House) -> None:
    house = granted
    assert isinstance(await answer(house), Grant)
    name = await restrain(house, "approval")
    assert await answer(house) is faults.NEEDS_SECOND
    # mori approved first; kato is commanded by sato; sato is sato; kido and tani hold no such role.
    for person in ("mori", "kato", "sato", "kido", "tani"):
        with pytest.raises(Fault) as refused:
            await approve_second(house.ledger, name, "T-0001", by=person)
        assert refused.value.kind is faults.NOT_SECOND
    assert await answer(house) is faults.NEEDS_SECOND
    await approve_second(house.ledger, name, "T-0001", by="ono")
    assert isinstance(await answer(house), Grant)
    # … for this ticket and this restraint only.
    again = await restrain(house, "approval")
    assert await answer(house) is faults.NEEDS_SECOND
    await approve_second(house.ledger, again, "T-0001", by="hara")
    assert isinstance(await answer(house), Grant)


async def test_the_glass_is_no_way_around(granted: House) -> None:
    house = granted

    async def heard(*_: object) -> None:
        return

    await restrain(house, "approval")
    await break_glass(house.ledger, emergency(), alarm=heard)
    assert (
        await answer(house, AccessRequest("sato", "B-0001", "callcentre", "postgres", NOON))
        is faults.NEEDS_SECOND
    )


async def test_a_cut_budget_is_the_grants_and_ends_by_itself(granted: House) -> None:
    house = granted
    await restrain(house, "budget", 50)
    await restrain(house, "budget", 10)
    grant = await answer(house)
    assert isinstance(grant, Grant)
    assert grant.limits == cut(SMALL, 10)
    assert grant.limits.ticket_persons == SMALL.ticket_persons // 10
    assert cut(SMALL, 0).ticket_persons == 1
    later = AccessRequest("sato", "T-0001", "callcentre", "postgres", NOON + 7 * HOUR)
    state = await gather(house.ledger, house.published, later)
    assert state.restraints
    assert all(later.at >= one.until for one in state.restraints)


async def test_two_others_end_it_before_its_time(granted: House) -> None:
    house = granted
    name = await restrain(house, "approval")
    with pytest.raises(Fault):  # nobody has asked yet
        await lift(house.ledger, name, by="ono")
    for person, kind in (("sato", people_faults.SECOND_PERSON), ("kido", people_faults.NEEDS_ROLE)):
        with pytest.raises(Fault) as refused:
            await ask_lift(house.ledger, name, reason="r", by=person)
        assert refused.value.kind is kind
    await ask_lift(house.ledger, name, reason="it was ordered", by="mori")
    for person in ("mori", "sato", "kido"):
        with pytest.raises(Fault):
            await lift(house.ledger, name, by=person)
    assert await answer(house) is faults.NEEDS_SECOND
    await lift(house.ledger, name, by="ono")
    assert isinstance(await answer(house), Grant)
    async with house.ledger.read() as connection:
        assert not await list_restraints(connection, NOON)
    with pytest.raises(Fault):
        await lift(house.ledger, name, by="hara")


async def test_a_restraint_that_is_deleted_from_the_database_shuts_the_door(granted: House) -> None:
    house = granted
    await restrain(house, "approval")
    assert await answer(house) is faults.NEEDS_SECOND
    house.tamper("DELETE FROM facts WHERE fact = 'gate.restraint_imposed'")
    with pytest.raises(Fault) as refused:
        await answer(house)
    assert refused.value.kind is faults.FACT_MISSING
