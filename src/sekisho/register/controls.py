"""Controls as data: what each does, how it is operated and at what cost, how far it has come, and its evidence.

A rule is not a control: what has no evidence in force is red, whatever its status says. Evidence is a fact with a day
and lapses after the control's `life`; it comes from a report that somebody recorded, or from facts that only arise
when the control runs. A control that was stated as verified and whose evidence lapsed stands as interim again.
Certificates (`profiles.Certificate`) are read nowhere here: ISMS and the like turn nothing green.

`planned`, `interim` and `permanent` are one person's to state; `verified` needs a second human.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import select

from sekisho.faults import Fault, Language
from sekisho.ledger import Connection, Ledger, Recorded
from sekisho.ledger.leaf import read_recorded
from sekisho.ledger.tables import FACTS, named
from sekisho.register import faults
from sekisho.register.facts import ControlDescribed, ControlEvidenced, ControlProposed, ControlStated
from sekisho.register.tables import JST, control_evidence, control_proposals, control_states, controls

CATALOGUE: Final = Path(__file__).with_name("controls.yaml")
_MOST: Final = 1000
_MOST_MINUTES: Final = 1_000_000
LONGEST_LIFE: Final = 366  # days; what nobody looked at for more than a year is not known to work


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    en: str
    ja: str

    def said(self, language: Language) -> str:
        return self.ja if language == "ja" else self.en


class Minutes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A month, for all who operate the control together and for all who work under it."""

    operator: int
    user: int


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    name: Said
    does: Said
    steps: tuple[Said, ...]
    life: int
    minutes: Minutes
    renewed_by: tuple[str, ...] = ()


class Light(StrEnum):
    RED = "red"
    AMBER = "amber"
    GREEN = "green"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of the day `on`. `line` is the fact's place in the log; `sha256` that of the report, "" for a fact that is
    evidence by itself."""

    kind: str
    on: date
    by: str
    line: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Stated:
    """`second` is who agreed to "verified", "" for any other status. Nobody ever stated one: "planned", by nobody."""

    status: str
    since: date | None
    by: str
    second: str
    minutes: Minutes
    line: int | None


@dataclass(frozen=True, slots=True)
class ControlStanding:
    control: Control
    stated: Stated
    evidence: Evidence | None
    on: date

    @property
    def lapses(self) -> date | None:
        """The last day on which the evidence counts."""
        return self.evidence.on + timedelta(days=self.control.life) if self.evidence else None

    @property
    def in_force(self) -> bool:
        return (
            self.evidence is not None
            and self.lapses is not None
            and self.evidence.on <= self.on <= self.lapses
        )

    @property
    def status(self) -> str:
        return "interim" if self.stated.status == "verified" and not self.in_force else self.stated.status

    @property
    def light(self) -> Light:
        if not self.in_force or self.status == "planned":
            return Light.RED
        return Light.AMBER if self.status == "interim" else Light.GREEN


def built_in() -> tuple[Control, ...]:
    """The checkpoint's own controls."""
    return msgspec.yaml.decode(CATALOGUE.read_bytes(), type=tuple[Control, ...])


async def read_controls(ledger: Ledger, on: date) -> tuple[ControlStanding, ...]:
    """How every control stands on a day, the checkpoint's own first."""
    async with ledger.read() as connection:
        known = await _known(connection)
        stated = {row.control: row for row in await connection.execute(select(control_states))}
        reports: dict[str, Evidence] = {}
        for row in await connection.execute(select(control_evidence).order_by(control_evidence.c.seq)):
            found = Evidence(row.kind, date.fromisoformat(row.on_), row.person, row.seq, row.sha256)
            if found.on <= on and (row.control not in reports or reports[row.control].on <= found.on):
                reports[row.control] = found
        renewing = await _newest(connection, {name for one in known for name in one.renewed_by})
    standings = []
    for control in known:
        said = stated.get(control.id)
        state = Stated("planned", None, "", "", control.minutes, None)
        if said is not None:
            minutes = Minutes(said.operator_minutes, said.user_minutes)
            since = date.fromisoformat(said.since)
            state = Stated(said.status, since, said.person, said.second, minutes, said.seq)
        candidates = [reports.get(control.id), *(renewing.get(name) for name in control.renewed_by)]
        held = [one for one in candidates if one is not None and one.on <= on]
        newest = max(held, key=lambda one: (one.on, one.line), default=None)
        standings.append(ControlStanding(control, state, newest, on))
    return tuple(standings)


async def _known(connection: Connection) -> tuple[Control, ...]:
    rows = await connection.execute(select(controls).order_by(controls.c.control))
    described = [msgspec.json.decode(row.description, type=Control) for row in rows]
    return (*built_in(), *described)


async def _newest(connection: Connection, names: Iterable[str]) -> dict[str, Evidence]:
    """The newest fact of each of these names."""
    found = {}
    for name in names:
        query = select(FACTS.c.leaf).where(named(name)).order_by(FACTS.c.seq.desc()).limit(1)
        leaf = await connection.scalar(query)
        if leaf is not None:
            newest, _ = read_recorded(leaf)
            found[name] = Evidence(name, newest.at.astimezone(JST).date(), newest.by, newest.seq)
    return found


async def _find(ledger: Ledger, control: str) -> Control:
    async with ledger.read() as connection:
        for one in await _known(connection):
            if one.id == control:
                return one
    raise Fault(faults.UNKNOWN_CONTROL, control=control[:64])


async def describe_control(ledger: Ledger, control: Control, *, by: str) -> Recorded:
    """Add a control of one's own, or describe it anew. Raises Fault BAD_CONTROL; the checkpoint's own stay as they
    are."""
    said = (control.name, control.does, *control.steps)
    wrong = [
        name
        for name, is_wrong in {
            "id": not control.id or len(control.id) > 64 or control.id in {one.id for one in built_in()},
            "name, does, steps": not control.steps
            or not all(one.en.strip() and one.ja.strip() for one in said),
            "life": not 1 <= control.life <= LONGEST_LIFE,
            "minutes": min(control.minutes.operator, control.minutes.user) < 0,
            "renewed_by": bool(control.renewed_by),  # which facts prove what is not for a form to say
        }.items()
        if is_wrong
    ]
    if wrong:
        raise Fault(faults.BAD_CONTROL, control=control.id[:64], fields=", ".join(wrong))
    fact = ControlDescribed(control=control.id, description=msgspec.json.encode(control).decode())
    return await ledger.record(fact, by=by, about=control.id)


async def state_control(ledger: Ledger, stated: ControlStated, *, by: str) -> Recorded:
    """Record a status at once, and "verified" as a proposal. Raises Fault UNKNOWN_CONTROL or BAD_CONTROL."""
    await _find(ledger, stated.control)
    if not all(0 <= minutes <= _MOST_MINUTES for minutes in (stated.operator_minutes, stated.user_minutes)):
        raise Fault(faults.BAD_CONTROL, control=stated.control, fields="minutes")
    stated = msgspec.structs.replace(stated, proposal="", proposer="")
    if stated.status != "verified":
        return await ledger.record(stated, by=by, about=stated.control)
    proposed = ControlProposed(change=stated, replaces=await _last_stated(ledger, stated.control))
    return await ledger.record(proposed, by=by, about=stated.control)


async def verify_control(ledger: Ledger, proposal: str, *, by: str, on: date) -> Recorded:
    """Be the second human who says that a control is verified. Raises Fault NO_SUCH_PROPOSAL, also when another
    status was stated since, SECOND_PERSON, or UNPROVEN where no evidence is in force on this day."""
    async with ledger.read() as connection:
        query = select(control_proposals.c.seq).where(control_proposals.c.proposal == proposal)
        seq = await connection.scalar(query)
    found = await ledger.facts(seq, 1) if seq is not None else []
    fact = found[0].typed() if found and found[0].leaf_hash.hex() == proposal else None
    if not isinstance(fact, ControlProposed):
        raise Fault(faults.NO_SUCH_PROPOSAL, proposal=proposal[:64])
    control = fact.change.control
    if by == found[0].by:
        raise Fault(faults.SECOND_PERSON, dataset=control)
    if fact.replaces != await _last_stated(ledger, control):
        raise Fault(faults.NO_SUCH_PROPOSAL, proposal=proposal[:64])
    if not any(one.in_force for one in await read_controls(ledger, on) if one.control.id == control):
        raise Fault(faults.UNPROVEN, control=control)
    agreed = msgspec.structs.replace(fact.change, proposal=proposal, proposer=found[0].by)
    return await ledger.record(agreed, by=by, about=control)


async def record_evidence(
    ledger: Ledger, control: str, content: bytes, *, kind: str, on: date, today: date, by: str
) -> Recorded:
    """Record that a report of the day `on` exists, by its hash. Raises Fault UNKNOWN_CONTROL, or BAD_CONTROL for a day
    to come or an empty report."""
    await _find(ledger, control)
    if on > today or not content:
        raise Fault(faults.BAD_CONTROL, control=control, fields="on" if content else "file")
    digest = hashlib.sha256(content).hexdigest()
    fact = ControlEvidenced(control=control, kind=kind, on=on, sha256=digest)
    return await ledger.record(fact, by=by, about=control)


async def open_verifications(ledger: Ledger, control: str) -> tuple[Recorded, ...]:
    """The proposals that a second human can still agree to."""
    last = await _last_stated(ledger, control)
    proposed = await ledger.facts(0, _MOST, names=["register.control_proposed"], about=control)
    facts = ((one, one.typed()) for one in proposed)
    return tuple(one for one, fact in facts if isinstance(fact, ControlProposed) and fact.replaces == last)


async def _last_stated(ledger: Ledger, control: str) -> str:
    async with ledger.read() as connection:
        query = select(control_states.c.leaf_hash).where(control_states.c.control == control)
        return str(await connection.scalar(query) or "")
