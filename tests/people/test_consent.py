"""Roles, and everything else that no single person can give."""

import asyncio
import json
from datetime import date
from pathlib import Path

import pytest

from people.people_examples import START, Clock, add, give
from sekisho.faults import Fault
from sekisho.ledger import Ledger, Recorded
from sekisho.ledger.rebuild import Difference, check
from sekisho.people.accounts import add_account, find_holder, find_humans, human_of
from sekisho.people.consent import (
    ask_role,
    find_holding,
    find_open_asks,
    find_roles,
    grant_role,
    revoke_role,
)
from sekisho.people.facts import (
    AccountAdded,
    CredentialSet,
    HeldRole,
    PersonFrozen,
    PersonUnfrozen,
    RoleGranted,
    TrainingCompleted,
)
from sekisho.people.freeze import ask_unfreeze, freeze, unfreeze
from sekisho.people.leaving import leave
from sekisho.people.links import LINK_SECONDS, LinkDesk
from sekisho.people.roles import EXCLUDES, Role, compatible
from sekisho.people.standing import read_standing, standing_of


async def refused(code: str, coroutine: object) -> Fault:
    with pytest.raises(Fault, match=f"SEK-{code}") as caught:
        await coroutine  # type: ignore[misc]
    return caught.value


async def ask(ledger: Ledger, person: str, role: Role, by: str = "kanri", organisation: str = "") -> str:
    recorded = await ask_role(
        ledger, person=person, role=role, organisation=organisation, since=START, reason="joins", by=by
    )
    return recorded.leaf_hash.hex()


async def held(ledger: Ledger, person: str) -> set[Role]:
    async with ledger.read() as connection:
        return {one.role for one in await find_roles(connection, person)}


# -- the first two administrators -----------------------------------------------------------------------------------


async def test_the_first_administrator_cannot_act_alone(ledger: Ledger) -> None:
    desk = LinkDesk(ledger)
    await add(ledger, "kanri")
    await add(ledger, "sato")
    who = await desk.use_first_link(await desk.first_link("kanri"), "test")
    assert who.enrolling
    assert await held(ledger, "kanri") == {Role.ADMINISTRATOR}
    asked = await ask(ledger, "sato", Role.WORKER)
    await refused("PEOP-007", grant_role(ledger, asked, by="kanri"))
    assert await held(ledger, "sato") == set()
    # The second one comes in from the machine, not by the first one's word; then both together can.
    await add(ledger, "kanta")
    await desk.use_first_link(await desk.first_link("kanta"), "test")
    await grant_role(ledger, asked, by="kanta")
    assert await held(ledger, "sato") == {Role.WORKER}


async def test_no_third_link_while_there_are_two_administrators(house: Ledger) -> None:
    await add(house, "sato")
    desk = LinkDesk(house)
    await refused("PEOP-011", desk.first_link("sato"))
    await freeze(house, "kanta", reason="suspicion", by="mori")
    await desk.first_link("sato")  # one of them cannot act: the machine's keeper may bring another in


async def test_a_first_link_is_no_way_into_an_account_in_use(ledger: Ledger) -> None:
    desk = LinkDesk(ledger)
    for person in ("kanri", "hogo"):
        await add(ledger, person)
    links = {person: await desk.first_link(person) for person in ("kanri", "hogo")}
    sealed = ledger.vault.seal("checkpoint", b"{}")
    changed = CredentialSet(person="hogo", verifier=sealed.commitment)
    await ledger.record(changed, by="hogo", about="hogo", parts=[sealed])
    await refused("PEOP-026", desk.first_link("hogo"))
    await refused("PEOP-026", desk.use_first_link(links["hogo"], "test"))
    # Who used a link and did not enrol may have another.
    await desk.use_first_link(links["kanri"], "test")
    await desk.use_first_link(await desk.first_link("kanri"), "test")


async def test_a_link_that_was_made_earlier_is_void_once_there_are_two(ledger: Ledger) -> None:
    desk = LinkDesk(ledger)
    for person in ("kanri", "kanta", "sato"):
        await add(ledger, person)
    links = [await desk.first_link(person) for person in ("kanri", "kanta", "sato")]
    for link in links[:2]:
        await desk.use_first_link(link, "test")
    await refused("PEOP-011", desk.use_first_link(links[2], "test"))
    assert await held(ledger, "sato") == set()


async def test_a_first_link_opens_once_whatever_races(ledger: Ledger) -> None:
    desk = LinkDesk(ledger)
    await add(ledger, "kanri")
    link = await desk.first_link("kanri")
    outcomes = await asyncio.gather(
        *[desk.use_first_link(link, "test") for _ in range(5)], return_exceptions=True
    )
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert all(
        outcome.code in ("SEK-PEOP-011", "SEK-PEOP-012") for outcome in outcomes if isinstance(outcome, Fault)
    )


async def test_a_wrong_or_old_link_opens_nothing_and_is_recorded(ledger: Ledger, clock: Clock) -> None:
    desk = LinkDesk(ledger, now=clock)
    await add(ledger, "kanri")
    link = await desk.first_link("kanri")
    await refused("PEOP-012", desk.use_first_link("x" + link, "192.0.2.1"))
    clock.at += LINK_SECONDS
    await refused("PEOP-012", desk.use_first_link(link, "192.0.2.1"))
    assert len(await ledger.facts(0, 10, names=["people.login_failed"])) == 2


# -- roles ----------------------------------------------------------------------------------------------------------


async def test_a_role_needs_two_administrators_who_are_not_the_person(house: Ledger) -> None:
    await add(house, "sato")
    await refused("PEOP-009", ask(house, "sato", Role.WORKER, by="mori"))
    await refused("PEOP-007", ask(house, "kanri", Role.PRIVACY_OFFICER, by="kanri"))
    asked = await ask(house, "sato", Role.WORKER, organisation="minato")
    async with house.read() as connection:
        [waiting] = await find_open_asks(connection)
    assert (waiting.request, waiting.act, waiting.person, waiting.asked_by) == (
        asked,
        "role",
        "sato",
        "kanri",
    )
    await refused("PEOP-007", grant_role(house, asked, by="kanri"))
    await refused("PEOP-007", grant_role(house, asked, by="sato"))
    await refused("PEOP-009", grant_role(house, asked, by="hogo"))
    assert await held(house, "sato") == set()
    await grant_role(house, asked, by="kanta")
    async with house.read() as connection:
        assert await find_roles(connection, "sato") == {HeldRole(Role.WORKER, "minato"): START}
        assert await find_open_asks(connection) == []
        assert await find_holding(connection, Role.ADMINISTRATOR) == ("kanri", "kanta")
    await refused("PEOP-008", grant_role(house, asked, by="kanta"))


async def test_a_revoked_role_does_not_come_back_by_the_old_request(house: Ledger) -> None:
    await add(house, "sato")
    asked = await ask(house, "sato", Role.WORKER)
    await grant_role(house, asked, by="kanta")
    await refused(
        "PEOP-009", revoke_role(house, person="sato", role=Role.WORKER, organisation="", reason="", by="sato")
    )
    await revoke_role(house, person="sato", role=Role.WORKER, organisation="", reason="moved", by="kanri")
    assert await held(house, "sato") == set()
    await refused("PEOP-008", grant_role(house, asked, by="kanta"))


async def test_an_administrator_who_is_frozen_grants_nothing(house: Ledger) -> None:
    await add(house, "sato")
    asked = await ask(house, "sato", Role.WORKER)
    await freeze(house, "kanta", reason="suspicion", by="mori")
    await refused("PEOP-006", grant_role(house, asked, by="kanta"))


async def test_the_custodian_has_no_business_role_and_an_administrator_sees_no_data(house: Ledger) -> None:
    await add(house, "sato")
    await give(house, "sato", Role.LOG_CUSTODIAN)
    for role in set(Role) - {Role.LOG_CUSTODIAN}:
        await refused("PEOP-010", ask(house, "sato", role))
    await refused("PEOP-010", ask(house, "kanta", Role.WORKER))
    await ask(house, "kanta", Role.PRIVACY_OFFICER)


async def test_two_asks_at_once_do_not_join_what_excludes_each_other(house: Ledger) -> None:
    await add(house, "sato")
    first, second = await ask(house, "sato", Role.LOG_CUSTODIAN), await ask(house, "sato", Role.WORKER)
    await grant_role(house, first, by="kanta")
    await refused("PEOP-010", grant_role(house, second, by="kanta"))


def test_exclusion_is_mutual() -> None:
    for one in Role:
        assert compatible(one, one)
        for other in Role:
            assert compatible(one, other) == compatible(other, one)
    assert not compatible(Role.WORKER, Role.ADMINISTRATOR)
    assert set(EXCLUDES) <= set(Role)


# -- one human, several accounts ------------------------------------------------------------------------------------


async def test_two_accounts_are_one_human(house: Ledger) -> None:
    await add(house, "sato")
    await add_account(house, AccountAdded(account="sato-adm", person="sato", reason="an old id"), by="kanri")
    async with house.read() as connection:
        assert await human_of(connection, "sato-adm") == "sato"
        assert await human_of(connection, "nobody") is None
        assert (await find_humans(connection))["sato-adm"] == "sato"
    assert (await read_standing(house, "sato-adm")) == (await read_standing(house, "sato"))
    await freeze(house, "sato", reason="test", by="mori")
    async with house.read() as connection:
        holder = await find_holder(connection, "sato-adm")
    assert holder is not None
    assert not holder.active


async def test_an_account_cannot_be_taken_over_by_a_new_human(house: Ledger) -> None:
    await add(house, "sato")
    await add_account(house, AccountAdded(account="sato-adm", person="sato", reason="x"), by="kanri")
    await refused("LEDG-006", add(house, "sato-adm"))
    await refused("LEDG-006", add(house, "sato"))
    await refused(
        "LEDG-006", add_account(house, AccountAdded(account="mori", person="sato", reason="x"), by="kanri")
    )
    await refused(
        "PEOP-004", add_account(house, AccountAdded(account="x", person="sato-adm", reason="x"), by="kanri")
    )


@pytest.mark.parametrize("name", ["", "Sato", "sato.t", "sekisho", "a" * 64, "佐藤", "sato\n", "-a"])
async def test_an_id_that_could_be_mistaken_is_refused(ledger: Ledger, name: str) -> None:
    await refused("PEOP-005", add(ledger, name))


# -- the kill switch's end ------------------------------------------------------------------------------------------


async def test_a_freeze_ends_by_two_others(house: Ledger) -> None:
    await add(house, "sato")
    await freeze(house, "sato", reason="suspicion", by="mori")
    await refused("PEOP-007", ask_unfreeze(house, "sato", reason="nothing found", by="sato"))
    asked = (await ask_unfreeze(house, "sato", reason="nothing found", by="mori")).leaf_hash.hex()
    await refused("PEOP-007", unfreeze(house, asked, by="mori"))
    await freeze(house, "kanta", reason="test", by="mori")
    await refused("PEOP-006", unfreeze(house, asked, by="kanta"))
    await unfreeze(house, asked, by="hogo")
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert standing.active
    await refused("PEOP-008", unfreeze(house, asked, by="kanri"))
    await refused("PEOP-023", ask_unfreeze(house, "sato", reason="again", by="mori"))


async def test_consent_to_an_earlier_freeze_does_not_end_a_later_one(house: Ledger) -> None:
    await add(house, "sato")
    await freeze(house, "sato", reason="first", by="mori")
    asked = (await ask_unfreeze(house, "sato", reason="found nothing", by="mori")).leaf_hash.hex()
    await freeze(house, "sato", reason="second", by="hogo")
    await refused("PEOP-023", unfreeze(house, asked, by="hogo"))


# -- enrolment that two vouch for -----------------------------------------------------------------------------------


async def test_an_enrolment_link_needs_both_halves(house: Ledger) -> None:
    await add(house, "sato")
    desk = LinkDesk(house)
    await refused("PEOP-007", desk.ask_enrolment("mori", reason="lost", by="mori"))
    first = await desk.ask_enrolment("sato", reason="joins", by="mori")
    await refused("PEOP-007", desk.allow_enrolment(first.request, by="mori"))
    await refused("PEOP-004", desk.allow_enrolment(first.request, by="nobody"))
    second = await desk.allow_enrolment(first.request, by="kanri")
    assert first.secret not in repr(first)
    for halves in ((first.secret, first.secret), (second.secret, second.secret), ("", second.secret)):
        await refused("PEOP-012", desk.use_enrolment(*halves, "test"))
    who = await desk.use_enrolment(first.secret, second.secret, "test")
    assert who.enrolling
    assert who.person == "sato"
    await refused("PEOP-012", desk.use_enrolment(first.secret, second.secret, "test"))


async def test_an_enrolment_link_expires(house: Ledger, clock: Clock) -> None:
    await add(house, "sato")
    desk = LinkDesk(house, now=clock)
    first = await desk.ask_enrolment("sato", reason="joins", by="mori")
    second = await desk.allow_enrolment(first.request, by="kanri")
    clock.at += LINK_SECONDS
    await refused("PEOP-012", desk.use_enrolment(first.secret, second.secret, "test"))


async def test_an_enrolment_link_opens_once_whatever_races(house: Ledger) -> None:
    await add(house, "sato")
    desk = LinkDesk(house)
    first = await desk.ask_enrolment("sato", reason="joins", by="mori")
    second = await desk.allow_enrolment(first.request, by="kanri")
    outcomes = await asyncio.gather(
        *[desk.use_enrolment(first.secret, second.secret, "test") for _ in range(5)], return_exceptions=True
    )
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1


async def test_recovery_needs_two_different_roles(house: Ledger) -> None:
    await add(house, "sato")
    desk = LinkDesk(house)
    joining = await desk.ask_enrolment("sato", reason="joins", by="kanri")
    await desk.allow_enrolment(joining.request, by="kanta")  # the first time, two administrators will do
    sealed = house.vault.seal("checkpoint", b"{}")
    changed = CredentialSet(person="sato", verifier=sealed.commitment)
    await house.record(changed, by="sato", about="sato", parts=[sealed])
    lost = await desk.ask_enrolment("sato", reason="lost the phone", by="kanri")
    await refused("PEOP-013", desk.allow_enrolment(lost.request, by="kanta"))
    await desk.allow_enrolment(lost.request, by="hogo")


async def test_the_secrets_of_links_are_not_in_the_log(house: Ledger) -> None:
    await add(house, "sato")
    desk = LinkDesk(house)
    first = await desk.ask_enrolment("sato", reason="joins", by="mori")
    second = await desk.allow_enrolment(first.request, by="kanri")
    log = b"".join(recorded.leaf for recorded in await house.facts(0, 1000))
    assert first.secret.encode() not in log
    assert second.secret.encode() not in log


# -- how a person stands, for the gate ------------------------------------------------------------------------------


async def test_standing_says_what_the_facts_say(house: Ledger) -> None:
    await add(house, "sato", agency="Example Staffing", manager="mori", started=START)
    await give(house, "sato", Role.WORKER, "minato")
    until = date(2027, 3, 31)
    training = TrainingCompleted(person="sato", course="privacy", on=date(2026, 4, 1), until=until)
    await house.record(training, by="mori", about="sato")
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert (standing.agency, standing.manager, standing.active) == ("Example Staffing", "mori", True)
    assert standing.holds(Role.WORKER, "minato")
    assert not standing.holds(Role.WORKER, "aoba")
    assert not standing.holds(Role.WORKER)
    assert standing.lacking({"privacy"}, {"no-copies"}, until) == ("no-copies",)
    assert standing.lacking({"privacy"}, set(), date(2027, 4, 1)) == ("privacy",)
    assert await read_standing(house, "nobody") is None


async def test_a_role_for_the_house_is_held_for_each_organisation(house: Ledger) -> None:
    standing = await read_standing(house, "mori")
    assert standing is not None
    assert standing.holds(Role.OPERATOR_MANAGER, "minato")


async def test_a_grant_without_its_ask_is_no_grant(house: Ledger) -> None:
    """The tables show it, and are not what the gate reads."""
    await add(house, "sato")
    forged = RoleGranted(
        person="sato", role=Role.INVESTIGATOR, organisation="", since=START, request="0" * 64
    )
    await house.record(forged, by="kanri", about="sato")
    assert await held(house, "sato") == {Role.INVESTIGATOR}
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert not standing.roles


async def test_one_person_cannot_ask_and_grant_even_by_writing_the_facts(house: Ledger) -> None:
    await add(house, "sato")
    asked = await ask(house, "sato", Role.WORKER)
    granted = RoleGranted(person="sato", role=Role.WORKER, organisation="", since=START, request=asked)
    await house.record(granted, by="kanri", about="sato")
    await house.record(granted, by="sato", about="sato")
    other = RoleGranted(person="sato", role=Role.AUDITOR, organisation="", since=START, request=asked)
    await house.record(other, by="kanta", about="sato")
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert not standing.roles
    await house.record(granted, by="kanta", about="sato")
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert standing.holds(Role.WORKER)


async def test_one_person_cannot_end_a_freeze_even_by_writing_the_facts(house: Ledger) -> None:
    await add(house, "sato")
    await house.record(PersonFrozen(person="sato", reason="x"), by="mori", about="sato")
    asked = (await ask_unfreeze(house, "sato", reason="x", by="mori")).leaf_hash.hex()
    for by, request in (("mori", asked), ("hogo", "0" * 64)):
        await house.record(PersonUnfrozen(person="sato", request=request), by=by, about="sato")
        standing = await read_standing(house, "sato")
        assert standing is not None
        assert standing.frozen


async def test_somebody_who_trains_himself_is_not_trained(house: Ledger) -> None:
    await add(house, "sato")
    training = TrainingCompleted(person="sato", course="privacy", on=START, until=date(2099, 1, 1))
    await house.record(training, by="sato", about="sato")
    standing = await read_standing(house, "sato")
    assert standing is not None
    assert not standing.training


async def test_a_fact_that_the_published_log_does_not_confirm_is_refused(house: Ledger) -> None:
    async def confirms(recorded: Recorded) -> bool:
        return recorded.fact != "people.role_granted"

    await refused("PEOP-020", read_standing(house, "mori", confirms=confirms))


async def test_standing_of_nothing_is_nobody() -> None:
    assert standing_of([]) is None


async def test_facts_of_the_house_name_two_persons_for_each_role(house: Ledger) -> None:
    asked = {one.leaf_hash.hex(): one for one in await house.facts(0, 1000, names=["people.role_asked"])}
    for granted in await house.facts(0, 1000, names=["people.role_granted"]):
        request = json.loads(granted.leaf)["data"]["request"]
        if request in asked:
            assert len({asked[request].by, granted.by, granted.about}) == 3


async def test_the_tables_of_people_are_what_the_facts_say(house: Ledger, tmp_path: Path) -> None:
    await add(house, "sato")
    await give(house, "sato", Role.WORKER, "minato")
    await freeze(house, "sato", reason="suspicion", by="mori")
    asked = (await ask_unfreeze(house, "sato", reason="nothing found", by="mori")).leaf_hash.hex()
    await unfreeze(house, asked, by="hogo")
    desk = LinkDesk(house)
    first = await desk.ask_enrolment("sato", reason="joins", by="mori")
    second = await desk.allow_enrolment(first.request, by="kanri")
    await desk.use_enrolment(first.secret, second.secret, "test")
    await leave(house, "sato", last_day=START, reason="x", by="mori")
    found: list[Difference] = []
    checked = await check(f"sqlite:///{tmp_path / 'ledger.db'}", found.append)
    assert found == []
    assert checked.tables >= 16
