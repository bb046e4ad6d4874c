"""Where log sources deliver: `POST /api/logs/SOURCE` with the source's token, JSON lines in, durable when answered."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel

from sekisho.console import faults as console_faults
from sekisho.console.viewer import HouseDep
from sekisho.faults import Fault
from sekisho.watch.faults import NO_SOURCE

doors: Final = APIRouter()


class Received(BaseModel):
    """`rows` were kept now; `line` is the fact that says so, null when all of them were there already. `next` is the
    number that the next row has, for a source that numbers its rows."""

    rows: int
    next: int
    line: int | None


@doors.post("/api/logs/{source}", include_in_schema=False)
async def take_rows(
    request: Request,
    house: HouseDep,
    source: str,
    authorization: Annotated[str, Header()] = "",
    sekisho_first: Annotated[int, Header(ge=0)] = 0,
) -> Received:
    """`Sekisho-First` is the source's own number of the first row; rows that were kept before are left out."""
    if house.intake is None:
        raise Fault(console_faults.NOT_FOUND, what="logs")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Fault(NO_SOURCE)
    taken = await house.intake.take_lines(source, token.strip(), await request.body(), first=sekisho_first)
    return Received(rows=taken.rows, next=taken.next, line=taken.line if taken.line >= 0 else None)
