"""A campaign: every system that handles clients' data is inspected again on every point, and the gaps are counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import msgspec
from sqlalchemy import select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.register import faults
from sekisho.register.facts import CampaignAnswered, CampaignOpened
from sekisho.register.tables import campaign_answers, campaigns


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


async def read_progress(connection: Connection, campaign: str) -> Progress | None:
    row = (await connection.execute(select(campaigns).where(campaigns.c.campaign == campaign))).one_or_none()
    if row is None:
        return None
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


async def answer(ledger: Ledger, answered: CampaignAnswered, *, by: str) -> Recorded:
    """Record one answer. Raises Fault NOT_IN_CAMPAIGN when no such system or point was asked for."""
    async with ledger.read() as connection:
        progress = await read_progress(connection, answered.campaign)
    asked = progress.opened if progress else None
    if asked is None or answered.system not in asked.systems or answered.point not in asked.points:
        raise Fault(
            faults.NOT_IN_CAMPAIGN,
            campaign=answered.campaign,
            system=answered.system,
            point=answered.point,
        )
    return await ledger.record(answered, by=by, about=answered.campaign)
