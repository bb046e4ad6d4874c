"""The log line by line, each with its proof; and what was refused. Every reading is a fact before it is shown."""

import asyncio
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Path, Query, Response
from pydantic import BaseModel
from sqlalchemy import select

from sekisho.console import faults
from sekisho.console.access import OPEN_TO, Needs, Page
from sekisho.console.facts import LogRead, ProofTaken
from sekisho.console.house import House
from sekisho.console.lines import (
    PAGE,
    FactLine,
    Organisation,
    Someone,
    fact_lines,
    of_organisations,
    read_names,
)
from sekisho.console.pages import Face
from sekisho.console.tables import refusals
from sekisho.console.viewer import HouseDep, Viewer
from sekisho.evidence.checkpoint import open_checkpoint
from sekisho.evidence.folder import read_file
from sekisho.evidence.log import CHECKPOINT
from sekisho.evidence.merkle import leaf_hash
from sekisho.evidence.proof import prove
from sekisho.faults import Fault
from sekisho.ledger import Recorded
from sekisho.ledger.tables import CHECKPOINTS, FACTS

face: Final = Face("log")
_FactsViewer = Annotated[Viewer, Depends(Needs("log", Page.FACTS))]
_RefusalsViewer = Annotated[Viewer, Depends(Needs("log", Page.REFUSALS))]
# So many lines are looked through for one page; what is rarer is found on the next ones.
_LOOKED_THROUGH: Final = 20_000

Filter = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9._:@-]*$")]
Cursor = Annotated[int | None, Query(ge=0, le=1 << 53)]


class FactsView(BaseModel):
    """Lines of the log, newest first, with an index below `before`. `next` is where to go on, null at the start.

    `size` is the number of durable lines, `published` those below the newest signed checkpoint."""

    facts: list[FactLine]
    fact: str
    by: str
    about: str
    size: int
    published: int
    next: int | None


@face.shows("/facts", "facts.html")
async def read_facts(
    house: HouseDep,
    viewer: _FactsViewer,
    fact: Filter = "",
    by: Filter = "",
    about: Filter = "",
    before: Cursor = None,
) -> FactsView:
    """The log, newest first. `fact` is the beginning of a fact's name. The reading is recorded first."""
    narrowed = {name: value for name, value in (("fact", fact), ("by", by), ("about", about)) if value}
    if before is not None:
        narrowed["before"] = str(before)
    await house.ledger.record(LogRead(view="facts", filter=narrowed), by=viewer.person, about="log")
    size = await house.ledger.size()
    top = size if before is None else min(before, size)
    found, rest = await _narrowed(house, top, fact, by, about)
    return FactsView(
        facts=await fact_lines(house.ledger, found),
        fact=fact,
        by=by,
        about=about,
        size=size,
        published=await asyncio.to_thread(published_size, house),
        next=rest or None,
    )


async def _narrowed(house: House, top: int, fact: str, by: str, about: str) -> tuple[list[Recorded], int]:
    """At most PAGE lines below `top`, newest first, and the index below which to go on."""
    query = select(FACTS).where(FACTS.c.seq < top).order_by(FACTS.c.seq.desc())
    if about:  # indexed: looked through to the end
        floor, query = 0, query.where(FACTS.c.about == about)
    else:
        floor = max(0, top - _LOOKED_THROUGH) if fact or by else 0
        query = query.where(FACTS.c.seq >= floor)
    if fact:
        query = query.where(FACTS.c.fact.startswith(fact, autoescape=True))
    if by:
        query = query.where(FACTS.c.by_ == by)
    async with house.ledger.read() as connection:
        rows = (await connection.execute(query.limit(PAGE))).all()
    found = [
        Recorded(row.seq, row.at, row.fact, row.by_, row.about, row.leaf, leaf_hash(row.leaf)) for row in rows
    ]
    return found, found[-1].seq if len(found) == PAGE else floor


def published_size(house: House) -> int:
    """How many lines stand below the newest checkpoint that the log signed; 0 when there is none."""
    note = read_file(house.log / CHECKPOINT)
    return open_checkpoint(note, house.key).size if note is not None else 0


@face.api.get(
    "/facts/{line}/proof",
    operation_id="read_proof",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "A tlog-proof (C2SP) of the line."}},
)
async def read_proof(
    house: HouseDep,
    viewer: Annotated[Viewer, Depends(Needs("log"))],
    line: Annotated[int, Path(ge=0, le=1 << 53)],
) -> Response:
    """The proof that a line stands in the published log: hashes only, to be held against the line itself."""
    if not viewer.holds(*OPEN_TO[Page.FACTS], *OPEN_TO[Page.PORTAL]):
        raise Fault(faults.NOT_YOURS, what="proof")
    proof = await asyncio.to_thread(_prove, house, line)
    await house.ledger.record(ProofTaken(line=line), by=viewer.person, about="log")
    name = f'attachment; filename="line-{line}.tlog-proof"'
    return Response(proof, media_type="text/plain; charset=utf-8", headers={"content-disposition": name})


face.pages.get("/proof/{line}")(read_proof)


def _prove(house: House, line: int) -> bytes:
    note = read_file(house.log / CHECKPOINT)
    if note is None or line >= open_checkpoint(note, house.key).size:
        raise Fault(faults.NOT_PUBLISHED, seq=line)
    return prove(house.log, line, note).encode()


class StatusView(BaseModel):
    """How far the log has come: lines that are durable, published under the log's signature, and cosigned by a quorum
    of witnesses. `key` is the log's public key, for `sekisho verify`."""

    origin: str
    key: str
    durable: int
    published: int
    cosigned: int
    checked: datetime


@face.shows("/status", "status.html")
async def read_status(
    house: HouseDep, viewer: Annotated[Viewer, Depends(Needs("log", Page.STATUS))]
) -> StatusView:
    """How far the log has come, and the key that it signs with."""
    async with house.ledger.read() as connection:
        query = select(CHECKPOINTS.c.cosigned).where(CHECKPOINTS.c.origin == house.key.name)
        cosigned = await connection.scalar(query)
    return StatusView(
        origin=house.key.name,
        key=str(house.key),
        durable=await house.ledger.size(),
        published=await asyncio.to_thread(published_size, house),
        cosigned=cosigned or 0,
        checked=house.now(),
    )


class RefusalLine(BaseModel):
    """Something that did not pass. `kind`: access, statement, cut, channel or login; `code` names the reason."""

    seq: int
    at: datetime
    kind: str
    person: Someone | None
    organisation: Organisation | None
    about: str
    code: str
    peer: str


class RefusalsView(BaseModel):
    """Refusals, newest first; `next` is where to go on."""

    refusals: list[RefusalLine]
    next: int | None


@face.shows("/refusals", "refusals.html")
async def read_refusals(house: HouseDep, viewer: _RefusalsViewer, before: Cursor = None) -> RefusalsView:
    """What was refused, cut or stopped. The reading is recorded first."""
    await house.ledger.record(LogRead(view="refusals", filter={}), by=viewer.person, about="log")
    query = select(refusals).order_by(refusals.c.seq.desc()).limit(PAGE)
    allowed = viewer.organisations(*OPEN_TO[Page.REFUSALS])
    if allowed is not None:  # what concerns no organisation yet may concern each
        query = of_organisations(query, refusals.c.organisation, allowed | {""})
    if before is not None:
        query = query.where(refusals.c.seq < before)
    async with house.ledger.read() as connection:
        rows = (await connection.execute(query)).all()
        names = await read_names(connection, {row.person for row in rows}, {row.organisation for row in rows})
    lines = [
        RefusalLine(
            seq=row.seq,
            at=row.at,
            kind=row.kind,
            person=names.someone(row.person) if row.person else None,
            organisation=names.organisation(row.organisation) if row.organisation else None,
            about=row.about,
            code=row.code,
            peer=row.peer,
        )
        for row in rows
    ]
    return RefusalsView(refusals=lines, next=rows[-1].seq if len(rows) == PAGE else None)
