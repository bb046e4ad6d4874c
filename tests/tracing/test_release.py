"""The trace key opens for two persons together, for a while and a number of lists; the disk alone opens nothing."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.demo.founding import add_person, appoint
from sekisho.faults import Fault
from sekisho.ledger import KeyRing, Ledger
from sekisho.people.faults import NEEDS_ROLE
from sekisho.people.roles import Role
from sekisho.trace.facts import KeyClosed
from sekisho.trace.faults import BAD_SHARE, BAD_SPLIT, KEY_LOCKED, KEY_SPENT, NO_RELEASE, TOO_OFTEN, WRONG_KEY
from sekisho.trace.keys import TraceKeys
from sekisho.trace.registry import Registry
from sekisho.trace.release import (
    MOST_A_DAY,
    MOST_ROWS,
    KeyDesk,
    join_key,
    record_split,
    share_hash,
    split_key,
)
from tracing.trace_world import make_registry

PERSONS = ("hogo", "kensa", "moto")


class Now:
    def __init__(self) -> None:
        self.later = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.later


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "vault")) as made:
        roles = (Role.PRIVACY_OFFICER, Role.AUDITOR, Role.PROCESSOR_MANAGER)
        for person, role in zip(PERSONS, roles, strict=True):
            await add_person(made, person, f"{person} 某", "Example House", language="ja")
            await appoint(made, person, role, "", first="first", second="second")
        await add_person(made, "sato", "佐藤 某", "Example House", language="ja")
        yield made


@given(st.binary(min_size=32, max_size=32), st.integers(2, 5))
def test_any_two_shares_make_the_key_and_one_says_nothing(master: bytes, count: int) -> None:
    persons = [f"p{number}" for number in range(count)]
    shares = split_key(master, persons)
    for one in persons:
        with pytest.raises(ValueError, match="two different"):
            join_key([shares[one], shares[one]])
        for other in persons:
            if one != other:
                assert join_key([shares[one].lower().replace("-", " "), shares[other]]) == master
        # 32 bytes that are independent of the master: no half of it stands in a share.
        assert len(share_hash(shares[one])) == 64


def test_a_slip_of_the_pen_is_seen() -> None:
    share = split_key(os.urandom(32), PERSONS)["hogo"]
    for place in range(0, len(share), 3):
        if share[place] != "-":
            wrong = share[:place] + ("A" if share[place] != "A" else "B") + share[place + 1 :]
            with pytest.raises(ValueError, match="not a share"):
                share_hash(wrong)


async def test_one_person_cannot_open_the_key(ledger: Ledger, tmp_path: Path) -> None:
    shares = await record_split(ledger, tmp_path / "keys", os.urandom(32), PERSONS, by="kanri")
    desk = KeyDesk(ledger, tmp_path / "keys")
    release = await desk.ask(reason="a list was offered", minutes=30, lookups=2, by="moto")
    assert await desk.give(release, shares["hogo"], by="hogo") is None
    for by, share, kind in (
        ("hogo", shares["kensa"], BAD_SHARE),  # with a share that another person left lying about
        ("kensa", shares["hogo"], BAD_SHARE),
        ("kensa", "AAAA-BBBB", BAD_SHARE),
        ("sato", shares["kensa"], NEEDS_ROLE),
    ):
        with pytest.raises(Fault) as caught:
            await desk.give(release, share, by=by)
        assert caught.value.kind is kind
    assert await desk.give(release, shares["hogo"], by="hogo") is None  # twice the same is once
    with pytest.raises(Fault) as caught:
        desk.spend(1)
    assert caught.value.kind is KEY_LOCKED
    lease = await desk.give(release, shares["kensa"], by="kensa")
    assert lease is not None
    assert lease.keys.fingerprint
    with pytest.raises(Fault) as caught:
        await desk.give(release, shares["moto"], by="moto")
    assert caught.value.kind is NO_RELEASE
    for share in shares.values():
        assert all(
            share.replace("-", "").encode() not in path.read_bytes()
            and share.encode() not in path.read_bytes()
            for path in tmp_path.rglob("*")
            if path.is_file()
        )


async def test_a_release_ends_by_time_by_number_and_by_rows(ledger: Ledger, tmp_path: Path) -> None:
    shares = await record_split(ledger, tmp_path / "keys", os.urandom(32), PERSONS, by="kanri")
    now = Now()
    desk = KeyDesk(ledger, tmp_path / "keys", now=now)

    async def open_key(lookups: int = 2) -> None:
        release = await desk.ask(reason="", minutes=30, lookups=lookups, by="moto")
        for person in ("moto", "hogo"):
            await desk.give(release, shares[person], by=person)

    await open_key()
    desk.spend(10)
    with pytest.raises(Fault) as caught:
        desk.spend(MOST_ROWS)
    assert caught.value.kind is KEY_SPENT
    desk.spend(10)
    with pytest.raises(Fault) as caught:
        desk.spend(10)
    assert caught.value.kind is KEY_LOCKED
    await desk.expire()
    await open_key()
    assert desk.open_keys().fingerprint
    now.later = timedelta(minutes=31)
    with pytest.raises(Fault) as caught:
        desk.open_keys()
    assert caught.value.kind is KEY_LOCKED
    await desk.expire()
    closed = [one.typed() for one in await ledger.facts(0, 1000, names=["trace.key_closed"])]
    ends = [(one.reason, one.lookups, one.rows) for one in closed if isinstance(one, KeyClosed)]
    assert ends == [("spent", 2, 20), ("time", 0, 0)]
    for _ in range(MOST_A_DAY - 2):
        await open_key(1)
    with pytest.raises(Fault) as caught:
        await open_key(1)
    assert caught.value.kind is TOO_OFTEN
    for minutes, lookups in ((100_000, 1), (10, 100_000), (0, 1)):
        with pytest.raises(Fault) as caught:
            await desk.ask(reason="", minutes=minutes, lookups=lookups, by="moto")
        assert caught.value.kind is KEY_SPENT


async def test_the_key_is_split_among_persons_of_fitting_roles(ledger: Ledger, tmp_path: Path) -> None:
    for persons, kind in (
        (("hogo", "hogo"), BAD_SPLIT),
        (("hogo",), BAD_SPLIT),
        (("hogo", "sato"), NEEDS_ROLE),
    ):
        with pytest.raises(Fault) as caught:
            await record_split(ledger, tmp_path / "keys", os.urandom(32), persons, by="kanri")
        assert caught.value.kind is kind


def test_root_with_the_disk_cannot_ask_the_registry_without_the_key(tmp_path: Path) -> None:
    """Registry, wrapped keys and all: a guess at a name and number makes other digests than those that are kept."""
    _, keys = make_registry(tmp_path)
    master = tmp_path / "keys" / "master.key"
    content = master.read_bytes()
    master.unlink()  # split among its holders
    with pytest.raises(Fault):
        TraceKeys.open(tmp_path / "keys", master=os.urandom(32))
    again = TraceKeys.open(tmp_path / "keys", master=content)
    assert again.fingerprint == keys.fingerprint
    with pytest.raises(Fault) as caught:
        Registry.open(tmp_path / "registry", TraceKeys.open(tmp_path / "own key"))
    assert caught.value.kind is WRONG_KEY
    digest = keys.fingerprint
    assert all(digest not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
