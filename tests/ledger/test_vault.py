"""Confidential parts: sealed, read, erased; what a leaf commits to stays provable."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ledger.ledger_examples import Visited, run_sql
from sekisho.evidence.note import NoteSigner
from sekisho.evidence.policy import Policy
from sekisho.evidence.verify import verify_folder
from sekisho.faults import Fault
from sekisho.ledger import Erased, KeyRing, Ledger, Publisher, Recorded, Sealed

Tamper = Callable[[str], Awaitable[None]]
SECRET = b"SELECT name FROM customers -- a sentence that must not survive"


async def visit(ledger: Ledger, owner: str, content: bytes) -> Sealed:
    sealed = ledger.vault.seal(owner, content)
    await ledger.record(Visited(rows=1, text=sealed.commitment), by="p", about="s", parts=[sealed])
    return sealed


def test_a_commitment_is_the_hash_of_32_random_bytes_and_the_content(keys: KeyRing) -> None:
    one, other = keys.seal("c-1", SECRET), keys.seal("c-1", SECRET)
    assert one.commitment != other.commitment
    assert keys.unseal(one) == SECRET
    salt, content = keys.opening(one)
    assert (len(salt), content) == (32, SECRET)
    assert hashlib.sha256(salt + content).hexdigest() == one.commitment
    assert salt not in one.ciphertext


def test_keys_are_files_for_the_owner_only(tmp_path: Path, keys: KeyRing) -> None:
    sealed = keys.seal("c-1", SECRET)
    for name in ("master.key", "c-1.key"):
        path = tmp_path / "keys" / name
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
        with pytest.raises(Fault, match="SEK-LEDG-010"):
            KeyRing(tmp_path / "keys").unseal(sealed)
        path.chmod(0o600)
    assert KeyRing(tmp_path / "keys").unseal(sealed) == SECRET
    # another master key opens nothing
    with pytest.raises(Fault, match="SEK-LEDG-010"):
        KeyRing(tmp_path / "keys", master=tmp_path / "other.key").unseal(sealed)
    for owner in ("", "master", "../c-1", "a/b", ".hidden", "x" * 65):
        with pytest.raises(Fault, match="SEK-LEDG-012"):
            keys.seal(owner, SECRET)


async def test_a_part_that_was_exchanged_or_removed_is_not_returned(ledger: Ledger, tamper: Tamper) -> None:
    one, other = await visit(ledger, "c-1", b"one"), await visit(ledger, "c-1", b"other")
    await tamper(
        f"UPDATE parts SET ciphertext = (SELECT ciphertext FROM parts WHERE commitment = '{other.commitment}'), "  # noqa: S608
        f"nonce = (SELECT nonce FROM parts WHERE commitment = '{other.commitment}') "
        f"WHERE commitment = '{one.commitment}'"
    )
    with pytest.raises(Fault, match="SEK-LEDG-014"):
        await ledger.content(one.commitment)
    await tamper(f"DELETE FROM parts WHERE commitment = '{one.commitment}'")  # noqa: S608
    with pytest.raises(Fault, match="SEK-LEDG-013"):
        await ledger.content(one.commitment)
    assert await ledger.content(other.commitment) == b"other"


async def test_erasing_leaves_every_proof_valid(ledger: Ledger, tmp_path: Path) -> None:
    signer = NoteSigner.generate("sekisho.example/log")

    async def published() -> None:
        publisher = Publisher(ledger, tmp_path / "log", signer)
        publisher.stop()
        await publisher.run()

    one, other, third = [await visit(ledger, owner, SECRET) for owner in ("c-1", "c-1", "c-2")]
    await published()
    before = (tmp_path / "log" / "checkpoint").read_bytes()
    leaves = [recorded.leaf for recorded in await ledger.facts(0, 3)]
    erased = await ledger.erase(one.commitment, by="p-suzuki", reason="asked by the client")
    assert await ledger.content(one.commitment) == Erased(erased.at, "p-suzuki")
    assert await ledger.content(other.commitment) == SECRET
    gone = await ledger.erase_owner("c-1", by="p-kato", reason="the contract ended")
    assert await ledger.content(one.commitment) == Erased(erased.at, "p-suzuki")
    assert await ledger.content(other.commitment) == Erased(gone.at, "p-kato")
    assert await ledger.content(third.commitment) == SECRET
    assert [recorded.leaf for recorded in await ledger.facts(0, 3)] == leaves
    await published()
    report = verify_folder(tmp_path / "log", policy=Policy.of_keys([signer.key], [], 0), seen=[before])
    assert report.ok
    assert report.entries == 5
    # a copy of the ciphertext, as in a backup, is worthless now
    with pytest.raises(Fault, match="SEK-LEDG-011"):
        ledger.vault.unseal(other)
    with pytest.raises(Fault, match="SEK-LEDG-011"):
        ledger.vault.seal("c-1", SECRET)


async def test_an_erased_part_is_in_no_file_any_more(tmp_path: Path, keys: KeyRing) -> None:
    async with await Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", keys=keys) as ledger:
        sealed = await visit(ledger, "c-1", SECRET)
        for _ in range(20):
            await visit(ledger, "c-1", b"another")
        files = [tmp_path / "ledger.db", tmp_path / "ledger.db-wal"]
        assert any(sealed.ciphertext in path.read_bytes() for path in files)
        await ledger.erase(sealed.commitment, by="p", reason="test")
        assert not any(sealed.ciphertext in path.read_bytes() for path in files)
        sealed = await visit(ledger, "c-2", SECRET)
        await ledger.erase_owner("c-2", by="p", reason="test")
        assert not any(sealed.ciphertext in path.read_bytes() for path in files)


async def test_an_interrupted_erasure_of_an_owner_is_finished_at_the_next_start(
    url: str, keys: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await Ledger.open(url, keys=keys) as ledger:
        await visit(ledger, "c-1", SECRET)
        monkeypatch.setattr(KeyRing, "destroy", lambda *_: None)  # the process died right after the fact
        await ledger.erase_owner("c-1", by="p", reason="test")
        monkeypatch.undo()
        assert (tmp_path / "keys" / "c-1.key").exists()
    async with await Ledger.open(url, keys=keys):
        assert not (tmp_path / "keys" / "c-1.key").exists()


async def test_a_part_is_stored_with_its_fact_or_not_at_all(ledger: Ledger) -> None:
    sealed = await visit(ledger, "c-1", SECRET)
    with pytest.raises(Fault, match="SEK-LEDG-006"):  # the same part twice
        await ledger.record(Visited(rows=1, text=sealed.commitment), by="p", about="s", parts=[sealed])
    assert await ledger.size() == 1


async def test_reading_what_was_recorded_needs_no_key(url: str, keys: KeyRing) -> None:
    async with await Ledger.open(url, keys=keys) as ledger:
        await visit(ledger, "c-1", SECRET)
        await run_sql(url, "DELETE FROM parts")
        (recorded,) = await ledger.facts(0, 1)
        assert isinstance(recorded, Recorded)
        assert SECRET not in recorded.leaf
