"""The graph of an incident, with invented names: a call-centre firm, its parent's data centre, a federation."""

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.register.graph import mermaid
from sekisho.register.parties import (
    Approval,
    Blocked,
    Clause,
    ClearChain,
    Colour,
    Contract,
    Hop,
    LegalPerson,
    Parties,
    Reach,
    Role,
    Supervision,
    SupervisionItem,
    Tie,
    TieKind,
    chain_to,
    missing_clauses,
    oversight,
    roles,
)
from sekisho.register.periods import parse_period

DAY = date(2022, 6, 1)
ALWAYS = parse_period("2016年4月~")
IDS = ("farm", "telecom", "callcentre", "datacentre", "agency", "ministry", "federation", "town")


def hop(name: str, client: str, giver: str, receiver: str, approval: Approval | None = None) -> Hop:
    return Hop(name, client, giver, receiver, frozenset({f"{client}-list"}), date(2016, 4, 1), approval)


PARTIES = Parties(
    persons=tuple(LegalPerson(name, name.title()) for name in IDS),
    ties=(
        Tie(TieKind.PARENT_OF, "telecom", "callcentre"),
        Tie(TieKind.PARENT_OF, "telecom", "datacentre"),
        Tie(TieKind.GUIDES, "ministry", "telecom"),
        Tie(TieKind.STAFFS, "agency", "datacentre"),
        Tie(TieKind.FEDERATION_OF, "federation", "town"),
    ),
    hops=(
        hop("h1", "farm", "farm", "callcentre"),
        hop("h2", "farm", "callcentre", "datacentre", Approval("farm", date(2016, 3, 1))),
        hop("h3", "telecom", "telecom", "callcentre"),
        hop("h4", "town", "federation", "callcentre"),
        hop("h5", "town", "callcentre", "datacentre", Approval("federation", date(2016, 4, 1))),
    ),
    contracts=tuple(
        Contract(f"c-{name}", name, "サービス利用契約", ALWAYS) for name in ("h1", "h2", "h3", "h4", "h5")
    ),
    supervision=tuple(
        Supervision(name, item, date(2022, 4, 1), date(2023, 3, 31), "点検表 12")
        for name in ("h1", "h2")
        for item in SupervisionItem
    ),
)
FARM_REACH = Reach("datacentre", "farm", "farm-list")


def changed(name: str, **change: object) -> Parties:
    hops = tuple(msgspec.structs.replace(one, **change) if one.id == name else one for one in PARTIES.hops)
    return msgspec.structs.replace(PARTIES, hops=hops)


def codes(parties: Parties, reach: Reach, on: date = DAY) -> list[str]:
    chain = chain_to(parties, reach, on)
    return [fault.code for fault in chain.obstacles] if isinstance(chain, Blocked) else []


def test_one_legal_person_holds_several_roles() -> None:
    assert roles(PARTIES, "telecom") == {Role.PARENT, Role.ENTRUSTING, Role.GUIDED}
    assert roles(PARTIES, "callcentre") == {Role.SUBSIDIARY, Role.PROCESSOR}
    assert roles(PARTIES, "datacentre") == {Role.SUBSIDIARY, Role.SUB_PROCESSOR}
    assert roles(PARTIES, "federation") == {Role.FEDERATION, Role.ENTRUSTING}
    assert roles(PARTIES, "town") == {Role.MEMBER_BODY, Role.ENTRUSTING}
    assert roles(PARTIES, "agency") == {Role.STAFFING_AGENCY}
    assert roles(PARTIES, "ministry") == {Role.REGULATOR}


def test_a_clear_chain_names_its_hops() -> None:
    chain = chain_to(PARTIES, FARM_REACH, DAY)
    assert isinstance(chain, ClearChain)
    assert [one.id for one in chain.hops] == ["h1", "h2"]
    assert chain_to(PARTIES, Reach("farm", "farm", "farm-list"), DAY) == ClearChain(
        Reach("farm", "farm", "farm-list"), DAY, ()
    )


@pytest.mark.parametrize(
    "approval",
    [
        None,
        Approval("farm", date(2016, 4, 2)),  # after it began
        Approval("callcentre", date(2016, 3, 1)),  # by the one who passes the data on
        Approval("telecom", date(2016, 3, 1)),  # by a client, of other data
    ],
)
def test_a_hop_without_the_clients_prior_approval_blocks(approval: Approval | None) -> None:
    assert codes(changed("h2", approval=approval), FARM_REACH) == ["SEK-REG-142"]


def test_a_federation_approves_for_its_members_and_for_nobody_else() -> None:
    reach = Reach("datacentre", "town", "town-list")
    assert isinstance(chain_to(PARTIES, reach, DAY), ClearChain)
    alone = msgspec.structs.replace(
        PARTIES, ties=tuple(tie for tie in PARTIES.ties if tie.kind is not TieKind.FEDERATION_OF)
    )
    assert codes(alone, reach) == ["SEK-REG-141"]
    assert codes(changed("h2", approval=Approval("federation", date(2016, 3, 1))), FARM_REACH) == [
        "SEK-REG-142"
    ]


@pytest.mark.parametrize("period", ["2016年4月~2018年12月", "2023年4月~", "不明"])
def test_a_contract_that_is_not_in_force_blocks(period: str) -> None:
    contracts = tuple(
        msgspec.structs.replace(one, period=parse_period(period)) if one.hop == "h1" else one
        for one in PARTIES.contracts
    )
    parties = msgspec.structs.replace(PARTIES, contracts=contracts)
    assert codes(parties, FARM_REACH) == ["SEK-REG-143"]
    assert oversight(parties, FARM_REACH, DAY).colour is Colour.RED


def test_a_hop_that_has_not_begun_opens_nothing() -> None:
    assert codes(changed("h1", began=date(2022, 6, 2)), FARM_REACH) == ["SEK-REG-143"]


def test_no_chain_no_reach() -> None:
    assert codes(PARTIES, Reach("agency", "farm", "farm-list")) == ["SEK-REG-141"]
    assert codes(PARTIES, Reach("datacentre", "farm", "town-list")) == ["SEK-REG-141"]
    assert codes(PARTIES, Reach("datacentre", "telecom", "telecom-list")) == ["SEK-REG-141"]
    assert codes(PARTIES, FARM_REACH, date(2016, 3, 31)) == ["SEK-REG-143", "SEK-REG-143"]


def test_reach_under_a_service_contract_is_red_until_it_is_supervised() -> None:
    assert oversight(PARTIES, FARM_REACH, DAY).colour is Colour.GREEN
    for left_out in PARTIES.supervision:
        kept = tuple(one for one in PARTIES.supervision if one is not left_out)
        parties = msgspec.structs.replace(PARTIES, supervision=kept)
        found = oversight(parties, FARM_REACH, DAY)
        assert found.colour is Colour.RED
        assert found.missing == ((left_out.hop, left_out.item),)
    unregistered = msgspec.structs.replace(PARTIES, hops=tuple(one for one in PARTIES.hops if one.id != "h2"))
    assert oversight(unregistered, FARM_REACH, DAY).colour is Colour.RED


def test_evidence_lapses() -> None:
    assert oversight(PARTIES, FARM_REACH, date(2023, 3, 31)).colour is Colour.GREEN
    assert len(oversight(PARTIES, FARM_REACH, date(2023, 4, 1)).missing) == 6


def test_the_contracts_name_changes_nothing() -> None:
    renamed = msgspec.structs.replace(
        PARTIES,
        contracts=tuple(msgspec.structs.replace(one, kind="業務委託契約") for one in PARTIES.contracts),
    )
    for reach in (FARM_REACH, Reach("datacentre", "town", "town-list")):
        assert oversight(renamed, reach, DAY) == oversight(PARTIES, reach, DAY)


@pytest.mark.parametrize("clause", list(Clause))
def test_a_missing_clause_is_named(clause: Clause) -> None:
    contract = Contract("c", "h1", "", ALWAYS, frozenset(Clause) - {clause})
    assert missing_clauses(contract) == (clause,)
    assert missing_clauses(msgspec.structs.replace(contract, clauses=frozenset(Clause))) == ()


PARTY = st.sampled_from(["a", "b", "c", "d", "e"])
HOPS = st.lists(
    st.builds(
        Hop,
        id=st.uuids().map(str),
        client=st.just("a"),
        giver=PARTY,
        receiver=PARTY,
        datasets=st.just(frozenset({"list"})),
        began=st.just(date(2016, 4, 1)),
        approval=st.none() | st.builds(Approval, by=PARTY, on=st.dates(date(2016, 3, 1), date(2016, 5, 1))),
    ),
    max_size=8,
)


@given(HOPS, PARTY)
def test_in_any_graph_a_clear_chain_is_approved_hop_by_hop(hops: list[Hop], party: str) -> None:
    parties = Parties(
        hops=tuple(hops), contracts=tuple(Contract(f"c-{one.id}", one.id, "", ALWAYS) for one in hops)
    )
    chain = chain_to(parties, Reach(party, "a", "list"), DAY)
    if isinstance(chain, Blocked):
        assert chain.obstacles
        return
    at = "a"
    for place, one in enumerate(chain.hops):
        assert one.giver == at
        if place:
            assert one.approval is not None
            assert one.approval.by == "a"
            assert one.approval.on <= one.began
        at = one.receiver
    assert at == party


def test_the_graph_shows_one_person_in_three_roles_and_a_hop_that_is_not_clear() -> None:
    drawn = mermaid(changed("h2", approval=None), DAY)
    assert 'p_telecom["Telecom<br/>entrusting, guided, parent"]' in drawn
    assert "p_telecom -. " in drawn
    assert 'p_telecom -- "h3: Telecom" --> p_callcentre' in drawn
    assert 'p_callcentre -. "h2: Farm" .-> p_datacentre' in drawn
    places = [line for line in drawn.splitlines() if " -- " in line or " -. " in line]
    (red,) = [line for line in drawn.splitlines() if "linkStyle" in line]
    assert "h2" in places[int(red.split()[1])]


def test_a_name_cannot_draw() -> None:
    hostile = LegalPerson("end", 'x"] --> y["<script>')
    drawn = mermaid(Parties(persons=(hostile,), ties=(Tie(TieKind.STAFFS, "end", "a.b"),)), DAY)
    assert "<script>" not in drawn
    assert 'p_end["x#34;#93; --#62; y#91;#34;#60;script#62;<br/>staffing_agency"]' in drawn
    assert "p_a_2e_b" in drawn
