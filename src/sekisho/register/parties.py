"""Legal persons, what binds them, and whether one may reach another's data: pure decisions over plain values.

A role is never stored. It follows from the ties and hops that a person is part of, so one legal person holds as
many roles as it plays. That data is entrusted follows from technical reach alone (Guidelines 3-4-4 ※1): the kind of
a contract is kept for the reader, and no function here looks at it.
"""

import heapq
from collections.abc import Iterator
from datetime import date
from enum import StrEnum

import msgspec

from sekisho.faults import Fault
from sekisho.register.faults import HOP_NOT_APPROVED, NO_CONTRACT_IN_FORCE, NO_ENTRUSTMENT
from sekisho.register.periods import Period


class Role(StrEnum):
    ENTRUSTING = "entrusting"
    PROCESSOR = "processor"
    SUB_PROCESSOR = "sub_processor"
    FEDERATION = "federation"
    MEMBER_BODY = "member_body"
    STAFFING_AGENCY = "staffing_agency"
    PARENT = "parent"
    SUBSIDIARY = "subsidiary"
    REGULATOR = "regulator"
    GUIDED = "guided"


class TieKind(StrEnum):
    """Read as "`party` … `other`". Supplying staff is no entrustment: the staff work under the other's orders."""

    FEDERATION_OF = "federation_of"
    STAFFS = "staffs"
    PARENT_OF = "parent_of"
    GUIDES = "guides"


class Clause(StrEnum):
    """What a contract of entrustment must hold, in the order of a usual contract."""

    CONFIDENTIALITY = "confidentiality"
    SAFEGUARDS = "safeguards"
    RE_ENTRUSTMENT = "re_entrustment"
    COPY_AND_CARRY_OUT = "copy_and_carry_out"
    INCIDENT_REPORT = "incident_report"
    AUDIT = "audit"
    RETURN_AND_ERASURE = "return_and_erasure"
    BREACH = "breach"


class SupervisionItem(StrEnum):
    """The three duties of supervising an entrusted party (Guidelines 3-4-4 (1) to (3))."""

    SELECTION = "selection"
    CONTRACT = "contract"
    HANDLING = "handling"


class LegalPerson(msgspec.Struct, frozen=True):
    id: str
    name: str
    name_en: str = ""
    kind: str = ""  # as it calls itself: 株式会社, municipality


class Tie(msgspec.Struct, frozen=True):
    kind: TieKind
    party: str
    other: str


class Approval(msgspec.Struct, frozen=True):
    """`on_paper`: somebody else took it in from papers; the client has not recorded it itself."""

    by: str
    on: date
    on_paper: bool = True


class Hop(msgspec.Struct, frozen=True):
    """`giver` lets `receiver` handle `datasets` of `client`. `approval` is the client's, for hops behind the first."""

    id: str
    client: str
    giver: str
    receiver: str
    datasets: frozenset[str]
    began: date
    approval: Approval | None = None


class Contract(msgspec.Struct, frozen=True):
    id: str
    hop: str
    kind: str  # as it calls itself: 業務委託契約, サービス利用契約
    period: Period
    clauses: frozenset[Clause] = frozenset()


class Supervision(msgspec.Struct, frozen=True):
    """Evidence that the giver of a hop did its duty. It lapses: a rule that nobody renews is not a control."""

    hop: str
    item: SupervisionItem
    on: date
    until: date
    evidence: str


class Reach(msgspec.Struct, frozen=True):
    """`party` has, or can give itself, access to the personal data of a client's dataset."""

    party: str
    client: str
    dataset: str


class Parties(msgspec.Struct, frozen=True):
    persons: tuple[LegalPerson, ...] = ()
    ties: tuple[Tie, ...] = ()
    hops: tuple[Hop, ...] = ()
    contracts: tuple[Contract, ...] = ()
    supervision: tuple[Supervision, ...] = ()

    def name(self, party: str) -> str:
        return next((person.name for person in self.persons if person.id == party), party)

    def acting_for(self, client: str) -> frozenset[str]:
        """The client and the federations that act for it: their word is the client's, and so is their first hop."""
        federations = (
            tie.party for tie in self.ties if tie.kind is TieKind.FEDERATION_OF and tie.other == client
        )
        return frozenset({client, *federations})


class ClearChain(msgspec.Struct, frozen=True):
    """The proof that data may be reached: every hop stands under a contract and under the client's approval."""

    reach: Reach
    on: date
    hops: tuple[Hop, ...]


class Blocked(msgspec.Struct, frozen=True):
    """Why not: of the chain with the fewest obstacles."""

    reach: Reach
    on: date
    obstacles: tuple[Fault, ...]


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Oversight(msgspec.Struct, frozen=True):
    """How an entrustment stands. Certificates (ISMS and the like) are not asked: they turn nothing green."""

    colour: Colour
    chain: ClearChain | Blocked
    missing: tuple[
        tuple[str, SupervisionItem], ...
    ]  # the id of the hop, and the duty without evidence in force


def roles(parties: Parties, party: str) -> frozenset[Role]:
    held: set[Role] = set()
    for tie in parties.ties:
        first, second = _ROLES_OF_TIE[tie.kind]
        if tie.party == party:
            held.add(first)
        if tie.other == party and second is not None:
            held.add(second)
    for hop in parties.hops:
        own = parties.acting_for(hop.client)
        if party == hop.client or (party == hop.giver and party in own):
            held.add(Role.ENTRUSTING)
        if party == hop.receiver and party not in own:
            held.add(Role.PROCESSOR if hop.giver in own else Role.SUB_PROCESSOR)
    return frozenset(held)


_ROLES_OF_TIE: dict[TieKind, tuple[Role, Role | None]] = {
    TieKind.FEDERATION_OF: (Role.FEDERATION, Role.MEMBER_BODY),
    TieKind.STAFFS: (Role.STAFFING_AGENCY, None),
    TieKind.PARENT_OF: (Role.PARENT, Role.SUBSIDIARY),
    TieKind.GUIDES: (Role.REGULATOR, Role.GUIDED),
}


def chain_to(parties: Parties, reach: Reach, on: date) -> ClearChain | Blocked:
    """Whether `reach.party` may reach the dataset on a day. One clear chain is enough; an unclear one opens nothing."""
    found = _chain_of_fewestobstacles(parties, reach, on)
    if found is None:
        nothing = Fault(
            NO_ENTRUSTMENT,
            client=parties.name(reach.client),
            party=parties.name(reach.party),
            dataset=reach.dataset,
        )
        return Blocked(reach, on, (nothing,))
    in_the_way = tuple(fault for hop in found for fault in obstacles(parties, hop, on))
    return Blocked(reach, on, in_the_way) if in_the_way else ClearChain(reach, on, found)


def _chain_of_fewestobstacles(parties: Parties, reach: Reach, on: date) -> tuple[Hop, ...] | None:
    """Dijkstra from the client's side; what stands in the way of a hop does not depend on the way to it."""
    hops = [hop for hop in parties.hops if hop.client == reach.client and reach.dataset in hop.datasets]
    cost = {hop.id: sum(1 for _ in obstacles(parties, hop, on)) for hop in hops}
    # Ordered by obstacles, then by length; the ids of the hops make the answer the same on every run.
    waiting: list[tuple[int, int, tuple[str, ...], str]] = [
        (0, 0, (), start) for start in parties.acting_for(reach.client)
    ]
    heapq.heapify(waiting)
    by_id = {hop.id: hop for hop in hops}
    settled: set[str] = set()
    while waiting:
        passed, length, walked, at = heapq.heappop(waiting)
        if at == reach.party:
            return tuple(by_id[one] for one in walked)
        if at in settled:
            continue
        settled.add(at)
        for hop in hops:
            if hop.giver == at:
                ahead = (passed + cost[hop.id], length + 1, (*walked, hop.id), hop.receiver)
                heapq.heappush(waiting, ahead)
    return None


def obstacles(parties: Parties, hop: Hop, on: date) -> Iterator[Fault]:
    """What keeps one hop from carrying data on a day: no prior approval, no contract in force."""
    own = parties.acting_for(hop.client)
    values = {
        "hop": hop.id,
        "giver": parties.name(hop.giver),
        "receiver": parties.name(hop.receiver),
    }
    approved = hop.approval is not None and hop.approval.by in own and hop.approval.on <= hop.began
    if hop.giver not in own and not approved:
        yield Fault(HOP_NOT_APPROVED, client=parties.name(hop.client), **values)
    in_force = any(contract.hop == hop.id and contract.period.contains(on) for contract in parties.contracts)
    if on < hop.began or not in_force:
        yield Fault(NO_CONTRACT_IN_FORCE, day=on.isoformat(), **values)


def oversight(parties: Parties, reach: Reach, on: date) -> Oversight:
    """Red until a clear chain leads to the party and each hop of it has all supervision items in force."""
    chain = chain_to(parties, reach, on)
    if isinstance(chain, Blocked):
        return Oversight(Colour.RED, chain, ())
    in_force = {(item.hop, item.item) for item in parties.supervision if item.on <= on <= item.until}
    missing = tuple(
        (hop.id, item) for hop in chain.hops for item in SupervisionItem if (hop.id, item) not in in_force
    )
    return Oversight(Colour.RED if missing else Colour.GREEN, chain, missing)


def missing_clauses(contract: Contract) -> tuple[Clause, ...]:
    return tuple(clause for clause in Clause if clause not in contract.clauses)
