"""A ticket's workspace from its first file to the proof that nothing is left, over a real PostgreSQL."""

import asyncio
import hashlib
import json
import subprocess
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkpoint_under_test import limits
from relay_workspace.workspace_scene import House, allow, typed
from sekisho.faults import Fault, FaultKind
from sekisho.gate import faults as gate_faults
from sekisho.gate.tickets import approve_ticket, close_ticket
from sekisho.ledger import Erased
from sekisho.people.freeze import freeze
from sekisho.relay.faults import SESSION_ENDED
from sekisho.relay.workspace import faults, rooms
from sekisho.relay.workspace.facts import Pulled, Uploaded, Wiping
from sekisho.relay.workspace.store import Store

pytestmark = pytest.mark.e2e
NAMES = "SELECT customer_id, name, plan FROM minato.customers ORDER BY customer_id"


async def refused(kind: FaultKind, act: Awaitable[Any]) -> Fault:
    with pytest.raises(Fault) as caught:
        await act
    assert caught.value.kind is kind, caught.value
    return caught.value


async def pulled(house: House) -> list[Pulled]:
    facts = [one.typed() for one in await house.checkpoint.facts("workspace.pulled")]
    return [one for one in facts if isinstance(one, Pulled)]


# -- pulling ----------------------------------------------------------------------------------------------------------


async def test_a_pull_is_counted_fingerprinted_and_masked_unless_the_allowance_says_otherwise(
    house: House,
) -> None:
    masked, clear = await house.ticket(), await house.ticket(unmask=("name", "customer_number"))
    one = await house.pull(masked, NAMES)
    text = (await house.content(masked, "out.csv")).decode()
    assert text.splitlines()[0] == "customer_id,name,plan"
    assert len(text.splitlines()) == 1001
    assert "佐藤 花子" not in text
    assert "佐＊＊" in text
    assert "gold" in text
    await house.pull(clear, NAMES)
    assert "1,佐藤 花子1,gold" in (await house.content(clear, "out.csv")).decode()
    first, second = await pulled(house)
    assert (first.rows, first.persons, first.bytes, first.outcome) == (
        1000,
        1000,
        len(text.encode()),
        "complete",
    )
    assert first.masked == ("customers.customer_id", "customers.name")
    assert second.masked == ()
    assert second.read == ("customers.customer_id", "customers.name", "customers.plan")
    content = await house.ledger.content(first.content)
    assert isinstance(content, bytes)
    assert json.loads(content) == {"query": NAMES, "name": "out.csv", "sha256": one.sha256}

    assert one.sha256 == hashlib.sha256(text.encode()).hexdigest()
    leaves = b"".join(one.leaf for one in await house.ledger.facts(0, 1000))
    assert "佐藤".encode() not in leaves
    assert b"out.csv" not in leaves


async def test_the_bulk_allowance_bounds_a_pull_and_a_second_try_counts_nobody_twice(house: House) -> None:
    ticket = await house.ticket(bulk=limits(ticket_persons=300))
    fault = await refused(faults.PULL_CUT, house.pull(ticket, NAMES))
    assert "300" in fault.sentence("en")
    assert "300" in fault.sentence("ja")
    assert len((await house.content(ticket, "out.csv.part")).splitlines()) == 301
    await refused(faults.PULL_CUT, house.pull(ticket, NAMES))
    few = "SELECT customer_id, name FROM minato.customers WHERE customer_id <= 300"
    assert (await house.pull(ticket, few, "few.csv")).rows == 300
    await refused(faults.PULL_CUT, house.pull(ticket, "SELECT name FROM minato.customers", "other.csv"))
    assert {file.name for file in (await house.rooms.files(ticket))[0]} == {"out.csv.part", "few.csv"}


async def test_a_pull_that_was_cut_begins_anew_and_counts_nobody_twice(house: House) -> None:
    ticket = await house.ticket(bulk=limits(ticket_persons=1000))
    breaking = (
        "SELECT customer_id, name, 1 / (500 - customer_id)"
        " FROM (SELECT * FROM minato.customers ORDER BY customer_id OFFSET 0) AS c"
    )
    fault = await refused(faults.PULL_CUT, house.pull(ticket, breaking))
    assert "22012" in fault.sentence("en")
    assert len((await house.content(ticket, "out.csv.part")).splitlines()) == 500
    await house.pull(ticket, NAMES)  # 1,499 persons, were the first 499 counted again
    assert [(one.rows, one.persons, one.outcome) for one in await pulled(house)] == [
        (499, 499, "cut"),
        (1000, 1000, "complete"),
    ]
    assert [file.name for file in (await house.rooms.files(ticket))[0]] == ["out.csv"]


async def test_a_bulk_pull_widens_nothing_outside_and_uses_nothing_of_it_up(house: House) -> None:
    ticket = await house.ticket()
    await house.pull(ticket, NAMES)
    outer = await house.checkpoint.rows(ticket, "SELECT name FROM minato.customers")
    assert len(outer[0].rows) == 50
    assert "SEK-GATE-008" in outer[0].error or "50" in outer[0].error


async def test_what_is_not_one_result_of_ones_own_client_is_not_pulled(house: House) -> None:
    ticket = await house.ticket()
    for query in (
        "COPY minato.customers TO STDOUT",
        "SELECT name FROM aoba.customers",
        "SELECT secret FROM minato.unlisted",
        "SELECT 1; SELECT 2",
        "DELETE FROM minato.customers WHERE false",
        "nonsense",
    ):
        with pytest.raises(Fault):
            await house.pull(ticket, query)
    found, _, _, _ = await house.rooms.files(ticket)
    assert found == []
    assert {one.outcome for one in await pulled(house)} == {"cut"}


async def test_without_an_allowance_two_approvals_or_the_policy_nothing_opens(house: House) -> None:
    plain = await house.checkpoint.ticket()
    await refused(gate_faults.OTHER_TARGET, house.pull(plain, NAMES))
    from sekisho.gate.facts import Bulk

    half = await house.checkpoint.ticket(bulk=Bulk(limits=limits()))
    await refused(gate_faults.NOT_APPROVED, house.pull(half, NAMES))
    await approve_ticket(house.ledger, half, "moto")
    await house.pull(half, NAMES)
    await allow(house.ledger, largest_bulk=None)
    await refused(gate_faults.BULK_ABOVE_POLICY, house.pull(half, NAMES, "b.csv"))
    await allow(house.ledger, doors=("postgres",))
    await refused(gate_faults.DOOR_NOT_ALLOWED, house.pull(half, NAMES, "c.csv"))
    assert len(await house.checkpoint.facts("gate.access_refused")) == 4


async def test_a_taken_name_a_bad_one_and_a_full_workspace_are_refused(house: House) -> None:
    ticket = await house.ticket()
    await house.pull(ticket, NAMES)
    await refused(faults.NAME_TAKEN, house.pull(ticket, NAMES))
    await refused(faults.BAD_NAME, house.pull(ticket, NAMES, "../x"))
    store = house.rooms._rooms[ticket].store
    store.quota = store.used + 5000
    await refused(faults.QUOTA, house.pull(ticket, NAMES, "more.csv"))
    assert store.used <= store.quota
    assert [(one.outcome, one.code) for one in await pulled(house)][-1] == ("cut", "SEK-WORK-007")


async def test_progress_is_told_in_lines(house: House) -> None:
    ticket = await house.ticket()
    pull = await house.rooms.pull(house.seat(ticket), "test", query=NAMES, to="a.csv")
    lines = [json.loads(line) async for line in pull.lines("en")]
    assert lines[-1] == {
        "rows": 1000, "persons": 1000, "bytes": pull.bytes, "done": True, "file": "a.csv", "sha256": pull.sha256,
    }  # fmt: skip


# -- the sandbox and its inner door -----------------------------------------------------------------------------------


async def test_psql_inside_reaches_the_target_through_the_inner_door_only(house: House) -> None:
    ticket = await house.ticket()
    said = await house.run(
        ticket,
        "psql -X -At -c 'SELECT name FROM minato.customers ORDER BY customer_id LIMIT 2'",
        "psql -X -At -c 'COPY minato.customers TO STDOUT' 2>&1 | cut -c1-60",
        "psql -X -At -c 'SELECT name FROM aoba.customers' 2>&1 | cut -c1-160",
        "psql -X --csv -c 'SELECT customer_id FROM minato.customers' -o list.csv; wc -l < list.csv",
        "psql -X -At -U mori.T-0009 -c 'SELECT 1'",
    )
    assert "佐＊＊" in said
    assert "佐藤" not in said
    assert "COPY is refused" in said
    assert "another client" in said
    opened = await house.checkpoint.facts("relay.session_opened")
    doors = [json.loads(one.leaf)["data"]["door"] for one in opened]
    assert doors[0] == "workspace"
    assert set(doors[1:]) == {"inner"}
    assert {json.loads(one.leaf)["data"]["person"] for one in opened} == {"sato"}  # whatever name was typed


async def test_a_pull_from_inside_is_the_same_pull(house: House) -> None:
    ticket = await house.ticket()
    said = await house.run(
        ticket,
        "pull 'SELECT customer_id, plan FROM minato.customers' --to in.csv; wc -l in.csv",
        "pull 'SELECT name FROM aoba.customers' --to x.csv 2>&1 | cut -c1-100",
    )
    assert "1,000 rows, 1,000 persons" in said
    assert "1001 in.csv" in said
    assert "SEK-WORK-012" in said
    assert [one.outcome for one in await pulled(house)] == ["complete", "cut"]


async def test_what_is_done_inside_is_there_the_next_time(house: House) -> None:
    ticket = await house.ticket()
    await house.pull(ticket, NAMES)
    await house.run(ticket, "head -3 out.csv > head.csv; mkdir d; echo x > d/y; rm out.csv")
    assert (await house.saved(ticket, "d/y")) == b"x\n"
    found, _, _, _ = await house.rooms.files(ticket)
    assert {file.name for file in found} == {"head.csv", "d/y"}
    assert "x\n" in await house.run(ticket, "cat d/y; ls")


async def test_two_workspaces_do_not_see_each_other(house: House) -> None:
    one, other = await house.ticket(), await house.ticket()
    async with house.terminal(one) as first, house.terminal(other) as second:
        await typed(first, "echo of-the-first > /work/secret; echo of-the-first > /tmp/secret")
        said = await typed(
            second,
            "ls -A /work /tmp; grep -rs of-the-first /work /tmp /dev/shm /run /proc/[0-9]*/root/work | head -2",
            "kill -9 -1 2>/dev/null; id -u",
        )
        assert "of-the-first" not in said
        assert "of-the-first" in await typed(first, "cat /work/secret")


async def test_the_raw_disk_never_shows_what_is_in_a_workspace(house: House) -> None:
    """Root reads every file of the state folder while the workspace is open and after it was closed."""
    ticket = await house.ticket(unmask=("name", "phone", "customer_number"))
    state = house.checkpoint.service.state

    async def planted() -> bool:
        run = await asyncio.create_subprocess_exec(
            "grep", "-rqaE", "佐藤 花子77|PLANTED-4711|geheim-name", str(state), stdout=subprocess.DEVNULL
        )
        return await run.wait() == 0

    async with house.terminal(ticket) as terminal:
        await house.pull(ticket, NAMES, "geheim-name.csv")
        await typed(terminal, "echo PLANTED-47''11 > note; sync")
        assert not await planted()
    await house.saved(ticket, "note")
    assert not await planted()
    assert (await house.content(ticket, "note")) == b"PLANTED-4711\n"  # and it is there


async def test_a_freeze_or_the_kill_switch_ends_everything_inside(house: House) -> None:
    ticket = await house.ticket()
    async with house.terminal(ticket) as terminal:
        await typed(terminal, "echo kept > file; sleep 1.2")
        assert house.rooms.end_all(Fault(SESSION_ENDED, reason="test"), "test", person="mori") == 0
        assert house.rooms.end_all(Fault(SESSION_ENDED, reason="test"), "test", person="sato") == 1
        async with asyncio.timeout(10):
            while await terminal.read():
                pass
    assert (await house.saved(ticket, "file")) == b"kept\n"


async def test_the_kill_switch_of_the_house_reaches_into_the_sandbox(house: House) -> None:
    ticket = await house.ticket()
    async with house.terminal(ticket) as terminal:
        await typed(terminal, "id -u")
        await freeze(house.ledger, "sato", reason="suspicion", by="mori")
        async with asyncio.timeout(10):
            while await terminal.read():
                pass
    with pytest.raises(Fault):
        await house.pull(ticket, NAMES)


async def test_a_ledger_that_fails_ends_the_sandbox_and_every_pull(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await house.ticket()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with suppress(Fault):  # leaving the session cannot be recorded either
        async with house.terminal(ticket) as terminal:
            await typed(terminal, "id -u")
            house.checkpoint.ends_badly = True
            monkeypatch.setattr(house.ledger._store, "commit", full)
            with pytest.raises(Fault):
                await house.pull(ticket, NAMES)
            async with asyncio.timeout(10):
                while await terminal.read():
                    pass
    with pytest.raises(Fault):
        await house.pull(ticket, NAMES)


async def test_a_full_disk_ends_the_sandbox(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = await house.ticket()

    def full(self: Store, plain: bytes) -> str:
        raise Fault(faults.DISK, reason="No space left on device")

    async with house.terminal(ticket) as terminal:
        monkeypatch.setattr(Store, "put", full)
        terminal.write(b"echo lost > file\n")
        async with asyncio.timeout(10):
            while await terminal.read():
                pass
    await refused(faults.DISK, house.pull(ticket, NAMES))
    monkeypatch.undo()
    await house.pull(ticket, NAMES)


# -- looking and putting in -------------------------------------------------------------------------------------------


async def test_a_page_is_masked_counted_and_recorded_before_it_is_shown(house: House) -> None:
    small = limits(session_persons=700, day_persons=700, ticket_persons=700)
    ticket = await house.ticket(unmask=("name", "customer_number"), outer=small)
    await house.pull(ticket, NAMES)
    file, look = await house.rooms.look(house.seat(ticket), "test", "out.csv", 0)
    assert look.head == ("customer_id", "name", "plan")
    assert look.rows[0][1:] == ("佐＊＊", "gold")
    assert not any("花子" in cell for row in look.rows for cell in row)
    looked = json.loads((await house.checkpoint.facts("workspace.looked"))[0].leaf)["data"]
    assert (looked["lines"], looked["persons"]) == (len(look.rows), len(look.rows))
    shown = len(look.rows)

    async def all_others() -> None:
        nonlocal shown
        for page in range(1, look.pages):
            shown += len((await house.rooms.look(house.seat(ticket), "test", "out.csv", page))[1].rows)

    await refused(faults.OVER_LIMIT, all_others())
    assert shown <= 700
    assert file.size > 700


async def test_a_text_is_shown_with_what_the_scanner_knows_masked(house: House) -> None:
    ticket = await house.ticket()
    text = "見出し\n電話 090-1234-5678 です\nhanako@example.jp\x1b[2J\n" * 3
    found = await house.rooms.upload(house.seat(ticket), "198.51.100.7", "note.txt", text.encode())
    assert found["phone"] == 3
    uploaded = (await house.checkpoint.facts("workspace.uploaded"))[0].typed()
    assert isinstance(uploaded, Uploaded)
    assert (uploaded.bytes, uploaded.peer) == (len(text.encode()), "198.51.100.7")
    _, look = await house.rooms.look(house.seat(ticket), "test", "note.txt", 0)
    shown = "\n".join(row[0] for row in look.rows)
    assert "090-1234" not in shown
    assert "hanako@" not in shown
    assert "\x1b" not in shown
    assert "見出し" in shown
    looked = json.loads((await house.checkpoint.facts("workspace.looked"))[0].leaf)["data"]
    assert looked["persons"] >= 1
    await house.rooms.upload(house.seat(ticket), "test", "sjis.txt", "電話 090-1234-5678".encode("cp932"))
    _, look = await house.rooms.look(house.seat(ticket), "test", "sjis.txt", 0)
    assert "090-1234" not in look.rows[0][0]
    await house.rooms.upload(house.seat(ticket), "test", "binary", bytes(range(256)))
    await refused(faults.NOT_TEXT, house.rooms.look(house.seat(ticket), "test", "binary", 0))


async def test_uploads_are_the_policys_to_allow(house: House) -> None:
    ticket = await house.ticket()
    await refused(
        faults.UPLOAD_TOO_LARGE, house.rooms.upload(house.seat(ticket), "t", "a", bytes((1 << 20) + 1))
    )
    await allow(house.ledger, uploads=False)
    await refused(faults.NO_UPLOADS, house.rooms.upload(house.seat(ticket), "t", "a", b"x"))
    assert await house.checkpoint.facts("workspace.uploaded") == []


# -- the end ----------------------------------------------------------------------------------------------------------


async def test_a_closed_ticket_wipes_its_workspace_with_proof(house: House) -> None:
    ticket = await house.ticket()
    await house.pull(ticket, NAMES)
    key = (await house.checkpoint.facts("workspace.opened"))[0].typed().key  # type: ignore[union-attr]
    [folder] = house.folder.iterdir()
    copy = {path.name: path.read_bytes() for path in folder.iterdir()}
    async with house.terminal(ticket) as terminal:
        await typed(terminal, "echo more > more")
        await close_ticket(house.ledger, ticket, by="sato", reason="done", how="done")
        await house.wiped(ticket)
        async with asyncio.timeout(10):
            while await terminal.read():
                pass
    assert not folder.exists()
    assert isinstance(await house.ledger.content(key), Erased)
    wiping = (await house.checkpoint.facts("workspace.wiping"))[0].typed()
    assert isinstance(wiping, Wiping)
    assert wiping.reason == "closed"
    listing = await house.ledger.content(wiping.listing)
    assert isinstance(listing, bytes)
    assert b" out.csv\n" in listing
    assert len(listing.splitlines()) == wiping.files
    await refused(gate_faults.TICKET_CLOSED, house.pull(ticket, NAMES, "again.csv"))
    await refused(faults.WIPED, house.rooms.files(ticket))
    # A copy of the folder, taken before, put back: nobody can open it any more.
    folder.mkdir()
    for name, content in copy.items():
        (folder / name).write_bytes(content)
    await refused(faults.WIPED, house.rooms.files(ticket))
    names = [
        one.fact
        for one in await house.ledger.facts(0, 1000)
        if one.fact.startswith(("workspace.w", "ledger.p"))
    ]
    assert names == ["workspace.wiping", "ledger.part_erased", "workspace.wiped"]


@pytest.mark.parametrize("step", ["wiping", "erased", "removed"])
async def test_a_wiping_that_was_cut_short_is_finished(
    house: House, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program ends after each step; what follows at the next start is `sweep`."""
    ticket = await house.ticket()
    await house.pull(ticket, NAMES)

    class Stopped(Exception):  # noqa: N818 (the program stops here)
        pass

    def stop(*arguments: object, **named: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        if step == "wiping":
            patch.setattr(house.ledger, "erase", stop)
        elif step == "erased":
            patch.setattr(rooms, "remove_folder", stop)
        else:
            patch.setattr(rooms, "Wiped", stop)
        with pytest.raises(Stopped):
            await house.rooms._wipe(ticket, "test")
    house.rooms._rooms.clear()  # memory is gone
    assert await house.checkpoint.facts("workspace.wiped") == []
    await refused(faults.WIPED, house.rooms.files(ticket))
    await house.rooms.sweep()
    await house.wiped(ticket)
    assert list(house.folder.iterdir()) == []
    assert len(await house.checkpoint.facts("workspace.wiping")) == 1
    await house.rooms.sweep()
    assert len(await house.checkpoint.facts("workspace.wiped")) == 1


async def test_a_ticket_whose_window_is_over_loses_its_workspace(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await house.ticket()
    await house.pull(ticket, NAMES)
    await house.rooms.sweep()
    assert await house.checkpoint.facts("workspace.wiping") == []
    monkeypatch.setattr(house.rooms, "_now", lambda: datetime.now(UTC) + timedelta(hours=2))
    await house.rooms.sweep()
    await house.wiped(ticket)
    assert list(house.folder.iterdir()) == []


async def test_a_damaged_folder_is_wiped_all_the_same_and_said(house: House) -> None:
    ticket = await house.ticket()
    await house.pull(ticket, NAMES)
    house.rooms._rooms.clear()
    [folder] = house.folder.iterdir()
    (folder / "index").write_bytes(b"rubbish")
    await refused(faults.DAMAGED, house.rooms.files(ticket))
    await close_ticket(house.ledger, ticket, by="sato", reason="done", how="done")
    await house.wiped(ticket)
    wiping = (await house.checkpoint.facts("workspace.wiping"))[0].typed()
    assert isinstance(wiping, Wiping)
    assert (wiping.listing, wiping.damage) == ("", "SEK-WORK-002")
    assert list(house.folder.iterdir()) == []


async def test_erasing_the_clients_key_leaves_nothing_to_open(house: House) -> None:
    ticket = await house.ticket()
    await house.pull(ticket, NAMES)
    house.rooms._rooms.clear()
    await house.ledger.erase_owner("minato", by="kanri", reason="the contract ended")
    await refused(faults.WIPED, house.rooms.files(ticket))
