"""A ledger with recordings beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import sekisho.relay.tables  # noqa: F401 (its projections)
from sekisho.ledger import KeyRing, Ledger
from sekisho.relay.record.reading import (
    Verification,
    data_key,
    read_account,
    stored_events,
    verify_recording,
)
from sekisho.relay.record.recordings import Recording, Recordings, path_of


@asynccontextmanager
async def opened_ledger(folder: Path) -> AsyncIterator[Ledger]:
    url = f"sqlite:///{folder / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(folder / "keys")) as ledger:
        yield ledger


async def begin(recordings: Recordings, session: str = "s-1", **changes: str) -> Recording:
    values = {
        "person": "sato",
        "ticket": "T-0001",
        "organisation": "minato",
        "kind": "ssh",
        "title": "sato → host",
        **changes,
    }
    return await recordings.open(session, width=80, height=24, **values)


async def shown(ledger: Ledger, folder: Path, recording: str, code: str = "o") -> bytes:
    """Everything of one stream that the stored recording holds."""
    account = await read_account(ledger, recording)
    key = await data_key(ledger, account.opened)
    size = path_of(folder, recording).stat().st_size
    return b"".join(event.data for event in stored_events(folder, recording, key, size) if event.code == code)


async def kinds(ledger: Ledger, folder: Path, recording: str) -> tuple[list[str], Verification]:
    found = await verify_recording(ledger, folder, recording)
    return [one.kind for one in found.findings], found
