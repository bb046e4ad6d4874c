"""Servers and media to which packages may be brought: nobody registers one alone.

Who may propose and who must agree is the duty matrix's row `media_list`. An approver of a take-out signs the address of
its destination, with the fingerprint of a server's key in it: whoever changes a registration afterwards has nothing
delivered to the new place.
"""

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import asyncssh

from sekisho.faults import Fault
from sekisho.gate.duties import Act, Allowed, Case, Part, may, missing
from sekisho.ledger import Ledger, Recorded
from sekisho.takeout.custody_facts import DestinationApproved, DestinationProposed, DestinationRemoved
from sekisho.takeout.custody_faults import BAD_REGISTRATION, UNKNOWN_DESTINATION
from sekisho.takeout.listing import require_part, require_shaper
from sekisho.takeout.recipients import read_house

_ADDRESS: Final = re.compile(
    r"(?P<user>[\w.-]+)@(?P<host>[\w.-]+|\[[0-9a-f:]+\]):(?P<port>\d{1,5})(?P<folder>/[\w./-]*)"
)
_NAMES: Final = (
    "takeout.destination_proposed",
    "takeout.destination_approved",
    "takeout.destination_removed",
)
_MOST: Final = 10_000
_SERIAL: Final = re.compile(r"[\w.:-]{4,128}")


@dataclass(frozen=True, slots=True)
class Server:
    user: str
    host: str
    port: int
    folder: str
    host_key: str


@dataclass(frozen=True, slots=True)
class Destination:
    """`request` is the leaf hash (hex) that an approval names; `missing` are the roles that have not agreed yet."""

    destination: str
    proposed: DestinationProposed
    by: str
    request: str
    case: Case
    missing: tuple[str, ...]
    removed: str

    @property
    def registered(self) -> bool:
        return not self.missing and not self.removed

    @property
    def signed_as(self) -> str:
        """What stands as `medium` in a request for it."""
        if self.proposed.channel == "medium":
            return self.proposed.address
        return f"sftp://{self.proposed.address} {fingerprint(self.proposed.host_key)}"

    @property
    def server(self) -> Server:
        found = _ADDRESS.fullmatch(self.proposed.address)
        if self.proposed.channel != "sftp" or found is None:
            raise Fault(UNKNOWN_DESTINATION, destination=self.destination)
        user, host, port, folder = found.group("user", "host", "port", "folder")
        return Server(user, host.strip("[]"), int(port), folder, self.proposed.host_key)


def fingerprint(host_key: str) -> str:
    return asyncssh.import_public_key(host_key).get_fingerprint()


async def propose(ledger: Ledger, proposed: DestinationProposed, *, by: str) -> Recorded:
    """Raises Fault BAD_REGISTRATION, or why this person may not."""
    wrong = ""
    if proposed.channel == "sftp":
        try:
            fingerprint(proposed.host_key)
        except asyncssh.KeyImportError:
            wrong = "host key"
        if _ADDRESS.fullmatch(proposed.address) is None or ".." in proposed.address:
            wrong = "address"
    elif proposed.channel == "medium":
        wrong = "" if _SERIAL.fullmatch(proposed.address) else "serial"
        if not proposed.holder.strip() or not proposed.encryption.strip():
            wrong = "holder, encryption"
    else:
        wrong = "channel"
    if wrong:
        raise Fault(BAD_REGISTRATION, destination=proposed.label[:80], reason=wrong)
    await require_part(ledger, Part.REQUEST, Case(), by=by)
    return await ledger.record(proposed, by=by, about=proposed.destination)


def new_name() -> str:
    return f"d-{secrets.token_hex(4)}"


async def approve(ledger: Ledger, destination: str, *, seen: str, by: str) -> Recorded:
    """`seen` is the hash of the proposal that was looked at. Raises Fault UNKNOWN_DESTINATION, or why not."""
    found = await read(ledger, destination)
    if found.removed or seen != found.request:
        raise Fault(UNKNOWN_DESTINATION, destination=destination[:64])
    await require_part(ledger, Part.APPROVE, found.case, by=by)
    fact = DestinationApproved(destination=destination, approver=by, request=seen)
    return await ledger.record(fact, by=by, about=destination)


async def remove(ledger: Ledger, destination: str, *, how: str, by: str) -> Recorded:
    """Anybody with a part in the list takes a place away alone. Raises Fault UNKNOWN_DESTINATION, or why not."""
    await read(ledger, destination)
    await require_shaper(ledger, by=by)
    fact = DestinationRemoved(destination=destination, how=how)
    return await ledger.record(fact, by=by, about=destination)


async def read(ledger: Ledger, destination: str) -> Destination:
    """Raises Fault UNKNOWN_DESTINATION."""
    history = await read_house(ledger)
    proposed: Recorded | None = None
    case, removed = Case(), ""
    for recorded in await ledger.facts(0, 100, names=_NAMES, about=destination):
        match recorded.typed():
            case DestinationProposed() if proposed is None:
                actor = history.actor(recorded.by, recorded.seq)
                asked = may(Act.MEDIA_LIST, Part.REQUEST, actor, case) if actor else None
                if isinstance(asked, Allowed):
                    proposed, case = recorded, Case(doings=(asked.doing(),))
            case DestinationApproved() as fact if proposed is not None and recorded.by == fact.approver:
                actor = history.actor(fact.approver, recorded.seq)
                answer = may(Act.MEDIA_LIST, Part.APPROVE, actor, case) if actor else None
                if isinstance(answer, Allowed) and fact.request == proposed.leaf_hash.hex():
                    case = Case(doings=(*case.doings, answer.doing()))
            case DestinationRemoved() as fact:
                removed = fact.how
    fact_ = proposed.typed() if proposed else None
    if proposed is None or not isinstance(fact_, DestinationProposed):
        raise Fault(UNKNOWN_DESTINATION, destination=destination[:64])
    lacking = missing(Act.MEDIA_LIST, case)
    return Destination(destination, fact_, proposed.by, proposed.leaf_hash.hex(), case, lacking, removed)


async def every(ledger: Ledger) -> list[Destination]:
    """Every place that was ever proposed by somebody who may."""
    found = []
    for recorded in await ledger.facts(0, _MOST, names=_NAMES[:1]):
        with suppress(Fault):
            found.append(await read(ledger, recorded.about))
    return found


async def find(ledger: Ledger, channel: str, signed_as: str) -> Destination:
    """The registered place of this address. Raises Fault UNKNOWN_DESTINATION."""
    for one in await every(ledger):
        if one.proposed.channel == channel and one.registered and one.signed_as == signed_as:
            return one
    raise Fault(UNKNOWN_DESTINATION, destination=signed_as[:120])
