"""Server-sent events (HTML 9.2): a page is told that something changed, and asks for the changed part itself.

An event carries no content, so that each look at data goes through the one place which decides who may look. A stream
ends with the session of whoever opened it; the browser comes back by itself, and is refused then.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Final

from starlette.responses import StreamingResponse

from sekisho.console import faults
from sekisho.console.house import House
from sekisho.faults import Fault
from sekisho.ledger.subscriptions import POLL_SECONDS

_MOST: Final = 200  # open streams of one process
_STILL_SECONDS: Final = 10.0  # how often the session is looked at again, and a silent line kept open
_APART_SECONDS: Final = 0.25  # between two events: a busy session has hundreds of facts a second


def changes(
    house: House, still: Callable[[], Awaitable[bool]], names: Collection[str], about: str | None = None
) -> StreamingResponse:
    """An event `changed` whenever facts of these names (about this) are recorded, while `still` says yes.

    Raises Fault TOO_MANY_STREAMS."""
    if len(house.streams) >= _MOST:
        raise Fault(faults.TOO_MANY_STREAMS, limit=_MOST)
    events = _events(house, still, names, about)
    return StreamingResponse(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _events(
    house: House, still: Callable[[], Awaitable[bool]], names: Collection[str], about: str | None
) -> AsyncIterator[bytes]:
    ledger, loop, mark = house.ledger, asyncio.get_running_loop(), object()
    house.streams.add(mark)
    try:
        start = await ledger.size()
        yield b"retry: 2000\nevent: changed\ndata:\n\n"  # what happened before the stream was open
        looked = loop.time()
        while not (house.closing.is_set() or ledger.closing or ledger.fault):
            await ledger.wait_turn(POLL_SECONDS)
            end = await ledger.size()
            if end > start:
                if await ledger.facts(start, 1, names=names, about=about):
                    yield b"event: changed\ndata:\n\n"
                start = end
            if loop.time() - looked >= _STILL_SECONDS:
                if not await still():
                    return
                looked = loop.time()
                yield b": still here\n\n"
            await asyncio.sleep(_APART_SECONDS)
    finally:
        house.streams.discard(mark)
