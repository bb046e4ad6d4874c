"""The witness's client against our own server (no sockets), and against answers that no good witness gives."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sekisho.evidence.log import TileLog
from sekisho.evidence.note import COSIGNATURE, NoteSigner, parse_note, verify_note
from sekisho.evidence.policy import Policy
from sekisho.evidence.witness import Witness, WitnessStore
from sekisho.faults import Fault, FaultKind
from sekisho.witness.client import WitnessClient, collect
from sekisho.witness.faults import BAD_ANSWER, CONTRADICTED, REFUSED, UNREACHABLE, WITNESS_AHEAD
from sekisho.witness.server import witness_app

ORIGIN = "log.example/client"
LOG = NoteSigner.generate(ORIGIN)
SIGNER = NoteSigner.generate("witness.example/client", COSIGNATURE)
URL = "http://witness.test/prefix"


def grow(folder: Path, size: int, history: bytes = b"") -> TileLog:
    log = TileLog.open(folder, LOG, origin=ORIGIN)
    log.integrate([b'{"seq":%d,"fact":"%s"}' % (index, history) for index in range(log.size, size)])
    return log


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    app = witness_app(Witness(WitnessStore(tmp_path / "witness"), SIGNER, [LOG.key]))
    mounted = Starlette()
    mounted.mount("/prefix", app)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(mounted)) as client:
        yield client


async def fault_of(client: WitnessClient, log: TileLog) -> Fault:
    with pytest.raises(Fault) as raised:
        await client.cosign(log.sign(), log.consistency)
    return raised.value


async def test_a_growing_log_is_cosigned_again_and_again(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    client = WitnessClient(http, URL, SIGNER.key)
    policy = Policy.of_keys([LOG.key], [SIGNER.key], 1)
    for size in (1, 5, 5, 300, 700):
        log = grow(tmp_path / "log", size)
        note = parse_note(log.sign())
        cosigned = note.with_signatures(await client.cosign(note.encode(), log.consistency))
        assert policy.accept(cosigned.encode()).checkpoint.size == size
        log.publish(cosigned.encode())


async def test_a_client_that_forgot_learns_the_size_from_the_witness(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    log = grow(tmp_path / "log", 5)
    await WitnessClient(http, URL, SIGNER.key).cosign(log.sign(), log.consistency)
    log = grow(tmp_path / "log", 9)
    assert await WitnessClient(http, URL + "/", SIGNER.key).cosign(log.sign(), log.consistency)


async def test_a_rolled_back_folder_is_noticed(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    log = grow(tmp_path / "log", 5)
    log.publish(log.sign())
    shutil.copytree(tmp_path / "log", tmp_path / "backup")
    client = WitnessClient(http, URL, SIGNER.key)
    log = grow(tmp_path / "log", 300)
    await client.cosign(log.sign(), log.consistency)
    restored = grow(tmp_path / "backup", 5)
    for asking in (WitnessClient(http, URL, SIGNER.key), client):
        fault = await fault_of(asking, restored)
        assert (fault.kind, fault.values["seen"], fault.values["size"]) == (WITNESS_AHEAD, 300, 5)


@pytest.mark.parametrize("size", [300, 301])
async def test_a_rewritten_history_is_noticed(tmp_path: Path, http: httpx2.AsyncClient, size: int) -> None:
    log = grow(tmp_path / "log", 300)
    await WitnessClient(http, URL, SIGNER.key).cosign(log.sign(), log.consistency)
    fork = grow(tmp_path / "fork", size, b"another past")
    fault = await fault_of(WitnessClient(http, URL, SIGNER.key), fork)
    assert (fault.kind, fault.values["seen"]) == (CONTRADICTED, 300)


async def test_a_log_that_the_witness_does_not_know(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    stranger = NoteSigner.generate("log.example/stranger")
    log = TileLog.open(tmp_path, stranger, origin="log.example/stranger")
    fault = await fault_of(WitnessClient(http, URL, SIGNER.key), log)
    assert (fault.kind, fault.values["status"]) == (REFUSED, 404)


async def test_the_monitor_page_and_the_bounds_of_the_server(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    page = f"{URL}/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    assert (await http.get(page)).status_code == 404
    log = grow(tmp_path / "log", 5)
    await WitnessClient(http, URL, SIGNER.key).cosign(log.sign(), log.consistency)
    answer = await http.get(page)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    verify_note(parse_note(answer.content), [SIGNER.key])
    assert (await http.post(f"{URL}/add-checkpoint", content=b"x" * 300_000)).status_code == 413
    assert (await http.get(f"{URL}/add-checkpoint")).status_code == 405
    (tmp_path / "witness" / hashlib.sha256(ORIGIN.encode()).hexdigest()).write_bytes(b"damaged")
    fault = await fault_of(WitnessClient(http, URL, SIGNER.key), log)
    assert (fault.kind, fault.values["status"]) == (REFUSED, 503)


Reply = Callable[[bytes], Response]


def answering(reply: Reply) -> httpx2.AsyncClient:
    async def endpoint(request: Request) -> Response:
        return reply(await request.body())

    app = Starlette(routes=[Route("/prefix/add-checkpoint", endpoint, methods=["POST"])])
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app))


def other_cosignature(body: bytes) -> Response:
    text = parse_note(body.partition(b"\n\n")[2]).text
    return Response(NoteSigner.generate(SIGNER.key.name, COSIGNATURE).sign(text).text())


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (lambda _: Response(b""), BAD_ANSWER),
        (lambda _: Response(b"\xff"), BAD_ANSWER),
        (lambda _: Response(b"x" * 1_000_000), BAD_ANSWER),
        (lambda _: Response(SIGNER.sign("another text\n").text()), BAD_ANSWER),
        (other_cosignature, BAD_ANSWER),
        (lambda _: Response(b"", 500), REFUSED),
        (lambda _: Response(b"", 404), REFUSED),
        (lambda _: Response(b"", 409), CONTRADICTED),  # tlog-witness v1.0.0: equal size, other root
        (lambda _: Response(b"0\n", 409), CONTRADICTED),
        (lambda _: Response(b"", 422), CONTRADICTED),
        (lambda body: Response(b"2\n" if b"old 1\n" in body else b"1\n", 409), REFUSED),
        (lambda _: Response(b"6\n", 409), WITNESS_AHEAD),
        (lambda _: Response(b"", 307, {"location": "http://elsewhere.test/"}), REFUSED),
    ],
)
async def test_answers_that_carry_no_cosignature(tmp_path: Path, reply: Reply, kind: FaultKind) -> None:
    log = grow(tmp_path, 5)
    async with answering(reply) as http:
        fault = await fault_of(WitnessClient(http, URL, SIGNER.key), log)
    assert fault.kind is kind


async def test_a_witness_that_does_not_answer(tmp_path: Path) -> None:
    async def endpoint(_: Request) -> Response:
        await asyncio.sleep(60)
        return Response()

    app = Starlette(routes=[Route("/prefix/add-checkpoint", endpoint, methods=["POST"])])
    log = grow(tmp_path, 5)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
        fault = await fault_of(WitnessClient(http, URL, SIGNER.key, timeout=0.05), log)
    assert fault.kind is UNREACHABLE


async def test_one_failing_witness_does_not_hinder_the_others(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    absent = NoteSigner.generate("witness.example/absent", COSIGNATURE)
    log = grow(tmp_path / "log", 5)
    async with answering(lambda _: Response(b"", 500)) as failing:
        clients = [WitnessClient(http, URL, SIGNER.key), WitnessClient(failing, URL, absent.key)]
        collected = await collect(clients, log.sign(), log.consistency)
    assert [line.name for line in collected.lines] == [SIGNER.key.name]
    assert {key: fault.kind for key, fault in collected.faults.items()} == {absent.key: REFUSED}
