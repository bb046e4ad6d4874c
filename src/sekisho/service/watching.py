"""The watch runs in a process of its own: it must not hold up the doors, nor die with what it reads.

It is started with the checkpoint, and again whenever it ends, falls silent or says what makes no sense. Each time is a
fact, which the watch raises as an alarm once it is back; people are told the first time, and again while it goes on.
Meanwhile the doors go on: every fact is kept, and the watch reads them all when it is back.
"""

import asyncio
import contextlib
import socket
import sys
from typing import Final

import msgspec
import structlog

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.ledger.outpost import framed, hold
from sekisho.notify.notices import Notice, Notices
from sekisho.people.roles import Role
from sekisho.service.watch_process import Orders
from sekisho.watch.facts import Stopped

STOPPED: Final = "watch.stopped"  # a log event
_log: Final = structlog.get_logger()
# What the watch and what it calls record: nothing else is taken from its process.
RECORDS: Final = frozenset(
    {
        "gate.restraint_imposed",
        "gate.ticket_closed",
        "notify.asked",
        "people.person_frozen",
        "watch.alert_escalated",
        "watch.alert_raised",
        "watch.beat",
        "watch.fact_skipped",
        "watch.response_taken",
        "watch.rules_read",
    }
)
SILENT_SECONDS: Final = 60.0
_START_SECONDS: Final = 60.0
_STEADY_SECONDS: Final = 600.0  # after so long it counts as having worked
_LONGEST_PAUSE: Final = 60.0  # seconds between two attempts
_SAID: Final = (1, 5)  # how many times in a row it stopped when somebody is told; then every 20th time


class Watching:
    """Owned by the task that runs `run`. `process` is the one that runs now."""

    def __init__(
        self, ledger: Ledger, notices: Notices, orders: Orders, *, silent_seconds: float = SILENT_SECONDS
    ) -> None:
        self._ledger = ledger
        self._notices = notices
        self._orders = orders
        self._silent_seconds = silent_seconds
        self._times = 0
        self.process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Keep the watch running until cancelled, or until the ledger closes or fails."""
        loop = asyncio.get_running_loop()
        while not self._over():
            started = loop.time()
            how = await self._one()
            if self._over():
                return
            self._times = 1 if loop.time() - started >= _STEADY_SECONDS else self._times + 1
            _log.error(STOPPED, how=how, times=self._times)
            await self._say(how)
            await asyncio.sleep(min(_LONGEST_PAUSE, 2.0 ** (self._times - 1) - 1))

    def _over(self) -> bool:
        return self._ledger.closing or self._ledger.fault is not None

    async def _one(self) -> str:
        """Run one process to its end: how it ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "sekisho.service.watch_process", str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        self.process = process
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            writer.write(framed(msgspec.msgpack.encode(self._orders)))
            return await self._held(process, reader, writer)
        finally:
            self.process = None
            writer.close()
            with contextlib.suppress(ProcessLookupError):
                process.kill()  # what it had not saved, its successor reads again
            await asyncio.shield(process.wait())

    async def _held(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> str:
        """Record what it asks for until it ends, or says nothing for too long."""
        # While it waits for facts it owes nothing but its beat.
        beat = self._orders.watch.beat_minutes * 60 + self._silent_seconds
        silence = asyncio.timeout(_START_SECONDS)

        def said(waits: bool) -> None:
            now = asyncio.get_running_loop().time()
            if not silence.expired():
                silence.reschedule(now + (beat if waits else self._silent_seconds))

        try:
            async with silence:
                if not await hold(self._ledger, reader, writer, names=RECORDS, on_message=said):
                    return "protocol"
                status = await process.wait()
        except TimeoutError:
            return "silent"
        return f"exit {status}" if status >= 0 else f"signal {-status}"

    async def _say(self, how: str) -> None:
        stopped = await self._ledger.record(Stopped(how=how, times=self._times), by="sekisho", about="watch")
        if self._times not in _SAID and self._times % 20:
            return
        try:
            await self._notices.send(
                _notice(how, self._times),
                roles=(Role.ADMINISTRATOR, Role.AUDITOR, Role.PRIVACY_OFFICER),
                loud=True,
                name=f"watch-{stopped.seq}",
                source=stopped.seq,
            )
        except Fault as fault:  # a full outbox is red by itself; the fact stands
            _log.error(STOPPED, how=how, code=fault.code)


def _notice(how: str, times: int) -> Notice:
    return Notice(
        kind="watch_stopped",
        subject={
            "en": "The watch stopped" if times == 1 else f"The watch stopped {times} times in a row",
            "ja": "監視が止まりました" if times == 1 else f"監視が続けて {times} 回止まりました",
        },
        body={
            "en": f"The process of the watch ended ({how}) and is started again. Every fact is kept, and is looked at "
            "when it is back; until then nothing raises an alarm. Look at the program's log, and ask who ended it.",
            "ja": f"監視のプロセスが終了し ({how})、起動し直しています。事実はすべて記録されており、"
            "復帰後に確認されます。それまで警報は上がりません。プログラムのログを確認し、誰かが止めた可能性がないか調べてください。",
        },
        link="/alerts",
    )
