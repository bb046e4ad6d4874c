"""Recordings in a folder of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay_record.record_examples import opened_ledger
from sekisho.ledger import Ledger
from sekisho.relay.record.recordings import Recordings


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with opened_ledger(tmp_path) as opened:
        yield opened


@pytest.fixture
def recordings(ledger: Ledger, tmp_path: Path) -> Recordings:
    return Recordings(ledger, tmp_path / "recordings")
