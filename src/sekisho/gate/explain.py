"""Could she, and why: the answer of every rule, not only of the first that refuses."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import or_, select

from sekisho.faults import Fault, Language
from sekisho.gate.decide import RULES, AccessRequest, Grant, Rule, decide
from sekisho.gate.refusal import Refusal
from sekisho.gate.state import gather
from sekisho.gate.tables import tickets
from sekisho.gate.tickets import PublishedLog
from sekisho.ledger import Connection, Ledger

_MOST_TICKETS: Final = 100


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's answer."""

    rule: Rule
    refusal: Refusal | None

    def sentence(self, language: Language) -> str:
        if self.refusal is not None:
            return f"{self.refusal.kind.code} {self.refusal.fault().sentence(language)}"
        return self.rule.ja if language == "ja" else self.rule.en


@dataclass(frozen=True, slots=True)
class Explanation:
    """For one ticket ("" when the person has none for this). `unreadable` says why the state could not be read:
    then no rule was asked, and the door is shut."""

    request: AccessRequest
    answer: Grant | Refusal
    verdicts: tuple[Verdict, ...]
    known: bool  # whether there is such a ticket, whosever
    broken_glass: bool = False
    unreadable: Fault | None = None

    @property
    def could(self) -> bool:
        return isinstance(self.answer, Grant)


async def explain(
    ledger: Ledger, published: PublishedLog, person: str, what: str, at: int, *, past: bool = False
) -> list[Explanation]:
    """Whether `person` could open `what` (a ticket, a dataset, a client organisation or a target) at `at`
    (microseconds since 1970), by each of the person's tickets for it, the newest first.

    With `past`, tickets and policy are taken as they were at `at`; person and register as they are now."""
    async with ledger.read() as connection:
        found = await _tickets(connection, person, what)
    explanations = []
    for ticket, target, door in found or [(what, what, "postgres")]:
        request = AccessRequest(person, ticket, target, door, at)
        try:
            state = await gather(ledger, published, request, until=at if past else None)
        except Fault as fault:
            shut = Refusal(fault.kind, fault.values)
            explanations.append(Explanation(request, shut, (), bool(found), unreadable=fault))
            continue
        # Without a ticket there is no door to ask about, and no dataset.
        silent = () if state.ticket else ("door", "dataset")
        verdicts = [Verdict(rule, rule.refuses(request, state)) for rule in RULES if rule.name not in silent]
        broken = state.ticket is not None and state.ticket.broken_glass
        answer = decide(request, state)
        explanations.append(Explanation(request, answer, tuple(verdicts), bool(found), broken))
    return explanations


async def _tickets(connection: Connection, person: str, what: str) -> list[tuple[str, str, str]]:
    meant = or_(tickets.c.dataset == what, tickets.c.organisation == what, tickets.c.target == what)
    named = or_(tickets.c.ticket == what, (tickets.c.person == person) & meant)
    query = select(tickets).where(named).order_by(tickets.c.requested.desc()).limit(_MOST_TICKETS)
    return [(row.ticket, row.target, row.door) for row in await connection.execute(query)]
