"""Live logs: who may deliver, that a row is kept once and before it is acknowledged, and what the watch makes of it."""

import asyncio
import json
import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.service.certificates import Certificates
from sekisho.watch import faults
from sekisho.watch.alerts import list_alerts
from sekisho.watch.facts import AlertRaised, EventsReceived
from sekisho.watch.ingest.intake import Intake
from sekisho.watch.ingest.listener import SyslogListener
from sekisho.watch.ingest.segments import Segment, shown_by, unpack
from sekisho.watch.ingest.sources import (
    certificate_of,
    end_source,
    read_deliveries,
    register_source,
    token_of,
)
from sekisho.watch.observation import HOUR
from sekisho.watch.settings import Watch
from sekisho.watch.syslog import counted
from sekisho.watch.watcher import Watcher, rebuilt

SECRET = b"k" * 32
MAPPING = """
[columns]
actor = "user"
place = "machine"
[[patterns]]
match = 'Accepted \\S+ for (?P<actor>\\S+) from (?P<place>\\S+)'
kind = "logon"
"""


async def token(ledger: Ledger, name: str = "mail-1", **more: Any) -> str:
    await register_source(ledger, name, "http", by="kanri", **more)
    async with ledger.read() as connection:
        found = {one.source.name: one.source for one in await read_deliveries(connection)}
    return token_of(SECRET, name, found[name].generation)


def lines(*rows: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def row(number: int = 0, **more: Any) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(minutes=10) + timedelta(seconds=number)
    return {"at": at.isoformat(), "kind": "logon", "user": "sato", "machine": "pc-1", "n": number, **more}


async def received(ledger: Ledger) -> list[EventsReceived]:
    found = await ledger.facts(0, 1_000, names=["watch.events_received"])
    return [one for fact in found if isinstance(one := fact.typed(), EventsReceived)]


async def caught_up(watcher: Watcher) -> None:
    while await watcher.catch_up():
        pass


async def silent(raised: AlertRaised, routed: object, level: int) -> None:
    pass


async def test_only_the_token_of_the_latest_registration_opens(ledger: Ledger) -> None:
    intake = Intake(ledger, SECRET)
    first = await token(ledger)
    other = await token(ledger, "mail-2")
    for name, wrong in (
        ("mail-1", ""),
        ("mail-1", other),
        ("mail-1", first[:-1]),
        ("none", first),
        ("mail-2", first),
    ):
        with pytest.raises(Fault) as refused:
            await intake.take_lines(name, wrong, lines(row()))
        assert refused.value.kind is faults.NO_SOURCE
    assert (await intake.take_lines("mail-1", first, lines(row()))).rows == 1
    second = await token(ledger)
    with pytest.raises(Fault):
        await intake.take_lines("mail-1", first, lines(row(1)))
    assert (await intake.take_lines("mail-1", second, lines(row(2)))).rows == 1
    await end_source(ledger, "mail-1", reason="moved", by="kanri")
    with pytest.raises(Fault):
        await intake.take_lines("mail-1", second, lines(row(3)))
    leaves = b"".join(one.leaf for one in await ledger.facts(0, 1_000))
    assert first.encode() not in leaves


async def test_a_batch_is_kept_once_however_often_it_comes(ledger: Ledger) -> None:
    intake, mine = Intake(ledger, SECRET), await token(ledger)
    batch = lines(row(1), row(2))
    first = await intake.take_lines("mail-1", mine, batch)
    assert (first.rows, first.line >= 0) == (2, True)
    # … another process does not remember the first one; the ledger does.
    again = await Intake(ledger, SECRET).take_lines("mail-1", mine, batch)
    assert (again.rows, again.line) == (0, -1)
    later = lines(row(9))
    both = await asyncio.gather(*[intake.take_lines("mail-1", mine, later) for _ in range(5)])
    assert sum(one.rows for one in both) == 1
    assert len(await received(ledger)) == 2


async def test_numbered_rows_are_taken_up_where_the_last_batch_ended(ledger: Ledger) -> None:
    intake, mine = Intake(ledger, SECRET), await token(ledger)
    rows = [row(n) for n in range(10)]
    assert (await intake.take_lines("mail-1", mine, lines(*rows[:4]), first=101)).next == 105
    # The answer was lost: the source sends from where it was sure, and more.
    over = await intake.take_lines("mail-1", mine, lines(*rows[2:7]), first=103)
    assert (over.rows, over.next) == (3, 108)
    assert (await intake.take_lines("mail-1", mine, lines(*rows[:4]), first=101)).rows == 0
    assert not any(one.missing for one in await received(ledger))
    hole = await intake.take_lines("mail-1", mine, lines(*rows[8:]), first=109)
    assert (hole.rows, hole.next) == (2, 111)
    assert [one.missing for one in await received(ledger)] == [0, 0, 1]
    watcher = Watcher(ledger, Path("unused"), silent)
    await caught_up(watcher)
    async with ledger.read() as connection:
        [gap] = [one.raised for one in await list_alerts(connection) if one.raised.detector == "log_gap"]
    assert (gap.values["source"], gap.values["sign"], gap.certain) == ("log mail-1", "skipped", True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"no json",
        b'{"kind": "logon"}',
        b"[1]",
        b'{"at": "yesterday", "kind": "logon"}',
        b'{"at": 1e400}',
        b"\xff",
    ],
)
async def test_a_batch_that_cannot_be_read_is_refused_whole(ledger: Ledger, body: bytes) -> None:
    intake, mine = Intake(ledger, SECRET), await token(ledger)
    with pytest.raises(Fault) as refused:
        await intake.take_lines("mail-1", mine, lines(row()) + b"\n" + body if body.strip() else body)
    assert refused.value.kind is faults.BAD_BATCH
    assert not await received(ledger)


async def test_nothing_of_a_row_stands_in_the_log(ledger: Ledger) -> None:
    intake, mine = Intake(ledger, SECRET), await token(ledger)
    secret = row(1, kind="media", target="名簿_田中花子.xlsx", note="tanaka")
    await intake.take_lines("mail-1", mine, lines(secret, row(2)))
    watcher = Watcher(ledger, Path("unused"), silent, Watch(alert_at=0.5, daily=100))
    await caught_up(watcher)
    leaves = b"".join(one.leaf for one in await ledger.facts(0, 1_000))
    assert b"tanaka" not in leaves
    assert "田中".encode() not in leaves
    [fact] = await ledger.facts(0, 10, names=["watch.events_received"])
    shown = await shown_by(ledger, fact.leaf)
    assert shown[0].observation is not None
    assert shown[0].observation.target.startswith(
        "#"
    )  # the same file has the same mark, and nobody else's name
    content = await ledger.content((await received(ledger))[0].segment)
    assert isinstance(content, bytes)
    assert (
        unpack(content).rows[0]["note"] == "tanaka"
    )  # … and whoever may open the segment sees the row itself


async def test_scores_are_rebuilt_to_the_bit_from_facts_and_segments(ledger: Ledger, tmp_path: Path) -> None:
    intake, mine = Intake(ledger, SECRET), await token(ledger, mapping=MAPPING)
    for batch in range(5):
        rows = [row(20 * batch + n, kind="media", target=f"f{n % 7}", user=f"u{n % 3}") for n in range(20)]
        await intake.take_lines("mail-1", mine, lines(*rows))
        if batch == 2:  # a new mapping holds from here on, and changes nothing of what came before
            mine = await token(ledger, mapping='[constants]\nclient = "minato"\n')
    watcher = Watcher(ledger, tmp_path / "watch", silent)
    await caught_up(watcher)
    await caught_up(watcher)
    assert watcher.engine.known.humans.keys() >= {"u0", "u1", "u2"}
    assert (await rebuilt(ledger, watcher.start)).dump() == watcher.engine.dump()


async def test_a_row_becomes_an_alert_about_its_person(ledger: Ledger) -> None:
    intake = Intake(ledger, SECRET)
    mine = await token(ledger, mapping='[columns]\nactor = "user"\n[constants]\nclient = "minato"\n')
    stick = row(1, kind="device", target="SN-77", what="unregistered")
    await intake.take_lines("mail-1", mine, lines(stick))
    watcher = Watcher(ledger, Path("unused"), silent)
    await caught_up(watcher)
    async with ledger.read() as connection:
        [raised] = [one.raised for one in await list_alerts(connection)]
    [fact] = await ledger.facts(0, 10, names=["watch.events_received"])
    assert (raised.detector, raised.human, raised.organisation) == ("removable_media", "sato", "minato")
    assert raised.refs == (fact.seq,)
    assert raised.alert == f"a-{fact.seq}.1-15"


async def test_rules_look_at_rows_too(ledger: Ledger, tmp_path: Path) -> None:
    (folder := tmp_path / "rules").mkdir()
    (folder / "one.yml").write_text(
        "title: root by password\nlogsource: {product: linux, service: sshd}\nlevel: high\n"
        "detection:\n  s:\n    message|contains: 'Accepted password for root'\n  condition: s\n"
    )
    intake, mine = (
        Intake(ledger, SECRET),
        await token(ledger, product="linux", service="sshd", mapping=MAPPING),
    )
    text = "Accepted password for root from 192.0.2.66 port 5022"
    await intake.take_lines("mail-1", mine, lines({"at": datetime.now(UTC).isoformat(), "message": text}))
    watcher = Watcher(ledger, Path("unused"), silent, Watch(sigma=str(folder)))
    watcher.sigma = await asyncio.to_thread(watcher._read_rules)
    await caught_up(watcher)
    async with ledger.read() as connection:
        found = {one.raised.detector: one.raised for one in await list_alerts(connection)}
    assert found["sigma:root by password"].human == "root"


async def test_a_log_cannot_excuse_what_the_checkpoint_saw(ledger: Ledger) -> None:
    """A log that could say what our tickets stand for, who people are, or what the meter counted could hide a theft."""
    intake, mine = Intake(ledger, SECRET), await token(ledger)
    forged = [
        row(1, kind="ticket", ticket="T-0001", expected=1_000_000, client="minato"),
        row(2, kind="approval", ticket="T-0001", user="mori"),
        row(3, kind="lease", ticket="T-0001", persons=9),
        row(4, kind="account", target="sato", other="mori"),
        row(5, kind="review", what="log review"),
        row(6, kind="beat", target="watch"),
    ]
    await intake.take_lines("mail-1", mine, lines(*forged))
    watcher = Watcher(ledger, Path("unused"), silent)
    await caught_up(watcher)
    known = watcher.engine.known
    assert list(known.tickets) == ["mail-1/T-0001"]
    assert known.accounts.get("sato", "sato") == "sato"
    assert (await received(ledger))[0].unread == 4


async def test_a_row_of_the_future_does_not_carry_the_clock_with_it(ledger: Ledger) -> None:
    intake, mine = Intake(ledger, SECRET), await token(ledger)
    future = (datetime.now(UTC) + timedelta(days=300)).isoformat()
    await intake.take_lines("mail-1", mine, lines({**row(), "at": future}))
    watcher = Watcher(ledger, Path("unused"), silent)
    await caught_up(watcher)
    assert watcher.engine._at / 1e6 < datetime.now(UTC).timestamp() + 1
    async with ledger.read() as connection:
        [gap] = [one.raised for one in await list_alerts(connection)]
    assert gap.values["sign"] == "ahead"


async def test_a_source_that_falls_silent_is_raised(ledger: Ledger) -> None:
    intake, mine = Intake(ledger, SECRET), await token(ledger, silence_minutes=90)
    await token(ledger, "never-came", silence_minutes=90)
    await token(ledger, "was-ended", silence_minutes=90)
    await end_source(ledger, "was-ended", reason="moved", by="kanri")
    await intake.take_lines("mail-1", mine, lines(row()))
    watcher = Watcher(ledger, Path("unused"), silent)
    await caught_up(watcher)
    engine = watcher.engine
    from watch.watch_under_test import see

    def silence(hours: int) -> set[str]:
        found = engine.step(see("beat", engine._at + hours * HOUR, actor="", target="x"))
        return {str(one.values["source"]) for one in found if one.detector == "log_gap"}

    assert silence(1) == set()
    assert silence(2) == {"log mail-1", "log never-came"}


async def test_more_than_can_be_kept_is_sent_back(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    intake, mine = Intake(ledger, SECRET), await token(ledger)
    gate = asyncio.Event()
    record = ledger.record

    async def slow(*args: Any, **more: Any) -> Any:
        await gate.wait()
        return await record(*args, **more)

    monkeypatch.setattr(ledger, "record", slow)
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(intake.take_lines("mail-1", mine, lines(row(n)))) for n in range(8)]
        async with asyncio.timeout(20):
            while intake._turns.get("mail-1") is None or intake._turns["mail-1"].waiting < 8:
                await ledger.wait_turn(0.01)
        with pytest.raises(Fault) as busy:
            await intake.take_lines("mail-1", mine, lines(row(99)))
        assert busy.value.kind is faults.SOURCE_BUSY
        gate.set()
    assert sum(one.result().rows for one in waiting) == 8


async def test_what_is_wrong_with_a_registration_is_said(ledger: Ledger) -> None:
    for wrong in (
        {"name": "Nein!", "kind": "http"},
        {"name": "a", "kind": "syslog"},
        {"name": "a", "kind": "http", "certificate": "00"},
        {"name": "a", "kind": "http", "mapping": "[columns]\nwho = 'x'"},
        {"name": "a", "kind": "http", "mapping": "[[patterns]]\nmatch='(?=x)'\nkind='logon'"},
    ):
        with pytest.raises(Fault) as refused:
            await register_source(ledger, by="kanri", **wrong)  # type: ignore[arg-type]
        assert refused.value.kind is faults.BAD_SOURCE


# -- syslog over TLS ----------------------------------------------------------------------------------------------


def own_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "9", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def signed_certificate(folder: Path, ca: Path, ca_key: Path) -> tuple[Path, Path]:
    request, leaf, key = folder / "leaf.csr", folder / "leaf.pem", folder / "leaf.key"
    asked = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    asked += ["-subj", "/CN=x", "-keyout", str(key), "-out", str(request)]
    signed = ["openssl", "x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key)]
    subprocess.run(asked, check=True, capture_output=True)
    subprocess.run([*signed, "-days", "9", "-out", str(leaf)], check=True, capture_output=True)
    return leaf, key


class Door:
    """A listener that runs, and what connects to it."""

    def __init__(self, folder: Path, ledger: Ledger, group: asyncio.TaskGroup) -> None:
        certificates = Certificates(folder / "tls")
        self.ca = certificates.ca
        self.listener = SyslogListener(Intake(ledger, SECRET), certificates.server, certificates.key)
        self.task = group.create_task(self.listener.serve("127.0.0.1", 0))

    async def connect(
        self, chain: tuple[Path, Path] | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context(cafile=str(self.ca))
        if chain is not None:
            context.load_cert_chain(*chain)
        host, port = await self.listener.address
        return await asyncio.open_connection(host, port, ssl=context, server_hostname="localhost")

    async def refuses(self, chain: tuple[Path, Path] | None) -> bool:
        """TLS 1.3 tells the client only at its first read that its certificate is not taken."""
        try:
            reader, writer = await self.connect(chain)
        except OSError:
            return True
        try:
            writer.write(counted(b"<13>1 - - - - - - forged"))
            return await reader.read(1) == b""
        except OSError:
            return True
        finally:
            writer.transport.abort()


async def rows_of(ledger: Ledger, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            found: list[dict[str, Any]] = []
            for one in await received(ledger):
                content = await ledger.content(one.segment)
                assert isinstance(content, bytes)
                segment: Segment = unpack(content)
                found += [{**row, "source": segment.source} for row in segment.rows]
            if len(found) >= count:
                return found
            await ledger.wait_turn(0.2)


async def test_a_registered_certificate_delivers_and_no_other(ledger: Ledger, tmp_path: Path) -> None:
    mine, strange = own_certificate(tmp_path, "db-1"), own_certificate(tmp_path, "stranger")
    async with asyncio.TaskGroup() as group:
        door = Door(tmp_path, ledger, group)
        assert await door.refuses(mine)  # nobody is registered yet
        await register_source(
            ledger, "db-1", "syslog", by="kanri", certificate=certificate_of(mine[0].read_bytes())
        )
        assert await door.refuses(strange)
        assert await door.refuses(None)
        _, writer = await door.connect(mine)
        messages = [f'<13>1 - db-1 app - - [meta sequenceId="{n}"] line {n}'.encode() for n in range(1_200)]
        writer.write(b"".join(map(counted, messages)))
        writer.write(counted(messages[-1]))  # a relay that was unsure sends again
        writer.write(counted(b"<13>1 - db-1 app - - - alike") * 2)  # … and these two may be two events
        await writer.drain()
        found = await rows_of(ledger, 1_202)
        assert [one["message"] for one in found] == [f"line {n}" for n in range(1_200)] + ["alike"] * 2
        assert {one["source"] for one in found} == {"db-1"}
        writer.transport.abort()
        _, lines_writer = await door.connect(mine)  # RFC 6587's other framing
        lines_writer.write(b"<13>1 - db-1 app - - - by line\n<13>old form\n")
        await lines_writer.drain()
        assert {one["message"] for one in (await rows_of(ledger, 1_204))[-2:]} == {"by line", "<13>old form"}
        await end_source(ledger, "db-1", reason="moved", by="kanri")
        lines_writer.write(b"<13>1 - db-1 app - - - too late\n")
        assert await door.refuses(mine)
        lines_writer.transport.abort()
        assert all("too late" not in one["message"] for one in await rows_of(ledger, 1_204))
        door.task.cancel()


async def test_an_authority_that_is_registered_vouches_for_nobody(ledger: Ledger, tmp_path: Path) -> None:
    ca, ca_key = own_certificate(tmp_path, "authority")
    leaf, key = signed_certificate(tmp_path, ca, ca_key)
    await register_source(ledger, "ca", "syslog", by="kanri", certificate=certificate_of(ca.read_bytes()))
    async with asyncio.TaskGroup() as group:
        door = Door(tmp_path, ledger, group)
        assert await door.refuses((leaf, key))
        assert not await received(ledger)
        door.task.cancel()


@pytest.mark.e2e
async def test_rsyslog_delivers(ledger: Ledger, tmp_path: Path) -> None:
    """The sender that most machines have, as its documentation sets it up."""
    certificate, key = own_certificate(tmp_path, "maint-1")
    pinned = certificate_of(certificate.read_bytes())
    await register_source(ledger, "maint-1", "syslog", by="kanri", certificate=pinned, mapping=MAPPING)
    async with asyncio.TaskGroup() as group:
        door = Door(tmp_path, ledger, group)
        _, port = await door.listener.address
        journal = tmp_path / "auth.log"
        journal.write_text("")
        (tmp_path / "work").mkdir()
        (tmp_path / "rsyslog.conf").write_text(
            f'global(workDirectory="{tmp_path / "work"}" defaultNetstreamDriver="ossl"\n'
            f'  defaultNetstreamDriverCAFile="{door.ca}"\n'
            f'  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")\n'
            f'module(load="imfile" mode="polling" pollingInterval="1")\n'
            f'input(type="imfile" File="{journal}" Tag="sshd:" facility="auth")\n'
            f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted"\n'
            '  StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name"\n'
            '  StreamDriverPermittedPeers="localhost" template="RSYSLOG_SyslogProtocol23Format")\n'
        )
        rsyslogd = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
        sender = await asyncio.create_subprocess_exec(
            rsyslogd, "-n", "-iNONE", "-f", str(tmp_path / "rsyslog.conf"), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            with journal.open("a") as file:
                file.write("Accepted publickey for sato from 192.0.2.7 port 50123 ssh2\n")
            [found] = await rows_of(ledger, 1)
        finally:
            sender.terminate()
            await sender.wait()
        assert found["message"].strip() == "Accepted publickey for sato from 192.0.2.7 port 50123 ssh2"
        assert found["app"] == "sshd"
        [fact] = await ledger.facts(0, 10, names=["watch.events_received"])
        [shown] = await shown_by(ledger, fact.leaf)
        assert shown.observation is not None
        seen = shown.observation
        assert (seen.kind, seen.actor, seen.place) == ("logon", "sato", "192.0.2.7")
        door.task.cancel()
