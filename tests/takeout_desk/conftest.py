"""A checkpoint with workspaces, and people who sign take-outs."""

from pathlib import Path

import pytest

from relay_workspace.conftest import database, house
from relay_workspace.workspace_scene import House
from takeout_desk.desk_scene import Scene

__all__ = ["database", "house"]


@pytest.fixture
async def scene(house: House, tmp_path: Path) -> Scene:
    made = Scene(house, tmp_path)
    await made.found()
    return made
