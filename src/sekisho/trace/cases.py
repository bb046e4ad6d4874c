"""A trace as a case: recorded before the key is used, its answer sealed and hashed, repeatable to the byte."""

import asyncio
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import RowMapping, func, select

from sekisho.faults import Fault
from sekisho.ledger import Erased, Ledger, Recorded
from sekisho.ledger.vault import CHECKPOINT
from sekisho.relay.tables import sessions
from sekisho.trace.answer import METHOD, Answer, answer_of, named_sessions
from sekisho.trace.canaries import planted
from sekisho.trace.facts import CaseConcluded, CaseOpened, CaseRepeated
from sekisho.trace.faults import NO_ANSWER, NO_CASE, OTHER_LIST
from sekisho.trace.history import read_histories
from sekisho.trace.intake import Listing
from sekisho.trace.lookup import Progress, Traced, trace
from sekisho.trace.registry import Registry
from sekisho.trace.tables import cases

NAMES: Final = ("trace.case_opened", "trace.case_concluded", "trace.case_repeated")


@dataclass(frozen=True, slots=True)
class Case:
    case: str
    answer: Answer
    facts: tuple[Recorded, ...]


def _nothing(step: str, done: float) -> None:
    pass


async def run_case(
    ledger: Ledger,
    registry: Registry,
    listing: Listing,
    *,
    by: str,
    reason: str,
    progress: Progress = _nothing,
    processes: int | None = None,
) -> Case:
    """Open a case for a list, look it up, and conclude it. Raises Fault NO_COLUMNS, and the registry's."""
    opened = await open_case(ledger, listing, registry=registry.digest, by=by, reason=reason)
    return await conclude_case(ledger, registry, listing, opened, progress=progress, processes=processes)


async def open_case(
    ledger: Ledger,
    listing: Listing,
    *,
    registry: str,
    by: str,
    reason: str,
    case: str = "",
    release: str = "",
    content: str = "",
) -> Recorded:
    """On record that a list is about to be looked up: durable before the key is used."""
    case = case or new_case()
    name = ledger.vault.seal(CHECKPOINT, listing.name.encode())
    fact = CaseOpened(
        case=case,
        reason=reason,
        name=name.commitment,
        sha256=listing.sha256,
        size=listing.size,
        form=listing.form,
        rows=listing.rows,
        items=tuple(column.item for column in listing.columns),
        registry=registry,
        release=release,
        content=content,
    )
    return await ledger.record(fact, by=by, about=case, parts=[name])


def new_case() -> str:
    return f"trace-{secrets.token_hex(6)}"


async def conclude_case(
    ledger: Ledger,
    registry: Registry,
    listing: Listing,
    opened: Recorded,
    *,
    progress: Progress = _nothing,
    processes: int | None = None,
) -> Case:
    """Look the list of an opened case up, and record the answer. Raises Fault NO_COLUMNS, and the registry's."""
    case = opened.about
    answer = await _looked_up(ledger, registry, listing, None, progress, processes, before=opened.seq)
    sealed = ledger.vault.seal(CHECKPOINT, answer.encoded())
    concluded = CaseConcluded(
        case=case,
        verdict=answer.verdict,
        sessions=tuple(one.session for one in answer.sessions),
        organisations=tuple(one.organisation for one in answer.clients),
        rows=answer.rows,
        own_rows=answer.own_rows,
        persons_lower=answer.persons.lower,
        persons_best=answer.persons.best,
        persons_upper=answer.persons.upper,
        answer=sealed.commitment,
        sha256=answer.sha256,
        method=METHOD,
    )
    second = await ledger.record(concluded, by=opened.by, about=case, parts=[sealed])
    return Case(case, answer, (opened, second))


async def repeat_case(
    ledger: Ledger, registry: Registry, case: str, listing: Listing, *, by: str, processes: int | None = None
) -> bool:
    """Look a case's list up again, in what the registry held then; whether the answer is the same, byte for byte.

    Raises Fault NO_CASE, NO_ANSWER, or OTHER_LIST when it is not the case's list."""
    held = await read_case(ledger, case)
    if held.answer.list_sha256 != listing.sha256:
        raise Fault(OTHER_LIST, case=case)
    items = {column.name: column.item for column in held.answer.columns}
    coverage = held.answer.coverage
    answer = await _looked_up(
        ledger,
        registry,
        listing.confirmed(items),
        coverage.datasets,
        _nothing,
        processes,
        before=held.facts[0].seq,
        not_gathered=coverage.not_gathered,
    )
    fact = CaseRepeated(
        case=case,
        sha256=answer.sha256,
        registry=registry.digest,
        same=answer.sha256 == held.answer.sha256,
    )
    await ledger.record(fact, by=by, about=case)
    return fact.same


async def read_case(ledger: Ledger, case: str) -> Case:
    """A concluded case. Raises Fault NO_CASE or NO_ANSWER."""
    facts = await ledger.facts(0, 1_000, names=NAMES, about=case)
    if not facts:
        raise Fault(NO_CASE, case=case)
    typed = [one.typed() for one in facts]
    concluded = next((one for one in typed if isinstance(one, CaseConcluded)), None)
    if concluded is None:
        raise Fault(NO_ANSWER, case=case)
    content = await ledger.content(concluded.answer)
    if isinstance(content, Erased):
        raise Fault(NO_ANSWER, case=case)
    return Case(case, msgspec.json.decode(content, type=Answer), tuple(facts))


async def openings_of(ledger: Ledger, case: Case) -> dict[str, bytes]:
    """Salt and content of what the case's facts commit to, by commitment; what was erased is left out."""
    found: dict[str, bytes] = {}
    for recorded in case.facts:
        match recorded.typed():
            case CaseOpened(name=commitment) | CaseConcluded(answer=commitment):
                opening = await ledger.opening(commitment)
                if not isinstance(opening, Erased):
                    found[commitment] = b"".join(opening)
    return found


async def list_cases(ledger: Ledger) -> list[RowMapping]:
    """The newest first."""
    async with ledger.read() as connection:
        query = select(cases).order_by(cases.c.opened.desc(), cases.c.case)
        return list((await connection.execute(query)).mappings())


async def sessions_shown(ledger: Ledger, names: Collection[str]) -> dict[str, tuple[datetime, str, str, int]]:
    """When each session began, who held it, under which ticket, and how many persons it was shown."""
    async with ledger.read() as connection:
        query = select(
            sessions.c.session, sessions.c.opened, sessions.c.person, sessions.c.ticket, sessions.c.persons
        )
        found = (await connection.execute(query.where(sessions.c.session.in_(names)))).all()
    return {row.session: (row.opened, row.person, row.ticket, row.persons) for row in found}


async def _looked_up(
    ledger: Ledger,
    registry: Registry,
    listing: Listing,
    datasets: Collection[str] | None,
    progress: Progress,
    processes: int | None,
    *,
    before: int,
    not_gathered: int | None = None,
) -> Answer:
    """What was recorded at line `before` or later, the answer does not know: it is the same when it is repeated."""
    if not_gathered is None:
        async with ledger.read() as connection:
            query = (
                select(func.count())
                .select_from(sessions)
                .where(sessions.c.seen == "", sessions.c.persons > 0)
            )
            not_gathered = int((await connection.execute(query)).scalar_one())

    copies = await planted(ledger, before=before)

    def work() -> Traced:
        return trace(
            listing, registry, registry.load(datasets), copies=copies, processes=processes, progress=progress
        )

    # Minutes of arithmetic: the ledger's loop goes on meanwhile.
    traced = await asyncio.to_thread(work)
    items = [column.item for column in listing.columns if column.item]
    histories = await read_histories(ledger, named_sessions(traced), items, listing.rows, before=before)
    return answer_of(traced, registry=registry.digest, not_gathered=not_gathered, histories=histories)
