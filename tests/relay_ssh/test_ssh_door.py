"""The SSH door with real OpenSSH programs before a real OpenSSH server: what works, and whom it lets in."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pyotp
import pytest

from checkpoint_under_test import limits
from sekisho.faults import Fault
from sekisho.gate.facts import TicketClosed
from sekisho.people.faults import KEY_KNOWN
from sekisho.people.freeze import freeze
from sekisho.people.identity import Method, minted
from sekisho.people.ssh_keys import add_ssh_key, key_name, revoke_ssh_key
from sekisho.register.facts import TargetAdded
from sekisho.relay.faults import SESSION_ENDED
from sekisho.relay.record.faults import RECORDER_FAILED
from sekisho.relay.ssh import door as door_module
from ssh_under_test import PROMPT, TARGET, Shell, SshCheckpoint, run, ssh_checkpoint

pytestmark = pytest.mark.e2e


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[SshCheckpoint]:
    made: SshCheckpoint | None = None
    try:
        async with ssh_checkpoint(tmp_path) as made:
            yield made
    except* Fault:
        if made is None or not made.ends_badly:
            raise


async def until_closed(door: SshCheckpoint, count: int = 1) -> list[dict[str, object]]:
    """The closing facts, once there are so many."""
    async with asyncio.timeout(15):
        while len(await door.facts("relay.session_closed")) < count:
            await door.ledger.wait_turn(0.2)
    return await door.told("relay.session_closed")


async def test_a_shell_works_and_is_recorded(door: SshCheckpoint) -> None:
    ticket = await door.ssh_ticket()
    async with door.shell(ticket) as shell:
        await shell.until(PROMPT)
        await shell.type("echo $((40+2)); tty; id -un; stty size; echo 日本語; sleep 30\n")
        await shell.until("日本語\r\n")
        await shell.type("\x03")
        await shell.type("exit 7\n")
        assert await shell.ended() == 7
        shown = shell.shown
    assert "42" in shown
    assert "/dev/pts/" in shown
    assert door.server.user in shown
    [opened] = await door.told("relay.session_opened")
    wanted = {"person": "sato", "ticket": ticket, "target": TARGET, "door": "ssh", "organisation": "minato"}
    assert {name: opened[name] for name in wanted} == wanted
    assert "gcm" in str(opened["tls"]) or "chacha" in str(opened["tls"])
    [closed] = await until_closed(door)
    assert closed["reason"] == "target"
    assert isinstance(closed["bytes"], int)
    assert closed["bytes"] >= 100
    outputs = await door.told("relay.terminal_output")
    assert sum(one["bytes"] for one in outputs) == closed["bytes"]
    assert len(await door.facts("record.closed")) == 1
    # What the target was shown: our certificate, for its role, with session, person and ticket in its name.
    log = (door.server.folder / "log").read_text()
    assert f'Accepted certificate ID "{opened["session"]} sato {ticket}"' in log


async def test_the_certificate_is_for_minutes_and_a_terminal_only(tmp_path: Path) -> None:
    from sekisho.relay.ssh.authority import TargetAuthority, load_key

    authority = TargetAuthority(load_key(tmp_path / "authority"))
    _, certificate = authority.credential("batch", "s-1 sato T-0001", "192.0.2.7")
    (tmp_path / "c.pub").write_bytes(certificate.export_certificate())
    told = (await run(["ssh-keygen", "-L", "-f", str(tmp_path / "c.pub")])).output
    words = told.split()
    assert words[words.index("Extensions:") + 1 :] == ["permit-pty"]
    assert words[words.index("Principals:") + 1] == "batch"
    assert "source-address 192.0.2.7" in told
    assert (tmp_path / "authority").stat().st_mode & 0o777 == 0o600
    (tmp_path / "authority").chmod(0o644)
    with pytest.raises(Fault):
        load_key(tmp_path / "authority")


async def test_only_a_registered_key_of_the_person_lets_in(door: SshCheckpoint) -> None:
    ticket = await door.ssh_ticket()
    assert PROMPT in await door.typed(ticket)

    async def refused(identity: Path, login: str = f"sato.{ticket}") -> None:
        options = [part for part in door.options(ticket) if part != str(door.folder / "id")]
        options = [str(identity) if part == "-i" else part for part in options]
        options.insert(options.index(str(identity)), "-i")
        options = [f"User={login}" if part.startswith("User=") else part for part in options]
        answer = await run(["ssh", "-tt", *options, "-o", "PreferredAuthentications=publickey", "door"])
        assert answer.status == 255, answer
        assert "Permission denied" in answer.errors

    other = door.folder / "other"
    key = asyncssh.generate_private_key("ssh-ed25519")
    other.write_bytes(key.export_private_key())
    other.chmod(0o600)
    await refused(other)
    # Whoever edits the database, the fact itself, has not edited the published log.
    mine = asyncssh.read_private_key(door.folder / "id")
    before, after = (one.export_public_key().split()[1] for one in (mine, key))
    change = "UPDATE facts SET about = ?, leaf = "
    change += "CAST(replace(replace(leaf, ?, ?), ?, ?) AS BLOB) WHERE fact = ?"
    names = key_name(mine.public_data), key_name(key.public_data)
    with contextlib.closing(sqlite3.connect(door.service.state / "ledger.sqlite")) as database, database:
        database.execute(change, (names[1], *names, before.decode(), after.decode(), "people.ssh_key_added"))
    await refused(other)
    names = names[::-1]
    with contextlib.closing(sqlite3.connect(door.service.state / "ledger.sqlite")) as database, database:
        database.execute(change, (names[1], *names, after.decode(), before.decode(), "people.ssh_key_added"))
    # Nor does the key open another account, or a name without a ticket.
    await refused(door.folder / "id", login=f"mori.{ticket}")
    await refused(door.folder / "id", login="sato")
    # A user certificate is no registered key, even of a registered one.
    authority = asyncssh.generate_private_key("ssh-ed25519")
    certificate = authority.generate_user_certificate(key, "sato", principals=[f"sato.{ticket}"])
    (door.folder / "other-cert.pub").write_bytes(certificate.export_certificate())
    await refused(other)
    # And a revoked key is void for good, at once.
    name = key_name(mine.public_data)
    await revoke_ssh_key(door.ledger, name, person="sato", by="sato", reason="lost")
    await refused(door.folder / "id")
    with pytest.raises(Fault) as caught:
        await add_ssh_key(
            door.ledger, minted("sato", "sato", Method.PASSWORD, "test"), mine.export_public_key().decode()
        )
    assert caught.value.kind is KEY_KNOWN
    assert len(await door.facts("relay.session_opened")) == 1
    failed = await door.told("people.login_failed")
    assert failed
    assert {one["reason"] for one in failed} == {"ssh"}


async def test_a_connection_does_not_outlive_its_key(door: SshCheckpoint) -> None:
    ticket = await door.ssh_ticket()
    shared = ["-o", f"ControlPath={door.folder / 'mux'}"]
    async with door.shell(ticket, *shared, "-o", "ControlMaster=yes") as first:
        await first.until(PROMPT)
        name = key_name(asyncssh.read_private_key(door.folder / "id").public_data)
        await revoke_ssh_key(door.ledger, name, person="sato", by="sato", reason="lost")
        async with door.shell(ticket, *shared) as second:
            await second.ended()
            assert PROMPT not in second.shown
    assert len(await door.facts("relay.session_opened")) == 1


async def test_guessing_and_crowding_are_bounded(
    door: SshCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await door.ssh_ticket()
    assert door.service.ssh is not None
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(12)]
    keys.append(asyncssh.read_private_key(door.folder / "id"))  # the right one comes too late
    login = {"known_hosts": None, "config": None, "agent_path": None, "username": f"sato.{ticket}"}
    with pytest.raises((asyncssh.Error, OSError)):
        await asyncssh.connect(*door.service.ssh, client_keys=keys, **login)
    mine = {**login, "client_keys": [str(door.folder / "id")]}
    monkeypatch.setattr(door_module, "_MOST_OF_ADDRESS", 2)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(asyncssh.connect(*door.service.ssh, **mine))
        with pytest.raises((asyncssh.Error, OSError)):
            await asyncssh.connect(*door.service.ssh, **mine)
    async with asyncio.timeout(10):
        while door.service.ssh_door is not None and door.service.ssh_door._clients:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.02)
    async with asyncssh.connect(*door.service.ssh, **mine):
        pass


async def test_password_and_code_let_in_once(door: SshCheckpoint) -> None:
    ticket = await door.ssh_ticket()
    command = ["ssh", "-tt", *door.options(ticket, key=False), "-o", "PubkeyAuthentication=no", "door"]
    code = pyotp.TOTP(door.totp).now()
    for password, accepted in (("wrong horse", False), ("correct horse", True), ("correct horse", False)):
        shell = await Shell.start(command)
        try:
            await shell.until("Password:")
            await shell.type(password + "\n")
            await shell.until("One-time code:")
            await shell.type(code + "\n")
            if accepted:
                await shell.until(PROMPT)
                await shell.type("exit\n")
                assert await shell.ended() == 0
            else:
                await shell.until("Password:", after=len(shell.shown))
        finally:
            await shell.stop()
    assert len(await door.facts("relay.session_opened")) == 1


async def test_a_ticket_opens_its_own_target_and_door_only(door: SshCheckpoint) -> None:
    for changes in ({"door": "postgres"}, {"approved": False}, {"person": "mori"}):
        try:
            ticket = await door.ssh_ticket(**changes)
        except Fault:
            continue
        answer = await door.run("ssh", ticket, "-tt", "door")
        assert "SEK-GATE-" in answer.output, answer
    answer = await door.run("ssh", "T-9999", "-tt", "door")
    assert "SEK-GATE-001" in answer.output
    assert not await door.facts("relay.session_opened")
    assert len(await door.facts("gate.access_refused")) >= 3


async def test_another_host_key_opens_nothing(door: SshCheckpoint) -> None:
    ticket = await door.ssh_ticket()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    for host_keys in (
        (other,),
        (),
        (asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode(),),
    ):
        [*_, recorded] = await door.facts("register.target_added")
        fact = recorded.typed()
        assert isinstance(fact, TargetAdded)
        changed = {name: getattr(fact, name) for name in fact.__struct_fields__} | {"host_keys": host_keys}
        await door.ledger.record(TargetAdded(**changed), by="kanri", about=TARGET)
        answer = await door.run("ssh", ticket, "-tt", "door")
        assert "SEK-RSSH-002" in answer.output, answer
    refused = await door.told("relay.host_key_refused")
    assert len(refused) == 3
    assert refused[0]["found"].startswith("SHA256:")
    assert "Accepted" not in (door.server.folder / "log").read_text()


async def test_over_the_budget_the_session_ends_before_more_is_shown(door: SshCheckpoint) -> None:
    rows = "".join(f"佐藤 花子,090-1234-{i:04}\n" for i in range(200))
    (door.server.folder / "customers").write_text(rows)
    (door.server.folder / "customers").chmod(0o644)
    ticket = await door.ssh_ticket(limits=limits(session_persons=20))
    async with door.shell(ticket) as shell:
        await shell.until(PROMPT)
        await shell.type(f"head -5 {door.server.folder}/customers\n")
        await shell.until("090-1234-0004")
        await shell.type(f"cat {door.server.folder}/customers\n")
        await shell.until("SEK-SCRN-001")
        await shell.ended()
        assert shell.shown.count("090-1234-") == 5 + 20
        assert "0019" in shell.shown
    [closed] = await until_closed(door)
    assert closed["reason"] == "limit"
    assert closed["persons"] == 20
    assert closed["seen"]
    assert len(await door.facts("gate.budget_leased")) >= 1
    sightings = [one["sightings"] for one in await door.told("relay.terminal_output")]
    assert sum(one.get("phone", 0) for one in sightings) == 20


async def test_control_strings_do_not_reach_the_terminal(door: SshCheckpoint) -> None:
    ticket = await door.ssh_ticket()
    shown = await door.typed(
        ticket,
        r"printf '\033]52;c;c2VjcmV0\007\033]0;title\007\033Pq~~\033\\\033_Ga;b\033\\**\030B00\005\033[21t'",
        r"printf '\033[31mred\033[0m\n'",
    )
    raw = shown.encode().replace(b"'\\033]52;c;c2VjcmV0", b"")  # what was typed is echoed as it was typed
    assert b"\x1b]" not in raw
    assert b"\x1bP" not in raw
    assert b"\x1b_" not in raw
    assert b"\x18" not in raw
    assert b"\x1b[31mred\x1b[0m" in raw
    await until_closed(door)
    kinds = {one["channel"] for one in await door.told("relay.channel_refused")}
    assert {"clipboard", "title", "sixel", "kitty", "zmodem", "answerback", "window"} <= {
        kind.removeprefix("terminal-") for kind in kinds
    }


async def test_what_ends_a_session_from_outside(door: SshCheckpoint) -> None:
    async def ends(shell: Shell, sentence: str) -> None:
        await shell.until(sentence)
        await shell.ended(seconds=10)

    first, second, third = [await door.ssh_ticket() for _ in range(3)]
    async with door.shell(first) as one, door.shell(second) as two, door.shell(third) as three:
        for shell in (one, two, three):
            await shell.until(PROMPT)
        await door.ledger.record(TicketClosed(ticket=first, reason="done"), by="sato", about=first)
        await ends(one, "SEK-RLAY-013")
        opened = await door.told("relay.session_opened")
        [session] = [one["session"] for one in opened if one["ticket"] == second]
        assert door.service.ssh_door is not None
        assert door.service.ssh_door.end_session(session, Fault(SESSION_ENDED, reason="seen"), "seen")
        await ends(two, "seen")
        await freeze(door.ledger, "sato", reason="suspicion", by="mori")
        await ends(three, "SEK-RLAY-013")
    answer = await door.run("ssh", third, "-tt", "door")
    assert answer.status != 0
    assert PROMPT not in answer.output


async def test_a_recorder_that_fails_ends_the_session(door: SshCheckpoint) -> None:
    ticket = await door.ssh_ticket()
    async with door.shell(ticket) as shell:
        await shell.until(PROMPT)
        [opened] = await door.told("record.opened")
        recording = door.service.recordings.find(opened["recording"])
        assert recording is not None
        recording.fail(Fault(RECORDER_FAILED, reason="no space left"))
        await shell.until("SEK-RECD-001")
        await shell.ended()
    assert (await until_closed(door))[0]["reason"] == "recorder"


async def test_a_ledger_that_fails_ends_sessions_and_opens_none(
    door: SshCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    ticket = await door.ssh_ticket()
    door.ends_badly = True
    async with door.shell(ticket) as shell:
        await shell.until(PROMPT)
        monkeypatch.setattr(door.ledger._store, "commit", full)
        await shell.type("echo out\n")
        await shell.until("SEK-RLAY-012")
        await shell.ended()
    answer = await door.run("ssh", ticket, "-tt", "door")
    assert answer.status != 0
    assert PROMPT not in answer.output
