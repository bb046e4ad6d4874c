"""`sekisho notice`: where people, agencies and clients are reached, who was told what, and what did not arrive.

Whoever holds the state folder runs these, and nobody logs in; the former address is told of every change.
"""

from pathlib import Path
from typing import Final

import click
from sqlalchemy import select

from sekisho.cli.options import STATE
from sekisho.cli.proof import with_ledger
from sekisho.faults import Language, preferred_language
from sekisho.ledger import Ledger
from sekisho.notify.addresses import require_receiver
from sekisho.notify.notices import Notice, Notices
from sekisho.notify.tables import addresses, deliveries, notices
from sekisho.people.accounts import require_active

_MACHINE: Final = "sekisho"
_MOST: Final = 100
_BY = click.option(
    "--by",
    default=_MACHINE,
    show_default=True,
    metavar="PERSON",
    help="Who answers for this; nobody logs in.",
)
_SAYS: Final[dict[str, dict[Language, str]]] = {
    "set": {"en": "{receiver} is told there from now on.", "ja": "{receiver} への通知先を登録しました。"},
    "removed": {
        "en": "{receiver} has no address any more.",
        "ja": "{receiver} の通知先を削除しました。",
    },
    "tested": {
        "en": "A test notice for {receiver} is in the outbox; the running checkpoint sends it.",
        "ja": "{receiver} への試験通知を登録しました。稼働中のチェックポイントが送信します。",
    },
    "sent": {"en": "sent", "ja": "送信済み"},
    "waiting": {"en": "waits", "ja": "再送予定"},
    "given_up": {"en": "GIVEN UP", "ja": "送信断念"},
}


@click.group()
def notice() -> None:
    """Where receivers are reached, who was told what, what did not arrive."""


@notice.command()
@click.argument("receiver", metavar="RECEIVER")
@click.argument("address", required=False, default="")
@STATE
@_BY
def address(receiver: str, address: str, state: Path, by: str) -> None:
    """Say where RECEIVER (person:ID, agency:NAME or organisation:ID) is reached; without ADDRESS, take it away.

    ADDRESS is mailto:NAME@HOST, https://HOST/PATH#whsec_SECRET (Standard Webhooks), or an apprise URL."""

    async def act(ledger: Ledger) -> None:
        await _must_answer(ledger, by)
        await Notices(ledger).set_address(receiver, address, by=by)

    with_ledger(state, act)
    _say("set" if address else "removed", receiver=receiver)


@notice.command()
@click.argument("receiver", metavar="RECEIVER")
@STATE
@_BY
def test(receiver: str, state: Path, by: str) -> None:
    """Send RECEIVER a notice that says that it is a test."""

    async def act(ledger: Ledger) -> None:
        await _must_answer(ledger, by)
        async with ledger.read() as connection:
            await require_receiver(connection, receiver)
        said = Notice(
            "test",
            {"ja": "試験通知", "en": "A test notice"},
            {
                "ja": "これは試験通知です。この通知先に届くことを確認できました。",
                "en": "This is a test: notices reach this address.",
            },
            "/notices",
        )
        await Notices(ledger).send(said, to=[receiver], by=by)

    with_ledger(state, act)
    _say("tested", receiver=receiver)


@notice.command("list")
@STATE
def list_(state: Path) -> None:
    """List who has an address, and the last notices with whether they arrived."""

    async def read(ledger: Ledger) -> list[str]:
        query = (
            select(deliveries, notices.c.kind, notices.c.asked)
            .join(notices, notices.c.notice == deliveries.c.notice)
            .order_by(notices.c.asked.desc(), deliveries.c.receiver)
            .limit(_MOST)
        )
        async with ledger.read() as connection:
            book = (await connection.execute(select(addresses).order_by(addresses.c.receiver))).all()
            sent = (await connection.execute(query)).all()
        lines = [f"{row.receiver:40} {row.channel}" for row in book]
        for row in sent:
            state = "sent" if row.sent else "waiting" if row.due is not None else "given_up"
            when = row.asked.strftime("%Y-%m-%d %H:%M UTC")
            lines.append(f"{when}  {row.kind:16} {row.receiver[:40]:40} {_word(state)} {row.reason}".rstrip())
        return lines

    for line in with_ledger(state, read):
        click.echo(line)


async def _must_answer(ledger: Ledger, by: str) -> None:
    if by != _MACHINE:
        async with ledger.read() as connection:
            await require_active(connection, by)


def _word(name: str) -> str:
    return _SAYS[name][preferred_language()]


def _say(sentence: str, **values: object) -> None:
    click.echo(_word(sentence).format(**values))
