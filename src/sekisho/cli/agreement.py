"""The second person for changes of the register: `sekisho register waits` and `agree`.

Whoever agrees proves it with password and one-time code; `--by` could name anybody.
"""

from pathlib import Path
from typing import Final

import click

from sekisho.cli.faults import NOT_AN_EDITOR
from sekisho.cli.options import STATE
from sekisho.cli.proof import log_in, proven, with_ledger
from sekisho.faults import Fault, Language, preferred_language
from sekisho.gate.standing import read_standing
from sekisho.ledger import Ledger
from sekisho.people.roles import Role
from sekisho.register.changes import Waiting, waiting
from sekisho.register.changes import agree as agree_to
from sekisho.register.faults import NO_SUCH_PROPOSAL

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "change": {
        "en": "{proposal}\n  {about}, proposed by {proposer} at {proposed:%Y-%m-%d %H:%M %Z}: {reason}",
        "ja": "{proposal}\n  {about}、{proposer} が提案({proposed:%Y-%m-%d %H:%M %Z}): {reason}",
    },
    "nothing": {"en": "Nothing waits for a second person.", "ja": "二人目の同意を待つ変更はありません。"},
    "confirm": {"en": "Agree to it?", "ja": "同意しますか?"},
    "agreed": {"en": "Agreed: {about}.", "ja": "同意しました: {about}。"},
}
_MOST: Final = 200


@click.command()
@STATE
def waits(state: Path) -> None:
    """What waits for a second person: changes of targets, catalogues, hops and contracts."""
    found = with_ledger(state, _waiting)
    for one in found:
        _show(one)
    if not found:
        _say("nothing")


@click.command()
@click.argument("proposal")
@proven
@click.option("--yes", is_flag=True, help="Don't ask again.")
def agree(proposal: str, state: Path, person: str, password: str, code: str, yes: bool) -> None:
    """Be the second person for a change of the register: an administrator or privacy officer who did not propose it."""

    async def act(ledger: Ledger) -> str:
        who = await log_in(ledger, person, password, code)
        standing = await read_standing(ledger, who.account)
        roles = {held.role for held in standing.actor.held} if standing else set()
        if not roles & {Role.ADMINISTRATOR, Role.PRIVACY_OFFICER}:
            raise Fault(NOT_AN_EDITOR, person=who.person)
        found = [one for one in await _waiting(ledger) if one.proposal == proposal]
        if not found:
            raise Fault(NO_SUCH_PROPOSAL, proposal=proposal[:64])
        _show(found[0])
        if not yes:
            click.confirm(_SAYS["confirm"][preferred_language()], abort=True)
        await agree_to(ledger, proposal, by=who.person)
        return found[0].about

    _say("agreed", about=with_ledger(state, act))


async def _waiting(ledger: Ledger) -> list[Waiting]:
    return await waiting(ledger, _MOST)


def _show(one: Waiting) -> None:
    _say(
        "change",
        proposal=one.proposal,
        about=one.about,
        proposer=one.proposer,
        proposed=one.proposed,
        reason=one.reason or "–",
    )
    for line in one.opens:
        click.echo(f"    {line}")


def _say(sentence: str, **values: object) -> None:
    click.echo(_SAYS[sentence][preferred_language()].format(**values))
