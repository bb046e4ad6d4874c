"""What the watch hears beside this checkpoint's own facts, which rules are in force, and where its events go."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends
from pydantic import BaseModel
from sqlalchemy import func, select

from sekisho.console.access import Needs, Page
from sekisho.console.pages import Face
from sekisho.console.viewer import HouseDep, Viewer
from sekisho.ledger import Connection
from sekisho.ledger.tables import FACTS
from sekisho.watch.export.ocsf import EXPORTED
from sekisho.watch.ingest.sources import read_deliveries
from sekisho.watch.sigma.telling import read_rules

face: Final = Face("log")
_Viewer = Annotated[Viewer, Depends(Needs("log", Page.FEEDS))]


class SourceLine(BaseModel):
    """A log source. `words` are Sigma's for what it logs; `unread` rows only rules look at; `missing` counts numbers
    that it left out."""

    source: str
    kind: str
    words: str
    received: datetime | None
    rows: int
    unread: int
    missing: int
    ended: bool


class RuleMistakeLine(BaseModel):
    """Why a rule is not in force."""

    path: str
    line: int
    reason: str


class RulesLine(BaseModel):
    """The Sigma rules in force since `read`; `mistakes` are the first of those that are `refused`."""

    read: datetime
    rules: int
    refused: int
    mistakes: list[RuleMistakeLine]


class ExportLine(BaseModel):
    """A receiver of our events, as this process sees it since its start. `behind` counts facts that wait for it;
    `failing` is why the last try failed, or ""."""

    name: str
    receiver: str
    at: datetime | None
    sent: int
    behind: int
    refused: int
    failing: str


class FeedsView(BaseModel):
    """`rules` is null until the watch has read its rules."""

    sources: list[SourceLine]
    rules: RulesLine | None
    exports: list[ExportLine]


async def _behind(connection: Connection, start: int) -> int:
    query = select(func.count()).where(FACTS.c.seq >= start, FACTS.c.fact.in_(EXPORTED))
    return int(await connection.scalar(query) or 0)


@face.shows("/feeds", "feeds.html")
async def read_feeds(house: HouseDep, viewer: _Viewer) -> FeedsView:
    """Sources, rules and receivers. Nothing of it is about a person."""
    async with house.ledger.read() as connection:
        sources = await read_deliveries(connection)
        rules = await read_rules(connection)
        behind = {
            one.name: await _behind(connection, await house.ledger.offset(f"export {one.name}"))
            for one in house.exports
        }
    return FeedsView(
        sources=[
            SourceLine(
                source=one.source.name,
                kind=one.source.kind,
                words=" ".join(
                    word for word in (one.source.product, one.source.service, one.source.category) if word
                ),
                received=one.received,
                rows=one.rows,
                unread=one.unread,
                missing=one.missing,
                ended=one.source.ended,
            )
            for one in sources
        ],
        rules=RulesLine(
            read=rules.read,
            rules=rules.rules,
            refused=rules.refused,
            mistakes=[
                RuleMistakeLine(path=one.path, line=one.line, reason=one.reason) for one in rules.mistakes
            ],
        )
        if rules is not None
        else None,
        exports=[
            ExportLine(
                name=one.name,
                receiver=one.receiver,
                at=one.at,
                sent=one.sent,
                behind=behind[one.name],
                refused=one.refused,
                failing=one.failing,
            )
            for one in house.exports
        ],
    )
