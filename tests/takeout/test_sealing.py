"""A package: opened by its recipient with every share, and by nobody with less, root of the checkpoint included."""

import io
from itertools import combinations
from pathlib import Path

import asyncssh
import pyrage  # type: ignore[import-untyped]
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from sekisho.cli import cli
from sekisho.evidence.policy import Policy
from sekisho.faults import Fault
from sekisho.ledger import Level
from sekisho.people.tables import ssh_keys
from sekisho.takeout.desk import read_log
from sekisho.takeout.packages import Packages
from sekisho.takeout.sealing import (
    Holder,
    Seat,
    open_package,
    open_shares,
    open_shares_by_passphrase,
    read_identity,
    reseal,
    reseal_by_passphrase,
    seal,
)
from sekisho.takeout.seats import find_seats
from takeout.takeout_examples import House

SECRET = "岬 千尋,みさき市汐見町4-2,090-0000-1234\n".encode() * 4_000


SHARE = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n"


def age_pair() -> tuple[str, bytes]:
    identity = pyrage.x25519.Identity.generate()
    return str(identity.to_public()), str(identity).encode()


def seats_of(pairs: list[tuple[str, bytes]]) -> list[Seat]:
    return [Seat(f"role{n}", "minato", (Holder(f"a{n}", f"k{n}", pair[0]),)) for n, pair in enumerate(pairs)]


async def seats(house: House, *, above: bool = False) -> tuple[Seat, ...]:
    await house.ledger.reached(await house.ledger.size() - 1, Level.PUBLISHED, 10)
    history = read_log(house.log, Policy.of_keys([house.signer.key], [], 0), "O-1")
    return find_seats(history, "sato", ("minato",), above_limit=above)


def private(house: House, account: str) -> bytes:
    return bytes(house.keys[account].export_private_key())


async def test_from_worker_to_recipient(house: House, tmp_path: Path) -> None:
    """And what root finds on the checkpoint after the release opens nothing."""
    packages = Packages(tmp_path / "packages")
    package = packages.seal("O-1", io.BytesIO(SECRET), await seats(house))
    public, secret = age_pair()
    await house.register_recipient(key=public)
    asked = await house.request(
        package=package.sha256, holdings=package.holdings, recipient_key=public, returns=2**53 - 1
    )
    texts = packages.shares("O-1")
    for account, text in (("mori", texts[0]), ("hara", texts[1])):
        share = reseal(open_shares(text, read_identity(private(house, account))), public)
        await house.desk.approve(house.signed(asked, account, share=share))
    released = await house.desk.release("O-1", by="hara")
    (tmp_path / "out").mkdir()
    with packages.hand_out(released) as file:
        (tmp_path / "out" / "package").write_bytes(file.read())
    shares = [share for text in released.shares for share in open_shares(text, read_identity(secret))]
    open_package(tmp_path / "out" / "package", tmp_path / "out" / "list.csv", shares)
    assert (tmp_path / "out" / "list.csv").read_bytes() == SECRET
    (tmp_path / "out" / "list.csv").unlink()
    for opened in shares:
        for word in opened.words:
            assert not [path for path in tmp_path.rglob("*") if path.is_file() and word in path.read_bytes()]
    for path in tmp_path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert SECRET[:30] not in content
        assert b"AGE-SECRET-KEY" not in content


async def test_a_package_that_was_swapped_is_not_handed_out(house: House, tmp_path: Path) -> None:
    packages = Packages(tmp_path / "packages")
    package = packages.seal("O-1", io.BytesIO(SECRET), await seats(house))
    asked = await house.request(package=package.sha256, holdings=package.holdings)
    await house.approve(asked, "mori", "hara")
    with pytest.raises(Fault) as caught:  # signed, but nobody could open it
        await house.desk.release("O-1", by="hara")
    assert caught.value.code == "SEK-TAKE-017"
    for account in ("mori", "hara"):
        await house.desk.share("O-1", SHARE, by=account)
    released = await house.desk.release("O-1", by="hara")
    [path] = (tmp_path / "packages").glob("*.age")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(Fault) as caught:
        packages.hand_out(released)
    assert caught.value.code == "SEK-TAKE-013"


async def test_seats_are_those_of_the_duty_matrix(house: House) -> None:
    found = {seat.role: {holder.account for holder in seat.holders} for seat in await seats(house)}
    # Not kato, whom the requester commands.
    assert found == {"operator_manager": {"mori"}, "processor_manager": {"hara", "hori", "mine"}}
    found = {
        seat.role: {holder.account for holder in seat.holders} for seat in await seats(house, above=True)
    }
    assert found["client"] == {"tani"}


async def test_a_key_written_into_the_database_holds_no_share(house: House) -> None:
    before = await seats(house)
    async with house.ledger.read() as connection:
        row = (await connection.execute(select(ssh_keys).where(ssh_keys.c.person == "hara"))).one()
    mine = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    house.tamper("UPDATE ssh_keys SET public_key = ? WHERE key = ?", mine, row.key)
    house.tamper("UPDATE facts SET leaf = CAST(replace(leaf, ?, ?) AS BLOB)", row.public_key, mine)
    assert await seats(house) == before


def test_every_share_is_needed(tmp_path: Path) -> None:
    pairs = [age_pair() for _ in range(3)]
    package = seal("O-1", io.BytesIO(SECRET), tmp_path / "package", seats_of(pairs))
    other = seal("O-2", io.BytesIO(SECRET), tmp_path / "other", seats_of(pairs))
    opened = [
        open_shares(text, read_identity(pair[1]))[0] for text, pair in zip(package.shares, pairs, strict=True)
    ]
    foreign = open_shares(other.shares[2], read_identity(pairs[2][1]))[0]
    for some in [
        *combinations(opened, 1),
        *combinations(opened, 2),
        (opened[0],) * 3,
        (*opened[:2], foreign),
    ]:
        with pytest.raises(Fault) as caught:
            open_package(tmp_path / "package", tmp_path / "plain", some)
        assert caught.value.code == "SEK-TAKE-013"
    with pytest.raises(Fault):
        open_package(tmp_path / "other", tmp_path / "plain", opened)
    with pytest.raises(Fault):
        open_shares(package.shares[0], read_identity(pairs[1][1]))
    assert {path.name for path in tmp_path.iterdir()} == {"package", "other"}
    open_package(tmp_path / "package", tmp_path / "plain", opened)
    assert (tmp_path / "plain").read_bytes() == SECRET


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_package_leaves_no_file(tmp_path: Path, damage: str) -> None:
    pairs = [age_pair(), age_pair()]
    package = seal("O-1", io.BytesIO(SECRET), tmp_path / "package", seats_of(pairs))
    sealed = (tmp_path / "package").read_bytes()
    half = len(sealed) // 2
    changed = sealed[:half] + bytes([sealed[half] ^ 1]) + sealed[half + 1 :]
    (tmp_path / "package").write_bytes(sealed[:-70_000] if damage == "cut" else changed)
    shares = [
        open_shares(text, read_identity(pair[1]))[0] for text, pair in zip(package.shares, pairs, strict=True)
    ]
    with pytest.raises(Fault):
        open_package(tmp_path / "package", tmp_path / "plain", shares)
    assert [path.name for path in tmp_path.iterdir()] == ["package"]


@pytest.mark.parametrize("calls", [0, 1, 2, 3])
def test_a_stop_at_any_step_of_sealing_leaves_nothing(
    tmp_path: Path, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after the package gets its name, and before and after its shares get theirs."""

    class Stopped(BaseException):
        pass

    real, left = Path.replace, [calls]

    def replace(self: Path, target: Path) -> Path:
        if left[0] == 0:
            raise Stopped
        real(self, target)
        if left[0] == 1:
            raise Stopped
        left[0] -= 2
        return target

    seats = tuple(seats_of([age_pair(), age_pair()]))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(Stopped):
            Packages(tmp_path).seal("O-1", io.BytesIO(SECRET), seats)
    packages = Packages(tmp_path)
    assert len(list(tmp_path.iterdir())) == (2 if calls == 3 else 0)
    if calls < 3:
        packages.seal("O-1", io.BytesIO(SECRET), seats)
    assert len(packages.shares("O-1")) == 2
    with pytest.raises(Fault):
        packages.seal("O-1", io.BytesIO(SECRET), seats)


def test_too_few_seats_or_an_empty_one_seal_nothing(tmp_path: Path) -> None:
    one = seats_of([age_pair()])
    for found, code in ((one, "SEK-TAKE-013"), ([*one, Seat("client", "minato", ())], "SEK-TAKE-012")):
        with pytest.raises(Fault) as caught:
            seal("O-1", io.BytesIO(SECRET), tmp_path / "package", found)
        assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_commands_of_approver_and_recipient(tmp_path: Path) -> None:
    pairs = [age_pair(), age_pair()]
    package = seal("O-1", io.BytesIO(SECRET), tmp_path / "package", seats_of(pairs))
    public, secret = age_pair()
    (tmp_path / "mine").write_bytes(secret)
    arguments = ["take-out", "open", str(tmp_path / "package"), "--out", str(tmp_path / "plain")]
    arguments += ["--key", str(tmp_path / "mine")]
    for number, (text, pair) in enumerate(zip(package.shares, pairs, strict=True)):
        (tmp_path / "key").write_bytes(pair[1])
        (tmp_path / "sealed").write_text(text)
        share = CliRunner().invoke(
            cli,
            ["take-out", "share", str(tmp_path / "sealed"), "--key", str(tmp_path / "key"), "--to", public],
        )
        (tmp_path / f"share{number}").write_text(share.output)
        arguments.append(str(tmp_path / f"share{number}"))
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    assert (tmp_path / "plain").read_bytes() == SECRET


def test_a_recipient_without_a_key_uses_a_passphrase(tmp_path: Path) -> None:
    pairs = [age_pair(), age_pair()]
    package = seal("O-1", io.BytesIO(SECRET), tmp_path / "package", seats_of(pairs))
    [share] = open_shares(package.shares[0], read_identity(pairs[0][1]))
    text = reseal_by_passphrase([share], "correct horse")
    assert open_shares_by_passphrase(text, "correct horse") == [share]
    with pytest.raises(Fault):
        open_shares_by_passphrase(text, "wrong horse")
