"""`sekisho record`: listed and verified with the state folder alone, played and written out by whoever may watch."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import pyotp
import pytest
from click.testing import CliRunner, Result

from gate.gate_examples import fill
from sekisho.cli import cli
from sekisho.cli.record import record
from sekisho.evidence.note import NoteSigner
from sekisho.faults import Fault
from sekisho.ledger import Ledger, Publisher
from sekisho.people.credentials import enrol
from sekisho.people.facts import CredentialSet
from sekisho.relay.record.reading import read_account
from sekisho.relay.record.recordings import Recordings, path_of
from sekisho.relay.record.viewing import approve_watching, ask_to_watch
from sekisho.service.faults import NO_STATE
from sekisho.service.service import LOG, LOG_KEY, RECORDINGS, create_state, open_ledger
from sekisho.service.settings import Settings
from sekisho.wire.asciicast.cast import CastDecoder

SETTINGS = Settings(origin="checkpoint.example/test")
SHOWN = "佐藤 花子 090-0000-0001\r\n".encode()


@dataclass
class State:
    folder: Path
    recording: str
    totp: str

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(record, [*arguments, "--state", str(self.folder)])

    def watch(self, command: str, *arguments: str) -> Result:
        code = pyotp.TOTP(self.totp).now()
        login = ("--person", "mori", "--password", "correct horse", "--code", code)
        return self.run(command, self.recording, *arguments, *login)

    def approve(self) -> None:
        async def both(ledger: Ledger) -> None:
            account = await read_account(ledger, self.recording)
            asked = await ask_to_watch(ledger, account.opened, "mori", "an alert")
            await approve_watching(ledger, account.opened, asked.leaf_hash.hex(), "ono")

        asyncio.run(_with(self.folder, both))


async def _with(folder: Path, act: Callable[[Ledger], object]) -> None:
    async with _published(folder) as ledger:
        await act(ledger)  # type: ignore[misc]


@asynccontextmanager
async def _published(folder: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(folder, SETTINGS) as ledger:
        publisher = Publisher(
            ledger, folder / LOG, NoteSigner.load(folder / LOG_KEY, SETTINGS.origin), interval=0.02
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(publisher.run())
            yield ledger
            publisher.stop()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    folder = tmp_path / "state"
    create_state(folder, SETTINGS)
    enrolment = enrol("mori", "correct horse")
    names: list[str] = []

    async def make(ledger: Ledger) -> None:
        await fill(ledger)
        sealed = ledger.vault.seal("checkpoint", enrolment.credential)
        fact = CredentialSet(person="mori", verifier=sealed.commitment)
        await ledger.record(fact, by="mori", about="mori", parts=[sealed])
        made = await Recordings(ledger, folder / RECORDINGS).open(
            "s-1",
            person="sato",
            ticket="T-1",
            organisation="minato",
            kind="ssh",
            title="sato → host",
            width=80,
            height=24,
        )
        made.output(SHOWN)
        made.input(b"hunter2\r")
        made.mark("alert")
        made.output(b"\xff.\r\n")
        await made.close()
        names.append(made.recording)

    asyncio.run(_with(folder, make))
    return State(folder, names[0], enrolment.totp_secret)


def test_list_and_verify_show_nothing_of_the_screen(state: State) -> None:
    listed = state.run("list", "--person", "sato")
    assert listed.exit_code == 0
    assert state.recording in listed.output
    assert state.run("list", "--person", "mori").output == ""
    verified = state.run("verify")
    assert verified.exit_code == 0
    assert "4 events in 1 segments" in verified.output
    for run in (listed, verified):
        assert "佐藤" not in run.output


def test_damage_is_named_and_is_the_exit_status(state: State) -> None:
    path = path_of(state.folder / RECORDINGS, state.recording)
    stored = bytearray(path.read_bytes())
    stored[-3] ^= 1
    path.write_bytes(stored)
    run = state.run("verify", state.recording)
    assert run.exit_code == 1
    assert "segment 0" in run.output
    assert "frame 3" in run.output
    path_of(state.folder / RECORDINGS, "r-planted").write_bytes(b"")
    assert "r-planted: no fact knows this file" in state.run("verify").output


def test_watching_needs_a_second_person_and_is_recorded(state: State, tmp_path: Path) -> None:
    alone = state.watch("play")
    assert isinstance(alone.exception, Fault)
    assert alone.exception.code == "SEK-RECD-006"
    assert alone.output == ""


def test_play_and_export(state: State, tmp_path: Path) -> None:
    state.approve()
    played = state.watch("play", "--speed", "1000")
    assert played.exit_code == 0, played.output
    assert played.stdout_bytes.startswith(SHOWN + b"\xff.\r\n")
    assert b"hunter2" not in played.stdout_bytes
    out = tmp_path / "out.cast"
    again = state.watch("export", str(out))
    assert isinstance(again.exception, Fault)  # a one-time code is good once
    assert not out.exists()

    async def watched(ledger: Ledger) -> None:
        [fact] = await ledger.facts(0, 10, names=["record.watched"])
        assert fact.by == "mori"

    asyncio.run(_with(state.folder, watched))


@pytest.mark.parametrize("with_input", [False, True])
def test_export_is_asciicast(state: State, tmp_path: Path, with_input: bool) -> None:
    state.approve()
    out = tmp_path / "out.cast"
    run = state.watch("export", str(out), *(["--input"] if with_input else []))
    assert run.exit_code == 0, run.output
    assert out.stat().st_mode & 0o077 == 0
    cast = out.read_bytes()
    assert json.loads(cast.splitlines()[0])["version"] == 2
    decoder = CastDecoder()
    events = [*decoder.feed(cast), *decoder.finish()]
    assert b"".join(one.data for one in events if one.code == "o") == SHOWN + b"\xff.\r\n"
    assert (b"hunter2" in cast) == with_input
    assert [one.data for one in events if one.code == "m"] == [b"alert"]


def test_a_missing_state_folder_is_said_before_a_password_is_asked_for(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "none")
    called = CliRunner().invoke(
        record, ["play", "r-1", "--person", "sato", "--state", nowhere], input="x\n1\n"
    )
    assert isinstance(called.exception, Fault)
    assert called.exception.kind is NO_STATE
    assert called.output == ""


def _commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) is not None:
                yield from _commands(found)


def test_every_command_that_asks_for_a_secret_looks_for_its_state_folder_first() -> None:
    asking = 0
    for command in _commands(cli):
        options = [one for one in command.params if isinstance(one, click.Option)]
        if any(one.prompt for one in options):
            for option in (one for one in options if "--state" in one.opts):
                asking += 1
                assert option.is_eager, command.name
                assert option.callback is not None, command.name
    assert asking > 10
