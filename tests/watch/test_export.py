"""Events for somebody else's monitoring: what they look like, that each arrives, and what is never in them."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gate.gate_examples import emergency
from sekisho.gate.facts import AccessRefused, BreakGlassOpened
from sekisho.ledger import Commitment, Fact, Ledger
from sekisho.people import facts as people
from sekisho.people.facts import LoginFailed, PersonFrozen, PersonUnfrozen, RoleRevoked
from sekisho.people.roles import Role
from sekisho.relay.facts import Statements
from sekisho.service.certificates import Certificates
from sekisho.service.web import serving
from sekisho.watch.alerts import acknowledge
from sekisho.watch.export import exporter as exporting
from sekisho.watch.export.exporter import Exporter
from sekisho.watch.export.ocsf import EXPORTED, MAKERS, event_of
from sekisho.watch.facts import AlertEscalated, AlertRaised, ExportRefused, ResponseTaken
from sekisho.watch.settings import Export, Watch
from sekisho.watch.watcher import Watcher
from watch.test_ingest import own_certificate
from watch.test_watcher import Told, caught_up, theft

# What schema.ocsf.io 1.4.0 requires, of every event and of each class; of some, one of several.
BASE = {"activity_id", "category_uid", "class_uid", "severity_id", "time", "type_uid", "metadata"}
REQUIRED = {
    2004: ({"finding_info"}, set()),
    3001: ({"user"}, set()),
    3002: ({"user"}, {"service", "dst_endpoint"}),
    3005: ({"user", "privileges"}, set()),
    6005: ({"actor", "src_endpoint"}, {"database", "databucket", "table"}),
}
_ENDPOINT = {"ip", "uid", "name", "hostname", "svc_name", "instance_uid"}
ORIGIN = "checkpoint.example/test"


async def busy(ledger: Ledger, folder: Path) -> list[AlertRaised]:
    """A theft, its alerts, one of them judged, and what else is exported."""
    watcher = Watcher(ledger, folder / "watch", Told())
    await theft(ledger)
    await caught_up(watcher)
    raised = [one.typed() for one in await ledger.facts(0, 999, names=["watch.alert_raised"])]
    alerts = [one for one in raised if isinstance(one, AlertRaised)]
    await acknowledge(ledger, alerts[0].alert, verdict="expected", reason="田中様の依頼", by="hara")
    more: list[Fact] = [
        LoginFailed(claimed="", peer="192.0.2.9:4000", reason="password"),
        AccessRefused(
            door="ssh", target="callcentre", claimed="", peer="192.0.2.9:4000", code="SEK-GATE-001"
        ),
        PersonFrozen(person="sato", reason="田中様の名簿"),
        PersonUnfrozen(person="sato", request="0"),
        RoleRevoked(person="sato", role=Role.WORKER, organisation="", reason="田中様"),
        people.SessionOpened(
            session="c-1",
            account="mori",
            person="mori",
            method="passkey",
            peer="192.0.2.9:4000",
            digest="0",
            notice="",
            expires=0,
        ),
        people.SessionClosed(session="c-1", reason="田中様"),
        AlertEscalated(alert=alerts[0].alert, level=1, to=("hara",)),
        ResponseTaken(alert=alerts[0].alert, what="freeze", subject="sato"),
        Statements(
            session="s-1",
            first=1,
            ticket="T-0001",
            organisation="minato",
            read=("customers.plan",),
            masked=(),
            rows=(1, 2),
            persons=(1, 1),
            bytes=(9, 9),
            duration=(1, 1),
            text=Commitment("7c" * 32),
        ),
        BreakGlassOpened(asked=emergency(purpose="田中様から電話"), review_by=0),
    ]
    for fact in more:
        await ledger.record(fact, by="mori", about="x")
    return alerts


async def test_every_event_is_what_the_schema_asks(ledger: Ledger, tmp_path: Path) -> None:
    await busy(ledger, tmp_path)
    seen: set[str] = set()
    for recorded in await ledger.facts(0, 999, names=EXPORTED):
        event = event_of(recorded, ORIGIN, "1.0")
        assert event is not None
        seen.add(recorded.fact)
        required, one_of = REQUIRED[event["class_uid"]]
        assert BASE | required <= event.keys()
        assert not one_of or one_of & event.keys()
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["category_uid"] == event["class_uid"] // 1000
        assert event["metadata"]["version"] == "1.4.0"
        assert event["metadata"]["product"]["vendor_name"]
        assert event["metadata"]["uid"] == f"{ORIGIN}/{recorded.seq}"
        assert abs(event["time"] / 1000 - datetime.now(UTC).timestamp()) < 600  # milliseconds
        if "src_endpoint" in event:
            assert _ENDPOINT & event["src_endpoint"].keys()
        if "user" in event:
            assert event["user"]["name"]
        if event["class_uid"] == 2004:
            assert event["finding_info"]["uid"]
            assert event["status_id"] in (1, 2, 3)
        assert json.loads(json.dumps(event)) == event
    assert seen == set(MAKERS) == set(EXPORTED)


async def test_nothing_that_people_typed_and_nobody_whose_data_it_is_leaves(
    ledger: Ledger, tmp_path: Path
) -> None:
    await busy(ledger, tmp_path)
    whole = json.dumps(
        [event_of(one, ORIGIN, "1.0") for one in await ledger.facts(0, 999, names=EXPORTED)],
        ensure_ascii=False,
    )
    assert "田中" not in whole
    facts = b"".join(one.leaf for one in await ledger.facts(0, 999))
    assert "田中".encode() in facts  # … though staff typed it
    for part in ("7c" * 32, "customers.phone"):  # commitments, and which columns were read
        assert part not in whole


# -- carriers ---------------------------------------------------------------------------------------------------------


class Receiver:
    """A monitoring over HTTPS. `answers` are taken in turn, then 200."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.answers: list[Callable[[list[dict[str, Any]]], Response]] = []
        self.headers: list[str] = []
        self.url = ""

    @property
    def uids(self) -> list[str]:
        return [event["metadata"]["uid"] for batch in self.batches for event in batch]

    async def take(self, request: Request) -> Response:
        events = [json.loads(line) for line in (await request.body()).splitlines()]
        self.headers.append(request.headers.get("authorization", ""))
        answer = self.answers.pop(0)(events) if self.answers else Response()
        if answer.status_code == 200:
            self.batches.append(events)
        return answer


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    made = Receiver()
    app = Starlette(routes=[Route("/in", made.take, methods=["POST"])])
    certificates = Certificates(tmp_path / "receiver")
    async with serving(app, "127.0.0.1", 0, certificates) as (_, port):
        made.url = f"https://localhost:{port}/in"
        yield made


def export(tmp_path: Path, receiver: Receiver, **more: Any) -> Export:
    (tmp_path / "authorization").write_text("Bearer of the news\n")
    values: dict[str, Any] = {
        "name": "siem",
        "url": receiver.url,
        "ca_file": str(tmp_path / "receiver" / "ca.pem"),
        "authorization_file": str(tmp_path / "authorization"),
        **more,
    }
    made = Export(**values)
    assert made.sensible()
    return made


@asynccontextmanager
async def exporting_to(one: Exporter) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(one.run())
        yield
        running.cancel()


async def until(ledger: Ledger, done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():
            await ledger.wait_turn(0.05)


async def wanted(ledger: Ledger) -> list[str]:
    return [f"{ORIGIN}/{one.seq}" for one in await ledger.facts(0, 999, names=EXPORTED)]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_FIRST_WAIT", 0.01)


async def acknowledged(ledger: Ledger, name: str) -> None:
    async with asyncio.timeout(30):
        last = (await ledger.facts(0, 999, names=EXPORTED))[-1].seq
        while await ledger.offset(f"export {name}") <= last:
            await ledger.wait_turn(0.05)


@pytest.mark.usefixtures("hasty")
async def test_each_event_arrives_and_after_a_restart_the_next_ones(
    ledger: Ledger, tmp_path: Path, receiver: Receiver
) -> None:
    await busy(ledger, tmp_path)
    receiver.answers = [lambda _: Response(status_code=503), lambda _: Response(status_code=429)]
    settings = export(tmp_path, receiver, batch=4)
    first = Exporter(ledger, settings, ORIGIN)
    async with exporting_to(first):
        before = await wanted(ledger)
        await until(ledger, lambda: len(receiver.uids) >= len(before))
        await acknowledged(ledger, "siem")
    assert receiver.uids == before  # in order, and each once, because nothing was lost on the way
    assert all(len(batch) <= 4 for batch in receiver.batches)
    assert set(receiver.headers) == {"Bearer of the news"}
    assert first.standing.failing == ""
    assert first.standing.sent == len(before)
    await ledger.record(PersonFrozen(person="kato", reason="r"), by="mori", about="kato")
    async with exporting_to(Exporter(ledger, settings, ORIGIN)):
        await until(ledger, lambda: len(receiver.uids) > len(before))
        await acknowledged(ledger, "siem")
    assert receiver.uids == await wanted(ledger)


@pytest.mark.usefixtures("hasty")
async def test_an_answer_that_is_lost_brings_the_batch_again_with_the_same_ids(
    ledger: Ledger, tmp_path: Path, receiver: Receiver
) -> None:
    await busy(ledger, tmp_path)

    def taken_but(events: list[dict[str, Any]]) -> Response:
        receiver.batches.append(events)
        return Response(status_code=502)

    receiver.answers = [taken_but]
    async with exporting_to(Exporter(ledger, export(tmp_path, receiver), ORIGIN)):
        await acknowledged(ledger, "siem")
    assert sorted(set(receiver.uids)) == sorted(await wanted(ledger))
    assert len(receiver.uids) > len(set(receiver.uids))  # at least once: the receiver knows them by uid


@pytest.mark.usefixtures("hasty")
async def test_an_event_that_is_refused_is_recorded_and_holds_nothing_back(
    ledger: Ledger, tmp_path: Path, receiver: Receiver
) -> None:
    await busy(ledger, tmp_path)
    bad = (await wanted(ledger))[2]

    def picky(events: list[dict[str, Any]]) -> Response:
        refused = any(event["metadata"]["uid"] == bad for event in events)
        return Response(status_code=400 if refused else 200)

    receiver.answers = [picky] * 100
    async with exporting_to(Exporter(ledger, export(tmp_path, receiver), ORIGIN)):
        await acknowledged(ledger, "siem")
    assert receiver.uids == [uid for uid in await wanted(ledger) if uid != bad]
    [refused] = await ledger.facts(0, 999, names=["watch.export_refused"])
    said = refused.typed()
    assert isinstance(said, ExportRefused)
    assert (f"{ORIGIN}/{said.line}", said.status) == (bad, 400)
    watcher = Watcher(ledger, tmp_path / "again", Told())
    await caught_up(watcher)
    gaps = [one.typed() for one in await ledger.facts(0, 999, names=["watch.alert_raised"])]
    assert any(isinstance(one, AlertRaised) and one.values.get("source") == "export" for one in gaps)


@pytest.mark.usefixtures("hasty")
async def test_a_receiver_that_takes_nothing_is_an_alarm_once_and_a_redirect_is_not_followed(
    ledger: Ledger, tmp_path: Path, receiver: Receiver
) -> None:
    await busy(ledger, tmp_path)
    receiver.answers = [lambda _: RedirectResponse("https://elsewhere.example/")] * 6
    clock = [datetime.now(UTC)]

    def now() -> datetime:
        clock[0] += timedelta(minutes=6)
        return clock[0]

    one = Exporter(ledger, export(tmp_path, receiver), ORIGIN, now=now)
    async with exporting_to(one):
        await until(ledger, lambda: "307" in one.standing.failing)
        await acknowledged(ledger, "siem")
    assert one.standing.failing == ""
    assert len(await ledger.facts(0, 999, names=["watch.export_stalled"])) == 1


async def test_a_receiver_that_is_not_the_one_gets_nothing(
    ledger: Ledger, tmp_path: Path, receiver: Receiver
) -> None:
    await busy(ledger, tmp_path)
    stranger = own_certificate(tmp_path, "stranger")[0]
    one = Exporter(ledger, export(tmp_path, receiver, ca_file=str(stranger)), ORIGIN)
    async with exporting_to(one):
        await until(ledger, lambda: "CERTIFICATE_VERIFY_FAILED" in one.standing.failing)
    assert receiver.headers == []
    assert await ledger.offset("export siem") == 0


def test_settings_that_make_no_sense_are_named(tmp_path: Path) -> None:
    for wrong in (
        {"url": "http://siem.example/in"},
        {"url": "https://user:pass@siem.example/in"},
        {"url": "syslog://siem.example"},
        {"ca_file": str(tmp_path / "none")},
        {"name": "Nein!"},
        {"batch": 0},
    ):
        one = Export(**{"name": "siem", "url": "https://siem.example/in", **wrong})  # type: ignore[arg-type]
        assert Watch(exports=(one,)).mistakes() == ("exports",)
    twice = Export(name="siem", url="https://siem.example/in")
    assert Watch(exports=(twice, twice)).mistakes() == ("exports",)
    assert Watch(exports=(twice,)).mistakes() == ()


@pytest.mark.e2e
@pytest.mark.usefixtures("hasty")
async def test_rsyslog_receives(ledger: Ledger, tmp_path: Path) -> None:
    await busy(ledger, tmp_path)
    server = Certificates(tmp_path / "receiver")
    client, key = own_certificate(tmp_path, "checkpoint")
    port = _free_port()
    (tmp_path / "work").mkdir()
    (tmp_path / "rsyslog.conf").write_text(
        f'global(workDirectory="{tmp_path / "work"}" defaultNetstreamDriver="ossl" maxMessageSize="64k"\n'
        f'  defaultNetstreamDriverCAFile="{client}"\n'
        f'  defaultNetstreamDriverCertFile="{server.server}" defaultNetstreamDriverKeyFile="{server.key}")\n'
        'module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")\n'
        f'input(type="imtcp" port="{port}" address="127.0.0.1")\n'
        'template(name="t" type="string" string="%msgid%|%structured-data%|%msg%\\n")\n'
        f'action(type="omfile" file="{tmp_path / "out"}" template="t")\n'
    )
    rsyslogd = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
    receiving = await asyncio.create_subprocess_exec(
        rsyslogd, "-n", "-iNONE", "-f", str(tmp_path / "rsyslog.conf"), stderr=asyncio.subprocess.DEVNULL
    )
    out = tmp_path / "out"
    settings = Export(
        name="syslog",
        url=f"syslog+tls://localhost:{port}",
        ca_file=str(server.ca),
        certificate_file=str(client),
        key_file=str(key),
    )
    try:
        async with exporting_to(Exporter(ledger, settings, ORIGIN)):
            await acknowledged(ledger, "syslog")
            count = len(await wanted(ledger))
            await until(ledger, lambda: out.exists() and len(out.read_text().splitlines()) >= count)
    finally:
        receiving.terminate()
        await receiving.wait()
    found = []
    for line in out.read_text(encoding="utf-8").splitlines():
        msgid, data, said = line.split("|", 2)
        event = json.loads(said.lstrip("\ufeff "))
        assert msgid == str(event["class_uid"])
        assert f'uid="{event["metadata"]["uid"]}"' in data
        found.append(event["metadata"]["uid"])
    assert found == await wanted(ledger)


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
