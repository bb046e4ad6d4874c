"""A ledger of one's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sekisho.ledger import KeyRing, Ledger


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with await Ledger.open(
        f"sqlite:///{tmp_path / 'ledger.db'}", keys=KeyRing(tmp_path / "keys")
    ) as opened:
        yield opened
