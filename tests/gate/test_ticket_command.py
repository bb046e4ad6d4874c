"""`sekisho ticket` and `sekisho explain`, with real logins over a state folder."""

import asyncio
import json
import time
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner

from gate.gate_examples import fill
from sekisho.cli import cli
from sekisho.evidence.note import NoteSigner
from sekisho.ledger import Level, Publisher
from sekisho.people.credentials import enrol
from sekisho.people.facts import CredentialSet
from sekisho.service.service import LOG, LOG_KEY, create_state, open_ledger
from sekisho.service.settings import Settings, read_settings

PASSWORD = "correct horse"


class Shell:
    def __init__(self, state: Path, secrets: dict[str, str]) -> None:
        self.state = state
        self._secrets = secrets
        self._runner = CliRunner()
        self._codes: dict[str, str] = {}

    def run(
        self, *arguments: str, person: str = "", wrong: bool = False, again: bool = False
    ) -> tuple[int, str]:
        login: list[str] = []
        if person:
            now = pyotp.TOTP(self._secrets[person]).at(int(time.time()))
            code = self._codes[person] = self._codes[person] if again else now
            login = ["--person", person, "--password", "wrong" if wrong else PASSWORD, "--code", code]
        result = self._runner.invoke(cli, [*arguments, "--state", str(self.state), *login])
        fault = f" {result.exception}" if result.exception else ""
        return result.exit_code, result.output + fault

    def publish(self) -> None:
        asyncio.run(self._publish())

    async def _publish(self) -> None:
        settings = read_settings(self.state)
        signer = NoteSigner.load(self.state / LOG_KEY, settings.origin)
        async with open_ledger(self.state, settings) as ledger, asyncio.TaskGroup() as group:
            publisher = Publisher(ledger, self.state / LOG, signer, interval=0.01)
            group.create_task(publisher.run())
            await ledger.reached(await ledger.size() - 1, Level.PUBLISHED, 10)
            publisher.stop()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    state = tmp_path / "state"
    create_state(state, Settings(origin="checkpoint.example/cli"))
    secrets: dict[str, str] = {}

    async def prepare() -> None:
        async with open_ledger(state, read_settings(state)) as ledger:
            await fill(ledger)
            for person in ("sato", "mori", "kato"):
                enrolment = enrol(person, PASSWORD)
                secrets[person] = enrolment.totp_secret
                verifier = ledger.vault.seal("checkpoint", enrolment.credential)
                fact = CredentialSet(person=person, verifier=verifier.commitment)
                await ledger.record(fact, by="kanri", about=person, parts=[verifier])

    asyncio.run(prepare())
    return Shell(state, secrets)


ASK = (
    "ticket", "request", "--name", "T-0001", "--organisation", "minato", "--dataset", "minato-customers",
    "--target", "callcentre", "--purpose", "look into a wrong invoice", "--persons", "50",
    "--unmask", "phone", "the customer has to be called back",
)  # fmt: skip


def test_a_ticket_is_asked_for_approved_explained_and_closed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, output = shell.run(*ASK, person="sato", wrong=True)
    assert status != 0
    assert "SEK-PEOP-001" in output
    assert shell.run("ticket", "list") == (0, "")
    status, output = shell.run(*ASK, person="sato")
    assert (status, "opens nothing until it is approved" in output) == (0, True), output
    assert "requested" in shell.run("ticket", "list")[1]
    status, output = shell.run("ticket", "approve", "T-0001", "--yes", person="kato")
    assert status != 0
    assert "SEK-GATE-007" in output
    status, output = shell.run("ticket", "approve", "T-0001", "--yes", person="mori")
    assert status == 0, output
    assert "phone (the customer has to be called back)" in output
    assert "first approved ticket" in output
    shell.publish()
    status, output = shell.run("explain", "--who", "sato", "--what", "minato-customers")
    assert status == 0, output
    assert output.startswith("Yes. sato could open callcentre")
    status, output = shell.run("explain", "--who", "kato", "--what", "T-0001", "--json")
    assert status == 1
    [answer] = json.loads(output.rpartition("]")[0] + "]")
    assert answer["could"] is False
    assert answer["rules"][0]["code"] == "SEK-GATE-001"
    assert all(rule["en"] and rule["ja"] for rule in answer["rules"])
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    assert shell.run("explain", "--who", "sato", "--what", "T-0001")[1].startswith("はい。")
    assert (
        "SEK-PEOP-001"
        in shell.run("ticket", "close", "T-0001", "--reason", "x", person="mori", again=True)[1]
    )  # code spent
    assert shell.run("ticket", "list", "--all")[1].count("approved") == 1


def test_a_person_without_ticket_is_told_so(shell: Shell) -> None:
    shell.publish()
    status, output = shell.run("explain", "--who", "sato", "--what", "minato", "--at", "2026-11-21 12:00")
    assert status == 1
    assert output.startswith("No. sato has no ticket for minato.")
    assert "person and register as they are now" in output
