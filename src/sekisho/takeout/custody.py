"""What became of a copy: made, handed over, received, returned or destroyed; each step with its proof, and an alarm
where one is overdue or where what was approved, released and opened are not the same.

Proofs. Received: a receipt with the code that only the opened copy holds, signed where the recipient's key signs.
Returned: the medium's serial number, read from it. Destroyed: the certificate, kept sealed, its SHA-256 in the log.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Row, Select, select

from sekisho.faults import Fault
from sekisho.gate.tickets import require_standing
from sekisho.ledger import Erased, Ledger, Recorded
from sekisho.people.roles import Role
from sekisho.takeout import media
from sekisho.takeout.canaries import Contact
from sekisho.takeout.copies import FORMS, Made, Plan
from sekisho.takeout.custody_facts import (
    CopyMade,
    CustodyAlarmed,
    Destroyed,
    MarkingAllowed,
    Received,
    Returned,
)
from sekisho.takeout.custody_faults import (
    BAD_ALLOWANCE,
    BAD_COPY_RECORD,
    BAD_RECEIPT,
    OTHER_DESTINATION,
    WRONG_STEP,
)
from sekisho.takeout.custody_tables import custody, custody_alarms, marking_allowances, takeout_copies
from sekisho.takeout.facts import TakeoutRequested
from sekisho.takeout.manifest import RECEIPT_NAMESPACE
from sekisho.takeout.signatures import ssh_signed
from sekisho.takeout.tables import takeouts
from sekisho.takeout.watermark import copy_key
from sekisho.trace.canaries import plant, planted

DELIVER_WITHIN: Final = timedelta(days=3)
RECEIVE_WITHIN: Final = timedelta(days=7)
_MOST_CANARIES: Final = 100  # of a thousand rows
_LONGEST_RECEIPT: Final = 4_096


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at: int
    code: str
    form: str
    manifest: str
    package: str
    rows: int
    takeout: str


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A released take-out on the custody list. `state` is "released", "handed_over", "received", "returned" or
    "destroyed"; `due` when the next proof is."""

    takeout: str
    state: str
    organisations: tuple[str, ...]
    requester: str
    recipient: str
    channel: str
    rows: int
    returns: datetime
    handed_over: datetime | None
    confirmed: str
    received: datetime | None
    ended: datetime | None
    due: datetime | None
    alarms: tuple[str, ...]


async def allow_marking(
    ledger: Ledger,
    organisation: str,
    *,
    forms: Sequence[str],
    reorder: bool,
    canaries: int,
    contacts: Sequence[Contact],
    by: str,
) -> Recorded:
    """Say what copies of an organisation's lists may carry. Raises Fault BAD_ALLOWANCE; only its own people may."""
    standing = await require_standing(ledger, by)
    if not any(one.role is Role.CLIENT and one.organisation == organisation for one in standing.actor.held):
        raise Fault(BAD_ALLOWANCE, reason=f"{by} does not speak for {organisation}")
    if unknown := sorted(set(forms) - set(FORMS)):
        raise Fault(BAD_ALLOWANCE, reason=", ".join(unknown))
    if not 0 <= canaries <= _MOST_CANARIES or (canaries and not contacts):
        raise Fault(BAD_ALLOWANCE, reason="canaries need contacts that the client answers")
    sealed = ledger.vault.seal(organisation, msgspec.json.encode(tuple(contacts)))
    fact = MarkingAllowed(
        organisation=organisation,
        forms=tuple(sorted(set(forms))),
        reorder=reorder,
        canaries=canaries,
        contacts=sealed.commitment,
    )
    return await ledger.record(fact, by=by, about=organisation, parts=[sealed])


async def plan_copy(
    ledger: Ledger, master: bytes, takeout: str, organisations: Sequence[str], rows: int
) -> Plan:
    """What a copy may carry: of several organisations, only what each of them allows. Canaries go into lists of one
    organisation, because their contacts are its own."""
    async with ledger.read() as connection:
        query = select(marking_allowances).where(marking_allowances.c.organisation.in_(organisations))
        allowed = (await connection.execute(query)).all()
    key = copy_key(master, takeout)
    if len(allowed) != len(set(organisations)):
        return Plan(key=key)
    forms = set.intersection(*(set(row.forms.split()) for row in allowed))
    contacts: list[Contact] = []
    if len(allowed) == 1 and allowed[0].canaries:
        content = await ledger.content(allowed[0].contacts)
        if not isinstance(content, Erased):
            used = {
                value
                for one in await planted(ledger)
                for mark in one.marks
                for value in (mark.phone, mark.email, mark.address)
            }
            contacts = [
                one
                for one in msgspec.json.decode(content, type=tuple[Contact, ...])
                if not {one.phone, one.phone.replace("-", ""), one.email, one.address} & (used - {""})
            ]
    wanted = -(-rows * allowed[0].canaries // 1000) if contacts else 0
    return Plan(
        key=key,
        forms=tuple(sorted(forms)),
        reorder=all(row.reorder for row in allowed),
        contacts=tuple(contacts[:wanted]),
    )


async def record_copy(
    ledger: Ledger,
    takeout: str,
    organisations: Sequence[str],
    made: Made,
    package: str,
    rows: int,
    *,
    by: str,
) -> Recorded:
    """Put a copy on record: after it is sealed, before anybody is asked. `rows` are what is to be approved.

    Raises Fault BAD_COPY_RECORD when the copy holds another number, or BAD_CANARY."""
    if made.source_rows != rows or made.rows != rows + made.planted:
        reason = f"{made.source_rows:,} + {made.planted:,} rows, not {rows:,}"
        raise Fault(BAD_COPY_RECORD, takeout=takeout, reason=reason)
    if made.marks:
        await plant(ledger, takeout, organisations[0], made.marks)
    sealed = ledger.vault.seal(organisations[0], msgspec.json.encode(made.record))
    fact = CopyMade(
        takeout=takeout,
        organisations=tuple(organisations),
        rows=made.rows,
        planted=made.planted,
        manifest=made.manifest,
        code=made.code,
        package=package,
        marks=sealed.commitment,
    )
    return await ledger.record(fact, by=by, about=takeout, parts=[sealed])


async def receive(ledger: Ledger, text: str, signature: str = "") -> Received:
    """A recipient's receipt. What does not prove an opening is refused; what proves that another copy, or another
    number of rows, was opened than was approved is recorded, with an alarm. Raises Fault BAD_RECEIPT, WRONG_STEP."""
    read = _read_receipt(text)
    asked = await _asked(ledger, read.takeout)
    copy = await _row(ledger, select(takeout_copies).where(takeout_copies.c.takeout == read.takeout))
    if asked is None or copy is None:
        raise Fault(BAD_RECEIPT, takeout=read.takeout[:64], reason="there is no such copy")
    if not hmac.compare_digest(hashlib.sha256(read.code.encode()).hexdigest(), copy.code):
        await _alarm(ledger, asked, "forged")
        raise Fault(BAD_RECEIPT, takeout=read.takeout, reason="its code is not the copy's")
    if asked.recipient_key.startswith(("ssh-", "sk-")) and not ssh_signed(
        text.encode(), signature, asked.recipient_key, RECEIPT_NAMESPACE
    ):
        await _alarm(ledger, asked, "forged")
        raise Fault(BAD_RECEIPT, takeout=read.takeout, reason="it is not signed by the recipient's key")
    where = await _row(ledger, select(custody).where(custody.c.takeout == read.takeout))
    if where is None:
        # The code is right, and yet nothing was handed over: the copy left another way.
        await _alarm(ledger, asked, "early")
        raise Fault(WRONG_STEP, takeout=read.takeout, state="not_handed_over")
    if where.state != "handed_over":
        raise Fault(WRONG_STEP, takeout=read.takeout, state=where.state)
    fact = Received(takeout=read.takeout, receipt=text, signature=signature, rows=read.rows)
    await ledger.record(fact, by="sekisho", about=read.takeout)
    if read.manifest != copy.manifest:
        await _alarm(ledger, asked, "manifest")
    if not read.package == copy.package == asked.package:
        await _alarm(ledger, asked, "package")
    if not read.rows == copy.rows == asked.rows + copy.planted:
        await _alarm(ledger, asked, "rows", found=read.rows - copy.planted)
    return fact


async def give_back(
    ledger: Ledger, takeout: str, mount: Path, *, by: str, sysfs: Path = media.SYSFS
) -> Recorded:
    """The medium is plugged in here again. Raises Fault OTHER_DESTINATION for another medium, WRONG_STEP."""
    row = await _open(ledger, takeout, "medium")
    await require_standing(ledger, by)
    serial = media.serial_of(mount, sysfs)
    if serial != row.to:
        raise Fault(OTHER_DESTINATION, takeout=takeout, approved=row.to, destination=serial)
    return await ledger.record(Returned(takeout=takeout, serial=serial), by=by, about=takeout)


async def certify_destruction(ledger: Ledger, takeout: str, certificate: bytes, *, by: str) -> Recorded:
    """Keep the recipient's certificate that its copy is destroyed. Raises Fault WRONG_STEP."""
    await _open(ledger, takeout, "")
    await require_standing(ledger, by)
    asked = await _asked(ledger, takeout)
    if asked is None or not certificate:
        raise Fault(WRONG_STEP, takeout=takeout, state="no certificate")
    sealed = ledger.vault.seal(asked.organisations[0], certificate)
    fact = Destroyed(
        takeout=takeout,
        certificate=hashlib.sha256(certificate).hexdigest(),
        document=sealed.commitment,
    )
    return await ledger.record(fact, by=by, about=takeout, parts=[sealed])


async def whereabouts(ledger: Ledger) -> list[Whereabouts]:
    """Every take-out that was released, the one that is due first in front."""
    joined = takeouts.outerjoin(custody, custody.c.takeout == takeouts.c.takeout)
    columns = [
        takeouts.c.takeout,
        takeouts.c.organisations,
        takeouts.c.person,
        takeouts.c.recipient,
        takeouts.c.channel,
        takeouts.c.rows,
        takeouts.c.returns,
        takeouts.c.ended.label("released"),
        *(custody.c[name] for name in ("state", "confirmed", "handed_over", "received")),
        custody.c.ended.label("over"),
    ]
    query = select(*columns).select_from(joined).where(takeouts.c.state == "released")
    async with ledger.read() as connection:
        rows = (await connection.execute(query)).all()
        alarms = (await connection.execute(select(custody_alarms).order_by(custody_alarms.c.at))).all()
    raised: dict[str, list[str]] = {}
    for alarm in alarms:
        raised.setdefault(alarm.takeout, []).append(alarm.why)
    found = [_where(row, tuple(raised.get(row.takeout, ()))) for row in rows]
    return sorted(found, key=lambda one: (one.due is None, one.due or one.returns))


def _where(row: Row[Any], alarms: tuple[str, ...]) -> Whereabouts:
    returns = datetime.fromtimestamp(row.returns / 1e6, UTC)
    state = row.state or "released"
    due = {
        "released": row.released + DELIVER_WITHIN,
        "handed_over": min(row.handed_over + RECEIVE_WITHIN, returns) if row.handed_over else None,
        "received": returns,
    }.get(state)
    return Whereabouts(
        takeout=row.takeout,
        state=state,
        organisations=tuple(row.organisations.split()),
        requester=row.person,
        recipient=row.recipient,
        channel=row.channel,
        rows=row.rows,
        returns=returns,
        handed_over=row.handed_over,
        confirmed=row.confirmed or "",
        received=row.received,
        ended=row.over,
        due=due,
        alarms=alarms,
    )


async def raise_overdue(ledger: Ledger, now: datetime) -> list[tuple[str, str]]:
    """Alarm what is overdue, each once; run every minute. The (take-out, why) that were raised now."""
    raised = []
    for one in await whereabouts(ledger):
        if one.ended is not None:
            continue
        overdue = [
            ("not_delivered", one.state == "released" and one.due is not None and one.due <= now),
            (
                "not_received",
                one.state == "handed_over"
                and one.handed_over is not None
                and one.handed_over + RECEIVE_WITHIN <= now,
            ),
            ("not_returned", one.state != "released" and one.returns <= now),
        ]
        for why, late in overdue:
            if late and why not in one.alarms and (asked := await _asked(ledger, one.takeout)) is not None:
                await _alarm(ledger, asked, why)
                raised.append((one.takeout, why))
    return raised


async def _alarm(ledger: Ledger, asked: TakeoutRequested, why: str, *, found: int = 0) -> None:
    """Each once: whoever knows a take-out's name could otherwise ring all day with made-up receipts."""
    raised = custody_alarms.c.takeout == asked.takeout, custody_alarms.c.why == why
    if await _row(ledger, select(custody_alarms).where(*raised)) is not None:
        return
    fact = CustodyAlarmed(
        takeout=asked.takeout,
        why=why,
        organisations=asked.organisations,
        requester=asked.person,
        approved=asked.rows if why == "rows" else 0,
        found=found,
    )
    await ledger.record(fact, by="sekisho", about=asked.takeout)


def _read_receipt(text: str) -> Receipt:
    try:
        if len(text) > _LONGEST_RECEIPT:
            raise ValueError("too long")
        read = msgspec.json.decode(text, type=Receipt)
        if read.form != "sekisho-receipt-v1":
            raise ValueError("another form")
    except (msgspec.DecodeError, ValueError) as error:
        raise Fault(BAD_RECEIPT, takeout="?", reason="it has not the form of a receipt") from error
    return read


async def _asked(ledger: Ledger, takeout: str) -> TakeoutRequested | None:
    for recorded in await ledger.facts(0, 1, names=["takeout.requested"], about=takeout[:64]):
        fact = recorded.typed()
        if isinstance(fact, TakeoutRequested):
            return fact
    return None


async def _open(ledger: Ledger, takeout: str, channel: str) -> Row[Any]:
    """The custody row of a copy that is out. Raises Fault WRONG_STEP."""
    row = await _row(ledger, select(custody).where(custody.c.takeout == takeout))
    if row is None or row.ended is not None or (channel and row.channel != channel):
        state = "not_handed_over" if row is None else row.state
        raise Fault(WRONG_STEP, takeout=takeout[:64], state=state)
    return row


async def _row(ledger: Ledger, query: Select[Any]) -> Row[Any] | None:
    async with ledger.read() as connection:
        return (await connection.execute(query)).one_or_none()
