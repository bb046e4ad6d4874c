"""The agency's list of its people against ours: CSV in, differences out.

An agency that is late with its list alarms: people leave, and somebody has to say so.
"""

import csv
import io
from dataclasses import dataclass
from datetime import date
from typing import Final

import msgspec
from sqlalchemy import func, select

from sekisho.faults import Fault
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.people import faults
from sekisho.people.facts import HeadcountDifference, HeadcountKind, HeadcountReconciled
from sekisho.people.tables import headcounts, persons

# A list each month, and a few days of grace.
DUE_DAYS: Final = 35
_LARGEST: Final = 4 * 1024 * 1024
# Header -> column; agencies in Japan send Japanese ones.
_HEADERS: Final = {"person": "person", "担当者id": "person", "started": "started", "開始日": "started"}


class Listed(msgspec.Struct, frozen=True):
    """One row of an agency's list. Other columns (names, notes) are not read, and stay in the sealed list."""

    person: str
    started: date | None


@dataclass(frozen=True, slots=True)
class Overdue:
    """`last` is the date of the agency's last list, None when there never was one; `people` work here for it."""

    agency: str
    last: date | None
    people: int


def read_list(agency: str, content: bytes) -> list[Listed]:
    """Parse an agency's CSV (UTF-8 or CP932, with a header). Raises Fault BAD_HEADCOUNT with the row, from 1."""
    if len(content) > _LARGEST:
        raise _bad(agency, 0, f"the file is larger than {_LARGEST} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("cp932")  # what Excel saves in Japan
        except UnicodeDecodeError as error:
            raise _bad(agency, 0, "neither UTF-8 nor CP932") from error
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise _bad(agency, 0, str(error)) from error
    header = [_HEADERS.get(name.strip().casefold(), "") for name in rows[0]] if rows else []
    if header.count("person") != 1 or header.count("started") > 1:
        raise _bad(agency, 1, "one column must be headed person (担当者ID), at most one started (開始日)")
    listed: dict[str, Listed] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise _bad(agency, number, f"{len(row)} cells instead of {len(header)}")
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=True) if name}
        person = cells["person"]
        if not person or person in listed:
            raise _bad(agency, number, "no person id" if not person else f"{person} is listed twice")
        listed[person] = Listed(person, _day(agency, number, cells.get("started", "")))
    return list(listed.values())


def _day(agency: str, number: int, text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text.replace("/", "-"))
    except ValueError as error:
        raise _bad(agency, number, f"{text!r} is no date of the form 2026-11-21") from error


def _bad(agency: str, row: int, reason: str) -> Fault:
    return Fault(faults.BAD_HEADCOUNT, agency=agency, row=row, reason=reason)


def compare(
    listed: list[Listed], ours: dict[str, str], left: frozenset[str]
) -> tuple[HeadcountDifference, ...]:
    """`ours`: the agency's people who work here -> first day (ISO) or ""; `left`: those who left."""
    found = []
    theirs = {one.person: one.started.isoformat() if one.started else "" for one in listed}
    for person in sorted(theirs.keys() | ours.keys()):
        if person not in ours:
            kind = HeadcountKind.LEFT_HERE if person in left else HeadcountKind.ONLY_AGENCY
            found.append(HeadcountDifference(kind=kind, person=person, listed=theirs[person]))
        elif person not in theirs:
            found.append(HeadcountDifference(kind=HeadcountKind.ONLY_HERE, person=person, ours=ours[person]))
        elif theirs[person] and theirs[person] != ours[person]:
            found.append(
                HeadcountDifference(
                    kind=HeadcountKind.STARTED, person=person, listed=theirs[person], ours=ours[person]
                )
            )
    return tuple(found)


async def reconcile(ledger: Ledger, agency: str, content: bytes, *, as_of: date, by: str) -> Recorded:
    """Compare an agency's list of a day with ours, and record the outcome. Raises Fault BAD_HEADCOUNT."""
    listed = read_list(agency, content)
    query = select(persons.c.person, persons.c.started, persons.c.left).where(persons.c.agency == agency)
    async with ledger.read() as connection:
        rows = (await connection.execute(query)).all()
    ours = {row.person: row.started for row in rows if row.left is None}
    left = frozenset(row.person for row in rows if row.left is not None)
    sealed = ledger.vault.seal("checkpoint", content)
    reconciled = HeadcountReconciled(
        agency=agency,
        as_of=as_of,
        listed=len(listed),
        ours=len(ours),
        differences=compare(listed, ours, left),
        content=sealed.commitment,
    )
    return await ledger.record(reconciled, by=by, about=agency, parts=[sealed])


async def find_overdue(connection: Connection, on: date, *, days: int = DUE_DAYS) -> list[Overdue]:
    """The agencies whose people work here and whose last list is older than that, or missing."""
    query = (
        select(persons.c.agency, func.count().label("people"), headcounts.c.as_of)
        .outerjoin(headcounts, headcounts.c.agency == persons.c.agency)
        .where(persons.c.left.is_(None), persons.c.agency != "")
        .group_by(persons.c.agency, headcounts.c.as_of)
        .order_by(persons.c.agency)
    )
    found = []
    for row in await connection.execute(query):
        last = date.fromisoformat(row.as_of) if row.as_of else None
        if last is None or (on - last).days > days:
            found.append(Overdue(row.agency, last, row.people))
    return found


async def find_differences(connection: Connection) -> dict[str, tuple[HeadcountDifference, ...]]:
    """Agency -> what its last list and ours disagree about; agencies without a difference are left out."""
    query = select(headcounts.c.agency, headcounts.c.differences).order_by(headcounts.c.agency)
    kinds = tuple[HeadcountDifference, ...]
    read = {
        row.agency: msgspec.json.decode(row.differences, type=kinds)
        for row in await connection.execute(query)
    }
    return {agency: differences for agency, differences in read.items() if differences}
