"""A ledger that another process holds: it is read here, and written there.

One process writes, so that one line of facts is made by one clock, and so that the publisher knows the hash of each
fact that it is to publish (docs/ledger.md). An outpost sends what it would record over a socket; its holder records it
and answers when it is durable. The holder also says when there are facts that the outpost has not seen: nobody polls.

    outpost -> holder   Write, Hear, Alive
    holder -> outpost   Written or Refused for each Write, Heard for each Hear

The end of the socket is the end of the ledger. The holder records facts of the names that it was told to, no others.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec

from sekisho.evidence.merkle import leaf_hash
from sekisho.faults import FAULT_KINDS, Fault
from sekisho.ledger.batch import Aside, Pending
from sekisho.ledger.clock import SystemClock
from sekisho.ledger.database import open_database
from sekisho.ledger.faults import CLOSED, FAILED, NOT_FROM_HERE, QUEUE_FULL
from sekisho.ledger.leaf import FACTS_BY_NAME, Recorded, instant, micros
from sekisho.ledger.ledger import Ledger
from sekisho.ledger.vault import KeyRing, Sealed

_LONGEST: Final = 4 << 20  # bytes of one message
_MOST_WAITING: Final = 1_024  # facts under way
_LENGTH: Final = 4


class Write(msgspec.Struct, tag="write", frozen=True):
    """A fact to record: its data as JSON, to be read as a fact of this name and version."""

    number: int
    fact: str
    version: int
    data: bytes
    by: str
    about: str
    parts: tuple[Sealed, ...]
    urgent: bool


class Hear(msgspec.Struct, tag="hear", frozen=True):
    """Say when there are facts from this index on."""

    size: int


class Alive(msgspec.Struct, tag="alive", frozen=True):
    pass


class Written(msgspec.Struct, tag="written", frozen=True):
    number: int
    seq: int
    at: int
    leaf: bytes


class Refused(msgspec.Struct, tag="refused", frozen=True):
    number: int
    code: str
    values: dict[str, str]


class Heard(msgspec.Struct, tag="heard", frozen=True):
    pass


_encode: Final = msgspec.msgpack.Encoder().encode
_asked: Final = msgspec.msgpack.Decoder(Write | Hear | Alive)
_answers: Final = msgspec.msgpack.Decoder(Written | Refused | Heard)


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(_LENGTH, "big") + message


async def receive(reader: asyncio.StreamReader) -> bytes:
    """The next message. Raises asyncio.IncompleteReadError at the end, ValueError for one that is too long."""
    length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
    if length > _LONGEST:
        raise ValueError(f"a message of {length} bytes")
    return await reader.readexactly(length)


class Outpost(Ledger):
    """Reads the database at `url` itself; `run` must run while anything is recorded or waited for.

    It keeps no offsets, erases nothing and publishes nothing."""

    def __init__(
        self, url: str, keys: KeyRing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(open_database(url), keys, SystemClock(), _MOST_WAITING)
        self._reader, self._writer = reader, writer
        self._under_way: dict[int, tuple[Pending, asyncio.Future[Any]]] = {}
        self._number = 0
        self._listening: tuple[int, asyncio.Future[None]] | None = None  # what was asked for, once at a time

    async def close(self) -> None:
        self._end()
        self._writer.close()
        await self._reads.close()

    async def run(self) -> None:
        """Take the holder's answers until it goes. Raises ValueError for one that makes no sense."""
        try:
            while True:
                self._take_answer(_answers.decode(await receive(self._reader)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except msgspec.MsgspecError as error:
            raise ValueError("the holder of the ledger said something else") from error
        finally:
            self._end()

    def alive(self) -> None:
        """Tell the holder that this process is at work."""
        self._send(Alive())

    async def wait_beyond(self, size: int, timeout: float | None = None) -> None:
        deadline = None if timeout is None else self._loop.time() + timeout
        while not self._closing:
            if self._listening is None:
                self._listening = size, self._loop.create_future()
                self._send(Hear(size))
            asked, heard = self._listening
            left = None if deadline is None else max(0.0, deadline - self._loop.time())
            if not (await asyncio.wait([heard], timeout=left))[0] or asked >= size:
                return

    def _submit(self, item: Pending | Aside, *, urgent: bool = True) -> asyncio.Future[Any]:
        if not isinstance(item, Pending) or item.erases or item.erases_owner:
            raise TypeError("an outpost records facts, and nothing else")
        if self._closing:
            raise Fault(CLOSED)
        if len(self._under_way) >= _MOST_WAITING:
            raise Fault(QUEUE_FULL, capacity=_MOST_WAITING)
        self._number += 1
        waiter: asyncio.Future[Any] = self._loop.create_future()
        self._under_way[self._number] = item, waiter
        data = msgspec.json.encode(item.fact)
        kind, parts = item.kind, tuple(item.parts)
        self._send(Write(self._number, kind.name, kind.version, data, item.by, item.about, parts, urgent))
        return waiter

    def _send(self, message: Write | Hear | Alive) -> None:
        if not self._writer.is_closing():
            self._writer.write(framed(_encode(message)))

    def _take_answer(self, answer: Written | Refused | Heard) -> None:
        if isinstance(answer, Heard):
            self._heard()
            return
        item, waiter = self._under_way.pop(answer.number)
        if waiter.done():
            return
        if isinstance(answer, Refused):
            waiter.set_exception(_fault_of(answer))
            return
        leaf = answer.leaf
        at = instant(answer.at)
        waiter.set_result(
            Recorded(answer.seq, at, item.kind.name, item.by, item.about, leaf, leaf_hash(leaf))
        )

    def _heard(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            listening[1].set_result(None)

    def _end(self) -> None:
        self._closing = True
        self._wake_all()
        self._turn()
        self._heard()
        for _, waiter in self._under_way.values():
            if not waiter.done():
                waiter.set_exception(Fault(CLOSED))
        self._under_way.clear()


async def hold(
    ledger: Ledger,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    names: Collection[str],
    on_message: Callable[[bool], None] = lambda waits: None,
) -> bool:
    """Record for an outpost until it goes; facts of `names` only. False when it said something that makes no sense.

    `on_message` is called with each message, and told whether the outpost now waits for facts, or is expected to say
    something by itself."""
    answer = _Answer(writer)
    hearing: asyncio.Task[None] | None = None

    async def hear(size: int) -> None:
        nonlocal hearing
        await ledger.wait_beyond(size)
        hearing = None
        on_message(False)
        answer.send(Heard())

    async with asyncio.TaskGroup() as group:
        try:
            while True:
                message = _asked.decode(await receive(reader))
                if isinstance(message, Hear):
                    if hearing is not None:
                        return False
                    hearing = group.create_task(hear(message.size))
                elif isinstance(message, Write):
                    _record(ledger, message, names, answer)
                on_message(hearing is not None)
        except (asyncio.IncompleteReadError, ConnectionError):
            return True
        except ValueError:  # msgspec's are of this kind
            return False
        finally:
            if hearing is not None:
                hearing.cancel()


class _Answer:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def send(self, message: Written | Refused | Heard) -> None:
        if not self._writer.is_closing():
            self._writer.write(framed(_encode(message)))

    def refuse(self, number: int, fault: Fault) -> None:
        self.send(Refused(number, fault.code, {name: str(value) for name, value in fault.values.items()}))


def _record(ledger: Ledger, wanted: Write, names: Collection[str], answer: _Answer) -> None:
    kind = FACTS_BY_NAME.get(wanted.fact)
    try:
        if kind is None or wanted.fact not in names or wanted.version != kind.version:
            raise Fault(NOT_FROM_HERE, fact=wanted.fact)
        fact = msgspec.json.decode(wanted.data, type=kind.type)
        future = ledger.record_soon(
            fact, by=wanted.by, about=wanted.about, parts=wanted.parts, urgent=wanted.urgent
        )
    except Fault as fault:
        answer.refuse(wanted.number, fault)
        return

    def done(future: "asyncio.Future[Recorded]") -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            recorded = future.result()
            answer.send(Written(wanted.number, recorded.seq, micros(recorded.at), recorded.leaf))
        elif isinstance(error, Fault):
            answer.refuse(wanted.number, error)
        else:
            answer.refuse(wanted.number, Fault(FAILED, reason=f"{type(error).__name__}: {error}"))

    future.add_done_callback(done)


def _fault_of(refused: Refused) -> Fault:
    return Fault(FAULT_KINDS[refused.code], **refused.values)
