"""Each channel hands a released package over once, whole, to where it was approved for, or says that it did not."""

import asyncio
import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sekisho.demo.servers import SshServer, ssh_server
from sekisho.faults import Fault
from sekisho.people.throttle import ADDRESS_FAILURES
from sekisho.relay.ssh.authority import public_line
from sekisho.takeout import destinations, sftp
from sekisho.takeout.channels import Deliveries
from sekisho.takeout.custody_facts import (
    DeliveryBegun,
    DestinationApproved,
    DestinationProposed,
    HandedOver,
)
from sekisho.takeout.parcel import Parcel
from takeout.delivery_examples import Counter
from takeout.takeout_examples import House

PEER = "192.0.2.7"
NOT_RELEASED = ("SEK-TAKE-007", "SEK-TAKE-024", "SEK-TAKE-025")


@pytest.fixture
def counter(house: House, tmp_path: Path) -> Counter:
    return Counter.at(house, tmp_path)


async def refused(call: Any) -> str:
    with pytest.raises(Fault) as caught:
        await call
    return caught.value.code


async def download(counter: Counter, token: str, code: str, folder: Path, peer: str = PEER) -> HandedOver:
    """What the recipient's browser does: everything, to the end."""
    async with counter.links.opened(token, code, peer) as (attempt, done):
        content = b"".join(attempt.parcel.archive())
        over = await done("sent")
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return over


# The page


async def test_a_link_and_its_code_bring_the_package_once(counter: Counter, tmp_path: Path) -> None:
    await counter.released()
    link = await counter.links.make("O-1", by="sato")
    over = await download(counter, link.token, link.code, tmp_path / "got")
    assert over.size == (tmp_path / "got" / "O-1.age").stat().st_size
    with zipfile.ZipFile(counter.opened(tmp_path / "got")) as archive:
        assert set(archive.namelist()) == {"MANIFEST.json", "list.csv"}
    assert await counter.steps() == ["begun", "handed_over: sent"]
    assert await refused(download(counter, link.token, link.code, tmp_path)) == "SEK-TAKE-033"
    assert await refused(counter.links.make("O-1", by="sato")) == "SEK-TAKE-032"
    # Neither link nor code stands in the log.
    for recorded in await counter.house.ledger.facts(0, 500):
        assert link.token.encode() not in recorded.leaf
        assert link.code.encode() not in recorded.leaf


async def test_nothing_is_handed_over_before_the_release(counter: Counter, tmp_path: Path) -> None:
    await counter.asked()
    assert await refused(counter.links.make("O-1", by="sato")) in NOT_RELEASED
    assert await refused(counter.deliveries.push("O-1", by="sato")) in NOT_RELEASED
    assert await refused(counter.deliveries.write("O-1", tmp_path, by="sato")) in NOT_RELEASED
    assert await counter.steps() == []


async def test_only_who_asked_or_approved_makes_a_link_and_only_for_the_page(counter: Counter) -> None:
    await counter.released()
    assert await refused(counter.links.make("O-1", by="kato")) == "SEK-TAKE-043"
    assert (await counter.links.make("O-1", by="hara")).takeout == "O-1"
    assert await refused(counter.deliveries.push("O-1", by="sato")) == "SEK-TAKE-036"


async def test_five_wrong_codes_void_a_link_also_when_they_come_at_once(
    counter: Counter, tmp_path: Path
) -> None:
    await counter.released()
    link = await counter.links.make("O-1", by="sato")
    wrong = f"{(int(link.code) + 1) % 10**8:08}"
    codes = await asyncio.gather(
        *(refused(download(counter, link.token, wrong, tmp_path / "got", f"192.0.2.{n}")) for n in range(8))
    )
    assert sorted(codes) == ["SEK-TAKE-033"] * 3 + ["SEK-TAKE-034"] * 5
    assert await refused(download(counter, link.token, link.code, tmp_path / "got")) == "SEK-TAKE-033"
    assert [said["left"] for _, said in await counter.told("takeout.link_tried")] == [4, 3, 2, 1, 0]
    assert await counter.steps() == []


async def test_a_code_opens_its_own_link_only_and_a_new_link_voids_the_old(
    counter: Counter, tmp_path: Path
) -> None:
    await counter.released("O-1")
    await counter.released("O-2")
    old = await counter.links.make("O-1", by="sato")
    new = await counter.links.make("O-1", by="sato")
    other = await counter.links.make("O-2", by="sato")
    assert await refused(download(counter, old.token, old.code, tmp_path / "got")) == "SEK-TAKE-033"
    assert await refused(download(counter, new.token, other.code, tmp_path / "got")) == "SEK-TAKE-034"
    await download(counter, new.token, new.code, tmp_path / "got")


async def test_a_link_expires(counter: Counter, tmp_path: Path) -> None:
    await counter.released()
    link = await counter.links.make("O-1", by="sato")
    counter.house.now += timedelta(hours=73)
    assert await refused(download(counter, link.token, link.code, tmp_path / "got")) == "SEK-TAKE-033"


async def test_whoever_tries_many_links_waits(counter: Counter, tmp_path: Path) -> None:
    for number in range(ADDRESS_FAILURES):
        assert await refused(download(counter, f"made-up-{number}", "0", tmp_path)) == "SEK-TAKE-033"
    assert (await refused(download(counter, "made-up", "0", tmp_path))).startswith("SEK-PEOP-")


async def test_a_download_that_breaks_hands_nothing_over(counter: Counter, tmp_path: Path) -> None:
    await counter.released()
    link = await counter.links.make("O-1", by="sato")

    async def broken() -> None:
        async with counter.links.opened(link.token, link.code, PEER) as (attempt, _):
            next(attempt.parcel.archive())
            raise ConnectionResetError

    assert await refused(broken()) == "SEK-TAKE-035"
    assert await counter.steps() == ["begun", "failed: ConnectionResetError"]
    assert await refused(download(counter, link.token, link.code, tmp_path / "got")) == "SEK-TAKE-033"
    again = await counter.links.make("O-1", by="sato")
    await download(counter, again.token, again.code, tmp_path / "got")


async def test_of_two_downloads_at_one_moment_one_is_served(counter: Counter, tmp_path: Path) -> None:
    await counter.released()
    link = await counter.links.make("O-1", by="sato")
    both = await asyncio.gather(
        *(download(counter, link.token, link.code, tmp_path / f"got{n}") for n in range(2)),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, HandedOver) for one in both) == [False, True]
    assert len(await counter.told("takeout.handed_over")) == 1


async def test_a_swapped_package_is_not_handed_over(counter: Counter, tmp_path: Path) -> None:
    await counter.released()
    link = await counter.links.make("O-1", by="sato")
    [path] = (counter.folder / "packages").glob("*.age")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert await refused(download(counter, link.token, link.code, tmp_path / "got")) == "SEK-TAKE-013"
    assert await counter.steps() == []


async def test_a_crash_while_it_is_on_its_way_is_told_by_the_next_attempt(
    counter: Counter, tmp_path: Path
) -> None:
    """`delivery_begun` is durable, and then nothing: what a SIGKILL leaves."""
    await counter.released()
    begun = DeliveryBegun(takeout="O-1", attempt=1, channel="page", to="x")
    await counter.house.ledger.record(begun, by="sato", about="O-1")
    link = await counter.links.make("O-1", by="sato")
    await download(counter, link.token, link.code, tmp_path / "got")
    assert await counter.steps() == ["begun", "failed: cut off", "begun", "handed_over: sent"]


async def test_two_processes_do_not_deliver_at_once(counter: Counter) -> None:
    await counter.released()
    other = Deliveries(
        counter.house.ledger, counter.house.desk, counter.packages, counter.folder / "deliveries"
    )
    released = await counter.deliveries.released("O-1", "page")

    async def second() -> None:
        async with other.attempt(released, "page", "b", by="sato"):
            raise AssertionError("it ran beside the first one")

    async with counter.deliveries.attempt(released, "page", "a", by="sato") as (_, done):
        assert await refused(second()) == "SEK-TAKE-035"
        await done("sent")
    assert await refused(second()) == "SEK-TAKE-032"


# A registered medium


def plugged_in(folder: Path, serial: str) -> tuple[Path, Path]:
    """(mount point, sysfs) of a stick as the kernel shows one."""
    mount, sysfs = folder / "mnt", folder / "sys"
    mount.mkdir(exist_ok=True)
    device = mount.stat().st_dev
    stick = sysfs / "devices/usb1/1-1"
    (stick / "host0/block/sda/sda1").mkdir(parents=True, exist_ok=True)
    (stick / "serial").write_text(f"{serial}\n")
    link = sysfs / f"dev/block/{os.major(device)}:{os.minor(device)}"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(stick / "host0/block/sda/sda1")
    return mount, sysfs


async def test_a_registered_medium_gets_the_package_and_gives_it_back_the_same(
    counter: Counter, tmp_path: Path
) -> None:
    medium = await counter.register("medium", "USB-4711-AB")
    await counter.released(channel="medium", medium=medium)
    mount, sysfs = plugged_in(tmp_path, "USB-4711-AB")
    over = await counter.deliveries.write("O-1", mount, by="sato", sysfs=sysfs)
    assert (over.to, over.confirmed) == ("USB-4711-AB", "read_back")
    assert {path.suffix for path in mount.iterdir()} == {".age", ".txt"}
    assert counter.opened(mount).stat().st_size > 0
    assert await refused(counter.deliveries.write("O-1", mount, by="sato", sysfs=sysfs)) == "SEK-TAKE-032"


async def test_another_medium_or_an_unregistered_one_gets_nothing(counter: Counter, tmp_path: Path) -> None:
    medium = await counter.register("medium", "USB-4711-AB")
    await counter.released("O-1", channel="medium", medium=medium)
    await counter.released("O-2", channel="medium", medium="USB-0000-XX")
    mount, sysfs = plugged_in(tmp_path, "USB-0000-XX")
    assert await refused(counter.deliveries.write("O-1", mount, by="sato", sysfs=sysfs)) == "SEK-TAKE-036"
    assert await refused(counter.deliveries.write("O-2", mount, by="sato", sysfs=sysfs)) == "SEK-TAKE-037"
    # A folder whose device tells no serial number is nobody's.
    bare = counter.deliveries.write("O-1", mount, by="sato", sysfs=tmp_path / "nothing")
    assert await refused(bare) == "SEK-TAKE-037"
    assert list(mount.iterdir()) == []
    assert await counter.steps() == []


async def test_a_medium_that_keeps_something_else_got_nothing(
    counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counter.released(channel="medium", medium=await counter.register("medium", "USB-4711-AB"))
    mount, sysfs = plugged_in(tmp_path, "USB-4711-AB")
    real = Parcel.chunks

    def worn(self: Parcel, start: int = 0) -> Iterator[bytes]:
        for chunk in real(self, start):
            yield chunk[:-1] + bytes([chunk[-1] ^ 1])

    with monkeypatch.context() as patch:
        patch.setattr(Parcel, "chunks", worn)
        assert await refused(counter.deliveries.write("O-1", mount, by="sato", sysfs=sysfs)) == "SEK-TAKE-035"
    assert not list(mount.glob("*.age*"))
    assert (await counter.steps())[-1].startswith("failed: what was read back")
    await counter.deliveries.write("O-1", mount, by="sato", sysfs=sysfs)


async def test_nobody_registers_a_destination_alone(counter: Counter) -> None:
    ledger = counter.house.ledger
    proposed = DestinationProposed(
        destination="d-1",
        channel="medium",
        address="USB-2222",
        host_key="",
        label="x",
        holder="sato",
        encryption="none",
    )
    with pytest.raises(Fault):
        await destinations.propose(ledger, proposed, by="sato")  # a worker
    recorded = await destinations.propose(ledger, proposed, by="mori")
    seen = recorded.leaf_hash.hex()
    with pytest.raises(Fault):
        await destinations.approve(ledger, "d-1", seen=seen, by="mori")
    assert await refused(destinations.approve(ledger, "d-1", seen="00" * 32, by="hara")) == "SEK-TAKE-037"
    await destinations.approve(ledger, "d-1", seen=seen, by="hara")
    # What somebody writes past that counts for nothing.
    forged = DestinationApproved(destination="d-1", approver="ono", request=seen)
    await ledger.record(forged, by="sato", about="d-1")
    assert await refused(destinations.find(ledger, "medium", "USB-2222")) == "SEK-TAKE-037"
    await destinations.approve(ledger, "d-1", seen=seen, by="ono")
    assert (await destinations.find(ledger, "medium", "USB-2222")).registered
    await destinations.remove(ledger, "d-1", how="lost", by="ono")
    assert await refused(destinations.find(ledger, "medium", "USB-2222")) == "SEK-TAKE-037"


@pytest.mark.parametrize("address", ["host", "u@h:22", "u@h:22/../etc", "u@h:x/in", "u v@h:22/in"])
async def test_an_address_that_is_none_is_not_registered(counter: Counter, address: str) -> None:
    key = public_line(counter.house.keys["hara"], "")
    assert await refused(counter.register("sftp", address, key)) == "SEK-TAKE-042"


# A registered server: OpenSSH's own


@contextmanager
def openssh(counter: Counter, **settings: object) -> Iterator[tuple[SshServer, Path]]:
    """The recipient's server, and the folder of it to which packages go."""
    key = sftp.own_key(counter.folder / "deliveries" / "sftp.key")
    with ssh_server(authorized_keys=public_line(key, "sekisho"), settings=settings) as server:
        folder = server.folder / "in"
        folder.mkdir()
        folder.chmod(0o777)
        yield server, folder


async def to_server(counter: Counter, server: SshServer, folder: Path, host_key: str = "") -> str:
    address = f"{server.user}@{server.host}:{server.port}{folder}"
    return await counter.register("sftp", address, host_key or server.host_key)


@pytest.mark.e2e
async def test_a_registered_server_gets_the_package(counter: Counter) -> None:
    with openssh(counter) as (server, folder):
        await counter.released(channel="sftp", medium=await to_server(counter, server, folder))
        over = await counter.deliveries.push("O-1", by="sato")
        assert over.confirmed == "read_back"
        assert {path.suffix for path in folder.iterdir()} == {".age", ".txt"}
        assert await refused(counter.deliveries.push("O-1", by="sato")) == "SEK-TAKE-032"
    assert await counter.steps() == ["begun", "handed_over: read_back"]


@pytest.mark.e2e
async def test_what_a_broken_connection_left_is_continued_if_it_is_ours(counter: Counter) -> None:
    with openssh(counter) as (server, folder):
        place = await to_server(counter, server, folder)
        for name in ("O-1", "O-2"):
            await counter.released(name, channel="sftp", medium=place)
        packages = {path.read_bytes() for path in (counter.folder / "packages").glob("*.age")}
        for name, beginning in (("O-1", b""), ("O-2", b"something else" * 10_000)):
            part = folder / f"{name}.age.part"
            part.write_bytes(beginning)
            part.chmod(0o666)
        await counter.deliveries.push("O-1", by="sato")
        ours = (folder / "O-1.age").read_bytes()
        await counter.deliveries.push("O-2", by="sato")
        assert {ours, (folder / "O-2.age").read_bytes()} == packages
        # Half of this very package: only the rest is sent.
        own = sftp.own_key(counter.folder / "deliveries" / "sftp.key")
        server_ = destinations.Server(server.user, server.host, server.port, str(folder), server.host_key)
        async with sftp.connected(server_, own) as client:
            parcel = Parcel(await counter.house.desk.released("O-1"), io.BytesIO(ours))
            (folder / "half").write_bytes(ours[:1_000])
            assert await sftp.beginning(client, parcel, str(folder / "half")) == 1_000
            (folder / "half").write_bytes(ours[:999] + b"x")
            assert await sftp.beginning(client, parcel, str(folder / "half")) == 0


@pytest.mark.e2e
async def test_a_server_that_gives_nothing_back_is_believed_by_size(counter: Counter) -> None:
    with openssh(counter, Subsystem="sftp internal-sftp -P read") as (server, folder):
        await counter.released(channel="sftp", medium=await to_server(counter, server, folder))
        over = await counter.deliveries.push("O-1", by="sato")
        assert over.confirmed == "size"


@pytest.mark.e2e
async def test_another_host_key_a_missing_folder_or_a_lost_server_get_nothing(counter: Counter) -> None:
    with openssh(counter) as (server, folder):
        other = public_line(counter.house.keys["hara"], "")
        wrong = await to_server(counter, server, folder, other)
        await counter.released("O-1", channel="sftp", medium=wrong)
        assert await refused(counter.deliveries.push("O-1", by="sato")) == "SEK-TAKE-035"
        assert list(folder.iterdir()) == []
        missing = await to_server(counter, server, folder / "nowhere")
        await counter.released("O-2", channel="sftp", medium=missing)
        assert await refused(counter.deliveries.push("O-2", by="sato")) == "SEK-TAKE-035"
        # What approvers signed was another key of the same address.
        right = await to_server(counter, server, folder)
        await counter.released("O-3", channel="sftp", medium=right.replace("SHA256:", "SHA256:x"))
        assert await refused(counter.deliveries.push("O-3", by="sato")) == "SEK-TAKE-037"
        await counter.released("O-4", channel="sftp", medium=right)
    assert await refused(counter.deliveries.push("O-4", by="sato")) == "SEK-TAKE-035"
    assert await counter.steps() == [
        "begun",
        "failed: the server has another host key",
        "begun",
        "failed: SFTPNoSuchFile",
        "begun",
        "failed: ConnectionRefusedError",
    ]
