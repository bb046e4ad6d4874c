"""The release of the trace key: its master exists only while the shares of two persons are together.

`split` makes of the master key one share for each holder, any two of which make it again (Shamir's scheme). Holders
keep them off this machine: what is on its disk opens nothing. For a release somebody says why; two holders, each logged
in as himself, type their shares; and the key is in memory for so many minutes, lists and rows, within bounds that no
release can exceed. Every step is a fact before it has an effect.

Who controls the running program while a key is released can copy it. That is not stopped here: it is on record when
and for what it was open, and a key that may have been copied is replaced by indexing anew.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from Crypto.Protocol.SecretSharing import Shamir
from sqlalchemy import func, select

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people.consent import require_role
from sekisho.people.roles import Role
from sekisho.trace.facts import HeldShare, KeyClosed, KeyReleased, KeySplit, ReleaseAsked, ShareGiven
from sekisho.trace.faults import BAD_SHARE, BAD_SPLIT, KEY_LOCKED, KEY_SPENT, NO_RELEASE, TOO_OFTEN
from sekisho.trace.keys import TraceKeys
from sekisho.trace.tables import releases

HOLDERS: Final = frozenset(
    {Role.PRIVACY_OFFICER, Role.AUDITOR, Role.INVESTIGATOR, Role.PROCESSOR_MANAGER, Role.CLIENT}
)
NEEDED: Final = 2
MOST_MINUTES: Final = 480
MOST_LOOKUPS: Final = 20
MOST_ROWS: Final = 20_000_000  # all mobile numbers that there can be are fifteen times as many
MOST_A_DAY: Final = 6
_WORD: Final = 16  # bytes; the scheme's field is GF(2^128)
_MASTER: Final = 32
_CHECK: Final = 3
_MOST_HOLDERS: Final = 9


def split_key(master: bytes, persons: Sequence[str]) -> dict[str, str]:
    """A share for each person, to be written down; any two make the master again. Raises Fault BAD_SPLIT."""
    if len(set(persons)) != len(persons) or not NEEDED <= len(persons) <= _MOST_HOLDERS:
        raise Fault(BAD_SPLIT, reason=f"{NEEDED} to {_MOST_HOLDERS} different persons are needed")
    words: list[list[bytes]] = [[] for _ in persons]
    for start in range(0, _MASTER, _WORD):
        found = Shamir.split(NEEDED, len(persons), master[start : start + _WORD])
        for place, (_, word) in enumerate(found):
            words[place].append(bytes(word))
    return {person: _written(number, b"".join(words[number - 1])) for number, person in enumerate(persons, 1)}


def join_key(written: Sequence[str]) -> bytes:
    """The master of two different shares; shares of two splits make something else. Raises ValueError."""
    read = dict(_read(one) for one in written)
    if len(read) < NEEDED:
        raise ValueError("two different shares are needed")
    halves = [
        Shamir.combine([(number, share[start : start + _WORD]) for number, share in read.items()])
        for start in range(0, _MASTER, _WORD)
    ]
    return b"".join(map(bytes, halves))


def share_hash(written: str) -> str:
    """What the log holds of a share. Raises ValueError."""
    number, share = _read(written)
    return hashlib.sha256(bytes([number]) + share).hexdigest()


def _written(number: int, share: bytes) -> str:
    """Base32 in groups of four, with a check that finds a slip of the pen."""
    body = bytes([number]) + share
    text = base64.b32encode(body + hashlib.sha256(body).digest()[:_CHECK]).decode().rstrip("=")
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _read(written: str) -> tuple[int, bytes]:
    text = "".join(written.upper().split()).replace("-", "").replace("0", "O").replace("1", "I")
    try:
        content = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError as error:
        raise ValueError("not a share") from error
    body, check = content[:-_CHECK], content[-_CHECK:]
    if len(body) != 1 + _MASTER or hashlib.sha256(body).digest()[:_CHECK] != check:
        raise ValueError("not a share")
    return body[0], body[1:]


async def record_split(
    ledger: Ledger, folder: Path, master: bytes, persons: Sequence[str], *, by: str
) -> dict[str, str]:
    """Split the master of the keys in `folder` among persons of `HOLDERS`; their shares, which are kept nowhere.

    Raises Fault BAD_SPLIT, NEEDS_ROLE, and the keys' when `master` is not theirs."""
    async with ledger.read() as connection:
        for person in persons:
            await require_role(connection, person, HOLDERS)
    made = split_key(master, persons)
    keys = await asyncio.to_thread(TraceKeys.open, folder, master=master)
    held = tuple(HeldShare(person=person, sha256=share_hash(made[person])) for person in persons)
    await ledger.record(KeySplit(mark=keys.mark, holders=held), by=by, about=keys.mark)
    return made


async def read_holders(ledger: Ledger) -> Mapping[str, str]:
    """Who holds a share of the newest split -> its hash; empty before there is one."""
    facts = await ledger.facts(0, 10_000, names=["trace.key_split"])
    newest = facts[-1].typed() if facts else None
    return {one.person: one.sha256 for one in newest.holders} if isinstance(newest, KeySplit) else {}


@dataclass(slots=True)
class Lease:
    """The key in memory. `lookups` and `rows` are what is left."""

    release: str
    keys: TraceKeys
    until: datetime
    lookups: int
    rows: int
    used_lookups: int = 0
    used_rows: int = 0


@dataclass(slots=True)
class _Asked:
    asked: ReleaseAsked
    by: str
    shares: dict[str, str] = field(default_factory=dict)


class KeyDesk:
    """One per process: releases that wait for shares, and the one lease. Belongs to the event loop's thread."""

    def __init__(
        self, ledger: Ledger, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._now = now
        self._asked: dict[str, _Asked] = {}
        self._lease: Lease | None = None
        self._giving = asyncio.Lock()

    @property
    def lease(self) -> Lease | None:
        """The key, as long as it is open."""
        lease = self._lease
        return lease if lease is not None and self._now() < lease.until and lease.lookups > 0 else None

    def waiting(self) -> list[tuple[ReleaseAsked, str, tuple[str, ...]]]:
        """What was asked, by whom, and who gave a share already. A restart of the program forgets them."""
        return [(one.asked, one.by, tuple(one.shares)) for one in self._asked.values()]

    async def ask(self, *, reason: str, minutes: int, lookups: int, by: str) -> str:
        """Ask for a release; its id. Raises Fault TOO_OFTEN, KEY_SPENT beyond the bounds."""
        if not (0 < minutes <= MOST_MINUTES and 0 < lookups <= MOST_LOOKUPS):
            raise Fault(
                KEY_SPENT, wanted=f"{minutes} min, {lookups}", left=f"{MOST_MINUTES} min, {MOST_LOOKUPS}"
            )
        await self._not_too_often()
        release = f"release-{secrets.token_hex(6)}"
        fact = ReleaseAsked(release=release, reason=reason, minutes=minutes, lookups=lookups)
        await self._ledger.record(fact, by=by, about=release)
        self._asked[release] = _Asked(fact, by)
        return release

    async def give(self, release: str, share: str, *, by: str) -> Lease | None:
        """A holder gives his share; the lease, when it is the second one.

        Raises Fault NO_RELEASE, BAD_SHARE, NEEDS_ROLE, TOO_OFTEN, and WRONG_KEY when the shares are of another key."""
        async with self._giving:
            waiting = self._asked.get(release)
            if waiting is None:
                raise Fault(NO_RELEASE, release=release[:64])
            async with self._ledger.read() as connection:
                await require_role(connection, by, HOLDERS)
            holders = await read_holders(self._ledger)
            try:
                known = secrets.compare_digest(holders.get(by, ""), share_hash(share))
            except ValueError:
                known = False
            if not known:
                raise Fault(BAD_SHARE, person=by)
            await self._ledger.record(ShareGiven(release=release, person=by), by=by, about=release)
            waiting.shares[by] = share
            if len(waiting.shares) < NEEDED:
                return None
            await self._not_too_often()
            del self._asked[release]
            return await self._open(waiting, by)

    async def _open(self, waiting: _Asked, by: str) -> Lease:
        master = join_key(list(waiting.shares.values()))
        keys = await asyncio.to_thread(TraceKeys.open, self._folder, master=master)
        if self._lease is not None:
            await self.close("person", by=by)
        asked = waiting.asked
        fact = KeyReleased(
            release=asked.release,
            persons=tuple(waiting.shares),
            minutes=asked.minutes,
            lookups=asked.lookups,
            rows=MOST_ROWS,
        )
        recorded = await self._ledger.record(fact, by=by, about=asked.release)
        until = recorded.at + timedelta(minutes=asked.minutes)
        self._lease = Lease(asked.release, keys, until, asked.lookups, MOST_ROWS)
        return self._lease

    def open_keys(self) -> TraceKeys:
        """The key, for indexing, which tells nothing about a person. Raises Fault KEY_LOCKED."""
        if (lease := self.lease) is None:
            raise Fault(KEY_LOCKED)
        return lease.keys

    def spend(self, rows: int) -> Lease:
        """The key for one list of so many rows. Raises Fault KEY_LOCKED, KEY_SPENT."""
        if (lease := self.lease) is None:
            raise Fault(KEY_LOCKED)
        if rows > lease.rows:
            raise Fault(KEY_SPENT, wanted=f"{rows:,}", left=f"{lease.rows:,}")
        lease.lookups -= 1
        lease.rows -= rows
        lease.used_lookups += 1
        lease.used_rows += rows
        return lease

    async def expire(self) -> None:
        """Forget a key whose time is over or that is spent; to be called now and then."""
        if self._lease is not None and self.lease is None:
            await self.close("spent" if self._lease.lookups <= 0 else "time")

    async def close(self, reason: str, *, by: str = "sekisho") -> None:
        """Forget the key. A lookup under way keeps it until it has ended."""
        lease, self._lease = self._lease, None
        if lease is not None:
            fact = KeyClosed(
                release=lease.release, reason=reason, lookups=lease.used_lookups, rows=lease.used_rows
            )
            await self._ledger.record(fact, by=by, about=lease.release)

    async def _not_too_often(self) -> None:
        since = self._now() - timedelta(days=1)
        async with self._ledger.read() as connection:
            query = select(func.count()).select_from(releases).where(releases.c.released > since)
            count = int((await connection.execute(query)).scalar_one())
        if count >= MOST_A_DAY:
            raise Fault(TOO_OFTEN, limit=MOST_A_DAY)
