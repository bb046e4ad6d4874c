"""`sekisho record`: recordings of interactive sessions, listed, verified, played, written out.

Listing and verifying show nothing of what was on a screen, and need the state folder only. Playing and writing out need
a login and the right to watch, as at the console, and are recorded.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import click
from PIL import Image
from sqlalchemy import select

from sekisho.cli.options import STATE
from sekisho.cli.proof import log_in, proven
from sekisho.evidence.note import NoteSigner
from sekisho.faults import Fault, Language, preferred_language
from sekisho.gate.decide import jst
from sekisho.gate.tickets import require_standing
from sekisho.ledger import Ledger
from sekisho.relay.desktop.imprint import mark_key
from sekisho.relay.desktop.reel import ReelReader
from sekisho.relay.desktop.replay import Entry, blank, draw, read_track
from sekisho.relay.desktop.watching import mark_of
from sekisho.relay.record.facts import DESKTOP
from sekisho.relay.record.faults import NO_RECORDING, NO_TEXT, UNREADABLE
from sekisho.relay.record.frames import Broken
from sekisho.relay.record.reading import (
    Account,
    Finding,
    Place,
    data_key,
    read_account,
    stored_events,
    unknown_files,
    verify_recording,
)
from sekisho.relay.record.tables import recordings
from sekisho.relay.record.viewing import View, open_view
from sekisho.service.published import LogFolder
from sekisho.service.service import DOOR_SECRET, LOG, LOG_KEY, RECORDINGS, open_ledger
from sekisho.service.settings import read_settings
from sekisho.wire.asciicast.cast import CastEncoder, Event, Header

_Value = TypeVar("_Value")
_MOST_LISTED: Final = 200
_LONGEST_PAUSE: Final = 2.0

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "good": {
        "en": "{recording}: {events} events in {segments} segments are what was recorded.",
        "ja": "{recording}: {segments} セグメント、イベント {events} 件は記録のとおりです。",
    },
    "finding": {"en": "{recording}: {sentence}.", "ja": "{recording}: {sentence}。"},
    "written": {
        "en": "{path} holds what was on the screen, unprotected. Delete it when it has served its purpose.",
        "ja": "{path} に画面の内容を保護なしで書き出しました。用が済んだら削除してください。",
    },
}


@click.group()
def record() -> None:
    """Recordings of interactive sessions."""


@record.command("list")
@STATE
@click.option("--person", help="Only of this person.")
@click.option("--ticket", help="Only under this ticket.")
def list_recordings(state: Path, person: str | None, ticket: str | None) -> None:
    """List recordings, the newest first."""

    async def read(ledger: Ledger, _: LogFolder) -> list[str]:
        query = select(recordings).order_by(recordings.c.opened.desc()).limit(_MOST_LISTED)
        if person:
            query = query.where(recordings.c.person == person)
        if ticket:
            query = query.where(recordings.c.ticket == ticket)
        async with ledger.read() as connection:
            return [
                f"{row.recording:20} {row.ending or 'running':10} {row.person:12} {row.ticket:16} {row.kind:10} "
                f"{jst(int(row.opened.timestamp() * 1e6))} {row.milliseconds / 1000:>9,.1f} s {row.length:>12,} bytes"
                for row in await connection.execute(query)
            ]

    for line in _run(state, read):
        click.echo(line)


@record.command()
@click.argument("names", nargs=-1, metavar="[RECORDING]...")
@STATE
def verify(names: tuple[str, ...], state: Path) -> None:
    """Hold recordings (all, when none is named) against the ledger. Exit status 1 when one is damaged."""

    async def check(ledger: Ledger, published: LogFolder) -> bool:
        async with ledger.read() as connection:
            known = list(
                await connection.scalars(select(recordings.c.recording).order_by(recordings.c.opened))
            )
        sound = True
        for name in names or known:
            found = await verify_recording(ledger, state / RECORDINGS, name, confirms=published.confirms)
            for finding in found.findings:
                _tell(finding)
            if found.ok:
                count = len((await read_account(ledger, name)).segments)
                _say("good", recording=name, events=found.events, segments=count)
            sound = sound and found.ok
        if not names:
            for finding in unknown_files(state / RECORDINGS, frozenset(known)):
                _tell(finding)
                sound = False
        return sound

    if not _run(state, check):
        sys.exit(1)


@record.command()
@click.argument("name", metavar="RECORDING")
@proven
@click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(0.1, 1000))
@click.option("--from", "start", default=0.0, type=click.FloatRange(0), help="Seconds from the beginning.")
def play(name: str, state: Path, person: str, password: str, code: str, speed: float, start: float) -> None:
    """Play a recording in this terminal. Pauses are shortened to two seconds."""

    async def show(ledger: Ledger, published: LogFolder) -> None:
        async with _viewing(ledger, published, state, name, person, password, code) as (_, account, events):
            if account.opened.kind == DESKTOP:
                raise Fault(NO_TEXT, recording=name)
            at = 0
            out = sys.stdout.buffer
            for event in events:
                if event.code != "o":
                    continue
                if event.at >= start * 1e6:
                    await asyncio.sleep(min((event.at - at) / 1e6, _LONGEST_PAUSE) / speed)
                at = event.at
                out.write(event.data)
                out.flush()
            out.write(b"\x1b[0m\n")

    _run(state, show)


@record.command()
@click.argument("name", metavar="RECORDING")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@proven
@click.option(
    "--input", "with_input", is_flag=True, help="Also what was typed, passwords at prompts included."
)
def export(
    name: str, path: Path, state: Path, person: str, password: str, code: str, with_input: bool
) -> None:
    """Write a recording to PATH as asciicast v2, for any player."""

    async def write(ledger: Ledger, published: LogFolder) -> None:
        async with _viewing(ledger, published, state, name, person, password, code) as (_, account, events):
            if account.opened.kind == DESKTOP:
                raise Fault(NO_TEXT, recording=name)
            # Only for its owner, and never over another file.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                write_cast(file, account, events, with_input=with_input)

    _run(state, write)
    _say("written", path=path)


@record.command()
@click.argument("name", metavar="RECORDING")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.png")
@proven
@click.option(
    "--at",
    "seconds",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds from the start.",
)
def still(name: str, path: Path, state: Path, person: str, password: str, code: str, seconds: float) -> None:
    """Write what a desktop showed at a time as a picture. It carries the marks of whoever takes it."""

    async def write(ledger: Ledger, published: LogFolder) -> None:
        async with _viewing(ledger, published, state, name, person, password, code) as (
            view,
            account,
            events,
        ):
            key = mark_key((state / DOOR_SECRET).read_bytes())
            picture = await asyncio.to_thread(still_of, events, account, view, seconds, key)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                picture.save(file, "PNG")

    _run(state, write)
    _say("written", path=path)


@record.command()
@click.argument("name", metavar="RECORDING")
@proven
def track(name: str, state: Path, person: str, password: str, code: str) -> None:
    """Print what was typed in a desktop, the titles of its windows, and marks, each with its time in seconds."""

    async def read(ledger: Ledger, published: LogFolder) -> list[Entry]:
        async with _viewing(ledger, published, state, name, person, password, code) as (_, account, events):
            if account.opened.kind != DESKTOP:
                raise Fault(NO_RECORDING, recording=name)
            return list(read_track((Place(0, 0), event) for event in events).entries)

    for entry in _run(state, read):
        click.echo(f"{entry.at / 1e6:10.1f}  {entry.kind:5}  {entry.text}")


def still_of(
    events: Iterator[Event], account: Account, view: View, seconds: float, key: bytes
) -> Image.Image:
    """Raises Fault NO_RECORDING when it is not of a desktop."""
    opened = account.opened
    if opened.kind != DESKTOP:
        raise Fault(NO_RECORDING, recording=opened.recording)
    size = opened.width, opened.height
    reader, screen = ReelReader(*size), blank(size)
    for event in events:
        if event.at > seconds * 1e6 and screen.any():
            break
        if event.code == "o":
            draw(screen, reader.feed(event.data))
    mark = mark_of(view.person, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", view.watched, size, key)
    return Image.fromarray(mark.draw(screen, 0, 0))


def write_cast(file: BinaryIO, account: Account, events: Iterator[Event], *, with_input: bool) -> None:
    opened = account.opened
    encoder = CastEncoder()
    header = Header(
        opened.width, opened.height, int(account.opening.at.timestamp()), f"{opened.recording} {opened.title}"
    )
    file.write(encoder.header(header))
    for event in events:
        if with_input or event.code != "i":
            file.write(encoder.encode(event))
    file.write(encoder.finish())


@asynccontextmanager
async def _viewing(
    ledger: Ledger, published: LogFolder, state: Path, name: str, person: str, password: str, code: str
) -> AsyncIterator[tuple[View, Account, Iterator[Event]]]:
    """Who watches is known, may, and it is recorded; what does not agree with the ledger is named and not shown."""
    await log_in(ledger, person, password, code)
    account = await read_account(ledger, name)
    key = await data_key(ledger, account.opened)
    actor = (await require_standing(ledger, person)).actor
    confirms = published.confirms
    now = datetime.now(UTC)
    view = await open_view(ledger, account, actor, now=now, confirms=confirms, live=False, way="command")
    found = await verify_recording(ledger, state / RECORDINGS, name, confirms=confirms)
    for finding in found.findings:
        _tell(finding)
    try:
        yield view, account, stored_events(state / RECORDINGS, name, key, found.sound)
    except Broken as broken:
        raise Fault(UNREADABLE, recording=name, reason=str(broken)) from broken
    if not found.ok:
        raise Fault(UNREADABLE, recording=name, reason=found.findings[0].sentence(preferred_language()))


def _run(state: Path, act: Callable[[Ledger, LogFolder], Awaitable[_Value]]) -> _Value:
    async def run() -> _Value:
        settings = read_settings(state)
        key = NoteSigner.load(state / LOG_KEY, settings.origin).key
        async with open_ledger(state, settings) as ledger:
            return await act(ledger, LogFolder(ledger, state / LOG, key))

    return asyncio.run(run())


def _tell(finding: Finding) -> None:
    language = preferred_language()
    text = _SAYS["finding"][language]
    click.echo(text.format(recording=finding.recording, sentence=finding.sentence(language)), err=True)


def _say(sentence: str, **values: object) -> None:
    click.echo(_SAYS[sentence][preferred_language()].format(**values))
