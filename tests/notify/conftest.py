"""A house with people in it, whose outbox delivers to real servers on loopback."""

import base64
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mail_under_test import MailServer, mail_server
from people.people_examples import add, administrators, give
from sekisho.ledger import KeyRing, Ledger
from sekisho.people.roles import Role
from sekisho.register.facts import OrganisationAdded

SECRET = base64.b64encode(b"a key of thirty-two bytes ......").decode()


@dataclass
class Hook:
    """A web server that keeps what is posted to it. `answers` are the next statuses; 204 afterwards."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        self.got.append((dict(request.headers), await request.body()))
        return Response(status_code=self.answers.pop(0) if self.answers else 204)


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    app = Starlette(routes=[Route("/{path:path}", made.take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    made.url = f"http://{host}:{port}/hook"
    yield made
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="session")
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient() as client:
        yield client


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """kanri and kanta administer; mori manages sato; hogo is privacy officer, kensa auditor; haruka is of minato."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "keys")) as opened:
        await administrators(opened)
        await add(opened, "sato", manager="mori", agency="Example Staffing")
        await add(opened, "haruka", employer="Minato Apiary", language="en")
        await add(opened, "aoi", employer="Aoba Print")
        await add(opened, "kensa", employer="Example Audit")
        await give(opened, "sato", Role.WORKER)
        await give(opened, "haruka", Role.CLIENT, "minato")
        await give(opened, "aoi", Role.CLIENT, "aoba")
        await give(opened, "kensa", Role.AUDITOR)
        minato = OrganisationAdded(
            organisation="minato", name="みなと養蜂園", name_en="Minato Apiary", kind="company"
        )
        await opened.record(minato, by="kanri", about="minato")
        yield opened
