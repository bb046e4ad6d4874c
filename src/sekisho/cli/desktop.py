"""`sekisho desktop`: whose screen a photograph or a screenshot shows."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from PIL import Image
from sqlalchemy import select

from sekisho.cli.options import STATE
from sekisho.faults import Language, preferred_language
from sekisho.gate.decide import jst
from sekisho.relay.desktop.imprint import mark_key
from sekisho.relay.desktop.screen import HEIGHT, WIDTH
from sekisho.relay.desktop.sighting import Corners, find
from sekisho.relay.desktop.watching import view_name
from sekisho.relay.record.facts import DESKTOP, Watched
from sekisho.relay.record.tables import recordings
from sekisho.service.service import DOOR_SECRET, open_ledger
from sekisho.service.settings import read_settings

_PAGE: Final = 2_000
_SAYS: Final[dict[str, dict[Language, str]]] = {
    "session": {
        "en": "It shows the desktop of session {name}: {person}, ticket {ticket}, recording {recording}, "
        "opened {opened}.",
        "ja": "セッション {name} のデスクトップです: {person}、チケット {ticket}、録画 {recording}、開始 {opened}。",
    },
    "view": {
        "en": "It shows the recording {recording} as {person} watched it on {opened} ({name}).",
        "ja": "録画 {recording} を {person} が {opened} に閲覧した画面です ({name})。",
    },
    "sure": {
        "en": "That another picture would be taken for it, among {tried:,} that were tried: at most 1 in {odds:.0e}. "
        "Strength {strength:.1f}, the next one {next:.1f}; {covered:.0%} of the screen is seen.",
        "ja": "照合した {tried:,} 件の中で別の画面を誤認する確率は、最大でも 1/{odds:.0e} です。"
        "強さ {strength:.1f} (次点 {next:.1f})、画面の {covered:.0%} が写っています。",
    },
    "ours": {
        "en": "There is a mark of this checkpoint in it, too weak to name one of {tried:,}. Try --corners, or a "
        "better picture.",
        "ja": "この関所の印はありますが、弱すぎて {tried:,} 件のどれとも言えません。"
        "--corners を試すか、鮮明な画像を使ってください。",
    },
    "nothing": {
        "en": "No mark of this checkpoint was found. That does not say that it is not from here: read the visible one, "
        "and try --corners.",
        "ja": "この関所の印は見つかりません。ここの画面でないとは言えません。"
        "目に見える印を読むか、--corners を試してください。",
    },
}


@dataclass(frozen=True, slots=True)
class _Known:
    kind: str
    person: str
    ticket: str
    recording: str
    opened: str


@click.group()
def desktop() -> None:
    """Desktops in the browser."""


def _read_corners(_: click.Context, __: click.Parameter, said: str | None) -> Corners | None:
    if said is None:
        return None
    try:
        places = [tuple(float(part) for part in corner.split(",")) for corner in said.split()]
    except ValueError as error:
        raise click.BadParameter("four times x,y") from error
    if len(places) != 4 or any(len(place) != 2 for place in places):
        raise click.BadParameter("four times x,y")
    return [(place[0], place[1]) for place in places]


@desktop.command("read-mark")
@click.argument("picture", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@STATE
@click.option(
    "--corners",
    callback=_read_corners,
    metavar='"X,Y X,Y X,Y X,Y"',
    help="The screen's corners in the picture: upper left, upper right, lower right, lower left.",
)
def read_mark(picture: Path, state: Path, corners: Corners | None) -> None:
    """Name the session, or the watcher, whose screen PICTURE shows. Exit status 1 when none is certain."""
    known = asyncio.run(_known(state))
    key = mark_key((state / DOOR_SECRET).read_bytes())
    with Image.open(picture) as image:
        found = find(image, key, known, (WIDTH, HEIGHT), corners)
    language = preferred_language()
    if found.session is None:
        click.echo(_SAYS["ours" if found.shared > 8 else "nothing"][language].format(tried=len(known)))
        sys.exit(1)
    one = known[found.session]
    click.echo(
        _SAYS[one.kind][language].format(
            name=found.session,
            person=one.person,
            ticket=one.ticket,
            recording=one.recording,
            opened=one.opened,
        )
    )
    click.echo(
        _SAYS["sure"][language].format(
            tried=len(known),
            odds=1 / found.chance,
            strength=found.strength,
            next=found.runner_up,
            covered=found.covered,
        )
    )


async def _known(state: Path) -> dict[str, _Known]:
    """What a mark can name: each desktop's session, and each view of its recording."""
    known: dict[str, _Known] = {}
    async with open_ledger(state, read_settings(state)) as ledger:
        async with ledger.read() as connection:
            rows = list(await connection.execute(select(recordings).where(recordings.c.kind == DESKTOP)))
        tickets = {row.recording: row.ticket for row in rows}
        for row in rows:
            opened = jst(int(row.opened.timestamp() * 1e6))
            known[row.session] = _Known("session", row.person, row.ticket, row.recording, opened)
        start = 0
        while page := await ledger.facts(start, _PAGE, names=["record.watched"]):
            for recorded in page:
                fact = recorded.typed()
                if isinstance(fact, Watched) and fact.recording in tickets:
                    opened = jst(int(recorded.at.timestamp() * 1e6))
                    known[view_name(recorded.seq)] = _Known(
                        "view", fact.person, tickets[fact.recording], fact.recording, opened
                    )
            start = page[-1].seq + 1
    return known
