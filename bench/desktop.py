"""Desktops in the browser: until the first picture, while one scrolls, what a key costs, what the recording holds.

All are real: Xtigervnc, openbox and xterm in bubblewrap, behind the checkpoint's own process, over TLS.

open      from the click on "Open the desktop" until the page shows its first picture, in headless Chromium; each in a
          workspace of its own, so that a sandbox, an X server and a shell start. Peer: the same page when it is
          loaded anew, and the desktop runs.
scroll    20 lines a second in a terminal that fills most of the screen: processor time of the checkpoint's own process
          (the X server's beside it), bytes to the browser and into the recording. Peer: the raw pixels of that terminal
          20 times a second, compressed by zlib at level 1, which is what a screen costs that does not know moves.
key       from a key until the first pixels that it changed, with ten desktops open of which one scrolls; in the desktop
          that does not. Peer: the same with one desktop alone.
typing    bytes of recording for 5 keys a second.
memory    PSS of everything in a sandbox, of ten desktops.
"""

import asyncio
import contextlib
import json
import os
import re
import secrets
import socket
import ssl
import statistics
import tempfile
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import numpy as np
from playwright.async_api import async_playwright
from websockets.asyncio.client import ClientConnection, connect

from bench.checkpoint import ROLE, ROLE_PASSWORD, TABLES, TARGET, started
from bench.frame import Result, Scale, percentile
from sekisho.console.viewer import SESSION_COOKIE
from sekisho.demo.founding import (
    Holding,
    add_dataset,
    add_organisation,
    add_person,
    add_target,
    appoint,
    ticket_request,
)
from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.gate.facts import Bulk, Limits, PolicyApproved, PolicyProposed
from sekisho.gate.policy import Policy
from sekisho.gate.tickets import approve_ticket
from sekisho.ledger import Ledger
from sekisho.people.identity import Method, minted
from sekisho.people.roles import Role
from sekisho.people.sessions import Sessions
from sekisho.service.service import RECORDINGS, create_state, open_ledger
from sekisho.service.settings import Settings

_WIDE: Final = Limits(**dict.fromkeys(Limits.__struct_fields__, 100_000))
_SCROLL: Final = (
    'i=0; while :; do i=$((i+1)); echo "$i $RANDOM customer gold 2026-11-22 row of some text $RANDOM";'
    " sleep 0.05; done\r"
)
_DESKTOPS: Final = 10
_QUIET: Final = 0.6  # seconds without a picture after which a desktop is still


async def run(scale: Scale) -> list[Result]:
    with (
        tempfile.TemporaryDirectory(prefix="sekisho-bench-") as folder,
        postgres_server(tls=True) as database,
    ):
        state = Path(folder) / "state"
        port = _free_port()
        settings = Settings(
            origin="bench.example/log", postgres_listen="127.0.0.1:0", console_listen=f"127.0.0.1:{port}"
        )
        create_state(state, settings)
        count = scale.pick(5, 1) + _DESKTOPS
        async with open_ledger(state, settings) as ledger:
            await _register(ledger, database, count)
            _, cookie = await Sessions(ledger).open(minted("worker", "worker", Method.PASSKEY, "bench"))
        async with started(state, scale) as (process, _):
            house = _House(f"https://localhost:{port}", cookie, process.pid, state / RECORDINGS)
            tickets = iter(_ticket(number) for number in range(count))
            opened = await _openings(house, [next(tickets) for _ in range(count - _DESKTOPS)])
            return [*opened, *await _working(house, list(tickets), scale)]


def _ticket(number: int) -> str:
    return f"T-{number:04}"


@dataclass
class _House:
    url: str
    cookie: str
    pid: int
    recordings: Path

    def recorded(self) -> int:
        return sum(path.stat().st_size for path in self.recordings.glob("*.rec"))


# -- until the first picture ------------------------------------------------------------------------------------------


async def _openings(house: _House, tickets: list[str]) -> list[Result]:
    cold: list[float] = []
    warm: list[float] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = await browser.new_context(ignore_https_errors=True, viewport={"width": 1400, "height": 900})
        await context.add_cookies(
            [{"name": SESSION_COOKIE, "value": house.cookie, "url": house.url, "secure": True}]
        )
        page = await context.new_page()
        # Stamped in the page: the first canvas that shows anything but one colour. A poll from here would cost more.
        await context.add_init_script(_STAMP)
        for ticket in tickets:
            await page.goto(f"{house.url}/work/{ticket}/workspace")
            await page.wait_for_load_state("networkidle")
            for times in (cold, warm):
                began = time.time() * 1000
                if times is cold:
                    await page.get_by_role("link", name="Open the desktop").click(no_wait_after=True)
                else:
                    await page.goto("about:blank")
                    began = time.time() * 1000
                    await page.goto(f"{house.url}/desktop/{ticket}", wait_until="commit")
                await page.wait_for_url("**/desktop/**", wait_until="load")
                shown = await page.evaluate("globalThis.firstPicture")
                times.append(float(shown) - began)
            await page.goto("about:blank")
        await browser.close()
    first = statistics.median(cold)
    return [
        Result(
            "desktop: from the click until its first picture, sandbox and X server started for it",
            "1,000 ms",
            f"{first:,.0f} ms ({min(cold):,.0f}-{max(cold):,.0f})",
            f"a page that takes a running one up: {statistics.median(warm):,.0f} ms",
            first / statistics.median(warm),
            first < 1000,
        )
    ]


_STAMP: Final = """
if (location.pathname.startsWith("/desktop/")) {
  let tell;
  globalThis.firstPicture = new Promise((told) => { tell = told; });
  const look = () => {
    const canvas = document.querySelector("[data-screen] canvas");
    if (canvas && canvas.width > 400) {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 200);
      let most = 0;
      for (let at = 0; at < data.length; at += 4) if (data[at] > most) most = data[at];
      if (most > 100) { tell(Date.now()); return; }
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
"""


# -- while somebody works ---------------------------------------------------------------------------------------------


class _Screen:
    """A viewer that asks for pictures and does not draw them: each binary message is one."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.pictures = 0
        self.bytes = 0
        self.last = 0.0
        self.shown = asyncio.Event()

    async def read(self) -> None:
        while True:
            said = await self._socket.recv()
            if isinstance(said, str) or said[:1] != b"\0":
                if isinstance(said, str) and ("fault" in said or "ended" in said):
                    raise RuntimeError(said)
                continue
            self.pictures += 1
            self.bytes += len(said)
            self.last = time.perf_counter()
            self.shown.set()
            await self._socket.send(b"\x03\x01" + bytes(4) + b"\x05\x00\x03\x20")

    async def key(self, character: str) -> None:
        keysym = {"\r": 0xFF0D, "\x03": 0x63}.get(character, ord(character))
        for down in (1, 0):
            await self._socket.send(bytes((4, down, 0, 0)) + keysym.to_bytes(4, "big"))

    async def type(self, text: str) -> None:
        for character in text:
            await self.key(character)

    async def scroll(self) -> None:
        """Until the terminal scrolls: keys that came before its shell was there are typed again."""
        for _ in range(8):
            await self.type(_SCROLL)
            seen = self.pictures + 40
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(8):
                    while self.pictures < seen:
                        self.shown.clear()
                        await self.shown.wait()
                    return
        raise RuntimeError("the terminal does not scroll")

    async def still(self) -> None:
        while (left := self.last + _QUIET - time.perf_counter()) > 0:  # noqa: ASYNC110 (each picture moves it)
            await asyncio.sleep(left)


@asynccontextmanager
async def _opened(house: _House, ticket: str) -> AsyncIterator[_Screen]:
    cookies, headers = {SESSION_COOKIE: house.cookie}, {"origin": house.url}
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with httpx2.AsyncClient(
        base_url=house.url, verify=False, cookies=cookies, headers=headers, timeout=60
    ) as client:
        page = (await client.get(f"/desktop/{ticket}")).text
        form = re.findall(r'name="csrf" value="([^"]+)"|data-csrf="([^"]+)"', page)[0]
        answer = await client.post(f"/desktop/{ticket}/pass", data={"csrf": form[0] or form[1]})
    async with connect(
        house.url.replace("https", "wss") + f"/desktop/{ticket}/socket",
        origin=house.url,  # type: ignore[arg-type]
        additional_headers={"cookie": f"{SESSION_COOKIE}={house.cookie}"},
        ssl=trusting,
        compression=None,
        ping_interval=None,
        max_size=1 << 24,
    ) as socket:
        await socket.send(json.dumps({"pass": answer.json()["socket_pass"], "width": 80, "height": 24}))
        # RFC 6143 7.1-7.3, then SetEncodings with Tight only, then the whole screen.
        await socket.send(
            b"RFB 003.008\n\x01\x01" + b"\x02\0\0\x01\0\0\0\x07" + b"\x03\0\0\0\0\0\x05\0\x03\x20"
        )
        screen = _Screen(socket)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(screen.read())
            while screen.pictures < 2:
                await asyncio.wait_for(screen.shown.wait(), 30)
                screen.shown.clear()
            await screen.still()
            yield screen
            reading.cancel()


async def _working(house: _House, tickets: list[str], scale: Scale) -> list[Result]:
    keys, seconds = scale.pick(100, 5), scale.pick(15, 2)
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(_opened(house, tickets[0]))
        alone = await _keys(worker, keys)
        before, began = house.recorded(), time.monotonic()
        for _ in range(5 * seconds):
            await worker.key("x")
            await asyncio.sleep(0.2)
        typing = (house.recorded() - before) / (time.monotonic() - began)
        scrolling = await stack.enter_async_context(_opened(house, tickets[1]))
        await scrolling.scroll()
        figures = await _measure(house, scrolling, seconds)
        for ticket in tickets[2 : scale.pick(_DESKTOPS, 3)]:
            await stack.enter_async_context(_opened(house, ticket))
        among = await _keys(worker, keys)
        desktops = scale.pick(_DESKTOPS, 3)
        memory = _memory(house.pid) / desktops
    raw = _raw_per_second()
    return [
        Result(
            "the checkpoint's processor time while a terminal scrolls 20 lines/s",
            "5 % of a core",
            f"{figures.relay:.1%} (X server and programs: {figures.inside:.1%}), {figures.pictures:.1f} pictures/s",
            f"zlib of its raw pixels: {raw:.0%}",
            figures.relay / raw,
            figures.relay < 0.05,
        ),
        Result(
            "the same: bytes to the browser; recorded",
            "",
            f"{figures.sent / 1e3:,.0f} kB/s; {figures.recorded * 3600 / 1e6:,.0f} MB/h",
            f"recorded while typing 5 keys/s: {typing * 3600 / 1e6:,.1f} MB/h",
        ),
        Result(
            f"from a key until its pixels, p95, {desktops} desktops of which one scrolls",
            "60 ms",
            f"{percentile(among, 95):.1f} ms (p50 {percentile(among, 50):.1f})",
            f"one desktop alone: {percentile(alone, 95):.1f} ms (p50 {percentile(alone, 50):.1f})",
            percentile(among, 95) / percentile(alone, 95),
            percentile(among, 95) < 60,
        ),
        Result(
            f"memory of a desktop (PSS of its sandbox, {desktops} open)",
            "80 MB",
            f"{memory / 1e6:.0f} MB",
            "none",
            None,
            memory < 80e6,
        ),
    ]


async def _keys(screen: _Screen, count: int) -> list[float]:
    """Milliseconds from a key until the next picture; by turns a letter and its removal, so that no line grows."""
    taken = []
    for number in range(count):
        await screen.still() if number % 10 == 0 else await asyncio.sleep(0.12)
        screen.shown.clear()
        began = time.perf_counter()
        await screen.key("x")
        await asyncio.wait_for(screen.shown.wait(), 10)
        taken.append((screen.last - began) * 1e3)
        if number % 60 == 59:
            await screen.type("\r")
    return taken


@dataclass(frozen=True)
class _Figures:
    """Each a second."""

    relay: float
    inside: float
    sent: float
    recorded: float
    pictures: float


async def _measure(house: _House, screen: _Screen, seconds: float) -> _Figures:
    def now() -> list[float]:
        relay = _own_time(house.pid)
        inside = sum(_own_time(pid) for pid in _all_below(house.pid))
        return [relay, inside, screen.bytes, house.recorded(), screen.pictures, time.monotonic()]

    before = now()
    await asyncio.sleep(seconds)
    after = now()
    *grown, passed = (b - a for a, b in zip(before, after, strict=True))
    return _Figures(*(one / passed for one in grown))


def _raw_per_second() -> float:
    """Seconds of a core: 20 pictures of a terminal of text, red, green and blue, by zlib."""
    chance = np.random.default_rng(1)
    glyphs = chance.integers(0, 255, (96, 18, 9, 3), np.uint8) * (chance.random((96, 18, 9, 1)) < 0.25)
    lines = [np.concatenate(glyphs[chance.integers(0, 96, 130)], axis=1) for _ in range(40)]
    picture = np.concatenate(lines).astype(np.uint8).tobytes()
    began = time.process_time()
    for _ in range(5):
        zlib.compress(picture, 1)
    return (time.process_time() - began) * 4


def _own_time(pid: int) -> float:
    """Processor seconds of one process (proc(5): fields 14 and 15)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _all_below(pid: int) -> list[int]:
    """Every process that a process started, and those that these did. One pass over /proc: it holds the loop up."""
    started_by: dict[int, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        started_by.setdefault(parent, []).append(int(process.name))
    found = [pid]
    for one in found:
        found += started_by.get(one, [])
    return found[1:]


def _memory(pid: int) -> int:
    """Bytes (PSS) of everything in the sandboxes."""
    total = 0
    for child in _all_below(pid):
        try:
            rollup = Path(f"/proc/{child}/smaps_rollup").read_text()
            if b"bwrap" in Path(f"/proc/{child}/cmdline").read_bytes() or _in_sandbox(child, pid):
                total += (
                    int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")))
                    << 10
                )
        except (OSError, StopIteration):
            continue
    return total


def _in_sandbox(child: int, pid: int) -> bool:
    return Path(f"/proc/{child}/ns/pid").readlink() != Path(f"/proc/{pid}/ns/pid").readlink()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def _register(ledger: Ledger, database: PostgresServer, count: int) -> None:
    await add_organisation(ledger, "bench", "試験", "Bench")
    await add_target(ledger, TARGET, database, operator="outsourcing")
    held = Holding(
        dataset="bench", organisation="bench", name="bench", target=TARGET, operator="outsourcing", role=ROLE,
        password=ROLE_PASSWORD, tables=TABLES, schema="public",
    )  # fmt: skip
    await add_dataset(ledger, held)
    for person, role, manager in (
        ("worker", Role.WORKER, "approver"),
        ("approver", Role.OPERATOR_MANAGER, ""),
        ("prime", Role.PROCESSOR_MANAGER, ""),
    ):
        employer = "Bench Prime" if person == "prime" else "Bench"
        await add_person(ledger, person, person, employer, manager=manager)
        await appoint(ledger, person, role)
    policy = Policy(doors=("postgres", "workspace"), largest_bulk=_WIDE, desktops=True)
    proposal = PolicyProposed(
        proposal=f"P-{secrets.token_hex(3)}", proposer="approver", policy=policy, replaces="", reason="bench"
    )
    proposed = await ledger.record(proposal, by="approver", about="policy")
    agreed = PolicyApproved(proposal=proposal.proposal, approver="prime", request=proposed.leaf_hash.hex())
    await ledger.record(agreed, by="prime", about="policy")
    for number in range(count):
        name = _ticket(number)
        asked = ticket_request(
            name, "worker", organisation="bench", dataset="bench", target=TARGET, purpose="measure", limits=_WIDE,
            hours=24,
        )  # fmt: skip
        values = {field: getattr(asked, field) for field in asked.__struct_fields__}
        wanted = type(asked)(**{**values, "bulk": Bulk(limits=_WIDE, unmask=())})
        await ledger.record(wanted, by="worker", about=name)
        for approver in ("approver", "prime"):
            await approve_ticket(ledger, name, approver)
