"""`sekisho take-out` as people run it: the worker asks, approvers sign with ssh-keygen, somebody lets it leave."""

import asyncio
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner

from sekisho.cli import cli
from sekisho.console.house import SCOPES
from sekisho.demo.founding import give_credential
from sekisho.faults import Fault
from sekisho.ledger import Level
from sekisho.people.api_tokens import ApiTokens
from sekisho.people.credentials import enrol
from sekisho.people.identity import Method, minted
from takeout_desk.desk_scene import RECIPIENT, Scene

pytestmark = pytest.mark.e2e


async def run(*arguments: str, **environment: str) -> tuple[int, str]:
    """What the command said, beside the checkpoint's own loop."""
    found = await asyncio.to_thread(
        CliRunner().invoke, cli, ["take-out", *arguments], env={"LC_ALL": "C.UTF-8", **environment}
    )
    said = found.output
    if isinstance(found.exception, Fault):
        return 1, said + found.exception.sentence("en")
    return found.exit_code, said


async def test_a_take_out_on_the_command_line(scene: Scene, tmp_path: Path) -> None:
    checkpoint = scene.checkpoint
    ticket = await scene.file(30)
    way = ("--checkpoint", scene.url, "--ca", str(checkpoint.ca))
    user, password = await checkpoint.login(ticket)
    status, said = await run(
        "ask", "letters.csv", *way, "--user", user, "--target", "callcentre",
        "--organisation", "minato", "--purpose", "print the catalogue", "--basis", "article 5",
        "--recipient", RECIPIENT, "--recipient-key", scene.recipient_key, "--channel", "page", "--medium", "page",
        "--persons", "30", "--item", "name", "--item", "phone", "--item", "customer_number",
        "--returns", "2030-01-31", PGPASSWORD=password,
    )  # fmt: skip
    assert status == 0, said
    [recorded] = await scene.ledger.facts(0, 9, names=["takeout.requested"])
    takeout = recorded.about
    assert f"{takeout} is asked for: 30 persons inside" in said

    enrolment = await asyncio.to_thread(enrol, "moto", "correct horse")
    await give_credential(scene.ledger, "moto", enrolment.credential)
    desk = ApiTokens(scene.ledger, SCOPES)
    for number, person in enumerate(("mori", "moto")):
        key = tmp_path / person
        key.write_bytes(bytes(scene.keys[person].export_private_key()))
        key.chmod(0o600)
        _, token = await desk.issue(
            minted(person, person, Method.PASSKEY, "test"), label="t", scopes=["takeouts"]
        )
        _, listed = await run("list", *way, SEKISHO_TOKEN=token)
        assert "waits for your signature" in listed
        status, said = await run("approve", takeout, *way, "--key", str(key), "--yes", SEKISHO_TOKEN=token)
        assert status == 0, said
        assert "佐＊＊" in said
        assert "Your share was sealed to the recipient" in said
        assert len(await scene.ledger.facts(0, 9, names=["takeout.approved"])) == number + 1
        # A second time, and with somebody else's key: refused.
        status, said = await run("approve", takeout, *way, "--key", str(key), "--yes", SEKISHO_TOKEN=token)
        assert status == 1, said
    proof = ("--person", "moto", "--code", pyotp.TOTP(enrolment.totp_secret).now())
    status, said = await run("release", takeout, *way, *proof, SEKISHO_PASSWORD="correct horse")
    assert status == 0, said
    log = checkpoint.service.state / "log"
    await scene.ledger.reached(await scene.ledger.size() - 1, Level.PUBLISHED, 10)
    status, said = await run("verify", str(log), takeout, "--log-key", str(checkpoint.service.log_key))
    assert (status, said.count("approved, by ssh")) == (0, 2), said
