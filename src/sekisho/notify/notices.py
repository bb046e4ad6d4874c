"""Asking that somebody be told. What is asked is a fact; the outbox delivers it.

A notice about a person never goes to that person and those in the same chain of command alone: whoever could be
warned, or could keep it quiet, is not the only one to hear.
"""

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import func, select

from sekisho.faults import Fault, Language
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.notify import faults
from sekisho.notify.addresses import OWNER, find_address, record_address
from sekisho.notify.facts import NoticeAsked
from sekisho.notify.tables import deliveries, notices
from sekisho.people.accounts import human_of
from sekisho.people.roles import Role
from sekisho.people.tables import persons, roles_held
from sekisho.text.detect import scan

_MOST_WAITING: Final = 10_000
_LONGEST: Final = 4_000  # characters of a text
_LONGEST_CHAIN: Final = 50
# Who hears when everybody whom a rule names is the subject or tied to the subject.
_OUTSIDE: Final = (Role.PRIVACY_OFFICER, Role.AUDITOR, Role.PROCESSOR_MANAGER, Role.ADMINISTRATOR)
# What subjects' data looks like; names of staff stay, for a notice says who did it.
_NEVER: Final = frozenset(
    {"email", "card", "individual_number", "pension_number", "phone", "address", "birth_date"}
)
_COVER: Final = "［伏］"
Text = dict[Language, str]


class Words(msgspec.Struct, frozen=True):
    """A notice's text in both languages, as it is sealed."""

    subject: Text
    body: Text


@dataclass(frozen=True, slots=True)
class Notice:
    """What to say. `kind` is a short stable name, `link` a path of the console, `person` whom it is about or ""."""

    kind: str
    subject: Text
    body: Text
    link: str = ""
    person: str = ""


class Notices:
    """One per process. `house` is how many addresses the settings give for every alarm."""

    def __init__(self, ledger: Ledger, *, house: int = 0) -> None:
        self._ledger = ledger
        self._house = tuple(f"house:{number}" for number in range(1, house + 1))

    async def send(
        self, notice: Notice, *, to: Iterable[str] = (), roles: Collection[Role] = (), organisation: str = "",
        loud: bool = False, name: str = "", source: int = -1, by: str = "sekisho",
    ) -> str:  # fmt: skip
        """Ask that receivers ("person:ID", "agency:NAME", "organisation:ID") and the holders of `roles` (for
        `organisation`, or the whole house) be told; `loud` adds the house's own addresses. Durable when it returns.

        The same `name` twice asks once. What looks like subjects' data in the text is covered. Raises Fault BAD_TEXT
        or OUTBOX_FULL."""
        name = name or f"n-{secrets.token_hex(8)}"
        words = Words(_fit(notice.kind, notice.subject), _fit(notice.kind, notice.body))
        async with self._ledger.read() as connection:
            waiting = select(func.count()).select_from(deliveries).where(deliveries.c.due.is_not(None))
            if (count := await connection.scalar(waiting) or 0) >= _MOST_WAITING:
                raise Fault(faults.OUTBOX_FULL, waiting=count)
            if await _known(connection, name):
                return name
            people = await _holders(connection, roles, organisation)
            told = await self._receivers(connection, {*to, *people}, notice.person, loud=loud)
        sealed = self._ledger.vault.seal(OWNER, msgspec.json.encode(words))
        asked = NoticeAsked(
            notice=name,
            kind=notice.kind,
            to=tuple(sorted(told)),
            text=sealed.commitment,
            link=notice.link,
            person=notice.person,
            source=source,
        )
        try:
            await self._ledger.record(asked, by=by, about=name, parts=[sealed])
        except Fault:
            async with self._ledger.read() as connection:
                if not await _known(connection, name):  # else another process was faster
                    raise
        return name

    async def set_address(self, receiver: str, text: str, *, by: str) -> Recorded:
        """Record where a receiver is reached ("" takes it away), and tell the former address that it changed.

        Raises Fault BAD_ADDRESS, NO_RECEIVER, OUTBOX_FULL."""
        async with self._ledger.read() as connection:
            former = await find_address(connection, receiver)
        recorded = await record_address(self._ledger, receiver, text, by=by)
        if former is not None:
            notice = Notice(
                "address_changed",
                {"ja": "通知先が変更されました", "en": "The address for notices was changed"},
                {
                    "ja": f"{receiver} への通知先を {by} が変更しました。今後、このアドレスには届きません。"
                    "心当たりがなければ管理者と個人情報保護責任者に連絡してください。",
                    "en": f"{by} changed the address at which {receiver} is told. This address hears no more. If you "
                    "know nothing of it, tell an administrator and the privacy officer.",
                },
                "/notices",
            )
            await self.send(notice, to=[f"address:{former}"], name=f"c-{recorded.seq}", source=recorded.seq)
        return recorded

    async def _receivers(
        self, connection: Connection, named: set[str], person: str, *, loud: bool
    ) -> set[str]:
        told = named | (set(self._house) if loud else set())
        if person:
            inside = await _chain(connection, await human_of(connection, person) or person)
            close = {f"person:{one}" for one in inside}
            if told <= close:
                outside = await _holders(connection, _OUTSIDE, "")
                told |= (outside - close) | set(self._house)
        return told


async def _known(connection: Connection, name: str) -> bool:
    return await connection.scalar(select(notices.c.notice).where(notices.c.notice == name)) is not None


async def _holders(connection: Connection, roles: Collection[Role], organisation: str) -> set[str]:
    """The active holders of these roles, as receivers. A client's role reaches only its own people."""
    query = (
        select(roles_held.c.person)
        .join(persons, persons.c.person == roles_held.c.person)
        .where(roles_held.c.role.in_([role.value for role in roles]))
        .where(persons.c.left.is_(None), persons.c.frozen == "")
        .where(
            (roles_held.c.organisation == organisation) | (roles_held.c.organisation == ""),
            (roles_held.c.organisation != "") | (roles_held.c.role != Role.CLIENT.value),
        )
    )
    return {f"person:{person}" for person in await connection.scalars(query)}


async def _chain(connection: Connection, person: str) -> set[str]:
    """The person, everybody above, and everybody below."""
    rows = (await connection.execute(select(persons.c.person, persons.c.manager))).all()
    manager = {row.person: row.manager for row in rows}
    found, above = {person}, manager.get(person, "")
    for _ in range(_LONGEST_CHAIN):
        if not above or above in found:
            break
        found.add(above)
        above = manager.get(above, "")
    below = {person}
    while more := {one for one, over in manager.items() if over in below} - below:
        below |= more
    return found | below


def _fit(kind: str, text: Text) -> Text:
    if set(text) != {"ja", "en"} or not all(0 < len(one) <= _LONGEST for one in text.values()):
        raise Fault(faults.BAD_TEXT, notice=kind, most=_LONGEST)
    return {language: _covered(one) for language, one in text.items()}


def _covered(text: str) -> str:
    """A notice travels through other people's machines: it says where to look, never what was seen."""
    data = text.encode()
    for found in sorted(scan(data), key=lambda one: one.start, reverse=True):
        if found.kind in _NEVER:
            data = data[: found.start] + _COVER.encode() + data[found.end :]
    return data.decode()
