"""A terminal in the browser, of what one of my tickets opens: a shell on a target, or in the ticket's workspace.

It is the relay's own door (`relay.browser`): the same decision, meter, filter and recording as everywhere else.
"""

from typing import Annotated, Final

from fastapi import Depends, Query, WebSocket
from pydantic import BaseModel

from sekisho.console import faults
from sekisho.console.access import Needs, Page, require
from sekisho.console.house import House
from sekisho.console.lines import Organisation, read_names
from sekisho.console.pages import Face
from sekisho.console.sockets import SocketTerminal, Visit, admit, give_pass, refuse
from sekisho.console.viewer import ActorDep, HouseDep, Viewer, peer_of
from sekisho.faults import Fault
from sekisho.gate.decide import WORKSPACE
from sekisho.gate.facts import TicketRequested
from sekisho.gate.tickets import read_ticket

face: Final = Face("tickets")
_Viewer = Annotated[Viewer, Depends(Needs("tickets", Page.WORK))]


TERMINALS: Final = ("ssh", WORKSPACE)  # the doors behind which there is a terminal


class TerminalView(BaseModel):
    """What a terminal under this ticket would be opened into."""

    ticket: str
    organisation: Organisation
    target: str
    door: str
    purpose: str


class SocketLeave(BaseModel):
    """Good for one WebSocket, for half a minute. `socket_pass` goes into its first message."""

    socket_pass: str


async def mine(house: House, viewer: Viewer, ticket: str) -> TicketRequested:
    """A ticket of the viewer. Raises Fault NOT_FOUND, also for somebody else's ticket."""
    found = await read_ticket(house.ledger, None, ticket)
    if found is None or found.requested.person != viewer.account:
        raise Fault(faults.NOT_FOUND, what=ticket[:64])
    return found.requested


def door_of(asked: TicketRequested, wanted: str) -> str:
    """The door of a terminal under this ticket: a ticket with a bulk allowance also has a workspace. Raises Fault."""
    doors = [door for door in (asked.door, WORKSPACE if asked.bulk else "") if door in TERMINALS]
    if not doors or wanted not in ("", *doors):
        raise Fault(faults.NOT_FOUND, what=wanted or asked.ticket)
    return wanted or doors[0]


async def read_terminal(
    house: HouseDep, viewer: _Viewer, ticket: str, door: Annotated[str, Query(max_length=32)] = ""
) -> TerminalView:
    """The page of a terminal; nothing is open yet."""
    asked = await mine(house, viewer, ticket)
    async with house.ledger.read() as connection:
        names = await read_names(connection, (), {asked.organisation})
    return TerminalView(
        ticket=ticket,
        organisation=names.organisation(asked.organisation),
        target=asked.target,
        door=door_of(asked, door),
        purpose=asked.purpose,
    )


face.part("/terminal/{ticket}", "terminal.html", read_terminal)


@face.pages.post("/terminal/{ticket}/pass")
async def ask_for_pass(
    house: HouseDep, viewer: ActorDep, ticket: str, door: Annotated[str, Query(max_length=32)]
) -> SocketLeave:
    """Leave for one terminal. Whether the ticket opens anything is decided when it is used."""
    require(Page.WORK, viewer)
    door_of(await mine(house, viewer, ticket), door)
    return SocketLeave(socket_pass=give_pass(house, viewer, f"terminal {ticket} {door}"))


@face.pages.websocket("/terminal/{ticket}/socket")
async def terminal_socket(
    socket: WebSocket, house: HouseDep, ticket: str, door: Annotated[str, Query(max_length=32)]
) -> None:
    visit = await admit(socket, house, f"terminal {ticket} {door}")
    if visit is None:
        return
    try:
        require(Page.WORK, visit.viewer)
        asked = await mine(house, visit.viewer, ticket)
        door_of(asked, door)
    except Fault as fault:
        await refuse(socket, visit.viewer, fault)
        return
    terminal = SocketTerminal(socket, visit.viewer)
    await terminal.run(_serve(house, visit, asked, door, terminal, peer_of(socket)))


async def _serve(
    house: House, visit: Visit, asked: TicketRequested, door: str, terminal: SocketTerminal, peer: str
) -> None:
    """Raises Fault when nothing was opened."""
    if visit.viewer.who is None:
        raise Fault(faults.NOT_LOGGED_IN)
    reason = await house.browser.serve(
        visit.viewer.who,
        terminal,
        ticket=asked.ticket,
        door=door,
        width=visit.width,
        height=visit.height,
        peer=peer,
        tls="console",
    )
    terminal.tell(ended=reason)
