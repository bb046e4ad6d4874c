"""The inspection's own process: what it cannot reach, what it says is not believed, and whose the persons are."""

import asyncio
import json
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sekisho.faults import Fault
from sekisho.takeout.apart import _hear, command_line, inspect_apart
from sekisho.takeout.whose import Fingerprints, Told, others, told_by_registry
from sekisho.trace.intake import read_content
from sekisho.trace.keys import TraceKeys
from sekisho.trace.lookup import fingerprinted
from sekisho.trace.registry import Registry

ROWS = [
    f"佐藤 千{'一二三四五六七八九十'[i % 10]}郎,0{3 + i % 5}-{1000 + i:04}-{7919 * i % 10000:04}"
    for i in range(60)
]
HEAD = "氏名,電話番号\n"


async def run_probe(command: list[str], secret: Path, port: int) -> dict[str, bool]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(json.dumps([str(secret), port]).encode() + b"\n")
    found: dict[str, bool] = json.loads(out)
    return found


async def test_what_runs_there_reaches_neither_network_nor_disk_nor_others(tmp_path: Path) -> None:
    secret = tmp_path / "log.key"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        apart = await run_probe(command_line("takeout.apart_probe"), secret, port)
        start = f"import sys; sys.path[:0] = {sys.path!r}; from takeout.apart_probe import main; main()"
        outside = await run_probe([sys.executable, "-c", start], secret, port)
    assert apart == {"read": False, "wrote": False, "connected": False, "others": False}
    assert outside == {"read": True, "wrote": True, "connected": True, "others": True}


async def heard(*said: bytes) -> object:
    stream = asyncio.StreamReader()
    stream.feed_data(b"".join(said))
    stream.feed_eof()
    return await _hear(stream, "list.csv", lambda *_: None)


@pytest.mark.parametrize(
    "said",
    [
        b"no JSON\n",
        b"[]\n",
        b'{"at": ["x"]}\n',
        b'{"inspected": {}, "rows": 1, "lines": 1}\n',
        b'{"inspected": {"lists": []}, "rows": 1, "lines": 1}\n',  # and no numbers behind it
        b'{"inspected": {"lists": []}, "rows": 1, "lines": 99999999999}\n',
        b'{"inspected": {"lists": []}, "rows": 0, "lines": 1}\n' + bytes(8 * 13),  # a row that is not there
    ],
)
async def test_what_it_says_out_of_turn_is_no_inspection(said: bytes) -> None:
    found = await heard(said)
    assert isinstance(found, Fault)
    assert found.code == "SEK-TAKE-014"


async def test_it_ends_when_it_takes_too_long() -> None:
    with pytest.raises(Fault) as caught:
        await inspect_apart("a.csv", lambda: [b"x"], 1, lambda *_: None, seconds=0.05)
    assert caught.value.code == "SEK-TAKE-014"


async def told(folder: Path, content: bytes) -> Told:
    registry = Fingerprints(folder / "trace", folder / "keys").open()
    assert registry is not None
    seen = await inspect_apart(
        "found.csv", lambda: [content], len(content), lambda *_: None, key=registry.fingerprint_key
    )
    return await told_by_registry(seen, registry)


async def test_fingerprints_say_whose_the_persons_are_whatever_the_file_is_called(tmp_path: Path) -> None:
    registry = Registry.create(tmp_path / "trace", TraceKeys.open(tmp_path / "keys"))
    for dataset, rows in (("minato", ROWS[:40]), ("aoba", ROWS[40:])):
        listing = read_content("a.csv", (HEAD + "\n".join(rows)).encode())
        row_of_line, lines = fingerprinted(listing, registry.fingerprint_key, processes=1)
        subjects = np.arange(len(row_of_line), dtype=np.int64) + 1
        registry.add_lines(dataset, dataset, subjects, lines, datetime.now(UTC))
    own = await told(tmp_path, (HEAD + "\n".join(ROWS[:30])).encode("cp932"))
    assert own.by == "registry"
    assert own.unknown == 0
    assert [one.organisation for one in own.whose] == ["minato"]
    assert others(own, ["minato"]) == ()
    mixed = await told(
        tmp_path, (HEAD + "\n".join([*ROWS[:30], *ROWS[45:50], "見知らぬ 人,099-999-9999"])).encode()
    )
    [aoba] = others(mixed, ["minato"])
    assert (aoba.organisation, aoba.least, mixed.unknown) == ("aoba", 5, 1)
    assert Fingerprints(tmp_path / "trace", None).open() is None
