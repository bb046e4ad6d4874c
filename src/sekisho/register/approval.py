"""The client's approval of a hop behind the first: an act of the client over the hop as it stands."""

from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.register import faults
from sekisho.register.facts import HopApproved
from sekisho.register.records import read_parties
from sekisho.register.tables import entrustments


async def approve_hop(ledger: Ledger, hop: str, *, entrustment: str, by: str, organisation: str) -> Recorded:
    """Approve the hop whose fact has the leaf hash `entrustment`, which is what was shown to the client.

    The caller has checked that `by` belongs to `organisation`. Raises Fault UNKNOWN_HOP when the hop has changed
    since, or NOT_THE_CLIENT.
    """
    async with ledger.read() as connection:
        row = (await connection.execute(select(entrustments).where(entrustments.c.hop == hop))).one_or_none()
        if row is None or row.leaf_hash != entrustment:
            raise Fault(faults.UNKNOWN_HOP, hop=hop)
        await must_act_for(connection, row.client, organisation)
    fact = HopApproved(hop=hop, entrustment=entrustment, organisation=organisation)
    return await ledger.record(fact, by=by, about=hop)


async def must_act_for(connection: Connection, client: str, organisation: str) -> None:
    """Raises Fault NOT_THE_CLIENT unless the organisation is the client, or a federation that acts for it."""
    parties = await read_parties(connection, client)
    if organisation not in parties.acting_for(client):
        raise Fault(faults.NOT_THE_CLIENT, organisation=organisation, client=parties.name(client))
