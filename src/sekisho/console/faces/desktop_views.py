"""A desktop watched: the replay of its recording, over a socket, and the live view (`recordings`).

The checkpoint plays; the page shows pixels and says play, pause, where and how fast. So no recording is in a browser,
only the picture of the moment, with the watcher's own marks in it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Annotated, Final

import msgspec
from fastapi import WebSocket

from sekisho.console import faults
from sekisho.console.access import Page, require
from sekisho.console.faces import recordings
from sekisho.console.faces.terminal import SocketLeave
from sekisho.console.house import House
from sekisho.console.pages import Face
from sekisho.console.sockets import SocketTerminal, admit, give_pass, refuse
from sekisho.console.viewer import ActorDep, HouseDep
from sekisho.faults import Fault
from sekisho.relay.desktop.replay import Entry, Replay
from sekisho.relay.desktop.session import TITLE
from sekisho.relay.desktop.shown import Shown, hear, tell_on
from sekisho.relay.desktop.watching import Player, follow, shown_to
from sekisho.relay.record.facts import DESKTOP
from sekisho.relay.record.faults import NO_RECORDING, UNREADABLE
from sekisho.relay.record.frames import Broken
from sekisho.relay.record.reading import Account, data_key, verify_recording
from sekisho.relay.record.recordings import Recording
from sekisho.relay.record.viewing import View
from sekisho.wire.asciicast.cast import Event

face: Final = Face("sessions")
_TOLD_SECONDS: Final = 0.2  # between two times that a page is told where a replay is


class _Said(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a page says to a replay."""

    play: bool | None = None
    seek: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    speed: Annotated[float, msgspec.Meta(ge=0.1, le=64)] | None = None


@face.pages.post("/recordings/{recording}/replay/pass")
async def ask_for_pass(house: HouseDep, viewer: ActorDep, recording: str) -> SocketLeave:
    """Leave for one replay. Whether it may be watched is decided when it is used."""
    require(Page.RECORDINGS, viewer)
    await recordings.find_recording(house, viewer, recording)
    return SocketLeave(socket_pass=give_pass(house, viewer, f"replay {recording}"))


@face.pages.websocket("/recordings/{recording}/replay")
async def replay_socket(socket: WebSocket, house: HouseDep, recording: str) -> None:
    visit = await admit(socket, house, f"replay {recording}")
    if visit is None:
        return
    viewer = visit.viewer
    try:
        require(Page.RECORDINGS, viewer)
        _, account = await recordings.find_recording(house, viewer, recording)
        if account.opened.kind != DESKTOP or house.recordings.find(recording) is not None:
            raise Fault(NO_RECORDING, recording=recording)
        key = await data_key(house.ledger, account.opened)
        view = await recordings.view_of(house, viewer, account, live=False)
    except Fault as fault:
        await refuse(socket, viewer, fault)
        return
    terminal = SocketTerminal(socket, viewer)
    still = partial(recordings.still_open, socket, house)
    await terminal.run(_replay(house, account, key, view, terminal, still))


async def _replay(
    house: House,
    account: Account,
    key: bytes,
    view: View,
    terminal: SocketTerminal,
    still: Callable[[], Awaitable[bool]],
) -> None:
    """Play what is as it was recorded, until the page, or the right to watch, is gone. Raises Fault."""
    opened = account.opened
    size = opened.width, opened.height
    found = await verify_recording(
        house.ledger, house.recordings.folder, opened.recording, confirms=house.confirms
    )
    try:
        replay = await asyncio.to_thread(
            Replay, house.recordings.folder, opened.recording, key, found.sound, size
        )
        alerts = [
            Entry(one.at, "mark", one.data.decode("utf-8", "replace"))
            for one in await recordings.alerts_of(house, account)
        ]
        entries = sorted([*replay.track.entries, *alerts], key=lambda one: one.at)
        terminal.tell(
            width=opened.width,
            height=opened.height,
            end=replay.track.end / 1e6,
            track=[(one.at / 1e6, one.kind, one.text) for one in entries],
        )
        shown = _shown(house, view, size)
        player = Player(replay, shown, _telling(terminal))
        terminal.when_said(partial(_obey, player))
        await _until_over(house, view, terminal, still, shown, player.run())
    except Broken as broken:  # it changed since it was verified
        raise Fault(UNREADABLE, recording=opened.recording, reason=str(broken)) from broken


def _obey(player: Player, said: bytes) -> None:
    """Raises DecodeError."""
    order = msgspec.json.decode(said, type=_Said)
    if order.speed is not None:
        player.speed(order.speed)
    if order.seek is not None:
        player.seek(order.seek)
    if order.play is not None:
        player.play(order.play)


def _telling(terminal: SocketTerminal) -> Callable[[float, bool], None]:
    last = [0.0, False]

    def tell(at: float, playing: bool) -> None:
        now = asyncio.get_running_loop().time()
        if playing and last[1] and now - last[0] < _TOLD_SECONDS:
            return
        last[:] = now, playing
        terminal.tell(at=round(at, 3), playing=playing)

    return tell


def _shown(house: House, view: View, size: tuple[int, int]) -> Shown:
    return shown_to(
        view.person, f"{house.now():%Y-%m-%d %H:%M} UTC", view.watched, size, house.browser.mark_key
    )


@face.pages.websocket("/recordings/{recording}/look")
async def live_desktop_socket(socket: WebSocket, house: HouseDep, recording: str) -> None:
    """A running session; the pass is that of any live view."""
    visit = await admit(socket, house, f"live {recording}")
    if visit is None:
        return
    viewer = visit.viewer
    try:
        require(Page.RECORDINGS, viewer)
        _, account = await recordings.find_recording(house, viewer, recording)
        running = house.recordings.find(recording)
        if running is None or account.opened.kind != DESKTOP:
            raise Fault(faults.NOT_LIVE, session=account.opened.session)
        view = await recordings.view_of(house, viewer, account, live=True)
    except Fault as fault:
        await refuse(socket, viewer, fault)
        return
    terminal = SocketTerminal(socket, viewer)
    still = partial(recordings.still_open, socket, house)
    await terminal.run(_follow(house, running, view, terminal, still))


async def _follow(
    house: House,
    running: Recording,
    view: View,
    terminal: SocketTerminal,
    still: Callable[[], Awaitable[bool]],
) -> None:
    """Until the session, the right to watch, or the view itself ends. Raises Fault."""
    size = running.width, running.height
    shown = _shown(house, view, size)
    terminal.tell(width=size[0], height=size[1])
    with running.watch() as watcher:
        terminal.when_closed(lambda: watcher.end(None))

        async def events() -> AsyncIterator[Event]:
            async for event in watcher:
                if event.code == "m":
                    terminal.tell(mark=event.data.decode("utf-8", "replace").removeprefix(TITLE))
                yield event
            terminal.tell(ended="session")

        await _until_over(house, view, terminal, still, shown, follow(shown, size, events()))


async def _until_over(
    house: House,
    view: View,
    terminal: SocketTerminal,
    still: Callable[[], Awaitable[bool]],
    shown: Shown,
    showing: Coroutine[None, None, None],
) -> None:
    """Until the page is gone, there is no more to show, or nobody may watch any more. Raises Fault, Broken."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except (Fault, Broken) as fault:
            if not over.done():
                over.set_exception(fault)
        if not over.done():
            over.set_result(None)

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(run(one)) for one in (hear(shown, terminal), tell_on(shown, terminal), showing)
        ]
        while view.until is None or house.now() < view.until:
            await asyncio.wait([over], timeout=recordings.LOOK_AGAIN_SECONDS)
            if over.done() or not await still():
                break
        for task in tasks:
            task.cancel()
    if over.done():
        over.result()
    else:
        terminal.tell(ended="right")
