"""A ledger that is published for real, and people with keys."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import sekisho.people.tables
import sekisho.takeout.tables  # noqa: F401 (its projections)
from sekisho.evidence.note import NoteSigner
from sekisho.ledger import KeyRing, Ledger, Publisher
from sekisho.takeout.desk import TakeoutDesk
from takeout.takeout_examples import PEOPLE, RELYING, House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    signer = NoteSigner.generate("checkpoint.example/take-out")
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "keys")) as ledger:
        desk = TakeoutDesk(ledger, tmp_path / "log", signer.key, RELYING)
        house = House(ledger, tmp_path / "log", signer, tmp_path / "ledger.db", desk)
        for person, staff in PEOPLE.items():
            await house.employ(person, staff)
        await house.register_recipient()
        publisher = Publisher(ledger, tmp_path / "log", signer, interval=0.02)
        async with asyncio.TaskGroup() as group:
            group.create_task(publisher.run())
            yield house
            publisher.stop()
