"""What is tried against a running checkpoint, its database edited as root included: it fails, and leaves a fact."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import msgspec
import pytest

from relay_workspace.workspace_scene import allow
from sekisho.faults import Fault
from sekisho.gate.policies import read_policy
from sekisho.gate.tickets import close_ticket
from sekisho.ledger import Level
from sekisho.people.facts import AccountAdded
from sekisho.takeout.canonical import digest
from sekisho.takeout.facts import TakeoutApproved, TakeoutRequested
from takeout_desk.desk_scene import Scene

pytestmark = pytest.mark.e2e


async def refused(scene: Scene, given: TakeoutApproved) -> str:
    before = len(await scene.refusals())
    with pytest.raises(Fault) as caught:
        await scene.checkpoint.service.takeouts.approve(given)
    assert (await scene.refusals())[before:] == [("approve", caught.value.code)]
    return caught.value.code


async def not_released(scene: Scene, asked: TakeoutRequested) -> str:
    before = len(await scene.refusals())
    with pytest.raises(Fault) as caught:
        await scene.checkpoint.service.takeouts.release(asked.takeout, by="mori")
    assert (await scene.refusals())[before:] == [("release", caught.value.code)]
    assert await scene.ledger.facts(0, 9, names=["takeout.released"]) == []
    return caught.value.code


def as_root(scene: Scene, sql: str, *values: object) -> None:
    """An edit of the database under the running checkpoint."""
    path = scene.checkpoint.service.state / "ledger.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as raw:
        assert raw.execute(sql, values).rowcount > 0, "the edit changed nothing"


async def test_whoever_is_not_several_people_lets_nothing_leave(scene: Scene) -> None:
    asking = await scene.ask(await scene.file())
    assert asking.fault is None
    asked = await scene.asked(asking.takeout)
    assert await not_released(scene, asked) == "SEK-TAKE-007"
    one = scene.signed(asked, "mori")
    await scene.checkpoint.service.takeouts.approve(one)
    assert await not_released(scene, asked) == "SEK-TAKE-007"  # one approver
    added = AccountAdded(account="mori-night", person="mori", reason="night shift")
    await scene.ledger.record(added, by="kanri", about="mori-night")
    await scene.give_key("mori-night", by="mori")
    await scene.give_key("sato")
    bare = msgspec.structs.replace(asked, holdings=())
    for account in ("mori-night", "sato"):  # one human twice; the requester plus one
        given = scene.signed(bare, account, digest=digest(asked).hex(), share="")
        assert await refused(scene, given) == "SEK-TAKE-003"
        given = msgspec.structs.replace(given, signature=scene.signature(asked, account))
        assert (await refused(scene, given)).startswith("SEK-GATE-")
    await refused(scene, one)  # replayed
    for change in ({"package": "11" * 32}, {"recipient": "Another"}, {"expires": asked.expires + 1}):
        other = msgspec.structs.replace(bare, **change)
        assert await refused(scene, scene.signed(other, "moto")) == "SEK-TAKE-004"
        claimed = scene.signed(other, "moto", digest=digest(asked).hex())
        assert await refused(scene, claimed) == "SEK-TAKE-003"
    # As root: everybody agreed, few are inside, and it is released already.
    await scene.ledger.reached(await scene.ledger.size() - 1, Level.PUBLISHED, 10)
    as_root(
        scene,
        "INSERT INTO takeout_approvals (takeout, approver, method, at) "
        "SELECT takeout, 'moto', method, at FROM takeout_approvals WHERE approver = 'mori'",
    )
    as_root(scene, "UPDATE takeouts SET persons = 1, state = 'released'")
    as_root(
        scene,
        'UPDATE facts SET leaf = CAST(replace(leaf, \'"approver":"mori"\', \'"approver":"moto"\') AS BLOB) '
        "WHERE fact = 'takeout.approved'",
    )
    assert await not_released(scene, asked) == "SEK-TAKE-007"
    with pytest.raises(Fault):
        await scene.checkpoint.service.takeouts.released(asked.takeout)
    # Another package in its place is not handed out, whoever agreed to the first one.
    assert len(await scene.ledger.facts(0, 99, names=["takeout.refused"])) == len(await scene.refusals())


async def request_code(scene: Scene, ticket: str, **changes: Any) -> str:
    """How a request was refused; nothing is left of it but the fact."""
    asking = await scene.ask(ticket, **changes)
    assert asking.fault is not None
    [*_, last] = await scene.ledger.facts(0, 99, names=["takeout.refused"], about=asking.takeout)
    fact = msgspec.json.decode(last.leaf)["data"]
    assert (fact["step"], fact["code"], fact["claimed"]) == ("request", asking.fault.code, "sato")
    assert await scene.ledger.facts(0, 9, names=["takeout.requested"], about=asking.takeout) == []
    await scene.checkpoint.service.counter.sweep()
    assert list((scene.checkpoint.service.state / "takeouts").glob("*.age")) == []
    return asking.fault.code


async def test_what_no_signature_could_let_leave_is_not_asked(scene: Scene) -> None:
    ticket = await scene.file()
    house = scene.house
    assert await request_code(scene, ticket, recipient="Nobody", recipient_key="") == "SEK-TAKE-015"
    # The registered name with another key is a stranger.
    other = scene.keys["mori"].export_public_key().decode()
    assert await request_code(scene, ticket, recipient_key=other) == "SEK-TAKE-015"
    await house.rooms.upload(
        house.seat(ticket), "test", "old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    )
    assert await request_code(scene, ticket, file="old.xls") == "SEK-TAKE-014"
    policy = (await read_policy(scene.ledger)).policy
    kept = {"targets": policy.targets} if hasattr(policy, "targets") else {}
    await allow(scene.ledger, takeout_channels=("sftp",), **kept)
    assert await request_code(scene, ticket) == "SEK-TAKE-016"
    await allow(scene.ledger, takeout_largest=39, **kept)
    assert await request_code(scene, ticket) == "SEK-TAKE-016"


async def test_a_ticket_that_ends_ends_what_was_being_asked(scene: Scene) -> None:
    ticket = await scene.file(500)
    counter = scene.checkpoint.service.counter
    asking = await counter.ask(scene.house.seat(ticket), "test", scene.wish())
    async with asyncio.timeout(30):
        while not asking.of:
            await scene.ledger.wait_turn(0.05)
    await close_ticket(scene.ledger, ticket, by="sato", reason="done", how="done")
    async with asyncio.timeout(30):
        await asking.over.wait()
    assert asking.fault is not None
    assert await scene.ledger.facts(0, 9, names=["takeout.requested"]) == []
    await scene.house.wiped(ticket)


async def test_an_unanswered_request_lapses_and_its_package_goes(scene: Scene) -> None:
    asking = await scene.ask(await scene.file(), hours=1)
    asked = await scene.asked(asking.takeout)
    service = scene.checkpoint.service
    late = scene.signed(asked, "mori")
    as_root(scene, "UPDATE takeouts SET expires = 1")  # only when it is swept, not whether it counts
    await service.counter.sweep()
    [closed] = await scene.ledger.facts(0, 9, names=["takeout.closed"])
    assert msgspec.json.decode(closed.leaf)["data"]["how"] == "lapsed"
    assert list((service.state / "takeouts").glob("*.age")) == []
    assert await refused(scene, late) == "SEK-TAKE-006"
