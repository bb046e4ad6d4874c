"""`sekisho take-out` after a release: a link, the recipient's two commands, the receipt, where copies are, of which
copy a found list is; a destination that nobody registers alone."""

import asyncio
import io
import zipfile
from pathlib import Path

import httpx2
import pyotp
import pytest

from sekisho.demo.founding import give_credential
from sekisho.people.credentials import enrol
from sekisho.takeout.copies import FORMS
from sekisho.takeout.custody import allow_marking
from takeout_desk.desk_scene import Scene
from takeout_desk.test_custody_pages import released
from takeout_desk.test_takeout_commands import run

pytestmark = pytest.mark.e2e


async def proof(scene: Scene, person: str) -> list[str]:
    """A login of somebody who has none yet, or of the worker."""
    secret = scene.checkpoint.totp
    if person != "sato":
        enrolment = await asyncio.to_thread(enrol, person, "correct horse")
        await give_credential(scene.ledger, person, enrolment.credential)
        secret = enrolment.totp_secret
    code = pyotp.TOTP(secret).now()
    state = str(scene.checkpoint.service.state)
    return ["--state", state, "--person", person, "--password", "correct horse", "--code", code]


async def test_from_the_link_to_the_receipt(scene: Scene, tmp_path: Path) -> None:
    await allow_marking(
        scene.ledger, "minato", forms=FORMS, reorder=True, canaries=0, contacts=(), by="haruka"
    )
    takeout = await released(scene)
    status, said = await run("link", takeout, *await proof(scene, "sato"))
    assert status == 0, said
    token = said.split("/parcel/")[1].split()[0]
    code = said.splitlines()[1].rpartition(": ")[2]
    headers = {"origin": scene.url}
    async with httpx2.AsyncClient(base_url=scene.url, verify=False, headers=headers) as recipient:
        answer = await recipient.post(f"/parcel/{token}", data={"code": code})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "key").write_text(str(scene.identity))
    shares = [str(path) for path in sorted(tmp_path.glob("*-share-*.txt"))]
    package, copy = tmp_path / f"{takeout}.age", tmp_path / "copy.zip"
    status, said = await run(
        "open", str(package), *shares, "--key", str(tmp_path / "key"), "--out", str(copy)
    )
    assert status == 0, said
    (tmp_path / "list").mkdir()
    receipt = tmp_path / "receipt.json"
    unpack = ["unpack", str(copy), "--package", str(package), "--into", str(tmp_path / "list")]
    status, said = await run(*unpack, "--receipt", str(receipt))
    assert (status, "40 rows" in said) == (0, True), said
    state = ("--state", str(scene.checkpoint.service.state))
    status, said = await run("receive", str(receipt), *state)
    assert (status, "40 rows" in said) == (0, True), said
    status, said = await run("custody", *state)
    assert status == 0, said
    assert f"{takeout:16} received" in said
    # The list turns up: from which copy?
    [found] = (tmp_path / "list").iterdir()
    status, said = await run("whose", str(found), *await proof(scene, "moto"))
    assert (status, f"{takeout}: the list comes from this copy" in said) == (0, True), said
    other = tmp_path / "other.csv"
    other.write_text("name,phone\n" + "".join(f"鈴木 一郎,080-1111-{n:04}\n" for n in range(30)))
    status, said = await run("whose", str(other), *await proof(scene, "haruka"))
    assert status == 1
    [compared] = await scene.ledger.facts(0, 1_000, names=["takeout.copies_compared"])
    assert compared.by == "moto"


async def test_a_destination_waits_for_others(scene: Scene) -> None:
    manager = await proof(scene, "mori")
    medium = ["--medium", "USB-4711-AB", "--label", "stick 3", "--holder", "mori", "--encryption", "AES-256"]
    status, said = await run("destination", "propose", *medium, *manager)
    assert status == 0, said
    name, seen = said.split()[0], said.split("--seen ")[1].strip()
    status, said = await run("destination", "list", "--state", str(scene.checkpoint.service.state))
    assert (status, f"{name} proposed" in said) == (0, True), said
    assert said.splitlines()[-1].startswith("ssh-ed25519 ")
    status, said = await run("destination", "approve", name, "--seen", seen, *await proof(scene, "moto"))
    assert status == 0, said
    status, said = await run("destination", "approve", name, "--seen", seen, *await proof(scene, "hogo"))
    assert status == 0, said
    status, said = await run("destination", "list", "--state", str(scene.checkpoint.service.state))
    assert f"{name} registered" in said
