"""A campaign: every system that handles clients' data is inspected again on every point, and the gaps are counted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.register import faults
from sekisho.register.facts import CampaignAnswered, CampaignOpened
from sekisho.register.grids import read_grid
from sekisho.register.tables import campaign_answers, campaigns

_EMPTY: Final = {"evidence": ""}


@dataclass(frozen=True, slots=True)
class Progress:
    """`open` is system -> the points without an answer that has evidence; `findings` is (system, point)."""

    opened: CampaignOpened
    open: Mapping[str, tuple[str, ...]]
    findings: tuple[tuple[str, str], ...]

    @property
    def total(self) -> int:
        return len(self.opened.systems) * len(self.opened.points)

    @property
    def gaps(self) -> int:
        return sum(map(len, self.open.values()))

    def overdue(self, on: date) -> bool:
        return self.gaps > 0 and on > self.opened.due


async def read_progress(connection: Connection, campaign: str) -> Progress:
    """Raises Fault UNKNOWN_CAMPAIGN."""
    row = (await connection.execute(select(campaigns).where(campaigns.c.campaign == campaign))).one_or_none()
    if row is None:
        raise Fault(faults.UNKNOWN_CAMPAIGN, campaign=campaign)
    opened = CampaignOpened(
        campaign=row.campaign,
        name=row.name,
        systems=msgspec.json.decode(row.systems, type=tuple[str, ...]),
        points=msgspec.json.decode(row.points, type=tuple[str, ...]),
        due=date.fromisoformat(row.due),
    )
    answers = {
        (one.system, one.point): one
        for one in await connection.execute(
            select(campaign_answers).where(campaign_answers.c.campaign == campaign)
        )
    }
    answered = {place for place, one in answers.items() if one.evidence.strip()}
    missing = {
        system: tuple(point for point in opened.points if (system, point) not in answered)
        for system in opened.systems
    }
    return Progress(
        opened,
        {system: points for system, points in missing.items() if points},
        tuple(sorted(place for place, one in answers.items() if one.answer == "finding")),
    )


async def answer(ledger: Ledger, answers: Sequence[CampaignAnswered], *, by: str) -> tuple[Recorded, ...]:
    """Record answers. Raises Fault NOT_IN_CAMPAIGN before the first, when one is to what was not asked."""
    async with ledger.read() as connection:
        asked = {
            name: (await read_progress(connection, name)).opened
            for name in {answered.campaign for answered in answers}
        }
    for answered in answers:
        opened = asked[answered.campaign]
        if answered.system not in opened.systems or answered.point not in opened.points:
            raise Fault(
                faults.NOT_IN_CAMPAIGN,
                campaign=answered.campaign,
                system=answered.system,
                point=answered.point,
            )
    return tuple([await ledger.record(one, by=by, about=one.campaign) for one in answers])


def read_answers(campaign: str, path: Path) -> Iterator[CampaignAnswered]:
    """The rows of a table with the headings system, point, answer, evidence. Raises Fault, naming the row."""
    for sheet, lines in read_grid(path).items():
        for line in lines:
            try:
                yield msgspec.convert({**_EMPTY, **line.cells, "campaign": campaign}, type=CampaignAnswered)
            except msgspec.ValidationError as error:
                raise Fault(
                    faults.ANSWER_UNREADABLE, sheet=sheet, row=line.number, reason=str(error)
                ) from error
