"""The outbox: facts become notices, and notices are delivered, again and again, until the next hop took them.

    derive     a fact of `RULES` -> `notify.asked`      after a crash the fact comes again; its notice has one name
    deliver    what is due -> `notify.sent`             after a crash in between it is sent again, under the same id
               or `notify.failed`, with the next time   attempts end; what was given up is listed, and logged

Several checkpoints on one ledger may send a notice more than once; the receiver can tell by its id.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy import Row, select

from sekisho.faults import Fault, Language
from sekisho.ledger import Erased, Ledger, Recorded
from sekisho.ledger.leaf import Fact, read_leaf
from sekisho.notify.addresses import Address, find_address, parse_address
from sekisho.notify.channels import Channels, Message, Undelivered
from sekisho.notify.facts import NoticeFailed, NoticeSent
from sekisho.notify.faults import BAD_TEXT, OUTBOX_FULL
from sekisho.notify.notices import Notices, Words
from sekisho.notify.rules import RULES
from sekisho.notify.tables import deliveries, notices
from sekisho.people.tables import persons

SUBSCRIPTION: Final = "notify"
NO_ADDRESS: Final = "no address"
GIVEN_UP: Final = "notify.given_up"  # log events
NOT_ASKED: Final = "notify.not_asked"
_log: Final = structlog.get_logger()
# An installation that is given its rules late does not write about last year.
_OLDEST: Final = timedelta(days=7)
_PAGE: Final = 50
_AT_ONCE: Final = 4
_POLL: Final = 1.0  # seconds
_MOST_ATTEMPTS: Final = 14  # over about a day
_FIRST_WAIT: Final = 10.0  # seconds, doubled each time
_LONGEST_WAIT: Final = 4 * 3600.0
# Who has no address may be given one: an hour at first, and few attempts, for each is a fact.
_NO_ADDRESS_WAIT: Final = 360
_NO_ADDRESS_ATTEMPTS: Final = 6
_FULL: Final = 5.0  # seconds between two looks at a full outbox


class Outbox:
    """One per process; `run` belongs into the caller's TaskGroup. `house` are the addresses of the settings that hear
    every alarm, `console` the console's address for links, `origin` the log's name (for message ids)."""

    def __init__(
        self,
        ledger: Ledger,
        notices: Notices,
        channels: Channels,
        *,
        house: Sequence[Address] = (),
        console: str = "",
        origin: str,
        now: Callable[[], float] = time.time,
        first_wait: float = _FIRST_WAIT,
    ) -> None:
        self._ledger = ledger
        self._notices = notices
        self._channels = channels
        self._house = house
        self._console = console
        self._host = origin.partition("/")[0]
        self._now = now
        self._first_wait = first_wait

    async def run(self) -> None:
        """Until the ledger closes. Raises its Fault when it fails."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._derive())
            group.create_task(self._deliver())

    async def _derive(self) -> None:
        subscription = self._ledger.subscribe(SUBSCRIPTION, names=list(RULES))
        async for recorded in subscription:
            if recorded.at >= datetime.fromtimestamp(self._now(), UTC) - _OLDEST:
                while not await self._ask(recorded):  # noqa: ASYNC110 (room comes with time)
                    await asyncio.sleep(_FULL)
            await subscription.ack(recorded)

    async def _ask(self, recorded: Recorded) -> bool:
        """False when the outbox is full: the fact has to wait. A text that cannot be sent must not stop the others."""
        rule = RULES[recorded.fact]
        values = rule.values(msgspec.json.decode(read_leaf(recorded.leaf).data, type=dict[str, Any]))
        try:
            await self._notices.send(
                rule.notice(values),
                to=[rule.to.format(**values)] if rule.to else [],
                roles=rule.roles,
                organisation=values.get("organisation", ""),
                loud=rule.loud,
                name=f"f-{recorded.seq}",
                source=recorded.seq,
            )
        except Fault as fault:
            if fault.kind not in (OUTBOX_FULL, BAD_TEXT):
                raise
            _log.error(NOT_ASKED, source=recorded.seq, code=fault.code)
            return fault.kind is BAD_TEXT
        return True

    async def _deliver(self) -> None:
        ledger, gate = self._ledger, asyncio.Semaphore(_AT_ONCE)

        async def one(row: Row[Any]) -> None:
            async with gate:
                await self._attempt(row)

        with ledger.hearing(("notify.asked",)) as heard:
            while not ledger.closing:
                if ledger.fault is not None:
                    raise ledger.fault
                heard.clear()
                due = await self._due()
                async with asyncio.TaskGroup() as group:
                    for row in due:
                        group.create_task(one(row))
                if not due:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_POLL):
                            await heard.wait()

    async def _due(self) -> Sequence[Row[Any]]:
        query = (
            select(deliveries, notices.c.kind, notices.c.text, notices.c.link, notices.c.asked)
            .join(notices, notices.c.notice == deliveries.c.notice)
            .where(deliveries.c.due <= int(self._now() * 1e6))
            .order_by(deliveries.c.due)
            .limit(_PAGE)
        )
        async with self._ledger.read() as connection:
            return (await connection.execute(query)).all()

    async def _attempt(self, row: Row[Any]) -> None:
        channel = ""
        try:
            address = await self._address(row.receiver)
            channel = address.channel
            message = await self._compose(row)
            await self._channels.send(message, address)
        except Undelivered as failure:
            outcome: Fact = self._failed(row, channel, failure)
        else:
            outcome = NoticeSent(
                notice=row.notice, receiver=row.receiver, channel=channel, message=message.id
            )
        await self._ledger.record(outcome, by="sekisho", about=row.notice)

    def _failed(self, row: Row[Any], channel: str, failure: Undelivered) -> NoticeFailed:
        attempt = row.attempts + 1
        wait = self._first_wait * 2 ** (attempt - 1)
        if failure.reason == NO_ADDRESS:
            wait, most = wait * _NO_ADDRESS_WAIT, _NO_ADDRESS_ATTEMPTS
        else:
            wait, most = min(_LONGEST_WAIT, wait), _MOST_ATTEMPTS
        over = failure.final or attempt >= most
        if over:
            _log.error(GIVEN_UP, notice=row.notice, receiver=row.receiver, reason=failure.reason)
        return NoticeFailed(
            notice=row.notice,
            receiver=row.receiver,
            channel=channel,
            attempt=attempt,
            reason=failure.reason,
            again=0 if over else int((self._now() + wait) * 1e6),
        )

    async def _address(self, receiver: str) -> Address:
        kind, _, name = receiver.partition(":")
        if kind == "house":
            number = int(name) - 1
            if number >= len(self._house):
                raise Undelivered(NO_ADDRESS, final=True)
            return self._house[number]
        commitment: str | None = name
        if kind != "address":
            async with self._ledger.read() as connection:
                commitment = await find_address(connection, receiver)
        # Somebody may give an address while we wait: the attempts go on.
        if commitment is None:
            raise Undelivered(NO_ADDRESS)
        content = await self._content(commitment)
        try:
            return parse_address(content.decode())
        except (Fault, UnicodeDecodeError) as error:
            raise Undelivered("address", final=True) from error

    async def _content(self, commitment: str) -> bytes:
        try:
            content = await self._ledger.content(commitment)
        except Fault as fault:
            if fault is self._ledger.fault:
                raise
            raise Undelivered(fault.code, final=True) from fault
        if isinstance(content, Erased):
            raise Undelivered("erased", final=True)
        return content

    async def _compose(self, row: Row[Any]) -> Message:
        words = msgspec.json.decode(await self._content(row.text), type=Words)
        languages = await self._languages(row.receiver)
        receiver = hashlib.sha256(row.receiver.encode()).hexdigest()[:12]
        return Message(
            id=f"{row.notice}.{receiver}@{self._host}",
            kind=row.kind,
            at=row.asked,
            subject=_said(words.subject, languages, " / "),
            body=_said(words.body, languages, "\n\n"),
            link=self._console + row.link if row.link and self._console else "",
        )

    async def _languages(self, receiver: str) -> tuple[Language, ...]:
        """A person's own; whoever reads the mail of an agency, a client or the house gets both."""
        kind, _, name = receiver.partition(":")
        if kind != "person":
            return ("ja", "en")
        async with self._ledger.read() as connection:
            found = await connection.scalar(select(persons.c.language).where(persons.c.person == name))
        return ("en",) if found == "en" else ("ja",)


def _said(text: Mapping[Language, str], languages: Sequence[Language], between: str) -> str:
    return between.join(dict.fromkeys(text[language] for language in languages))
