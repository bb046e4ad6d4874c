"""The act months later: a broker sells a list, it is dropped on the console's page, and names the session.

The worker had looked at these persons with a good ticket and a good reason: nothing was refused, and the list was
written down by hand, say. What is left is what each session was shown.
"""

import asyncio
import os
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx2
import pyotp

from sekisho.demo import callcentre
from sekisho.demo.callcentre import ADMINISTRATOR, AUDITOR, CLIENT, PRIVACY_OFFICER, PROCESSOR, TARGET, WORKER
from sekisho.demo.clients import psql
from sekisho.demo.founding import ticket_request
from sekisho.demo.population import Organisation
from sekisho.demo.stage import Stage
from sekisho.gate.facts import Limits
from sekisho.gate.tickets import approve_ticket
from sekisho.people.credentials import STEP_SECONDS
from sekisho.service.service import TRACE_KEYS, Service
from sekisho.trace.answer import Answer
from sekisho.trace.cases import read_case
from sekisho.trace.release import record_split

_TICKET: Final = "T-0020"
_SHOWN: Final = 150
_SOLD: Final = 120
_STRANGERS: Final = 30
_CSRF: Final = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_WAIT_SECONDS: Final = 60.0


class ActTrace:
    """The steps, in order; each prints itself on the stage."""

    def __init__(
        self,
        stage: Stage,
        service: Service,
        client: Organisation,
        totp_secrets: Mapping[str, str],
        log_in: Callable[[str], Awaitable[tuple[str, str]]],
    ) -> None:
        self._stage = stage
        self._service = service
        self._ledger = service.ledger
        self._client = client
        self._totp = totp_secrets
        self._log_in = log_in

    async def play(self) -> None:
        self._stage.heading("Months later: a broker sells a list", "数か月後: 業者が名簿を売っている")
        await self._ask()
        login = await self._log_in(_TICKET)
        before = await self._ledger.size()
        seen = [await self._look(login, rest) for rest in (1, 3, 5)]
        opened = await self._ledger.facts(before, 1_000, names=["relay.session_opened"])
        sold = _rewritten(seen[1], random.Random(20))  # noqa: S311 (a story, the same each time)
        shares = await record_split(
            self._ledger,
            self._service.state / TRACE_KEYS,
            os.urandom(32),
            [PRIVACY_OFFICER, AUDITOR, CLIENT],
            by=ADMINISTRATOR,
        )
        async with self._console(PROCESSOR) as page:
            await self._release(page, shares)
            await self._index(page)
            await self._drop(page, sold, opened[1].about)

    async def _ask(self) -> None:
        """A ticket under which names, numbers and addresses are shown, for a good reason."""
        asked = ticket_request(
            _TICKET,
            WORKER,
            organisation=self._client.id,
            dataset=callcentre.dataset_of(self._client),
            target=TARGET,
            purpose="宛名ラベルの印字不良の調査",
            limits=Limits(
                session_persons=_SHOWN,
                session_rows=1_000,
                day_persons=2_000,
                day_rows=20_000,
                ticket_persons=1_000,
                ticket_rows=5_000,
                client_persons=1_000,
                client_rows=20_000,
            ),
            unmask=("name", "phone", "address"),
            reason="印字された宛名と見比べるため",
        )
        await self._ledger.record(asked, by=WORKER, about=_TICKET)
        await approve_ticket(self._ledger, _TICKET, callcentre.APPROVER)

    async def _look(self, login: tuple[str, str], rest: int) -> list[list[str]]:
        """A session of the worker that is shown some persons, in clear, as its ticket allows."""
        sql = (
            f"SELECT customer_id, name, phone, address FROM {self._client.id}.customers "  # noqa: S608 (its own id)
            f"WHERE customer_id % 7 = {rest} ORDER BY customer_id LIMIT {_SHOWN}"
        )
        host, port = self._service.postgres
        before = await self._ledger.size()
        run = await psql(host, port, *login, TARGET, "-X", "--csv", "-t", "-c", sql, sslmode="require")
        async with asyncio.timeout(_WAIT_SECONDS):
            while not await self._ledger.facts(before, 1_000, names=["relay.session_closed"]):
                await self._ledger.wait_turn(0.1)
        return [line.split(",") for line in run.stdout.splitlines()]

    # -- the console ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _console(self, person: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A browser without eyes, of somebody who logged in with password and code."""
        url = f"https://localhost:{self._service.console[1]}"
        headers = {"origin": url, "accept-language": self._stage.language}
        async with httpx2.AsyncClient(base_url=url, verify=False, headers=headers, timeout=60) as client:
            form = {"person": person, "password": callcentre.PASSWORD, "code": self._code(person)}
            answer = await client.post("/login/password", data=form)
            if answer.status_code != 303:
                raise RuntimeError(f"{person} cannot log in: {answer.status_code}")
            yield client

    def _code(self, person: str) -> str:
        """The code before this moment's: still good, and nobody has used it."""
        return pyotp.TOTP(self._totp[person]).generate_otp(int(time.time() // STEP_SECONDS) - 1)

    async def _act(self, client: httpx2.AsyncClient, page: str, path: str, **form: str) -> httpx2.Response:
        found = _CSRF.search((await client.get(page)).text)
        answer = await client.post(path, data={"csrf": found[1] if found else "", **form})
        if answer.status_code != 303:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[-500:]}")
        return answer

    async def _release(self, page: httpx2.AsyncClient, shares: Mapping[str, str]) -> None:
        why = self._stage.text("a broker's list", "業者の名簿")
        await self._act(page, "/trace", "/trace/key", reason=why, minutes="30", lookups="2")
        [(asked, _, _)] = self._service.traces.key.waiting()
        open_after = []
        for person, own in ((PRIVACY_OFFICER, "/trace"), (CLIENT, "/portal/trace")):
            async with self._console(person) as holder:
                await self._act(holder, own, f"/trace/key/{asked.release}", share=shares[person])
            open_after.append(self._service.traces.key.lease is not None)
        fact = await self._fact("trace.key_released")
        answer = self._stage.text(
            "after one share: closed; after two: open for 30 minutes and 2 lists",
            "分割鍵1人分では閉じたまま。2人分で30分間・2件まで開く",
        )
        title = ("The key opens for two persons together", "照合鍵は2人そろって初めて開く")
        self._stage.step(title, "/trace/key", answer, fact=fact, ok=open_after == [False, True])

    async def _index(self, page: httpx2.AsyncClient) -> None:
        await self._act(page, "/trace", "/trace/index")
        async with asyncio.timeout(_WAIT_SECONDS):
            while (running := self._service.traces.indexing) is not None and running.step != "ended":
                if running.fault is not None:
                    raise running.fault
                running.changed.clear()
                await running.changed.wait()

    async def _drop(self, page: httpx2.AsyncClient, sold: bytes, session: str) -> None:
        began = time.perf_counter()
        found = _CSRF.search((await page.get("/trace")).text)
        form = {"x-sekisho-form": found[1] if found else ""}
        coming = {"name": "meibo.csv", "size": len(sold)}
        to = (await page.post("/trace/lists", json=coming, headers=form)).json()["to"]
        await page.post(f"{to}?offset=0", content=sold, headers=form)
        shown = (await page.get(to)).text
        items = {
            f"item-{number}": chosen
            for number, select in enumerate(re.findall(r'<select name="item-.*?</select>', shown, re.DOTALL))
            for chosen in re.findall(r'value="([a-z_]*)" selected', select)
        }
        why = self._stage.text("offered by a broker", "業者から入手")
        case = (
            (await self._act(page, to, f"{to}/look", reason=why, **items)).headers["location"].split("/")[-1]
        )
        async with asyncio.timeout(_WAIT_SECONDS):
            while (running := self._service.traces.running(case)) is not None:
                if running.fault is not None:
                    raise running.fault
                running.changed.clear()
                await running.changed.wait()
        took = time.perf_counter() - began
        answer = (await read_case(self._ledger, case)).answer
        seen = (await page.get(f"/trace/{case}")).text
        fact = await self._fact("trace.case_concluded")
        ok = [one.session for one in answer.sessions] == [session] and session in seen
        title = (
            "The list is dropped on the page, and names its session",
            "名簿をページに落とすと、セッションが分かる",
        )
        asked = f"/trace  ← meibo.csv ({answer.rows:,} rows, Shift_JIS, {took:.1f} s)"
        self._stage.step(title, asked, self._told(answer), fact=fact, ok=ok)

    def _told(self, answer: Answer) -> str:
        lines = [
            self._stage.text(
                f"consistent with session {one.session}: {one.fraction:.0%} of the {one.records} persons it was shown; "
                f"log10 ratio {one.log10_lr:,.0f}, lift {one.lift:,.0f}",
                f"セッション {one.session} と整合: 表示した {one.records} 人の {one.fraction:.0%}、"
                f"対数尤度比 {one.log10_lr:,.0f}、リフト {one.lift:,.0f}",
            )
            for one in answer.sessions
        ]
        lines.append(
            self._stage.text(
                f"{answer.own_rows + answer.fuzzy_rows} rows ours, {answer.foreign_rows} not; "
                f"{answer.coverage.sessions} sessions examined. It does not say who did it.",
                f"当所のもの {answer.own_rows + answer.fuzzy_rows} 行、それ以外 {answer.foreign_rows} 行。"
                f"調べたセッション {answer.coverage.sessions} 件。誰が行ったかは示さない",
            )
        )
        return "\n".join(lines)

    async def _fact(self, name: str) -> int | None:
        found = await self._ledger.facts(0, 100_000, names=[name])
        return found[-1].seq if found else None


def _rewritten(rows: list[list[str]], rng: random.Random) -> bytes:
    """What the broker makes of it: other columns, no prefecture, eaten zeros, strangers, another order, Shift_JIS."""
    taken = rng.sample(rows, min(_SOLD, len(rows)))
    lines = [
        (
            phone.replace("-", "").removeprefix("0"),
            name.replace(" ", "　"),
            re.sub("^.{2,3}[都道府県]", "", address),
        )
        for _, name, phone, address in (row[:4] for row in taken)
    ]
    lines += [
        (
            f"90{rng.randrange(10**8):08}",
            f"{rng.choice('梶檜榊鷲')}谷　{rng.choice('静渚護望')}",
            f"旭町{n + 1}-{n + 2}",
        )
        for n in range(_STRANGERS)
    ]
    rng.shuffle(lines)
    return "\r\n".join(["TEL,お名前,ご住所", *(",".join(line) for line in lines)]).encode("cp932", "replace")
