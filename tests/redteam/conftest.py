"""One checkpoint for all attacks of a module."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from redteam.stage import Stage
from ssh_under_test import ssh_checkpoint


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("redteam")
    async with ssh_checkpoint(folder) as door:
        yield Stage(door)
