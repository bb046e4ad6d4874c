"""`sekisho policy`: what is in force, what is proposed; propose a change, approve somebody else's.

Proposing and approving need a login: two humans, each with password and one-time code. There is no `--by`.
"""

import secrets
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from sqlalchemy import select

from sekisho.cli.faults import BAD_SETTING, NO_PROPOSAL, SAME_POLICY
from sekisho.cli.options import STATE
from sekisho.cli.proof import log_in, proven, with_ledger
from sekisho.faults import Fault, Language, preferred_language
from sekisho.gate.policies import approve_policy, propose_policy, read_policy
from sekisho.gate.policy import Policy
from sekisho.gate.tables import policy_proposals
from sekisho.ledger import Ledger

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "proposed": {
        "en": "Proposal {name} is recorded. Nothing changes until somebody else approves it.",
        "ja": "提案 {name} を記録しました。ほかの人が承認するまで何も変わりません。",
    },
    "approved": {"en": "Proposal {name} is in force.", "ja": "提案 {name} が有効になりました。"},
    "waiting": {
        "en": "proposal {name} by {proposer}: {reason}",
        "ja": "提案 {name} ({proposer}): {reason}",
    },
    "confirm": {"en": "Approve it?", "ja": "承認しますか?"},
}


@click.group()
def policy() -> None:
    """What is in force; propose a change, approve somebody else's."""


@policy.command()
@STATE
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text: the policy in force.")
def show(state: Path, as_json: bool) -> None:
    """Show the policy in force, and the proposals that could still be approved."""

    async def read(ledger: Ledger) -> tuple[Policy, list[tuple[str, str, str, Policy]]]:
        now = await read_policy(ledger)
        return now.policy, await _open_proposals(ledger, now.request)

    now, proposals = with_ledger(state, read)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(now)).decode())
        return
    for name, value in msgspec.to_builtins(now).items():
        click.echo(f"{name:20} {_json(value)}")
    for name, proposer, reason, then in proposals:
        _say("waiting", name=name, proposer=proposer, reason=reason)
        _show_differences(now, then)


@policy.command()
@proven
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=JSON",
    help='Repeatable: --set hours=[8,20] --set rules=["x"].',
)
@click.option("--reason", required=True)
def propose(
    state: Path, person: str, password: str, code: str, changes: tuple[str, ...], reason: str
) -> None:
    """Propose to change settings of the policy in force."""
    name = f"P-{secrets.token_hex(4)}"

    async def act(ledger: Ledger) -> tuple[Policy, Policy]:
        now = (await read_policy(ledger)).policy
        then = _changed(now, changes)  # before the login: a typing mistake must not cost a one-time code
        who = await log_in(ledger, person, password, code)
        await propose_policy(ledger, name, then, by=who.account, reason=reason)
        return now, then

    _show_differences(*with_ledger(state, act))
    _say("proposed", name=name)


@policy.command()
@click.argument("proposal")
@proven
@click.option("--yes", is_flag=True, help="Don't ask again.")
def approve(proposal: str, state: Path, person: str, password: str, code: str, yes: bool) -> None:
    """Approve somebody else's proposal, after a look at what it changes."""

    async def act(ledger: Ledger) -> None:
        now = await read_policy(ledger)
        found = [one for one in await _open_proposals(ledger, now.request) if one[0] == proposal]
        if not found:
            raise Fault(NO_PROPOSAL, proposal=proposal)
        who = await log_in(ledger, person, password, code)
        _show_differences(now.policy, found[0][3])
        if not yes:
            click.confirm(_SAYS["confirm"][preferred_language()], abort=True)
        await approve_policy(ledger, proposal, by=who.account)

    with_ledger(state, act)
    _say("approved", name=proposal)


async def _open_proposals(ledger: Ledger, in_force: str) -> list[tuple[str, str, str, Policy]]:
    """(name, proposer, reason, policy) of what would replace the policy in force."""
    query = (
        select(policy_proposals)
        .where(policy_proposals.c.replaces == in_force, policy_proposals.c.approver == "")
        .order_by(policy_proposals.c.proposed)
    )
    async with ledger.read() as connection:
        rows = (await connection.execute(query)).all()
    return [
        (row.proposal, row.proposer, row.reason, msgspec.json.decode(row.policy, type=Policy)) for row in rows
    ]


def _changed(now: Policy, changes: tuple[str, ...]) -> Policy:
    """Raises Fault BAD_SETTING or SAME_POLICY."""
    values: dict[str, Any] = msgspec.to_builtins(now)
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or name not in values:
            raise Fault(BAD_SETTING, reason=f"{name[:64]} ?")
        try:
            values[name] = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise Fault(BAD_SETTING, reason=f"{name}: {error}") from error
    try:
        then = msgspec.convert(values, Policy)
    except msgspec.ValidationError as error:
        raise Fault(BAD_SETTING, reason=str(error)) from error
    if then == now:
        raise Fault(SAME_POLICY)
    return then


def _show_differences(now: Policy, then: Policy) -> None:
    before, after = msgspec.to_builtins(now), msgspec.to_builtins(then)
    for name, value in after.items():
        if before[name] != value:
            click.echo(f"  {name}: {_json(before[name])} -> {_json(value)}")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _say(sentence: str, **values: object) -> None:
    click.echo(_SAYS[sentence][preferred_language()].format(**values))
