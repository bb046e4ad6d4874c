"""To whom data may go: a register of recipients that nobody fills alone.

A recipient is proposed and approved by those whom the duty matrix names for the list of media (`media_list`): one
asks, the lead processor's manager and the privacy officer agree, and anybody of them takes it away alone. What counts
is read from the leaves of the log, as approvals are: a row in the database registers nobody.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sekisho.faults import Fault
from sekisho.gate.duties import Act, Allowed, Case, Part, may, missing
from sekisho.ledger import Ledger, Recorded
from sekisho.takeout import faults
from sekisho.takeout.facts import RecipientApproved, RecipientProposed, RecipientRemoved, TakeoutRequested
from sekisho.takeout.history import HOUSE_NAMES, NAMES, History
from sekisho.takeout.listing import require_part, require_shaper
from sekisho.takeout.sealing import recipient as check_key

_END: Final = 1 << 62
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient as the log knows it. `missing` are the roles that still have to agree; none when it is registered.
    `request` is the leaf hash (hex) that an approval names."""

    recipient: str
    proposed: RecipientProposed
    by: str
    request: str
    case: Case
    missing: tuple[str, ...]
    removed: bool

    @property
    def registered(self) -> bool:
        return not self.missing and not self.removed


def read_recipient(history: History, name: str, before: int = _END) -> Recipient | None:
    """How this recipient stood just before a leaf."""
    proposed: Recorded | None = None
    case = Case()
    removed = False
    for recorded in history.of_recipient(name, before):
        match recorded.typed():
            case RecipientProposed() if proposed is None:
                actor = history.actor(recorded.by, recorded.seq)
                asked = may(Act.MEDIA_LIST, Part.REQUEST, actor, case) if actor else None
                if isinstance(asked, Allowed):
                    proposed, case = recorded, Case(doings=(asked.doing(),))
            case RecipientApproved() as fact if (
                proposed is not None
                and fact.request == proposed.leaf_hash.hex()
                and recorded.by == fact.approver
            ):
                actor = history.actor(fact.approver, recorded.seq)
                answer = may(Act.MEDIA_LIST, Part.APPROVE, actor, case) if actor else None
                if isinstance(answer, Allowed):
                    case = Case(doings=(*case.doings, answer.doing()))
            case RecipientRemoved():
                removed = True
    asked_for = proposed.typed() if proposed else None
    if proposed is None or not isinstance(asked_for, RecipientProposed):
        return None
    lacking = missing(Act.MEDIA_LIST, case)
    return Recipient(name, asked_for, proposed.by, proposed.leaf_hash.hex(), case, lacking, removed)


def is_registered(history: History, asked: TakeoutRequested, before: int) -> bool:
    """Whether name and key of the request are those of a registered recipient for all its client organisations."""
    wanted = set(asked.organisations)
    found = (read_recipient(history, name, before) for name in history.recipients())
    return any(
        one is not None
        and one.registered
        and (one.proposed.name, one.proposed.key) == (asked.recipient, asked.recipient_key)
        and wanted <= set(one.proposed.organisations)
        for one in found
    )


async def read_house(ledger: Ledger) -> History:
    """People, policy and recipients as the database has them: for screens and first answers."""
    names = (*NAMES, *HOUSE_NAMES)
    found = page = await ledger.facts(0, _PAGE, names=names)
    while len(page) == _PAGE:
        page = await ledger.facts(page[-1].seq + 1, _PAGE, names=names)
        found = found + page
    return History(one.leaf for one in found)


async def list_recipients(ledger: Ledger) -> list[Recipient]:
    history = await read_house(ledger)
    found = (read_recipient(history, name) for name in history.recipients())
    return [one for one in found if one is not None]


async def propose_recipient(
    ledger: Ledger, *, name: str, key: str, organisations: Sequence[str], reason: str, by: str
) -> Recorded:
    """Raises Fault BAD_RECIPIENT, BAD_PACKAGE for a key that cannot be sealed to, or why this person may not."""
    wrong = [
        field
        for field, bad in (
            ("name", not name.strip()),
            ("organisations", not organisations),
            ("reason", not reason.strip()),
        )
        if bad
    ]
    if wrong:
        raise Fault(faults.BAD_RECIPIENT, fields=", ".join(wrong))
    if key:
        check_key(key)
    await require_part(ledger, Part.REQUEST, Case(), by=by)
    recipient = f"r-{secrets.token_hex(4)}"
    fact = RecipientProposed(
        recipient=recipient,
        name=name.strip(),
        key=" ".join(key.split()[:2]),
        organisations=tuple(dict.fromkeys(organisations)),
        reason=reason.strip(),
    )
    return await ledger.record(fact, by=by, about=recipient)


async def approve_recipient(ledger: Ledger, recipient: str, *, seen: str, by: str) -> Recorded:
    """Raises Fault NO_RECIPIENT, or why this person may not."""
    found = await _find(ledger, recipient)
    if seen != found.request:
        raise Fault(faults.NO_RECIPIENT, recipient=recipient[:64])
    await require_part(ledger, Part.APPROVE, found.case, by=by)
    fact = RecipientApproved(recipient=recipient, approver=by, request=seen)
    return await ledger.record(fact, by=by, about=recipient)


async def remove_recipient(ledger: Ledger, recipient: str, *, reason: str, by: str) -> Recorded:
    """Raises Fault NO_RECIPIENT, or NOT_YOUR_DUTY for whoever has no part in the list."""
    await _find(ledger, recipient)
    await require_shaper(ledger, by=by)
    fact = RecipientRemoved(recipient=recipient, reason=reason)
    return await ledger.record(fact, by=by, about=recipient)


async def _find(ledger: Ledger, recipient: str) -> Recipient:
    found = read_recipient(await read_house(ledger), recipient)
    if found is None or found.removed:
        raise Fault(faults.NO_RECIPIENT, recipient=recipient[:64])
    return found
