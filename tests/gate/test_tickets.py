"""A ticket's life, and what somebody with the database in hand gains by forging: nothing."""

import msgspec
import pytest
from sqlalchemy import select

from gate.gate_examples import HOUR, NOON, House, appoint, asked, forge
from sekisho.faults import Fault, FaultKind
from sekisho.gate import faults
from sekisho.gate.decide import AccessRequest, Grant, decide
from sekisho.gate.facts import TicketApproved
from sekisho.gate.policies import approve_policy, propose_policy
from sekisho.gate.policy import Policy
from sekisho.gate.refusal import Refusal
from sekisho.gate.state import gather
from sekisho.gate.tables import tickets
from sekisho.gate.tickets import approve_ticket, close_ticket, read_ticket, request_ticket
from sekisho.ledger import Ledger
from sekisho.people.facts import AccountAdded, PersonFrozen, RoleRevoked
from sekisho.people.roles import Role
from sekisho.register.facts import DatasetDescribed

REQUEST = AccessRequest("sato", "T-0001", "callcentre", "postgres", NOON)


async def answer(house: House, request: AccessRequest = REQUEST) -> Grant | Refusal:
    return decide(request, await gather(house.ledger, house.published, request))


async def refusal(house: House) -> FaultKind:
    found = await answer(house)
    assert isinstance(found, Refusal)
    return found.kind


async def approved(ledger: Ledger, name: str = "T-0001") -> None:
    await request_ticket(ledger, asked(name))
    await approve_ticket(ledger, name, "mori")


# -- its life -------------------------------------------------------------------------------------------------


async def test_requested_approved_used_and_done(house: House) -> None:
    await request_ticket(house.ledger, asked())
    assert await refusal(house) is faults.NOT_APPROVED
    await approve_ticket(house.ledger, "T-0001", "mori")
    assert isinstance(await answer(house), Grant)
    await close_ticket(house.ledger, "T-0001", by="sato", reason="found the invoice")
    assert await refusal(house) is faults.TICKET_CLOSED
    with pytest.raises(Fault) as refused:
        await approve_ticket(house.ledger, "T-0001", "mori")
    assert refused.value.kind is faults.TICKET_CLOSED


@pytest.mark.parametrize(
    ("approver", "kind"),
    [
        ("sato", faults.SELF_APPROVAL),
        ("kato", faults.SELF_APPROVAL),  # a manager whom the requester commands
        ("sato2", faults.SELF_APPROVAL),  # a second account of the requester's human
        ("kanri", faults.NOT_YOUR_DUTY),  # the administrator
        ("hara", faults.NOT_YOUR_DUTY),  # not needed below the bulk limit
        ("nobody", faults.STATE_UNKNOWN),
    ],
)
async def test_who_cannot_approve(ledger: Ledger, approver: str, kind: FaultKind) -> None:
    if approver == "sato2":
        await ledger.record(
            AccountAdded(account="sato2", person="sato", reason="shift work"), by="kanri", about="sato2"
        )
        await appoint(ledger, "sato", Role.OPERATOR_MANAGER)
    await request_ticket(ledger, asked())
    with pytest.raises(Fault) as refused:
        await approve_ticket(ledger, "T-0001", approver)
    assert refused.value.kind is kind
    found = await read_ticket(ledger, None, "T-0001")
    assert found is not None
    assert found.approvers == ()


async def test_only_a_worker_of_this_client_asks_and_only_for_sense(ledger: Ledger) -> None:
    for person in ("mori", "kanri", "kido", "tani"):
        with pytest.raises(Fault) as refused:
            await request_ticket(ledger, asked(person=person))
        assert refused.value.kind is faults.NOT_YOUR_DUTY
    limits = msgspec.structs.replace(asked().limits, day_rows=-1)
    for changes in (
        {"purpose": " "},
        {"closes": NOON},
        {"limits": limits},
        {"unmask": (msgspec.structs.replace(asked().unmask[0], reason=""),)},
        {"ticket": "T.1"},
        {"dataset": ""},
    ):
        with pytest.raises(Fault) as refused:
            await request_ticket(ledger, asked(**changes))
        assert refused.value.kind is faults.BAD_TICKET


async def test_an_approver_approves_what_was_shown(ledger: Ledger) -> None:
    request = await request_ticket(ledger, asked())
    with pytest.raises(Fault) as refused:
        await approve_ticket(ledger, "T-0001", "mori", seen="0" * 64)
    assert refused.value.kind is faults.REQUEST_CHANGED
    given = (await approve_ticket(ledger, "T-0001", "mori", seen=request.leaf_hash.hex())).typed()
    assert isinstance(given, TicketApproved)
    assert given.request == request.leaf_hash.hex()


async def test_a_ticket_name_is_given_once(ledger: Ledger) -> None:
    await approved(ledger)
    with pytest.raises(Fault) as refused:
        await request_ticket(ledger, asked(closes=NOON + 9 * HOUR))
    assert refused.value.code == "SEK-LEDG-005" or "gate.ticket_requested" in str(refused.value)
    found = await read_ticket(ledger, None, "T-0001")
    assert found is not None
    assert found.requested == asked()


async def test_who_may_close_and_how(ledger: Ledger) -> None:
    await approved(ledger)
    for by, how in (("kido", "revoked"), ("kanri", "declined"), ("mori", "withdrawn")):
        with pytest.raises(Fault) as refused:
            await close_ticket(ledger, "T-0001", by=by, reason="x", how=how)  # type: ignore[arg-type]
        assert refused.value.kind is faults.NOT_YOUR_DUTY
    await close_ticket(ledger, "T-0001", by="kato", reason="looks wrong", how="revoked")
    async with ledger.read() as connection:
        row = (await connection.execute(select(tickets))).one()
    assert (row.closed, row.ending, row.approver, row.persons, row.unmask) == (
        True,
        "revoked",
        "mori",
        100,
        "phone",
    )


async def test_what_happens_to_people_and_register_closes_the_door_at_once(house: House) -> None:
    await approved(house.ledger)
    assert isinstance(await answer(house), Grant)
    revoked = RoleRevoked(person="sato", role=Role.WORKER, organisation="", reason="moved")
    await house.ledger.record(revoked, by="kanri", about="sato")
    assert await refusal(house) is faults.NOT_YOUR_DUTY
    await house.ledger.record(PersonFrozen(person="sato", reason="odd hours"), by="mori", about="sato")
    assert await refusal(house) is faults.PERSON_FROZEN


async def test_the_approval_of_a_frozen_manager_opens_nothing_any_more(house: House) -> None:
    await approved(house.ledger)
    await house.ledger.record(PersonFrozen(person="mori", reason="suspicion"), by="hara", about="mori")
    assert await refusal(house) is faults.NOT_APPROVED


async def test_a_dataset_without_responsible_unit_stays_shut(house: House) -> None:
    await approved(house.ledger)
    [described] = await house.ledger.facts(0, 9, names=["register.dataset_described"])
    fact = described.typed()
    assert isinstance(fact, DatasetDescribed)
    await house.ledger.record(
        msgspec.structs.replace(fact, responsible_unit=""),
        by="kanri",
        about="minato-customers",
    )
    found = await answer(house)
    assert isinstance(found, Refusal)
    assert found.kind.code.startswith("SEK-REG-")


# -- forging --------------------------------------------------------------------------------------------------


async def test_a_forged_row_of_tickets_opens_nothing(house: House) -> None:
    await request_ticket(house.ledger, asked())
    house.tamper("UPDATE tickets SET approver = 'mori', closes = closes + 1, persons = 1000000")
    assert await refusal(house) is faults.NOT_APPROVED


async def test_a_forged_fact_of_the_database_is_found_and_opens_nothing(house: House) -> None:
    """Somebody copies a published approval's row onto an unpublished one."""
    await approved(house.ledger, "T-0002")
    await request_ticket(house.ledger, asked())
    [true] = await house.ledger.facts(0, 9, names=["gate.ticket_approved"], about="T-0002")
    [request] = await house.ledger.facts(0, 9, names=["gate.ticket_requested"], about="T-0001")
    [other] = await house.ledger.facts(0, 9, names=["gate.ticket_requested"], about="T-0002")
    await house.published.confirms(request)  # all of it is published by now
    leaf = true.leaf.replace(b"T-0002", b"T-0001").replace(
        other.leaf_hash.hex().encode(), request.leaf_hash.hex().encode()
    )
    house.tamper("UPDATE facts SET leaf = ?, about = 'T-0001' WHERE seq = ?", leaf, true.seq)
    with pytest.raises(Fault) as refused:
        await answer(house)
    assert refused.value.kind is faults.NOT_IN_THE_LOG


async def test_edited_limits_are_found_and_open_nothing(house: House) -> None:
    await approved(house.ledger)
    [request] = await house.ledger.facts(0, 9, names=["gate.ticket_requested"], about="T-0001")
    assert await house.published.confirms(request)
    leaf = request.leaf.replace(b'"ticket_persons":100', b'"ticket_persons":9999999')
    house.tamper("UPDATE facts SET leaf = ? WHERE seq = ?", leaf, request.seq)
    with pytest.raises(Fault) as refused:
        await answer(house)
    assert refused.value.kind is faults.NOT_IN_THE_LOG


async def test_a_forged_role_or_a_lifted_freeze_is_found(house: House) -> None:
    await approved(house.ledger)
    frozen = await house.ledger.record(PersonFrozen(person="sato", reason="odd"), by="mori", about="sato")
    assert await house.published.confirms(frozen)
    leaf = frozen.leaf.replace(b"person_frozen", b"person_thawed")
    house.tamper("UPDATE persons SET frozen = '' WHERE person = 'sato'")
    assert await refusal(house) is faults.PERSON_FROZEN
    house.tamper("UPDATE facts SET leaf = ? WHERE seq = ?", leaf, frozen.seq)
    with pytest.raises(Fault) as refused:
        await answer(house)
    assert refused.value.code.startswith("SEK-PEOP-")


async def test_a_published_leaf_copied_to_a_later_row_is_found(house: House) -> None:
    """The role was revoked; its grant, published once, is put over a later and harmless fact."""
    await approved(house.ledger)
    grants = await house.ledger.facts(0, 9, names=["people.role_granted"], about="sato")
    revoked = RoleRevoked(person="sato", role=Role.WORKER, organisation="", reason="moved")
    await house.ledger.record(revoked, by="kanri", about="sato")
    later = await house.ledger.record(PersonFrozen(person="x", reason="x"), by="mori", about="x")
    assert await house.published.confirms(later)
    assert await refusal(house) is faults.NOT_YOUR_DUTY
    row = (grants[0].leaf, grants[0].fact, "sato", later.seq)
    house.tamper("UPDATE facts SET leaf = ?, fact = ?, about = ? WHERE seq = ?", *row)
    with pytest.raises(Fault) as refused:
        await answer(house)
    assert refused.value.code.startswith("SEK-PEOP-")


@pytest.mark.parametrize(
    "way", ["DELETE FROM facts", "UPDATE facts SET about = 'x'", "UPDATE facts SET fact = 'x.y'"]
)
@pytest.mark.parametrize("what", ["closed", "frozen", "policy"])
async def test_what_was_taken_away_cannot_be_hidden(house: House, what: str, way: str) -> None:
    """Closed, frozen or forbidden; then the fact that says so disappears from the database."""
    await approved(house.ledger)
    if what == "closed":
        last = await close_ticket(house.ledger, "T-0001", by="sato", reason="done")
    elif what == "frozen":
        frozen = PersonFrozen(person="sato", reason="odd hours")
        last = await house.ledger.record(frozen, by="mori", about="sato")
    else:
        await propose_policy(house.ledger, "P-1", Policy(doors=()), by="mori", reason="incident")
        last = await approve_policy(house.ledger, "P-1", by="ono")
    assert await house.published.confirms(last)
    assert isinstance(await answer(house), Refusal)
    house.tamper(f"{way} WHERE seq = ?", last.seq)
    with pytest.raises(Fault) as refused:
        await answer(house)
    assert refused.value.kind is faults.FACT_MISSING


async def test_approvals_that_are_facts_but_not_of_a_duty_count_for_nothing(house: House) -> None:
    """Facts recorded past the gate, by a program with the ledger's keys: the door judges them again."""
    ledger = house.ledger
    request = await request_ticket(ledger, asked())
    true = TicketApproved(ticket="T-0001", approver="mori", request=request.leaf_hash.hex())
    other = msgspec.structs.replace(true, request="0" * 64)
    await forge(ledger, true, by="sato", about="T-0001")  # recorded by another than the approver
    await forge(ledger, other, by="mori", about="T-0001")  # of another request
    for approver in ("sato", "kato", "kanri", "kido", "tani", "nobody"):
        given = msgspec.structs.replace(true, approver=approver)
        await forge(ledger, given, by=approver, about="T-0001")
    assert await refusal(house) is faults.NOT_APPROVED
    await forge(ledger, true, by="mori", about="T-0001")
    assert isinstance(await answer(house), Grant)


async def test_a_request_in_anothers_name_is_no_request(house: House) -> None:
    await forge(house.ledger, asked(), by="kato", about="T-0001")
    assert await refusal(house) is faults.NO_TICKET


async def test_what_happened_later_is_left_out_when_asked_for_the_past(house: House) -> None:
    await approved(house.ledger)
    [given] = await house.ledger.facts(0, 9, names=["gate.ticket_approved"])
    before = int(given.at.timestamp() * 1e6) - 1
    state = await gather(house.ledger, house.published, REQUEST, until=before)
    assert state.ticket is not None
    assert state.ticket.approvers == ()
