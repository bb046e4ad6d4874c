"""`sekisho break-glass`, `policy`, `register approve-hop` and `countersign`, `person ask-role` and `agree`: each act
that needs a human asks for that human's own password and code, and wrong input is told in one sentence."""

import asyncio
import json
import time
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import click
import pyotp
import pytest
from click.testing import CliRunner

from gate.gate_examples import fill
from sekisho.cli import COMMANDS, cli, proof
from sekisho.ledger import Ledger
from sekisho.people.consent import find_roles
from sekisho.people.credentials import enrol
from sekisho.people.facts import CredentialSet, PersonAdded, RoleAsked, RoleGranted
from sekisho.people.login import LoginDesk
from sekisho.people.roles import Role
from sekisho.register.erasure import certify
from sekisho.register.facts import ContractAdded, EntrustmentAdded
from sekisho.register.periods import parse_period
from sekisho.service.service import create_state, open_ledger
from sekisho.service.settings import Settings, read_settings

PASSWORD = "correct horse battery"
PEOPLE = ("sato", "mori", "kato", "haruka", "kanri-a", "kanri-b", "moto", "hogo")


class Shell:
    """Each login of a person uses the next code: the clock of the authenticator app runs ahead of ours."""

    def __init__(self, state: Path, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = state
        self._secrets = secrets
        self._at = time.time()
        monkeypatch.setattr(proof, "LoginDesk", partial(LoginDesk, now=lambda: self._at))

    def run(self, *arguments: str, person: str = "", **also: Any) -> tuple[int, str]:
        login: list[str] = []
        if person:
            self._at += 31
            code = also.get("code") or pyotp.TOTP(self._secrets[person]).at(int(self._at))
            login = ["--person", person, "--password", also.get("password", PASSWORD), "--code", code]
        result = CliRunner().invoke(cli, [*arguments, "--state", str(self.state), *login])
        if result.exception and not isinstance(result.exception, SystemExit):
            assert type(result.exception).__name__ == "Fault", result.exception  # one line, never a traceback
        return result.exit_code, result.output + (f" {result.exception}" if result.exception else "")

    def ok(self, *arguments: str, person: str = "") -> str:
        status, output = self.run(*arguments, person=person)
        assert status == 0, output
        return output

    def refused(self, *arguments: str, person: str = "", **also: Any) -> str:
        status, output = self.run(*arguments, person=person, **also)
        assert status != 0, output
        return output

    def read(self, name: str) -> list[Any]:
        async def facts(ledger: Ledger) -> list[Any]:
            return [one.typed() for one in await ledger.facts(0, 999, names=[name])]

        return asyncio.run(self.within(facts))

    async def within(self, act: Any) -> Any:
        async with open_ledger(self.state, read_settings(self.state)) as ledger:
            return await act(ledger)


async def appoint(ledger: Ledger, person: str, role: Role, organisation: str = "") -> None:
    since = date(2024, 4, 1)
    asked = RoleAsked(person=person, role=role, organisation=organisation, since=since, reason="test")
    request = (await ledger.record(asked, by="first", about=person)).leaf_hash.hex()
    granted = RoleGranted(person=person, role=role, organisation=organisation, since=since, request=request)
    await ledger.record(granted, by="second", about=person)


@pytest.fixture(scope="module")
def enrolled() -> dict[str, Any]:
    return {person: enrol(person, PASSWORD) for person in PEOPLE}


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enrolled: dict[str, Any]) -> Shell:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    state = tmp_path / "state"
    create_state(state, Settings(origin="checkpoint.example/cli"))

    async def prepare(ledger: Ledger) -> None:
        await fill(ledger)
        async with ledger.read() as connection:
            known = {row async for row in _people(connection)}
        for person in set(PEOPLE) - known:
            added = PersonAdded(
                person=person, name=person, employer=f"House of {person}", manager="", language="en"
            )
            await ledger.record(added, by="first", about=person)
        for person, role in (
            ("kanri-a", Role.ADMINISTRATOR),
            ("kanri-b", Role.ADMINISTRATOR),
            ("moto", Role.PROCESSOR_MANAGER),
            ("hogo", Role.PRIVACY_OFFICER),
        ):
            await appoint(ledger, person, role)
        await appoint(ledger, "haruka", Role.CLIENT, "minato")
        for person, enrolment in enrolled.items():
            verifier = ledger.vault.seal("checkpoint", enrolment.credential)
            fact = CredentialSet(person=person, verifier=verifier.commitment)
            await ledger.record(fact, by=person, about=person, parts=[verifier])

    made = Shell(state, {person: one.totp_secret for person, one in enrolled.items()}, monkeypatch)
    asyncio.run(made.within(prepare))
    return made


async def _people(connection: Any) -> Any:
    from sqlalchemy import select

    from sekisho.people.tables import persons

    for person in await connection.scalars(select(persons.c.person)):
        yield person


GLASS = (
    "break-glass", "open", "--organisation", "minato", "--dataset", "minato-customers", "--target", "callcentre",
    "--reason", "the invoices of tonight are wrong",
)  # fmt: skip


def test_an_emergency_is_opened_and_reviewed_by_two_others(shell: Shell) -> None:
    assert "No emergency access yet." in shell.ok("break-glass", "list")
    said = shell.ok(*GLASS, person="sato")
    assert "EMERGENCY ACCESS E-" in said
    [opened] = shell.read("gate.break_glass_opened")
    ticket = opened.asked.ticket
    assert "due" in shell.ok("break-glass", "list")
    finding = ("break-glass", "review", ticket, "--justified", "--note", "read the invoices")
    assert "SEK-GATE" in shell.refused(*finding, person="sato")
    assert "SEK-PEOP-001" in shell.refused(*finding, person="hogo", password="wrong")
    shell.ok(*finding, person="hogo")
    assert "SEK-GATE" in shell.refused(*finding, person="hogo")
    shell.ok(*finding, person="moto")
    assert "justified" in shell.ok("break-glass", "list")
    assert [one.reviewer for one in shell.read("gate.break_glass_reviewed")] == ["hogo", "moto"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--minutes", "90"), "SEK-GATE"),
        (("--persons", "11"), "SEK-GATE"),
        (("--minutes", "0"), "Invalid value for '--minutes'"),
        (("--persons", "many"), "Invalid value for '--persons'"),
        (("--reason", " "), "SEK-GATE"),
    ],
)
def test_an_emergency_that_is_too_large_or_without_reason_is_refused(
    shell: Shell, arguments: tuple[str, ...], said: str
) -> None:
    assert said in shell.refused(*GLASS, *arguments, person="sato")
    assert shell.read("gate.break_glass_opened") == []


def test_an_emergency_is_for_a_worker_who_proves_it(shell: Shell) -> None:
    assert "SEK-PEOP-001" in shell.refused(*GLASS, person="sato", password="wrong")
    assert "SEK-PEOP-001" in shell.refused(*GLASS, person="sato", code="000000")
    assert "SEK-GATE" in shell.refused(*GLASS, person="kanri-a")
    unknown = ("break-glass", "review", "E-none", "--justified", "--note", "x")
    assert "SEK-GATE" in shell.refused(*unknown, person="hogo")
    assert "Missing option '--justified'" in shell.refused("break-glass", "review", "E-1", person="hogo")


def test_a_policy_is_proposed_by_one_and_approved_by_another(shell: Shell) -> None:
    """Fails when `approve` would take a name for a human."""
    said = shell.ok(
        "policy", "propose", "--set", "hours=[8,20]", "--set", "bulk_persons=100", "--reason", "nights", person="moto"
    )  # fmt: skip
    assert "hours: [0,24] -> [8,20]" in said
    [proposed] = shell.read("gate.policy_proposed")
    approve = ("policy", "approve", proposed.proposal, "--yes")
    assert json.loads(shell.ok("policy", "show", "--json"))["hours"] == [0, 24]
    assert f"proposal {proposed.proposal} by moto: nights" in shell.ok("policy", "show")
    assert "SEK-GATE" in shell.refused(*approve, person="moto")
    assert "SEK-PEOP-001" in shell.refused(*approve, person="hogo", password="wrong")
    assert "no such option" in shell.refused(*approve, "--by", "hogo", person="hogo").lower()
    assert shell.read("gate.policy_approved") == []
    assert "hours: [0,24] -> [8,20]" in shell.ok(*approve, person="hogo")
    assert json.loads(shell.ok("policy", "show", "--json"))["hours"] == [8, 20]
    assert "SEK-CLI-012" in shell.refused(*approve, person="hogo")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("hours", "SEK-CLI-010"),
        ("hourz=[8,20]", "SEK-CLI-010"),
        ("hours=[8", "SEK-CLI-010"),
        ('hours="8"', "SEK-CLI-010"),
        ("hours=[8,20,21]", "SEK-CLI-010"),
        ("hours=[20,8]", "SEK-GATE"),
        ("longest_hours=0", "SEK-GATE"),
        ("break_glass_minutes=null", "SEK-CLI-010"),
        ("hours=[0,24]", "SEK-CLI-011"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(shell: Shell, change: str, said: str) -> None:
    assert said in shell.refused("policy", "propose", "--set", change, "--reason", "x", person="moto")
    assert shell.read("gate.policy_proposed") == []


async def entrust(ledger: Ledger) -> None:
    """minato entrusts outsourcing, which entrusts agency: that hop needs minato's approval."""
    for hop, giver, receiver, until in (
        ("hop-a", "minato", "outsourcing", "~2026年3月"),
        ("hop-b", "outsourcing", "agency", "2020年4月~"),
    ):
        entrusted = EntrustmentAdded(
            hop=hop,
            client="minato",
            giver=giver,
            receiver=receiver,
            datasets=("minato-customers",),
            began=date(2020, 4, 1),
        )
        await ledger.record(entrusted, by="first", about=hop)
        period = parse_period("2020年4月~2026年3月" if hop == "hop-a" else until)
        contract = ContractAdded(contract=f"c-{hop}", hop=hop, kind="業務委託契約", period=period, clauses=())
        await ledger.record(contract, by="first", about=contract.contract)


def test_a_client_approves_a_hop_by_its_own_login(shell: Shell) -> None:
    asyncio.run(shell.within(entrust))
    act = ("register", "approve-hop", "hop-b", "--organisation", "minato", "--yes")
    assert "SEK-CLI-013" in shell.refused(*act, person="kanri-a")
    assert "SEK-PEOP-001" in shell.refused(*act, person="haruka", password="wrong")
    other = ("register", "approve-hop", "hop-b", "--organisation", "aoba", "--yes")
    assert "SEK-CLI-013" in shell.refused(*other, person="haruka")
    unknown = ("register", "approve-hop", "hop-x", "--organisation", "minato", "--yes")
    assert "SEK-CLI-014" in shell.refused(*unknown, person="haruka")
    assert shell.read("register.hop_approved") == []
    assert "outsourcing entrusts agency" in shell.ok(*act, person="haruka")
    [approved] = shell.read("register.hop_approved")
    assert (approved.hop, approved.organisation) == ("hop-b", "minato")


def test_a_second_person_agrees_to_a_hop_by_their_own_login(shell: Shell, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "entrustments.csv").write_text(
        "id,client,giver,receiver,datasets,began\nhop-n,minato,operator,outsourcing,minato-customers,2026-01-01\n"
    )
    (tables / "parties.csv").write_text("id,name\noutsourcing,外注先\n")
    assert "wait for a second person" in shell.ok("register", "import", str(tables), "--by", "kanri-a")
    said = shell.ok("register", "waits")
    assert "hop-n: operator → outsourcing [minato-customers] 2026-01-01" in said
    proposal = said.split()[0]
    act = ("register", "agree", proposal, "--yes")
    assert "SEK-REG-188" in shell.refused(*act, person="kanri-a")
    assert "SEK-CLI-021" in shell.refused(*act, person="sato")
    assert "SEK-PEOP-001" in shell.refused(*act, person="hogo", password="wrong")
    assert "SEK-REG-187" in shell.refused("register", "agree", "0" * 64, "--yes", person="hogo")
    assert "hop-n" not in {fact.hop for fact in shell.read("register.entrustment_added")}
    assert "Agreed" in shell.ok(*act, person="hogo")
    assert "hop-n" in {fact.hop for fact in shell.read("register.entrustment_added")}


def test_a_client_countersigns_an_erasure_by_its_own_login(shell: Shell) -> None:
    asyncio.run(shell.within(entrust))
    act = (
        "register", "countersign", "minato-customers", "--party", "outsourcing", "--organisation", "minato", "--yes",
    )  # fmt: skip
    assert "SEK-CLI-015" in shell.refused(*act, person="haruka")

    async def certified(ledger: Ledger) -> None:
        await certify(
            ledger,
            "minato-customers",
            party="outsourcing",
            by="mori",
            on=date(2026, 11, 1),
            method="overwritten",
            certificate=b"paper",
        )

    asyncio.run(shell.within(certified))
    assert "SEK-CLI-013" in shell.refused(*act, person="mori")
    assert shell.read("register.erasure_countersigned") == []
    assert "overwritten" in shell.ok(*act, person="haruka")
    assert len(shell.read("register.erasure_countersigned")) == 1


def test_a_role_is_given_by_two_administrators_who_log_in(shell: Shell) -> None:
    ask = ("person", "ask-role", "kato", "auditor", "--reason", "joins the audit")
    assert "SEK-PEOP-009" in shell.refused(*ask, person="hogo")
    said = shell.ok(*ask, person="kanri-a")
    request = said.split()[-1]
    assert request in shell.run("person", "show")[1]
    assert "SEK-PEOP-007" in shell.refused("person", "agree", request, person="kanri-a")
    assert "SEK-PEOP-001" in shell.refused("person", "agree", request, person="kanri-b", password="x")
    assert "SEK-PEOP-008" in shell.refused("person", "agree", "0" * 64, person="kanri-b")
    assert "no such option" in shell.refused("person", "agree", request, "--by", "kanri-b").lower()
    assert "Agreed, for kato." in shell.ok("person", "agree", request, person="kanri-b")

    async def roles(ledger: Ledger) -> set[Role]:
        async with ledger.read() as connection:
            return {one.role for one in await find_roles(connection, "kato")}

    assert Role.AUDITOR in asyncio.run(shell.within(roles))
    assert "Invalid value" in shell.refused("person", "ask-role", "kato", "king", person="kanri-a")


def test_a_freeze_is_ended_by_two_who_log_in(shell: Shell) -> None:
    shell.ok("person", "freeze", "sato", "--reason", "suspicion")
    assert "SEK-PEOP-023" in shell.refused("person", "ask-unfreeze", "kato", "--reason", "x", person="hogo")
    request = shell.ok("person", "ask-unfreeze", "sato", "--reason", "cleared", person="hogo").split()[-1]
    assert "SEK-PEOP-007" in shell.refused("person", "agree", request, person="hogo")
    shell.ok("person", "agree", request, person="moto")
    assert len(shell.read("people.person_unfrozen")) == 1


def test_notices_are_addressed_and_listed(shell: Shell) -> None:
    assert shell.ok("notice", "list") == ""
    shell.ok("notice", "address", "person:hogo", "mailto:hogo@house.example")
    assert "smtp" in shell.ok("notice", "list")
    shell.ok("notice", "test", "person:hogo", "--by", "hogo")
    assert "waits" in shell.ok("notice", "list")
    shell.ok("notice", "address", "person:hogo")
    assert "SEK-NOTE-001" in shell.refused("notice", "address", "person:hogo", "hogo@house.example")
    assert "SEK-NOTE-002" in shell.refused("notice", "address", "hogo", "mailto:a@b.example")
    assert "SEK-NOTE-002" in shell.refused("notice", "test", "person:nobody")
    assert "SEK-PEOP-004" in shell.refused(
        "notice", "address", "person:hogo", "mailto:a@b.example", "--by", "nobody"
    )


def test_without_a_checkpoint_each_command_says_so(tmp_path: Path) -> None:
    empty = Shell.__new__(Shell)
    empty.state = tmp_path
    for command in (("break-glass", "list"), ("policy", "show"), ("notice", "list"), ("person", "show")):
        assert "SEK-SERV-001" in empty.refused(*command)


def test_no_act_of_a_second_human_takes_a_name_for_one() -> None:
    """Every command whose act needs a human's consent asks for password and code, and has no --by."""
    proven = {
        "ticket": ("request", "approve", "close"),
        "break-glass": ("open", "review"),
        "policy": ("propose", "approve"),
        "register": ("approve-hop", "countersign"),
        "person": ("ask-role", "ask-unfreeze", "agree"),
    }
    context = click.Context(cli)
    for group, names in proven.items():
        assert group in COMMANDS
        found = cli.get_command(context, group)
        assert isinstance(found, click.Group)
        for name in names:
            command = found.commands[name]
            options = {option for parameter in command.params for option in parameter.opts}
            assert {"--person", "--password", "--code"} <= options, name
            assert "--by" not in options, name
