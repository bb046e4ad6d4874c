"""Leaving: everything ends the same moment; then what the person ever pulled is looked up, and the agency told.

Three facts, in this order: `person_left` revokes; `looked_back` and `agency_notified` follow. A crash between them
loses nothing: `leave` called again finishes what is missing, and `find_unfinished` lists it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.ledger.leaf import read_leaf
from sekisho.ledger.tables import FACTS
from sekisho.people import faults
from sekisho.people.accounts import accounts_of, require_person
from sekisho.people.consent import find_roles
from sekisho.people.facts import AgencyNotified, LookedBack, PersonLeft, PersonReturned
from sekisho.people.tables import api_tokens, console_sessions, leavings, passkeys, persons, tokens

# The facts that say what left through a door; other rooms' facts are read as data, not imported.
PULLS: Final = ("relay.statement", "relay.statements")
_OPENED: Final = "relay.session_opened"
_PAGE: Final = 1000


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """One statement, as its fact tells it, or several executions of one that stand in one fact. `seq` is the fact's
    index in the log, `at` its time (RFC 3339); `rows` and `persons` are sums over the executions."""

    seq: int
    at: str
    session: str
    organisation: str
    read: tuple[str, ...]
    masked: tuple[str, ...]
    rows: int
    persons: int
    outcome: str
    executions: int = 1


@dataclass(frozen=True, slots=True)
class LookBack:
    """Everything that a human pulled, under any account, in facts below `until`."""

    person: str
    until: int
    sessions: int
    pulls: tuple[Pull, ...]

    @property
    def rows(self) -> int:
        return sum(pull.rows for pull in self.pulls)

    @property
    def persons(self) -> int:
        """A sum over statements: a data subject who was seen twice counts twice."""
        return sum(pull.persons for pull in self.pulls)

    @property
    def organisations(self) -> tuple[str, ...]:
        return tuple(sorted({pull.organisation for pull in self.pulls}))


async def look_back(ledger: Ledger, person: str) -> LookBack:
    """Read every pull of a human out of the facts. Raises Fault NO_SUCH_PERSON."""
    async with ledger.read() as connection:
        await require_person(connection, person)
        mine = await accounts_of(connection, person)
    until = await ledger.size()
    sessions, pulls = 0, []
    async for name, seq, leaf in _facts_by(ledger, mine, until):
        if name == _OPENED:
            sessions += 1
        else:
            pulls.append(_pull(seq, leaf))
    return LookBack(person, until, sessions, tuple(pulls))


async def _facts_by(
    ledger: Ledger, accounts: tuple[str, ...], until: int
) -> AsyncIterator[tuple[str, int, bytes]]:
    last = -1
    while True:
        query = (
            select(FACTS.c.fact, FACTS.c.seq, FACTS.c.leaf)
            .where(FACTS.c.seq > last, FACTS.c.seq < until)
            .where(FACTS.c.by_.in_(accounts), FACTS.c.fact.in_((_OPENED, *PULLS)))
            .order_by(FACTS.c.seq)
            .limit(_PAGE)
        )
        async with ledger.read() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            yield row.fact, row.seq, row.leaf
        if len(rows) < _PAGE:
            return
        last = rows[-1].seq


def _pull(seq: int, leaf: bytes) -> Pull:
    read = read_leaf(leaf)
    data: dict[str, Any] = msgspec.json.decode(read.data, type=dict[str, Any])
    gathered = isinstance(
        data["rows"], list
    )  # relay.statements: the figures of each execution, all of which passed
    return Pull(
        seq=seq,
        at=read.at.isoformat(),
        session=data["session"],
        organisation=data["organisation"],
        read=tuple(data["read"]),
        masked=tuple(data["masked"]),
        rows=sum(data["rows"]) if gathered else data["rows"],
        persons=sum(data["persons"]) if gathered else data["persons"],
        outcome="passed" if gathered else data["outcome"],
        executions=len(data["rows"]) if gathered else 1,
    )


async def leave(ledger: Ledger, person: str, *, last_day: date, reason: str, by: str) -> LookBack:
    """Revoke everything at once, look back over everything that the person pulled, and write to the agency.

    Safe to call again after a crash: what is done is not done twice. Raises Fault NO_SUCH_PERSON."""
    async with ledger.read() as connection:
        holder = await require_person(connection, person)
        left = None if holder.left else await _everything_of(connection, person, last_day, reason)
    if left is not None:
        await ledger.record(left, by=by, about=person)
    async with ledger.read() as connection:
        row = (await connection.execute(select(leavings).where(leavings.c.person == person))).one()
        who = (await connection.execute(select(persons).where(persons.c.person == person))).one()
    found = await look_back(ledger, person)
    if not row.pulls:
        content = msgspec.json.encode(found.pulls)
        sealed = ledger.vault.seal("checkpoint", content)
        looked = LookedBack(
            person=person,
            until=found.until,
            sessions=found.sessions,
            statements=len(found.pulls),
            rows=found.rows,
            persons=found.persons,
            organisations=found.organisations,
            pulls=sealed.commitment,
        )
        await ledger.record(looked, by="sekisho", about=person, parts=[sealed])
    if row.notified is None:
        text = notice(who.name, person, row.last_day)
        notified = AgencyNotified(person=person, agency=who.agency or who.employer, text=text)
        await ledger.record(notified, by=by, about=person)
    return found


def notice(name: str, person: str, last_day: str) -> str:
    """What the agency (or the employer) is told, in both languages. It holds nothing of what the person saw."""
    return (
        f"{name} 様(担当者ID {person})の業務は {last_day} をもって終了し、関所へのアクセス権はすべて失効しました。"
        "貸与物と記録媒体の返却、秘密保持義務の継続をご確認のうえ、在籍者名簿の更新版をお送りください。\n\n"
        f"The work of {name} (person id {person}) ended on {last_day}, and every right of access at the checkpoint "
        "was revoked. Please make sure that equipment and media are returned and that the duty of secrecy is "
        "understood to continue, and send an updated list of your people."
    )


async def _everything_of(connection: Connection, person: str, last_day: date, reason: str) -> PersonLeft:
    mine = await accounts_of(connection, person)
    keys = select(passkeys.c.credential).where(passkeys.c.person.in_(mine))
    live = select(console_sessions.c.session).where(
        console_sessions.c.person == person, console_sessions.c.closed.is_(None)
    )
    api = select(api_tokens.c.token).where(api_tokens.c.person.in_(mine), api_tokens.c.revoked.is_(None))
    doors = select(tokens.c.token).where(tokens.c.person.in_(mine))
    return PersonLeft(
        person=person,
        last_day=last_day,
        reason=reason,
        roles=tuple(sorted(await find_roles(connection, person))),
        passkeys=tuple(await connection.scalars(keys)),
        sessions=tuple(await connection.scalars(live)),
        api_tokens=tuple(await connection.scalars(api)),
        door_tokens=tuple(await connection.scalars(doors)),
    )


async def find_unfinished(connection: Connection) -> tuple[str, ...]:
    """Who left while the look-back or the notice is missing: call `leave` again."""
    query = select(leavings.c.person).where((leavings.c.pulls == "") | leavings.c.notified.is_(None))
    return tuple(await connection.scalars(query.order_by(leavings.c.person)))


async def return_person(ledger: Ledger, returned: PersonReturned, *, by: str) -> Recorded:
    """The same human is back: same id, nothing of what was held before. Raises Fault HAS_NOT_LEFT."""
    async with ledger.read() as connection:
        holder = await require_person(connection, returned.person)
    if holder.left is None:
        raise Fault(faults.HAS_NOT_LEFT, person=returned.person)
    return await ledger.record(returned, by=by, about=returned.person)
