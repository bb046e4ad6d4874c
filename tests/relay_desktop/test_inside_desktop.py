"""What a worker has in a desktop: a Japanese query by the input method, a menu, viewers of files; what it costs."""

import asyncio
import re
from pathlib import Path

import pytest

from relay_desktop.eyes import Eyes, Seen, desktop
from relay_workspace.conftest import database, house
from relay_workspace.workspace_scene import House
from sekisho.relay.desktop.screen import starting

pytestmark = pytest.mark.e2e
__all__ = ["database", "house"]
TERMINAL = Seen((0x10, 0x14, 0x18), 300_000)
WHITE = (255, 255, 255)
SHIFT, RETURN, SPACE = 0xFFE1, 0xFF0D, 0x20


async def converted(eyes: Eyes, spelling: str) -> None:
    """Type by the input method: on, letters, convert, accept, off."""
    eyes.key(SHIFT, SPACE)
    for letter in spelling:
        eyes.key(ord(letter))
    eyes.key(SPACE)
    await eyes.still()
    eyes.key(RETURN)
    eyes.key(SHIFT, SPACE)


def taken(box_pid: int) -> int:
    """Kilobytes that the processes of a sandbox take, shared ones divided among those who share them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    total, left = 0, [box_pid]
    while left:
        one = left.pop()
        left += children.get(one, [])
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text(), re.MULTILINE)
        total += int(found[1]) if found else 0
    return total


async def test_a_japanese_query_by_the_input_method_a_menu_and_its_files(house: House) -> None:
    ticket = await house.ticket(door="workspace")
    await house.pull(ticket, "SELECT name, plan FROM minato.customers LIMIT 40", "一覧.csv")
    async with desktop(house, ticket) as eyes:
        await eyes.until(TERMINAL)
        await eyes.still()
        box = house.rooms._rooms[ticket].box
        assert box is not None
        assert taken(box.pid) < 80_000
        eyes.line("psql -X")
        await eyes.still()
        for letter in "SELECT name AS ":
            eyes.key(ord(letter))
        await converted(eyes, "simei")
        eyes.line(", plan FROM minato.customers LIMIT 3 \\g (format=csv) rows.csv")
        rows = (await house.saved(ticket, "rows.csv")).decode()
        assert rows.startswith("氏名,plan\n")
        assert rows.count("佐＊＊") == 3
        # The menu, and in it the files.
        await eyes.still()
        before = eyes.picture.copy()
        eyes.click(1230, 730, 4)
        await eyes.until(lambda picture: Seen(WHITE, 4_000)(picture[560:740, 1090:1240]))
        assert not Seen(WHITE, 4_000)(before[560:740, 1090:1240])
        eyes.key(0xFF1B)
        await eyes.still()
        eyes.click(300, 500)
        eyes.line("\\! gnumeric /work/*.csv >/dev/null 2>&1 &")
        await eyes.until(Seen(WHITE, 150_000), 60)


def test_menus_are_in_the_operators_language() -> None:
    assert "データベース" in starting("ja", "postgres")
    assert "Database" in starting("en", "postgres")
    assert "対象の画面を開く" in starting("ja", "rdp")
    assert "psql" not in starting("ja", "vnc")


async def test_a_hungry_desktop_starves_itself_only(house: House) -> None:
    """A fork bomb, memory and disk without end in one desktop; another one, and the checkpoint, go on."""
    hungry, calm = [await house.ticket(door="workspace") for _ in range(2)]
    async with desktop(house, hungry) as one, desktop(house, calm) as other:
        await one.until(TERMINAL)
        await other.until(TERMINAL)
        await one.still()
        one.line("cat /dev/zero > full; (a=x; while :; do a=$a$a; done) & f() { f | f & }; f")
        await asyncio.sleep(0)
        other.line("echo calm > kept.txt")
        assert await house.saved(calm, "kept.txt") == b"calm\n"
        pull = await house.pull(calm, "SELECT plan FROM minato.customers", "all.csv")
        assert (pull.rows, pull.fault) == (1000, None)
        other.line("wc -l < all.csv > lines.txt")
        assert await house.saved(calm, "lines.txt") == b"1001\n"
