"""From the workspace to a request, and what is refused on the way: each refusal leaves a fact, and nothing else."""

import pytest

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
