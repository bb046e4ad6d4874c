"""`sekisho break-glass`: emergency access at once, its review by two others, and how each stands.

Opening and reviewing need a login (password and one-time code): each names who did it. Listing needs the state folder.
"""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from sekisho.cli.options import STATE
from sekisho.cli.proof import log_in, proven, with_ledger
from sekisho.cli.ticket import limits_of
from sekisho.faults import Language, preferred_language
from sekisho.gate.break_glass import break_glass as open_emergency
from sekisho.gate.break_glass import break_glass_standing, review_break_glass
from sekisho.gate.decide import jst
from sekisho.gate.facts import BreakGlassOpened, TicketRequested
from sekisho.ledger import Ledger, Recorded

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "opened": {
        "en": "EMERGENCY ACCESS {ticket} is open until {until} (fact {seq}). The alarm was raised, the client sees it, "
        "and two others must review it by {review}. Log in with `sekisho login --ticket {ticket}`.",
        "ja": "緊急アクセス {ticket} を {until} まで開きました (事実 {seq})。警報が発せられ、委託元にも表示されます。"
        "{review} までにほかの2人が確認します。`sekisho login --ticket {ticket}` でログインしてください。",
    },
    "reviewed": {
        "en": "Your finding on {ticket} is recorded.",
        "ja": "{ticket} の確認結果を記録しました。",
    },
    "none": {"en": "No emergency access yet.", "ja": "緊急アクセスはまだありません。"},
}


@click.group("break-glass")
def break_glass() -> None:
    """Emergency access: open it at once, review it, see how each stands."""


@break_glass.command("open")
@proven
@click.option("--organisation", required=True, help="The client organisation.")
@click.option("--dataset", required=True)
@click.option("--target", required=True)
@click.option("--door", default="postgres", show_default=True)
@click.option("--reason", required=True, help="Why it cannot wait. Others read it, the client too.")
@click.option("--minutes", default=30, show_default=True, type=click.IntRange(1, 24 * 60))
@click.option("--persons", default=10, show_default=True, type=click.IntRange(1))
def open_(
    state: Path, person: str, password: str, code: str, organisation: str, dataset: str, target: str, door: str,
    reason: str, minutes: int, persons: int,
) -> None:  # fmt: skip
    """Open an emergency access now, without approval: small, loud, and reviewed."""
    told: list[BreakGlassOpened] = []

    async def alarm(opened: BreakGlassOpened, recorded: Recorded) -> None:
        # The running checkpoint hears of the fact by itself, and tells those who must be told.
        told.append(opened)

    async def act(ledger: Ledger) -> Recorded:
        who = await log_in(ledger, person, password, code)
        now = datetime.now(UTC)
        asked = TicketRequested(
            ticket=f"E-{secrets.token_hex(4)}",
            person=who.account,
            organisation=organisation,
            dataset=dataset,
            target=target,
            door=door,
            purpose=reason,
            opens=int(now.timestamp() * 1e6),
            closes=int((now + timedelta(minutes=minutes)).timestamp() * 1e6),
            limits=limits_of(persons, 10 * persons, 10 * persons),
        )
        return await open_emergency(ledger, asked, alarm)

    recorded = with_ledger(state, act)
    [opened] = told
    until, review = jst(opened.asked.closes), jst(opened.review_by)
    _say("opened", ticket=opened.asked.ticket, until=until, review=review, seq=recorded.seq)


@break_glass.command()
@click.argument("ticket")
@proven
@click.option("--justified/--unjustified", required=True, help="What you found.")
@click.option("--note", required=True, help="What you looked at.")
def review(
    ticket: str, state: Path, person: str, password: str, code: str, justified: bool, note: str
) -> None:
    """Record what you found about somebody else's emergency access."""

    async def act(ledger: Ledger) -> None:
        who = await log_in(ledger, person, password, code)
        await review_break_glass(ledger, ticket, by=who.account, justified=justified, note=note)

    with_ledger(state, act)
    _say("reviewed", ticket=ticket)


@break_glass.command("list")
@STATE
def list_(state: Path) -> None:
    """List emergency accesses, the newest first, and how their review stands."""

    async def read(ledger: Ledger) -> list[str]:
        async with ledger.read() as connection:
            found = await break_glass_standing(connection, int(datetime.now(UTC).timestamp() * 1e6))
        return [
            f"{one.ticket:16} {one.review.upper() if one.red else one.review:12} {one.person:12} {one.dataset:24} "
            f"{jst(one.opened)}  {', '.join(one.reviewers) or '-'}"
            for one in found
        ]

    lines = with_ledger(state, read)
    for line in lines:
        click.echo(line)
    if not lines:
        _say("none")


def _say(sentence: str, **values: object) -> None:
    click.echo(_SAYS[sentence][preferred_language()].format(**values))
