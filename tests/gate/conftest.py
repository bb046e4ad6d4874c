"""A ledger that is published for real, and the means to change its database behind its back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import sekisho.people.tables  # noqa: F401 (its projections)
from gate.gate_examples import House, fill
from sekisho.evidence.note import NoteSigner
from sekisho.ledger import KeyRing, Ledger, Publisher
from sekisho.service.published import LogFolder


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """Staff and register are filled in; nothing is published."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "keys")) as opened:
        await fill(opened)
        yield opened


@pytest.fixture
async def house(ledger: Ledger, tmp_path: Path) -> AsyncIterator[House]:
    signer = NoteSigner.generate("checkpoint.example/gate")
    publisher = Publisher(ledger, tmp_path / "log", signer, interval=0.02)
    async with asyncio.TaskGroup() as group:
        group.create_task(publisher.run())
        yield House(ledger, LogFolder(ledger, tmp_path / "log", signer.key), tmp_path / "ledger.db")
        publisher.stop()
