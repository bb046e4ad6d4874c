"""The workspace at the console and from the command line: what a person sees, and that nothing can be taken away."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from fastapi.routing import APIRoute

from relay_workspace.workspace_scene import House, allow
from sekisho.cli import cli
from sekisho.console.app import console_app
from sekisho.console.viewer import SESSION_COOKIE
from sekisho.faults import Fault
from sekisho.people.identity import Method, minted
from sekisho.people.sessions import Sessions

pytestmark = pytest.mark.e2e
NAMES = "SELECT customer_id, name, plan FROM minato.customers ORDER BY customer_id"


@asynccontextmanager
async def browser(house: House, person: str = "sato") -> AsyncIterator[httpx2.AsyncClient]:
    url = f"https://localhost:{house.checkpoint.service.console[1]}"
    _, token = await Sessions(house.ledger).open(minted(person, person, Method.PASSKEY, "test"))
    async with httpx2.AsyncClient(
        base_url=url,
        verify=False,
        cookies={SESSION_COOKIE: token},
        headers={"origin": url, "accept-language": "en"},
        timeout=30,
    ) as client:
        yield client


async def csrf(client: httpx2.AsyncClient, path: str) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', (await client.get(path)).text)
    assert found is not None
    return found[1]


async def test_a_worker_asks_pulls_looks_and_puts_in(house: House) -> None:
    async with browser(house) as client:
        data = {
            "csrf": await csrf(client, "/work/request?dataset=minato-customers"),
            "dataset": "minato-customers", "purpose": "letters", "persons": "500", "opens": "2020-01-01T00:00",
            "hours": "2", "bulk": "2000", "bulk_unmask": "name", "bulk_reason:name": "to print letters",
        }  # fmt: skip
        data["opens"] = datetime.now(UTC).isoformat()
        assert (await client.post("/work/request", data=data)).status_code == 303
        asked = (await house.checkpoint.facts("gate.ticket_requested"))[-1]
        ticket = asked.about
        assert b'"ticket_persons":2000' in asked.leaf
    for person in ("mori", "moto"):
        async with browser(house, person) as approver:
            page = (await approver.get("/queue")).text
            assert "2,000 persons, as files on the checkpoint" in page
            assert "in the workspace&#39;s files" in page
            seen = re.search(r'name="seen" value="(\w+)"', page)
            assert seen is not None
            decision = {"csrf": await csrf(approver, "/queue"), "seen": seen[1], "decision": "approve"}
            assert (await approver.post(f"/queue/{ticket}", data=decision)).status_code == 303
    async with browser(house) as client:
        path = f"/work/{ticket}/workspace"
        assert path in (await client.get("/work")).text
        assert "The workspace is empty." in (await client.get(path)).text
        form = {"csrf": await csrf(client, path), "query": NAMES, "to": "letters.csv"}
        assert (await client.post(f"{path}/pull", data=form)).status_code == 303
        async with asyncio.timeout(20):
            while "Complete" not in (page := (await client.get(f"{path}/list")).text):
                await house.ledger.wait_turn(0.05)
        assert "letters.csv" in page
        link = re.search(rf'href="({path}/files/\w+)"', page)
        assert link is not None
        shown = (await client.get(link[1])).text
        assert "佐＊＊" in shown
        assert "花子" not in shown
        files = {"file": ("C:\\notes\\memo.txt", "電話 090-1234-5678".encode())}
        answer = await client.post(f"{path}/upload", data={"csrf": form["csrf"]}, files=files)
        assert answer.status_code == 303
        assert "memo.txt" in (await client.get(path)).text
        assert "Into the workspace" in (await client.get("/work")).text
    async with browser(house, "mori") as approver:
        assert "Pulled into the workspace" in (await approver.get(f"/tickets/{ticket}")).text
    async with browser(house, "mori") as other:
        assert (await other.get(path)).status_code == 403
        assert (await other.get(link[1])).status_code == 403


async def test_no_answer_of_the_console_carries_a_file(house: House) -> None:
    """Every route there is, asked with the names of a planted file, by its owner and by those who supervise."""
    ticket = await house.ticket(unmask=("name", "customer_number"))
    await house.pull(ticket, NAMES)
    await house.rooms.upload(house.seat(ticket), "test", "plain.txt", b"call 090-1234-5678 today\n" * 3)
    routes = _routes()
    assert any(route.path.endswith("/workspace/files/{file}") for route in routes)
    for person in ("sato", "mori"):
        async with browser(house, person) as client:
            page = (await client.get(f"/work/{ticket}/workspace")).text
            ids = re.findall(r"files/(\w{32})", page) or ["0" * 32]
            asked = 0
            for route in routes:
                methods = (route.methods or set()) & {"GET", "POST"}
                if "events" in route.path or "logout" in route.path:
                    continue
                for file in ids:
                    values = {"ticket": ticket, "file": file, "person": "sato", "dataset": "minato-customers"}
                    path = re.sub(r"\{(\w+)(:\w+)?\}", lambda m, v=values: v.get(m[1], "x"), route.path)  # type: ignore[misc]
                    for method in methods:
                        async with client.stream(method, path) as answer:
                            body = await answer.aread()
                        asked += 1
                        assert "花子".encode() not in body, (person, method, path)
                        assert b"090-1234-5678" not in body, (person, method, path)
                        assert "attachment" not in answer.headers.get("content-disposition", ""), path
            assert asked > 50


def _routes() -> list[APIRoute]:
    """Every route of the console, whatever is included in what."""

    class Peek:
        def __getattr__(self, name: str) -> object:
            return Path("/nowhere") if name == "log" else None

    left: list[object] = list(console_app(Peek()).routes)  # type: ignore[arg-type]
    found: list[APIRoute] = []
    while left:
        one = left.pop()
        if isinstance(one, APIRoute):
            found.append(one)
        left += getattr(one, "routes", None) or getattr(getattr(one, "original_router", None), "routes", [])
    return found


async def test_the_command_line_pulls_lists_and_looks(house: House) -> None:
    ticket = await house.ticket()
    user, password = await house.checkpoint.login(ticket)
    line = [
        "--checkpoint", f"https://localhost:{house.checkpoint.service.console[1]}", "--ca", str(house.checkpoint.ca),
        "--user", user, "--password", password, "--target", "callcentre",
    ]  # fmt: skip

    async def run(*words: str) -> tuple[str, BaseException | None]:
        done = await asyncio.to_thread(CliRunner().invoke, cli, [*words, *line], env={"LANG": "en_US.UTF-8"})
        return done.output, done.exception

    said, error = await run("pull", NAMES, "--to", "cli.csv")
    assert error is None, said
    assert "1,000 rows" in said
    assert "cli.csv  sha256 " in said
    said, _ = await run("workspace", "list")
    assert "cli.csv" in said
    said, _ = await run("workspace", "look", "cli.csv")
    assert "佐＊＊" in said
    assert "花子" not in said
    _, error = await run("pull", NAMES, "--to", "cli.csv")
    assert isinstance(error, Fault)
    assert "cli.csv" in str(error)
    line[7] = "wrong"
    _, error = await run("workspace", "list")
    assert isinstance(error, Fault)
    assert "door token" in str(error)
    refused = (await house.checkpoint.facts("gate.access_refused"))[-1]
    assert b'"door":"inner"' in refused.leaf


async def test_an_api_token_and_a_cookie_pull_nothing(house: House) -> None:
    ticket = await house.ticket()
    order = {"target": "callcentre", "query": NAMES, "to": "x.csv"}
    async with browser(house) as client:
        for headers in ({}, {"authorization": "Bearer sekisho_x"}, {"authorization": "Basic !!"}):
            answer = await client.post("/api/workspace/pull", json=order, headers=headers)
            assert answer.status_code == 401
    assert (await house.rooms.files(ticket))[0] == []
    await allow(house.ledger, uploads=False)
    async with browser(house) as client:
        path = f"/work/{ticket}/workspace"
        page = (await client.get(path)).text
        assert "upload" not in page
        answer = await client.post(
            f"{path}/upload", data={"csrf": await csrf(client, path)}, files={"file": ("a", b"x")}
        )
        assert "SEK-WORK-015" in answer.text
