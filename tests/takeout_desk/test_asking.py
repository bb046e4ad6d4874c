"""From the workspace to a request, and what is refused on the way: each refusal leaves a fact, and nothing else."""

import asyncio

import pytest

from sekisho.notify.facts import NoticeAsked
from sekisho.takeout.manifest import unpack
from sekisho.takeout.sealing import open_package, open_shares, read_identity
from takeout_desk.desk_scene import Scene

pytestmark = pytest.mark.e2e


async def test_a_file_becomes_a_request_that_its_recipient_can_open(scene: Scene) -> None:
    ticket = await scene.file()
    asking = await scene.ask(ticket)
    assert asking.fault is None
    asked = await scene.asked(asking.takeout)
    assert (asked.rows, asked.persons, asked.items) == (40, 40, ("customer_number", "name", "phone"))
    assert (asked.told_by, asked.unknown) == ("workspace", 0)
    assert {(one.role, one.account) for one in asked.holdings} == {
        ("operator_manager", "mori"),
        ("processor_manager", "moto"),
    }
    await scene.approve(asked, "mori", "moto")
    service = scene.checkpoint.service
    released = await service.takeouts.release(asked.takeout, by="moto")
    package = scene.folder / "package"
    with service.packages.hand_out(released) as file:
        package.write_bytes(file.read())
    identity = read_identity(str(scene.identity).encode())
    shares = [one for text in released.shares for one in open_shares(text, identity)]
    open_package(package, scene.folder / "copy.zip", shares)
    (scene.folder / "out").mkdir()
    opened = unpack(scene.folder / "copy.zip", scene.folder / "out")
    assert opened.rows == 40
    content = await scene.house.content(ticket, "letters.csv")
    assert (scene.folder / "out" / "letters.csv").read_bytes() == content
    # Who had to hear of it did; and of what somebody typed, nothing travels.
    told = await notices(scene, "takeout_asked", "takeout_ended")
    assert {"person:mori", "person:moto", "person:haruka"} <= told["takeout_asked"][0]
    assert {"person:sato", "person:haruka", "person:hogo"} <= told["takeout_ended"][0]
    for _, text in told.values():
        assert asking.takeout in text
        assert asked.purpose not in text
        assert asked.recipient not in text


async def notices(scene: Scene, *kinds: str) -> dict[str, tuple[set[str], str]]:
    """Of each kind of notice: who was asked to be told, and the text."""
    found: dict[str, tuple[set[str], str]] = {}
    async with asyncio.timeout(20):
        while not set(kinds) <= found.keys():
            for recorded in await scene.ledger.facts(0, 99, names=["notify.asked"]):
                fact = recorded.typed()
                assert isinstance(fact, NoticeAsked)
                text = await scene.ledger.content(fact.text)
                assert isinstance(text, bytes)
                found[fact.kind] = (set(fact.to), text.decode())
            await scene.ledger.wait_turn(0.1)
    return {kind: found[kind] for kind in kinds}
