"""From a login name to an opened session: the one sequence that every door runs.

    token      login name -> the token issued for it, if it has not expired (the door checks the password)
    entrant    or: a person whose login the door itself has seen proven, and the ticket, which names the target
    admit      either -> `gate.gather` -> `gate.decide` -> Grant -> accounts -> `relay.session_opened` is durable
    leave      the session's lease is given back, the persons seen are sealed, `relay.session_closed`

A refusal at any point is recorded, then raised.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sekisho.faults import Fault, Language
from sekisho.gate import faults as gate_faults
from sekisho.gate.budget import Meter
from sekisho.gate.decide import DESKTOP, INNER, LOOK, TAKEOUT, UPLOAD, WORKSPACE, AccessRequest, Grant, decide
from sekisho.gate.facts import AccessRefused, BudgetSettled
from sekisho.gate.refusal import Refusal
from sekisho.gate.state import RESTRICTING, gather
from sekisho.gate.tickets import PublishedLog, read_ticket
from sekisho.ledger import Erased, Ledger, Sealed
from sekisho.people import faults as people_faults
from sekisho.people.identity import Authenticated
from sekisho.people.tables import find_language
from sekisho.people.tokens import Token, find_token, split_login
from sekisho.register.catalogue import Catalogue, Dataset, find_catalogue
from sekisho.relay import faults
from sekisho.relay.accounts import AccountBook
from sekisho.relay.facts import SessionClosed, SessionOpened

# Which doors open a target that is reached by this protocol.
_OF_WORKSPACE: Final = (WORKSPACE, DESKTOP, LOOK, UPLOAD, TAKEOUT, INNER)
_DOORS: Final = {
    "postgres": ("postgres", *_OF_WORKSPACE),
    "ssh": ("ssh", *_OF_WORKSPACE),
    "rdp": _OF_WORKSPACE,
    "vnc": _OF_WORKSPACE,
}


@dataclass(frozen=True, slots=True)
class Entrant:
    """A person before a door that asks for no token: `who` is the proof of login, `ticket` names `target`."""

    who: Authenticated
    ticket: str
    target: str

    @property
    def person(self) -> str:
        return self.who.account

    def login(self) -> str:
        return f"{self.person}.{self.ticket}"


@dataclass(frozen=True, slots=True)
class Admission:
    """A session that may open its target. `secret` is the target password of the dataset's role, or empty where a
    target knows none."""

    session: str
    grant: Grant
    catalogue: Catalogue
    dataset: Dataset
    secret: bytes
    meter: Meter
    language: Language
    # What was decided, and how many facts there were before: see `decide_again`.
    request: AccessRequest
    size: int

    def __repr__(self) -> str:
        return f"Admission({self.session}, {self.grant.person}, {self.grant.ticket})"


@dataclass(frozen=True, slots=True)
class Totals:
    """What a session amounted to, for its closing fact."""

    reason: str
    statements: int
    bytes: int


class Admissions:
    """One per process; the event loop's thread owns it. `token_key` is the key of `people.tokens`."""

    def __init__(
        self,
        ledger: Ledger,
        published: PublishedLog,
        token_key: bytes,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._published = published
        self._token_key = token_key
        self._now = now
        self.book = AccountBook(ledger)

    async def token(self, login: str, target: str) -> tuple[Token, str] | None:
        """The unexpired token of a login name for a target, and its password; None when there is none."""
        names = split_login(login)
        if names is None:
            return None
        async with self._ledger.read() as connection:
            token = await find_token(connection, *names, target)
        if token is None or token.expires <= self._now().timestamp() * 1e6:
            return None
        return token, token.password(self._token_key)

    async def entrant(self, who: Authenticated, ticket: str) -> Entrant:
        """Somebody who has just logged in, before the target of a ticket; "" when there is no such ticket, which
        `admit` refuses. Whose ticket it is, and whether it opens anything, is decided there. Raises Fault
        ONLY_ENROLLING."""
        if who.enrolling:
            raise Fault(people_faults.ONLY_ENROLLING)
        found = await read_ticket(self._ledger, None, ticket)
        return Entrant(who, ticket, found.requested.target if found else "")

    async def refuse(
        self, fault: Fault, *, door: str, target: str, peer: str, token: Token | Entrant | None
    ) -> None:
        """Record that nothing was opened, and why."""
        claimed = token.login() if token else ""
        refused = AccessRefused(door=door, target=target[:64], claimed=claimed, peer=peer, code=fault.code)
        about = token.ticket if token else "access"
        await self._ledger.record(refused, by=token.person if token else "sekisho", about=about)

    async def admit(
        self, token: Token | Entrant, *, door: str, peer: str, tls: str, client: str
    ) -> Admission:
        """Decide, and open the session in the ledger. Raises Fault after recording the refusal."""
        try:
            return await self._admit(token, door=door, peer=peer, tls=tls, client=client)
        except Fault as fault:
            await self.refuse(fault, door=door, target=token.target, peer=peer, token=token)
            raise

    async def _admit(
        self, token: Token | Entrant, *, door: str, peer: str, tls: str, client: str
    ) -> Admission:
        now, size = self._now(), await self._ledger.size()
        request = AccessRequest(token.person, token.ticket, token.target, door, await self._at(now))
        grant = decide(request, await gather(self._ledger, self._published, request))
        if isinstance(grant, Refusal):
            raise grant.fault()
        async with self._ledger.read() as connection:
            catalogue = await find_catalogue(connection, grant.target)
            language = await find_language(connection, grant.person)
        found = [d for d in catalogue.datasets if d.dataset == grant.dataset] if catalogue else []
        if (
            catalogue is None
            or not found
            or found[0].organisation != grant.organisation
            or door not in _DOORS.get(catalogue.target.protocol, ())
        ):
            # The ticket names a dataset that is no longer that client's on this target, or another kind of target.
            raise Fault(gate_faults.OTHER_TARGET, ticket=grant.ticket, target=grant.target)
        if grant.unknown_lineage == "refuse":
            catalogue = replace(catalogue, target=replace(catalogue.target, unknown_lineage="refuse"))
        secret = await self._ledger.content(found[0].secret) if found[0].secret else b""
        if isinstance(secret, Erased):
            raise Fault(faults.TARGET_DOWN, target=grant.target, reason="its credential was erased")
        session = f"s-{secrets.token_hex(8)}"
        meter = await self.book.open(grant, session, now)
        opened = SessionOpened(
            session=session,
            person=grant.person,
            ticket=grant.ticket,
            organisation=grant.organisation,
            dataset=grant.dataset,
            target=grant.target,
            door=door,
            peer=peer,
            tls=tls,
            client=client,
        )
        await self._ledger.record(opened, by=grant.person, about=session)
        return Admission(session, grant, catalogue, found[0], secret, meter, language, request, size)

    async def _at(self, now: datetime) -> int:
        """The time that is decided upon. The ledger's does not follow a clock that is set back, so that whoever sets
        the machine's opens no window again that was over when the last fact was recorded."""
        last = await self._ledger.facts(max(0, await self._ledger.size() - 1), 1)
        return max(int(now.timestamp() * 1e6), *(int(one.at.timestamp() * 1e6) for one in last))

    async def decide_again(self, admission: Admission) -> None:
        """Every door calls this once its `end_all` finds the session, and before its target is opened: a ticket that
        was closed, or a person who was frozen, while the decision was being made is told to nobody else.

        Raises Fault when access would be refused now."""
        if await self._ledger.facts(admission.size, 1, names=RESTRICTING):
            answer = decide(admission.request, await gather(self._ledger, self._published, admission.request))
            if isinstance(answer, Refusal):
                raise answer.fault()

    async def leave(self, admission: Admission, totals: Totals) -> None:
        """Close the session in the ledger. When the ledger has failed its lease stays spent, by design."""
        meter, grant = admission.meter, admission.grant
        meter.give_back()
        self.book.close(meter)
        parts: list[Sealed] = []
        if seen := meter.accounts[0].seen:
            parts.append(self._ledger.vault.seal(grant.organisation, seen.serialize()))
        if given := meter.take_given_back():
            settled = BudgetSettled(session=admission.session, given_back=given)
            await self._ledger.record(settled, by="sekisho", about=admission.session)
        closed = SessionClosed(
            session=admission.session,
            reason=totals.reason,
            statements=totals.statements,
            rows=meter.rows,
            persons=meter.persons,
            bytes=totals.bytes,
            seen=parts[0].commitment if parts else "",
        )
        await self._ledger.record(closed, by=grant.person, about=admission.session, parts=parts)
