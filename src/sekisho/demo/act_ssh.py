"""The act over SSH: the same worker before the client's batch server, with OpenSSH's own programs; then where such work
has its place, the ticket's workspace on the checkpoint."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from sekisho.demo import callcentre
from sekisho.demo.callcentre import ADMINISTRATOR, OPERATOR, SECOND_ADMINISTRATOR, WORKER
from sekisho.demo.callcentre import TARGET as SYSTEM
from sekisho.demo.clients import ClientRun, openssh
from sekisho.demo.founding import Holding, add_dataset, add_ssh_target, ticket_request
from sekisho.demo.population import Organisation
from sekisho.demo.servers import SshServer, ssh_server
from sekisho.demo.stage import Stage
from sekisho.gate.decide import WORKSPACE
from sekisho.gate.facts import Limits
from sekisho.gate.policies import approve_policy, propose_policy, read_policy
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Level
from sekisho.people.facts import SshKeyAdded
from sekisho.people.ssh_keys import key_name, read_public_key
from sekisho.people.tokens import Token
from sekisho.relay.ssh.authority import load_key, public_line
from sekisho.service.service import SSH_AUTHORITY, SSH_HOST_KEY, Service

TARGET: Final = "batch"
_TICKET: Final = "T-0010"
_IN_WORKSPACE: Final = "T-0011"
_PULLED: Final = 40
_PERSONS: Final = 60
_LIMITS: Final = Limits(
    session_persons=_PERSONS,
    session_rows=1_000,
    day_persons=1_000,
    day_rows=10_000,
    ticket_persons=500,
    ticket_rows=5_000,
    client_persons=1_000,
    client_rows=20_000,
)
_SHELL: Final = (
    "env -i PATH=/usr/bin:/bin TERM=dumb LC_ALL=C.UTF-8 PS1=batch$\\  /bin/bash --norc --noprofile -i"
)


@contextmanager
def batch_server(state: Path) -> Iterator[SshServer]:
    """The client's batch server: it trusts the checkpoint's authority, and has a list of customers."""
    (state / SSH_AUTHORITY).parent.mkdir(mode=0o700, exist_ok=True)
    authority = load_key(state / SSH_AUTHORITY)
    with ssh_server(authority=public_line(authority, "sekisho"), settings={"ForceCommand": _SHELL}) as server:
        rows = (f"{i:04},090-{1000 + 7 * i % 9000:04}-{1000 + 7919 * i % 9000:04}\n" for i in range(1, 1001))
        path = server.folder / "customers.csv"
        path.write_text("".join(rows))
        path.chmod(0o644)
        yield server


class ActSsh:
    """The steps, in order; each prints itself on the stage."""

    def __init__(
        self, stage: Stage, service: Service, client: Organisation, server: SshServer, folder: Path
    ) -> None:
        self._stage = stage
        self._service = service
        self._ledger = service.ledger
        self._client = client
        self._server = server
        self._folder = folder
        self._file = str(server.folder / "customers.csv")

    async def play(self) -> None:
        await self._found()
        self._stage.heading(
            "The worker over SSH, on the client's batch server", "保守員: 委託元のバッチサーバーに SSH で"
        )
        copy = self._folder / "customers.csv"
        run, fact = await self._run("scp", f"door:{self._file}", str(copy), fact="relay.ssh_channel_refused")
        self._show(
            ("scp takes the file away", "scp でファイルを持ち出す"),
            "scp batch:customers.csv .",
            run,
            fact,
            run.status != 0 and not copy.exists(),
        )
        run, fact = await self._type(f"head -3 {self._file}", fact="relay.terminal_output")
        self._show(
            ("A look at three lines is counted", "3 行を見れば 3 人と数える"),
            "head -3 customers.csv",
            run,
            fact,
            run.stdout.count(",090-") == 3,
        )
        run, fact = await self._type(f"cat {self._file}", fact="relay.session_closed")
        ok = "SEK-SCRN-001" in run.stdout and run.stdout.count(",090-") <= _PERSONS
        self._show(
            ("The whole list on the screen", "一覧を全部画面に出す"), "cat customers.csv", run, fact, ok
        )
        await self._workspace()

    # -- in the workspace ---------------------------------------------------------------------------------------

    async def _workspace(self) -> None:
        await self._found_workspace()
        self._stage.heading(
            "Where files have their place: the ticket's workspace", "ファイルを扱う場所: チケットの作業領域"
        )
        rooms = self._service.rooms
        seat = Token(token="demo", person=WORKER, ticket=_IN_WORKSPACE, target=SYSTEM, expires=0)  # noqa: S106
        query = f"SELECT customer_id, name, phone FROM {self._client.id}.customers LIMIT {_PULLED}"  # noqa: S608 (our own names)
        pull = await rooms.pull(seat, "demo", query=query, to="customers.csv")
        said = [json.loads(line) async for line in pull.lines(self._stage.language)]
        self._step(
            ("A pull into it is counted while it runs", "取り込みは実行中に数える"),
            f'sekisho pull "SELECT … LIMIT {_PULLED}" --to customers.csv',
            "\n".join(_progress(line, self._stage) for line in said[-3:]),
            await self._last("workspace.pulled"),
            said[-1].get("persons") == _PULLED,
        )
        file, page = await rooms.look(seat, "demo", "customers.csv", 0)
        rows = [" | ".join(str(cell) for cell in row) for row in page.rows]
        self._step(
            ("A page of it shows masks", "ページを開くと伏せ字で表示される"),
            "sekisho workspace look customers.csv",
            "\n".join(rows[:3]),
            await self._last("workspace.looked"),
            file.size > 0 and "090-" not in "".join(rows),
        )
        tried = (
            "import socket; print('rows', sum(1 for _ in open('customers.csv')) - 1); "
            "socket.create_connection(('192.0.2.1', 443), 2)"
        )
        async with rooms.admitted(seat, "demo", WORKSPACE) as admission:
            terminal = await rooms.shell(admission, ("python", "-c", tried), 200, 50)
            shown = b""
            while chunk := await terminal.read():
                shown += chunk
            terminal.close()
        lines = shown.decode(errors="replace").splitlines()
        self._step(
            (
                "A program there reads the file, and has no network",
                "そこで動くプログラムはファイルを読めるが、通信できない",
            ),
            'python3 -c "print(rows of customers.csv); socket.create_connection(…)"',
            "\n".join([*lines[:1], *lines[-1:]]),
            await self._last("relay.session_closed"),
            f"rows {_PULLED}" in lines and "unreachable" in lines[-1],
        )
        host, port = self._service.console
        self._stage.table(
            [
                (
                    self._stage.text("its page", "そのページ"),
                    f"https://{host}:{port}/work/{_IN_WORKSPACE}/workspace",
                )
            ]
        )

    async def _found_workspace(self) -> None:
        """A policy that lists the door, and a ticket for it."""
        ledger = self._ledger
        policy = (await read_policy(ledger)).policy
        then = msgspec.structs.replace(policy, doors=(*policy.doors, WORKSPACE))
        await propose_policy(ledger, "P-workspace", then, by=callcentre.APPROVER, reason="ファイルの調査")
        await approve_policy(ledger, "P-workspace", by=callcentre.PRIVACY_OFFICER)
        asked = ticket_request(
            _IN_WORKSPACE,
            WORKER,
            organisation=self._client.id,
            dataset=callcentre.dataset_of(self._client),
            target=SYSTEM,
            purpose="一覧の文字化けの調査",
            limits=_LIMITS,
        )
        await ledger.record(msgspec.structs.replace(asked, door=WORKSPACE), by=WORKER, about=_IN_WORKSPACE)
        await approve_ticket(ledger, _IN_WORKSPACE, callcentre.APPROVER)
        await ledger.reached(await ledger.size() - 1, Level.PUBLISHED, 30)

    def _step(self, title: tuple[str, str], asked: str, answer: str, fact: int | None, ok: bool) -> None:
        self._stage.step(title, asked, answer, fact=fact, ok=ok and fact is not None)

    async def _last(self, name: str) -> int | None:
        size = await self._ledger.size()
        found = await self._ledger.facts(max(0, size - 1000), 1000, names=[name])
        return found[-1].seq if found else None

    # -- over SSH -----------------------------------------------------------------------------------------------

    async def _found(self) -> None:
        """The server in the register, the worker's key, and a ticket for the door."""
        ledger, by = self._ledger, ADMINISTRATOR
        await add_ssh_target(
            ledger, TARGET, self._server, operator=OPERATOR, by=by, second=SECOND_ADMINISTRATOR
        )
        held = Holding(
            dataset=f"{self._client.id}-batch",
            organisation=self._client.id,
            name=f"{self._client.name} バッチ",
            target=TARGET,
            operator=OPERATOR,
            role=self._server.user,
            password="",
            tables=(),
            schema="",
        )
        await add_dataset(ledger, held, by=by)
        identity = self._folder / "id"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", str(identity)]
        await asyncio.to_thread(subprocess.run, command, check=True, stdin=subprocess.DEVNULL)
        line, comment, blob = read_public_key(identity.with_suffix(".pub").read_text())
        key = SshKeyAdded(key=key_name(blob), person=WORKER, public_key=line, label=comment)
        await ledger.record(key, by=WORKER, about=key.key)
        asked = ticket_request(
            _TICKET,
            WORKER,
            organisation=self._client.id,
            dataset=held.dataset,
            target=TARGET,
            purpose="夜間バッチが止まる件の調査",
            limits=_LIMITS,
        )
        await ledger.record(msgspec.structs.replace(asked, door="ssh"), by=WORKER, about=_TICKET)
        await approve_ticket(ledger, _TICKET, callcentre.APPROVER)
        host, port = self._address
        known = public_line(load_key(self._service.state / SSH_HOST_KEY), "")
        (self._folder / "known_hosts").write_text(f"[{host}]:{port} {known}\n")

    @property
    def _address(self) -> tuple[str, int]:
        if self._service.ssh is None:
            raise RuntimeError("the demo's checkpoint has an SSH door")
        return self._service.ssh

    async def _type(self, command: str, *, fact: str) -> tuple[ClientRun, int | None]:
        return await self._run("ssh", "-tt", "door", stdin=f"{command}\nexit\n", fact=fact)

    async def _run(
        self, program: str, *arguments: str, fact: str, stdin: str = ""
    ) -> tuple[ClientRun, int | None]:
        before = await self._ledger.size()
        run = await openssh(
            program, *self._address, f"{WORKER}.{_TICKET}", self._folder, *arguments, stdin=stdin
        )
        for _ in range(200):
            if found := await self._ledger.facts(before, 1000, names=[fact]):
                return run, found[-1].seq
            await asyncio.sleep(0.02)
        return run, None

    def _show(self, title: tuple[str, str], asked: str, run: ClientRun, fact: int | None, ok: bool) -> None:
        # Neither the prompt nor what was typed, which a terminal shows again.
        shown = (run.stdout + run.stderr).splitlines()
        answer = "\n".join(line for line in shown if ",090-" in line or "SEK-" in line)
        self._stage.step(title, asked, answer, fact=fact, ok=ok and fact is not None)


def _progress(line: dict[str, Any], stage: Stage) -> str:
    return stage.text(
        "{rows:,} rows, {persons:,} persons, {bytes:,} bytes".format(**line),
        "{rows:,} 行、{persons:,} 人、{bytes:,} バイト".format(**line),
    )
