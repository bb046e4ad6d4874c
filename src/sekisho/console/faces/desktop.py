"""The desktop of a ticket's workspace in the browser: pixels, keys and a pointer, and nothing else.

Like a terminal it is opened through the relay's own door (`relay.browser`), by a page that was given a pass.
"""

import re
from typing import Annotated, Final

from fastapi import Depends, WebSocket
from pydantic import BaseModel

from sekisho.console import faults
from sekisho.console.access import Needs, Page, require
from sekisho.console.faces.terminal import SocketLeave, door_of, mine
from sekisho.console.house import House
from sekisho.console.lines import Organisation, read_names
from sekisho.console.pages import STATIC, Face
from sekisho.console.sockets import SocketTerminal, Visit, admit, give_pass, refuse
from sekisho.console.viewer import ActorDep, HouseDep, Viewer, peer_of
from sekisho.faults import Fault
from sekisho.gate.decide import DESKTOP, WORKSPACE
from sekisho.relay.desktop.screen import HEIGHT, WIDTH

face: Final = Face("tickets")
_Viewer = Annotated[Viewer, Depends(Needs("tickets", Page.WORK))]


def _modules(first: str) -> list[str]:
    """The addresses of a module and of all that it imports: a browser told of them at once asks for them at once."""
    found: list[str] = []
    left = [STATIC / first]
    while left:
        path = left.pop(0)
        address = f"/static/{path.relative_to(STATIC)}"
        if address not in found and path.is_file():
            found.append(address)
            left += [
                (path.parent / name).resolve() for name in _IMPORTS.findall(path.read_text(encoding="utf-8"))
            ]
    return found


_IMPORTS: Final = re.compile(r"""^(?:import|\} from|export)[^'"\n]*['"](\.[^'"]+)['"]""", re.MULTILINE)
MODULES: Final = _modules("vendor/novnc/core/rfb.js")


class DesktopView(BaseModel):
    """Whose workspace a desktop under this ticket would be opened in, and the scripts that show it."""

    ticket: str
    organisation: Organisation
    target: str
    purpose: str
    modules: list[str]


async def read_desktop(house: HouseDep, viewer: _Viewer, ticket: str) -> DesktopView:
    """The page of a desktop; nothing is open yet."""
    asked = await mine(house, viewer, ticket)
    door_of(asked, WORKSPACE)
    async with house.ledger.read() as connection:
        names = await read_names(connection, (), {asked.organisation})
    return DesktopView(
        ticket=ticket,
        organisation=names.organisation(asked.organisation),
        target=asked.target,
        purpose=asked.purpose,
        modules=["/static/channel.js", *MODULES],
    )


face.part("/desktop/{ticket}", "desktop.html", read_desktop)


@face.pages.post("/desktop/{ticket}/pass")
async def ask_for_pass(house: HouseDep, viewer: ActorDep, ticket: str) -> SocketLeave:
    """Leave for one connection. Whether the ticket opens anything is decided when it is used."""
    require(Page.WORK, viewer)
    door_of(await mine(house, viewer, ticket), WORKSPACE)
    return SocketLeave(socket_pass=give_pass(house, viewer, f"desktop {ticket}"))


@face.pages.websocket("/desktop/{ticket}/socket")
async def desktop_socket(socket: WebSocket, house: HouseDep, ticket: str) -> None:
    visit = await admit(socket, house, f"desktop {ticket}")
    if visit is None:
        return
    try:
        require(Page.WORK, visit.viewer)
        door_of(await mine(house, visit.viewer, ticket), WORKSPACE)
    except Fault as fault:
        await refuse(socket, visit.viewer, fault)
        return
    terminal = SocketTerminal(socket, visit.viewer)
    await terminal.run(_serve(house, visit, ticket, terminal, peer_of(socket)))


async def _serve(house: House, visit: Visit, ticket: str, terminal: SocketTerminal, peer: str) -> None:
    """Raises Fault when nothing was opened."""
    if visit.viewer.who is None:
        raise Fault(faults.NOT_LOGGED_IN)
    reason = await house.browser.serve(
        visit.viewer.who,
        terminal,
        ticket=ticket,
        door=DESKTOP,
        width=WIDTH,
        height=HEIGHT,
        peer=peer,
        tls="console",
    )
    terminal.tell(ended=reason)
