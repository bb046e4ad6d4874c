"""A small house whose facts the rules read."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import sekisho.people.tables
import sekisho.relay.tables
import sekisho.watch.tables  # noqa: F401 (their projections)
from gate.gate_examples import fill
from sekisho.ledger import KeyRing, Ledger


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "keys")) as opened:
        await fill(opened)
        yield opened
