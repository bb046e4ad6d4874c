"""What a client organisation does in the register: `sekisho register approve-hop` and `countersign`.

These are the client's own acts: somebody who holds the client's role proves it with password and one-time code.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

import click
from sqlalchemy import select

from sekisho.cli.faults import NO_CERTIFICATE, NO_HOP, NOT_THAT_CLIENT
from sekisho.cli.proof import log_in, proven, with_ledger
from sekisho.faults import Fault, Language, preferred_language
from sekisho.gate.standing import read_standing
from sekisho.ledger import Ledger
from sekisho.people.facts import HeldRole
from sekisho.people.identity import Authenticated
from sekisho.people.roles import Role
from sekisho.register.approval import approve_hop as approve
from sekisho.register.erasure import countersign as sign
from sekisho.register.erasure import read_tasks
from sekisho.register.tables import JST, entrustments

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "hop": {
        "en": "{hop}: {giver} entrusts {receiver} with data of {client}, from {began}.",
        "ja": "{hop}: {client} のデータを {giver} から {receiver} へ委託({began} から)。",
    },
    "erasure": {
        "en": "{dataset}: {party} certifies that it was erased on {on} ({method}).",
        "ja": "{dataset}: {party} が {on} の消去を証明({method})。",
    },
    "confirm_hop": {"en": "Approve this hop?", "ja": "この委託を承認しますか?"},
    "confirm_erasure": {"en": "Countersign it?", "ja": "副署しますか?"},
    "approved": {"en": "The hop {hop} is approved.", "ja": "委託 {hop} を承認しました。"},
    "countersigned": {
        "en": "The erasure of {dataset} by {party} is countersigned.",
        "ja": "{party} による {dataset} の消去に副署しました。",
    },
}
_ORGANISATION = click.option(
    "--organisation", required=True, help="The client organisation for which you act."
)
_YES = click.option("--yes", is_flag=True, help="Don't ask again.")


@click.command("approve-hop")
@click.argument("hop")
@proven
@_ORGANISATION
@_YES
def approve_hop(
    hop: str, state: Path, person: str, password: str, code: str, organisation: str, yes: bool
) -> None:
    """Approve, for the client, that its data is entrusted onward: the hop as it stands now."""

    async def act(ledger: Ledger) -> None:
        async with ledger.read() as connection:
            query = select(entrustments).where(entrustments.c.hop == hop)
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise Fault(NO_HOP, hop=hop[:64])
        who = await _client(ledger, person, password, code, organisation)
        _say(
            "hop", hop=hop, giver=row.giver, receiver=row.receiver, client=row.client, began=row.began or "-"
        )
        _confirm("confirm_hop", yes=yes)
        await approve(ledger, hop, entrustment=row.leaf_hash, by=who.person, organisation=organisation)

    with_ledger(state, act)
    _say("approved", hop=hop)


@click.command()
@click.argument("dataset")
@proven
@_ORGANISATION
@click.option("--party", required=True, help="Who certified that it erased the data.")
@_YES
def countersign(
    dataset: str, state: Path, person: str, password: str, code: str, organisation: str, party: str, yes: bool
) -> None:
    """Accept, for the client, a certificate of erasure."""

    async def act(ledger: Ledger) -> None:
        today = datetime.now(JST).date()
        async with ledger.read() as connection:
            tasks = await read_tasks(connection, today)
        found = [one for one in tasks if (one.asked.dataset, one.asked.party) == (dataset, party)]
        certificate = found[0].certificate if found else None
        if certificate is None:
            raise Fault(NO_CERTIFICATE, dataset=dataset[:64], party=party[:64])
        who = await _client(ledger, person, password, code, organisation)
        _say("erasure", dataset=dataset, party=party, on=certificate.on, method=certificate.method)
        _confirm("confirm_erasure", yes=yes)
        await sign(
            ledger,
            dataset,
            party=party,
            certified=certificate.leaf_hash,
            by=who.person,
            organisation=organisation,
            on=today,
        )

    with_ledger(state, act)
    _say("countersigned", dataset=dataset, party=party)


async def _client(ledger: Ledger, person: str, password: str, code: str, organisation: str) -> Authenticated:
    """Somebody of the client who has logged in. Raises Fault LOGIN_REFUSED or NOT_THAT_CLIENT."""
    who = await log_in(ledger, person, password, code)
    standing = await read_standing(ledger, who.account)
    if standing is None or HeldRole(Role.CLIENT, organisation) not in standing.actor.held:
        raise Fault(NOT_THAT_CLIENT, person=who.person, organisation=organisation[:64])
    return who


def _confirm(question: str, *, yes: bool) -> None:
    if not yes:
        click.confirm(_SAYS[question][preferred_language()], abort=True)


def _say(sentence: str, **values: object) -> None:
    click.echo(_SAYS[sentence][preferred_language()].format(**values))
