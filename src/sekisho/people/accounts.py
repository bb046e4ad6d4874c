"""Login names and the humans behind them.

Whoever counts persons (who asked, who approved, who reviews) counts humans: `human_of`, `find_humans`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select

from sekisho.faults import Fault, Language
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.people import faults
from sekisho.people.facts import AccountAdded, PersonAdded
from sekisho.people.identity import Authenticated, minted
from sekisho.people.tables import accounts, persons

# No dot: a door's login name is "person.ticket".
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
# Who acts when nobody does; no human may bear this name.
_RESERVED: Final = frozenset({"sekisho", "master", "checkpoint"})


@dataclass(frozen=True, slots=True)
class Holder:
    """An account and the human behind it, as they stand."""

    account: str
    person: str
    name: str
    language: Language
    left: datetime | None
    frozen: bool
    logins_void: datetime | None
    authenticators_void: datetime | None

    @property
    def active(self) -> bool:
        """Whether this human may log in at all."""
        return self.left is None and not self.frozen

    def honours_login(self, at: datetime) -> bool:
        """Whether a session or token that was given out at this time is still good."""
        return self.active and (self.logins_void is None or at > self.logins_void)

    def honours_authenticator(self, at: datetime) -> bool:
        """Whether an authenticator that was set at this time is still good."""
        return self.active and (self.authenticators_void is None or at > self.authenticators_void)


async def find_holder(connection: Connection, account: str) -> Holder | None:
    """The account of this name, or None. Call it with whatever was typed."""
    if not account.isprintable():  # a database may refuse to look for it at all
        return None
    query = (
        select(
            accounts.c.person,
            persons.c.name,
            persons.c.language,
            persons.c.left,
            persons.c.frozen,
            persons.c.logins_void,
            persons.c.authenticators_void,
        )
        .join(persons, persons.c.person == accounts.c.person)
        .where(accounts.c.account == account)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Holder(
        account=account,
        person=row.person,
        name=row.name,
        language="ja" if row.language == "ja" else "en",
        left=row.left,
        frozen=row.frozen != "",
        logins_void=row.logins_void,
        authenticators_void=row.authenticators_void,
    )


async def human_of(connection: Connection, account: str) -> str | None:
    """The human behind an account, or None when there is no such account."""
    found = await connection.scalar(select(accounts.c.person).where(accounts.c.account == account))
    return str(found) if found is not None else None


async def find_humans(connection: Connection) -> dict[str, str]:
    """Account -> human, of every account there is."""
    rows = await connection.execute(select(accounts.c.account, accounts.c.person))
    return {row.account: row.person for row in rows}


async def accounts_of(connection: Connection, person: str) -> tuple[str, ...]:
    """Every account of a human."""
    query = select(accounts.c.account).where(accounts.c.person == person).order_by(accounts.c.account)
    return tuple(await connection.scalars(query))


async def require_person(connection: Connection, person: str) -> Holder:
    """The human of this id. Raises Fault NO_SUCH_PERSON (also for an account that is not the human's own id)."""
    holder = await find_holder(connection, person)
    if holder is None or holder.person != person:
        raise Fault(faults.NO_SUCH_PERSON, person=person)
    return holder


async def require_active(connection: Connection, person: str) -> Holder:
    """The human of this id, who neither left nor is frozen. Raises Fault NO_SUCH_PERSON or NOT_ACTIVE."""
    holder = await require_person(connection, person)
    if not holder.active:
        raise Fault(faults.NOT_ACTIVE, person=person)
    return holder


async def add_person(ledger: Ledger, added: PersonAdded, *, by: str) -> Recorded:
    """Add a human. Raises Fault BAD_ID, NO_SUCH_PERSON (the manager), or the ledger's REFUSED when the id is taken."""
    _check_id(added.person)
    if added.manager:
        async with ledger.read() as connection:
            await require_person(connection, added.manager)
    return await ledger.record(added, by=by, about=added.person)


async def add_account(ledger: Ledger, added: AccountAdded, *, by: str) -> Recorded:
    """Give a human a further login name. Raises Fault BAD_ID, NO_SUCH_PERSON, or the ledger's REFUSED."""
    _check_id(added.account)
    async with ledger.read() as connection:
        await require_active(connection, added.person)
    # About the account: from its name alone its human is found among the facts.
    return await ledger.record(added, by=by, about=added.account)


async def switch_account(connection: Connection, who: Authenticated, account: str) -> Authenticated:
    """The same human under another of its accounts, to enrol an authenticator for it. Raises Fault NO_SUCH_PERSON."""
    if await human_of(connection, account) != who.person:
        raise Fault(faults.NO_SUCH_PERSON, person=account)
    return minted(account, who.person, who.method, who.peer)


def _check_id(name: str) -> None:
    if not _ID.fullmatch(name) or name in _RESERVED:
        raise Fault(faults.BAD_ID, name=name)
