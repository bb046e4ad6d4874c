"""Act one: the worker at the checkpoint. Every step is a real client against the real door.

Then the administrator, who has the machine, the database and the log's own key, tries to change what happened.
"""

import asyncio
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import pyotp

from sekisho.demo import callcentre
from sekisho.demo.callcentre import CallCentre
from sekisho.demo.clients import ClientRun, pg_dump, psql
from sekisho.demo.population import Organisation
from sekisho.demo.stage import Stage
from sekisho.evidence.log import CHECKPOINT, TileLog
from sekisho.evidence.note import COSIGNATURE, NoteSigner
from sekisho.evidence.policy import Policy
from sekisho.evidence.tiles import read_entries
from sekisho.evidence.verify import verify_folder
from sekisho.evidence.witness import Witness, WitnessStore
from sekisho.faults import Fault
from sekisho.ledger import Ledger, Level, Recorded
from sekisho.people.credentials import STEP_SECONDS
from sekisho.people.login import LoginDesk
from sekisho.service.service import DATABASE, DOOR_SECRET, LOG, LOG_KEY, Service
from sekisho.service.web import serving
from sekisho.watch.alerts import OpenAlert, explain, list_alerts
from sekisho.witness.client import WitnessClient
from sekisho.witness.server import witness_app

PERSONS_OF_THE_CHARGED_ACT: Final = 32_759
_TICKET: Final = "T-0001"
_CUT: Final = b'"outcome":"cut"'
_HASTY: Final = "sigma:sekisho_hasty_approval"
_FORGED: Final = "T-0002"


@dataclass(frozen=True)
class RunningWitness:
    signer: NoteSigner
    url: str


@asynccontextmanager
async def witness_of(name: str, folder: Path, log: NoteSigner) -> AsyncIterator[RunningWitness]:
    """A client's or auditor's witness, over HTTP on loopback with a key and a record of its own."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    signer = NoteSigner.load(folder / "witness.key", name, COSIGNATURE)
    witness = Witness(WitnessStore(folder / "cosigned"), signer, [log.key])
    async with serving(witness_app(witness), "127.0.0.1", 0, None) as (host, port):
        yield RunningWitness(signer, f"http://{host}:{port}")


class ActOne:
    """The steps, in order; each prints itself on the stage."""

    def __init__(
        self,
        stage: Stage,
        service: Service,
        centre: CallCentre,
        totp_secret: str,
        witnesses: Sequence[RunningWitness],
    ) -> None:
        self._stage = stage
        self._service = service
        self._ledger: Ledger = service.ledger
        self._centre = centre
        self._totp = pyotp.TOTP(totp_secret)
        self._witnesses = witnesses
        self._login = ("", "")
        self._step = 0
        self._client: Organisation = centre.organisations[0]
        self._other: Organisation = centre.organisations[1]

    async def play(self) -> None:
        await callcentre.open_ticket(self._ledger, _TICKET, self._client)
        await callcentre.open_ticket(self._ledger, _FORGED, self._client)
        self._login = await self.log_in(_TICKET)
        self._stage.heading("The worker, with a ticket for one client", "保守員: 1社分のチケットを持って")
        await self._lookup()
        await self._other_client()
        await self._bulk()
        await self._copy()
        await self._dump()
        await self._around()
        await self._watched()
        self._stage.heading(
            "The administrator, with root, the database and the log's own key",
            "管理者: root 権限・データベース・ログの署名鍵を持って",
        )
        await self._forged_ticket()
        await self._edited_log()
        await self._rewritten_log()

    async def log_in(self, ticket: str, target: str = callcentre.TARGET) -> tuple[str, str]:
        """A door token for the worker, as `sekisho login` gets it."""
        secret = (self._service.state / DOOR_SECRET).read_bytes()
        desk = LoginDesk(self._ledger, secret)
        # A code opens one door; the code before and the one after are good too, so nobody waits here.
        self._step = max(self._step + 1, int(time.time() // STEP_SECONDS) - 1)
        await asyncio.sleep(max((self._step - 1) * STEP_SECONDS - time.time(), 0))
        token, password = await desk.issue(
            person=callcentre.WORKER,
            password=callcentre.PASSWORD,
            code=self._totp.generate_otp(self._step),
            ticket=ticket,
            target=target,
            peer="demo",
        )
        return token.login(), password

    # -- the worker ---------------------------------------------------------------------------------------------

    async def _lookup(self) -> None:
        sql = (
            f"SELECT customer_id, name, phone, address, registered_on FROM {self._client.id}.customers "  # noqa: S608
            "WHERE customer_id = 10000042"
        )
        run, fact = await self._psql(sql)
        ok = run.status == 0 and "＊＊＊" in run.stdout and "090" not in run.stdout
        title = ("A normal lookup works, and is masked", "通常の照会はでき、伏せ字になる")
        self._show(title, f'psql -c "{sql}"', run, fact, ok)

    async def _other_client(self) -> None:
        sql = f"SELECT name, phone FROM {self._other.id}.customers LIMIT 10"  # noqa: S608
        run, fact = await self._psql(sql)
        ok = "SEK-RLAY-001" in run.stderr and not run.stdout.strip()
        self._show(
            ("Another client's table", "別の委託元の表に手を伸ばす"), f'psql -c "{sql}"', run, fact, ok
        )

    async def _bulk(self) -> None:
        sql = f"SELECT * FROM {self._client.id}.customers LIMIT {PERSONS_OF_THE_CHARGED_ACT}"  # noqa: S608
        run, fact = await self._psql(sql)
        ok = "SEK-GATE-008" in run.stderr and len(run.stdout.splitlines()) <= 200
        title = (
            f"{PERSONS_OF_THE_CHARGED_ACT:,} persons at once",
            f"一度に {PERSONS_OF_THE_CHARGED_ACT:,} 人分",
        )
        self._show(title, f'psql -c "{sql}"', run, fact, ok)

    async def _copy(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "list.csv"
            command = f"\\copy {self._client.id}.customers TO '{out}' CSV"
            run, fact = await self._psql(command, fact="relay.channel_refused")
            ok = "SEK-RLAY-004" in run.stderr and (not out.exists() or out.stat().st_size == 0)
        title = ("\\copy to a file", "\\copy でファイルに落とす")
        self._show(title, f"\\copy {self._client.id}.customers TO 'list.csv' CSV", run, fact, ok)

    async def _dump(self) -> None:
        host, port = self._service.postgres
        before = await self._ledger.size()
        run = await pg_dump(
            host,
            port,
            *self._login,
            callcentre.TARGET,
            "-t",
            f"{self._client.id}.customers",
            sslmode="require",
        )
        fact = await self._fact_since(before, "relay.statement")
        ok = run.status != 0 and "COPY" not in run.stdout and fact is not None
        self._show(
            ("pg_dump", "pg_dump で丸ごと取る"), f"pg_dump -t {self._client.id}.customers", run, fact, ok
        )

    async def _around(self) -> None:
        server, before = self._centre.server, await self._ledger.size()
        runs = [
            await psql(
                server.host, server.port, user, password, "postgres", "-c", "SELECT 1", sslmode="require"
            )
            for user, password in ((callcentre.ROLE, self._login[1]), self._login, ("postgres", ""))
        ]
        ok = all(run.status != 0 for run in runs)
        title = ("Around the checkpoint, directly to the database", "関所を通らず、データベースに直接つなぐ")
        self._show(title, f"psql -h {server.host} -p {server.port} -U {callcentre.ROLE}", runs[0], None, ok)
        self._stage.say(
            "    the database knows only the checkpoint's secret; this never reached the checkpoint, so no fact",
            "    接続用の秘密は関所しか知らない。関所を通っていないので事実の記録はない",
        )
        if await self._ledger.size() < before:
            raise RuntimeError("the ledger shrank")
        # Whoever has an account of the database's own gets in; the checkpoint sees that somebody is there.
        who, password = server.superuser, server.superuser_password
        run = await psql(
            *(server.host, server.port, who, password, "postgres", "-X", "-c", "SELECT pg_sleep(3)"),
            sslmode="require",
        )
        fact = await self._fact_since(before, "relay.bypass_seen")
        title = ("The same with an account of the database's own", "データベース自身のアカウントで直接つなぐ")
        asked = f"psql -h {server.host} -p {server.port} -U {who}"
        self._show(title, asked, run, fact, run.status == 0 and fact is not None)

    async def _watched(self) -> None:
        """Nobody is quick enough to read a ticket in the moment in which this play approves it: the watch says so."""
        found: list[OpenAlert] = []
        async with asyncio.timeout(30):
            while not any(one.raised.detector == _HASTY for one in found):
                await self._ledger.wait_turn(0.2)
                async with self._ledger.read() as connection:
                    found = await list_alerts(connection)
        language = self._stage.language
        answer = "\n".join(
            f"{one.raised.score:.1f}  {explain(one.raised)[language]}" for one in reversed(found)
        )
        title = ("Meanwhile, the watch", "その間に監視が見つけたもの")
        self._show_text(title, "sekisho watch alerts", answer, found[-1].seq, ok=True)

    # -- the administrator --------------------------------------------------------------------------------------

    async def _forged_ticket(self) -> None:
        await self._published()
        database = self._service.state / DATABASE
        connection = sqlite3.connect(database)
        with connection:
            found = connection.execute(
                "SELECT seq, leaf FROM facts WHERE about = ? AND fact = 'gate.ticket_requested'", (_FORGED,)
            ).fetchone()
            leaf = bytes(found[1]).replace(b'"session_persons":200', b'"session_persons":900000')
            connection.execute("UPDATE facts SET leaf = ? WHERE seq = ?", (leaf, found[0]))
        connection.close()
        self._login = await self.log_in(_FORGED)
        run, fact = await self._psql("SELECT 1", fact="gate.access_refused")
        ok = "SEK-GATE-006" in run.stderr
        title = ("A ticket's limit is raised in the database", "データベース上でチケットの上限を書き換える")
        sql = "sqlite3 ledger.sqlite \"UPDATE facts SET leaf = … 'session_persons: 900000' …\"; psql"
        self._show(title, sql, run, fact, ok)
        connection = sqlite3.connect(database)
        with connection:  # put back, so that what follows starts from an honest database
            connection.execute("UPDATE facts SET leaf = ? WHERE seq = ?", (found[1], found[0]))
        connection.close()

    async def _edited_log(self) -> None:
        await self._published()
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "log"
            being_written = shutil.ignore_patterns(".next")
            await asyncio.to_thread(shutil.copytree, self._service.state / LOG, copy, ignore=being_written)
            index = await self._index_of_the_bulk()
            # Of the bundles that hold the entry, the fullest is the one that the checkpoint covers.
            bundles = [path for path in (copy / "tile" / "entries").rglob("*") if path.is_file()]
            bundle = max(bundles, key=lambda path: (_CUT in path.read_bytes(), path.stat().st_size))
            entries = bundle.read_bytes()
            edited = entries.replace(_CUT, b'"outcome":"nil"', 1)
            bundle.write_bytes(edited)
            report = await asyncio.to_thread(verify_folder, copy, policy=self._policy())
            answer = "\n".join(finding.sentence(self._stage.language) for finding in report.findings)
            ok = edited != entries and any(finding.first == index for finding in report.findings)
        title = ("One entry of the log is edited", "ログの1件を書き換える")
        self._show_text(title, "sed -i s/cut/nil/ log/tile/entries/…; sekisho verify log", answer, index, ok)

    async def _rewritten_log(self) -> None:
        """The whole history again without the theft, signed with the log's own key: correct in itself."""
        await self._published()
        index = await self._index_of_the_bulk()
        with tempfile.TemporaryDirectory() as folder:
            forged = Path(folder) / "log"
            signer = NoteSigner.read(self._service.state / LOG_KEY)
            size = await asyncio.to_thread(_rewrite, self._service.state / LOG, forged, signer, index)
            alone = await asyncio.to_thread(verify_folder, forged, policy=Policy.of_keys([signer.key], [], 0))
            strict = await asyncio.to_thread(verify_folder, forged, policy=self._policy())
            log = TileLog.open(forged, signer, origin=signer.key.name)
            refusal = ""
            async with httpx2.AsyncClient() as http:
                witness = self._witnesses[0]
                client = WitnessClient(http, witness.url, witness.signer.key)
                try:
                    await client.cosign(log.sign(), log.consistency)
                except Fault as fault:
                    refusal = fault.sentence(self._stage.language)
            answer = self._stage.text(
                f"with the log's key alone: {len(alone.findings)} findings, for it is correct in itself",
                f"ログの鍵だけで検証: 指摘 {len(alone.findings)} 件 (それ自体としては正しい)",
            )
            answer += "\n" + "\n".join(finding.sentence(self._stage.language) for finding in strict.findings)
            answer += "\n" + refusal
            ok = not alone.findings and bool(strict.findings) and bool(refusal)
        title = ("The whole log is rewritten and signed anew", "ログ全体を作り直し、正規の鍵で署名し直す")
        self._show_text(
            title,
            f"rewrite {size} entries, sign with log.key; sekisho verify; ask the client's witness",
            answer,
            index,
            ok,
        )

    # -- looking things up --------------------------------------------------------------------------------------

    async def _psql(self, *commands: str, fact: str = "relay.statement") -> tuple[ClientRun, int | None]:
        host, port = self._service.postgres
        before = await self._ledger.size()
        arguments = [part for command in commands for part in ("-c", command)]
        run = await psql(host, port, *self._login, callcentre.TARGET, "-X", *arguments, sslmode="require")
        return run, await self._fact_since(before, fact)

    async def _fact_since(self, start: int, name: str) -> int | None:
        for _ in range(200):
            if found := await self._ledger.facts(start, 1000, names=[name]):
                return found[-1].seq
            await asyncio.sleep(0.02)
        return None

    async def _index_of_the_bulk(self) -> int:
        found: list[Recorded] = await self._ledger.facts(0, 10_000, names=["relay.statement"])
        return next(recorded.seq for recorded in found if b'"outcome":"cut"' in recorded.leaf)

    async def _published(self) -> None:
        await self._ledger.reached(await self._ledger.size() - 1, Level.COSIGNED, 30)

    def _policy(self) -> Policy:
        """What an outsider holds: the log's key, and the witnesses' keys as they told them in person."""
        return Policy.of_keys(
            [self._service.log_key], [w.signer.key for w in self._witnesses], len(self._witnesses)
        )

    def _show(self, title: tuple[str, str], asked: str, run: ClientRun, fact: int | None, ok: bool) -> None:
        self._show_text(title, asked, run.stdout + run.stderr, fact, ok)

    def _show_text(self, title: tuple[str, str], asked: str, answer: str, fact: int | None, ok: bool) -> None:
        self._stage.step(title, asked, answer, fact=fact, ok=ok)


def _rewrite(source: Path, target: Path, signer: NoteSigner, index: int) -> int:
    """Copy a log to a new folder with one entry changed, signed as the log signs; returns its size."""
    note = (source / CHECKPOINT).read_bytes()
    size = int(note.split(b"\n")[1])
    entries = list(read_entries(source, 0, size, size=size))
    entries[index] = entries[index].replace(b'"outcome":"cut"', b'"outcome":"nil"')
    log = TileLog.open(target, signer, origin=signer.key.name)
    log.integrate(entries)
    log.publish(log.sign())
    return size
