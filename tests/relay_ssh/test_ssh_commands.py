"""`sekisho ssh-key` and `sekisho ssh-ca`, and what a server of `sekisho register target --protocol ssh` is."""

import asyncio
from itertools import count
from pathlib import Path

import asyncssh
import pyotp
import pytest
from click.testing import CliRunner, Result

from sekisho.cli import cli
from sekisho.demo.founding import add_organisation, add_person, give_credential
from sekisho.faults import Fault
from sekisho.people.credentials import enrol
from sekisho.people.faults import BAD_SSH_KEY
from sekisho.people.ssh_keys import read_public_key
from sekisho.register.catalogue import find_target
from sekisho.service.service import create_state, open_ledger
from sekisho.service.settings import Settings


@pytest.fixture
def state(tmp_path: Path) -> tuple[Path, str]:
    """(a state folder with sato in it, the secret of her one-time codes)."""
    folder = tmp_path / "state"
    settings = Settings(origin="checkpoint.example/test", ssh_listen="127.0.0.1:2222")
    create_state(folder, settings)
    enrolment = enrol("sato", "correct horse")

    async def fill() -> None:
        async with open_ledger(folder, settings) as ledger:
            await add_organisation(ledger, "minato", "みなと養蜂園", "Minato Apiary")
            await add_person(ledger, "sato", "sato", "Example Outsourcing")
            await add_person(ledger, "kanri", "kanri", "Example Outsourcing")
            await give_credential(ledger, "sato", enrolment.credential)

    asyncio.run(fill())
    return folder, enrolment.totp_secret


def sekisho(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_a_key_is_registered_listed_and_revoked(state: tuple[Path, str], tmp_path: Path) -> None:
    folder, totp = state
    key = asyncssh.generate_private_key("ssh-ed25519", comment="laptop")
    (tmp_path / "id").write_bytes(key.export_private_key())
    (tmp_path / "id.pub").write_bytes(key.export_public_key())
    who = ["--state", str(folder), "--person", "sato", "--password", "correct horse"]
    refused = sekisho("ssh-key", "add", str(tmp_path / "id"), *who, "--code", "000000")
    assert "private key" in refused.output
    wrong = sekisho("ssh-key", "add", str(tmp_path / "id.pub"), *who, "--code", "000000")
    assert isinstance(wrong.exception, Fault)
    code = pyotp.TOTP(totp).now()
    added = sekisho("ssh-key", "add", str(tmp_path / "id.pub"), *who, "--code", code)
    assert added.exit_code == 0, added
    listed = sekisho("ssh-key", "list", "--state", str(folder), "--person", "sato").output
    name = listed.split()[0]
    assert name in added.output
    assert "laptop" in listed
    again = sekisho("ssh-key", "revoke", name, "--reason", "lost", *who, "--code", code)
    assert isinstance(again.exception, Fault)  # the code is spent
    assert "since" in sekisho("ssh-key", "list", "--state", str(folder), "--person", "sato").output


def test_what_targets_and_clients_are_told(state: tuple[Path, str]) -> None:
    folder, _ = state
    told = sekisho("ssh-ca", "--state", str(folder)).output
    assert "ssh-ed25519 AAAA" in told
    assert "TrustedUserCAKeys" in told
    assert told == sekisho("ssh-ca", "--state", str(folder)).output
    assert "[localhost]:2222 ssh-ed25519" in sekisho("ssh-ca", "--known-hosts", "--state", str(folder)).output


def test_a_target_for_ssh_is_registered_with_its_keys(state: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = state
    public = tmp_path / "host.pub"
    public.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_public_key())
    common = ["--host", "192.0.2.9", "--operator", "minato", "--state", str(folder), "--by", "kanri"]
    assert sekisho("register", "target", "batch", "--protocol", "ssh", *common).exit_code == 2
    assert sekisho("register", "target", "batch", *common).exit_code == 2
    made = sekisho("register", "target", "batch", "--protocol", "ssh", "--host-key", str(public), *common)
    assert made.exit_code == 0, made
    dataset = [
        *("register", "ssh-dataset", "minato-files", "--organisation", "minato", "--target", "batch"),
        *("--role", "app", "--name", "files", "--reason", "new", "--state", str(folder), "--by", "kanri"),
    ]
    proposed = sekisho(*dataset)
    assert "register.catalogue_proposed" in proposed.output

    async def look() -> None:
        async with (
            open_ledger(folder, Settings(origin="checkpoint.example/test")) as ledger,
            ledger.read() as one,
        ):
            found = await find_target(one, "batch")
            assert found is not None
            assert (found.protocol, found.port) == ("ssh", 22)
            assert found.host_keys == (public.read_text().strip(),)

    asyncio.run(look())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-dss AAAAB3NzaC1kc3M=",
        "ssh-ed25519-cert-v01@openssh.com AAAA",
        'command="x" ssh-ed25519 AAAA',
        asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_public_key().decode(),
        asyncssh.generate_private_key("ssh-ed25519")
        .export_public_key()
        .decode()
        .replace("ssh-ed25519", "ssh-rsa"),
    ],
    ids=count(),  # the keys are new at each collection, and so would the names be
)
def test_what_is_no_key_is_refused(line: str) -> None:
    with pytest.raises(Fault) as caught:
        read_public_key(line)
    assert caught.value.kind is BAD_SSH_KEY
