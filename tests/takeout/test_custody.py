"""What became of a copy: each step with its proof, and an alarm where one is overdue or figures differ."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import pytest
from asyncssh.sshsig import create_sshsig

from sekisho.evidence.policy import Policy
from sekisho.faults import Fault
from sekisho.ledger import Level
from sekisho.ledger.leaf import micros
from sekisho.ledger.rebuild import Difference, check
from sekisho.notify.rules import RULES
from sekisho.people.roles import Role
from sekisho.takeout import naming
from sekisho.takeout.apart import command_line
from sekisho.takeout.canaries import Contact
from sekisho.takeout.copies import FORMS
from sekisho.takeout.custody import (
    allow_marking,
    certify_destruction,
    give_back,
    plan_copy,
    raise_overdue,
    receive,
    record_copy,
    whereabouts,
)
from sekisho.takeout.custody_facts import CustodyAlarmed
from sekisho.takeout.desk import read_log
from sekisho.takeout.manifest import RECEIPT_NAMESPACE, receipt, unpack
from sekisho.takeout.marking import master_key, seal_copy
from sekisho.takeout.sealing import open_package, open_shares, read_identity
from sekisho.takeout.seats import find_seats
from sekisho.takeout.signatures import NAMESPACE
from sekisho.takeout.variants import plain
from sekisho.trace.intake import read_content
from sekisho.watch.reading import read_observation
from takeout.copy_examples import about, contacts, listed, people
from takeout.delivery_examples import ROWS, Counter
from takeout.takeout_examples import House
from takeout.test_deliveries import download, plugged_in


@pytest.fixture
def counter(house: House, tmp_path: Path) -> Counter:
    return Counter.at(house, tmp_path)


async def refused(call: Any) -> str:
    with pytest.raises(Fault) as caught:
        await call
    return caught.value.code


async def handed_over(counter: Counter, tmp_path: Path, name: str = "O-1", **changes: Any) -> Path:
    """A copy that its recipient downloaded; the folder it lies in."""
    await counter.released(name, **changes)
    link = await counter.links.make(name, by="sato")
    await download(counter, link.token, link.code, tmp_path / f"got-{name}")
    return tmp_path / f"got-{name}"


def written(counter: Counter, folder: Path, name: str = "O-1") -> str:
    """The recipient opens the copy; the receipt that comes of it."""
    archive = counter.opened(folder, name)
    (folder / "list").mkdir()
    opened = unpack(archive, folder / "list")
    package = hashlib.sha256((folder / f"{name}.age").read_bytes()).hexdigest()
    return receipt(opened, package, micros(counter.house.now))


async def alarms(counter: Counter) -> list[str]:
    return [said["why"] for _, said in await counter.told("takeout.custody_alarmed")]


async def state(counter: Counter, name: str = "O-1") -> tuple[str, tuple[str, ...]]:
    found = next(one for one in await whereabouts(counter.house.ledger) if one.takeout == name)
    return found.state, found.alarms


async def test_a_receipt_proves_the_opening_and_approved_released_and_opened_rows_are_equal(
    counter: Counter, tmp_path: Path
) -> None:
    folder = await handed_over(counter, tmp_path)
    text = written(counter, folder)
    received = await receive(counter.house.ledger, text)
    assert received.rows == ROWS
    assert await state(counter) == ("received", ())
    # The lists follow from the facts alone.
    differences: list[Difference] = []
    await check(f"sqlite:///{counter.house.database}", differences.append)
    assert differences == []
    assert await refused(receive(counter.house.ledger, text)) == "SEK-TAKE-039"


async def test_whoever_did_not_open_the_copy_has_no_receipt(counter: Counter, tmp_path: Path) -> None:
    folder = await handed_over(counter, tmp_path)
    good = json.loads(written(counter, folder))
    bad: dict[str, Any]
    for bad in ({"code": "00" * 16}, {"code": ""}):
        assert await refused(receive(counter.house.ledger, json.dumps(good | bad))) == "SEK-TAKE-038"
    for bad in ({"form": "x"}, {"takeout": "O-9"}, {"more": 1}, {"rows": "many"}):
        assert await refused(receive(counter.house.ledger, json.dumps(good | bad))) == "SEK-TAKE-038"
    assert await refused(receive(counter.house.ledger, "x" * 5_000)) == "SEK-TAKE-038"
    assert await alarms(counter) == ["forged"]  # once, however often somebody tries
    assert (await state(counter))[0] == "handed_over"


async def test_a_recipient_whose_key_signs_must_sign(counter: Counter, tmp_path: Path) -> None:
    key = counter.signing_recipient()
    folder = await handed_over(counter, tmp_path)
    text = written(counter, folder)
    other = asyncssh.generate_private_key("ssh-ed25519")
    wrong = [
        "",
        create_sshsig(other, text.encode(), namespace=RECEIPT_NAMESPACE).decode(),
        create_sshsig(key, text.encode(), namespace=NAMESPACE).decode(),
        create_sshsig(key, text.encode() + b" ", namespace=RECEIPT_NAMESPACE).decode(),
    ]
    for signature in wrong:
        assert await refused(receive(counter.house.ledger, text, signature)) == "SEK-TAKE-038"
    good = create_sshsig(key, text.encode(), namespace=RECEIPT_NAMESPACE).decode()
    await receive(counter.house.ledger, text, good)
    assert (await state(counter))[0] == "received"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"rows": ROWS + 1}, "rows"),
        ({"manifest": "00" * 32}, "manifest"),
        ({"package": "00" * 32}, "package"),
    ],
)
async def test_what_was_opened_is_held_against_what_was_approved(
    counter: Counter, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    folder = await handed_over(counter, tmp_path)
    said = json.loads(written(counter, folder)) | changes
    await receive(counter.house.ledger, json.dumps(said))
    assert await alarms(counter) == [why]
    assert await state(counter) == ("received", (why,))


async def test_a_copy_that_was_opened_before_it_was_handed_over_left_another_way(
    counter: Counter, tmp_path: Path
) -> None:
    await counter.released()
    folder = tmp_path / "leak"
    folder.mkdir()
    released = await counter.house.desk.released("O-1")
    with counter.packages.hand_out(released) as file:
        (folder / "O-1.age").write_bytes(file.read())
    for number, share in enumerate(released.shares):
        (folder / f"O-1-share-{number}.txt").write_text(share)
    assert await refused(receive(counter.house.ledger, written(counter, folder))) == "SEK-TAKE-039"
    assert await alarms(counter) == ["early"]


async def test_a_copy_with_another_number_of_rows_is_not_put_on_record(counter: Counter) -> None:
    await counter.asked()
    made = counter.made["O-1"]
    ledger = counter.house.ledger
    for rows, copy in ((ROWS + 1, made), (ROWS, msgspec.structs.replace(made, rows=made.rows + 1))):
        call = record_copy(ledger, "O-2", ("minato",), copy, "00" * 32, rows, by="sato")
        assert await refused(call) == "SEK-TAKE-041"


async def test_what_is_overdue_is_alarmed_once(counter: Counter, tmp_path: Path) -> None:
    ledger, house = counter.house.ledger, counter.house
    await counter.released("O-1")
    folder = await handed_over(counter, tmp_path, "O-2")
    await handed_over(counter, tmp_path, "O-3")
    await receive(ledger, written(counter, folder, "O-2"))

    async def later(**passed: float) -> list[tuple[str, str]]:
        return sorted(await raise_overdue(ledger, house.now + timedelta(**passed)))

    assert await later(days=2) == []
    assert await later(days=4) == [("O-1", "not_delivered")]
    assert await later(days=4) == []
    assert await later(days=8) == [("O-3", "not_received")]
    assert await later(days=11) == [("O-2", "not_returned"), ("O-3", "not_returned")]
    assert await later(days=12) == []
    await certify_destruction(ledger, "O-2", b"%PDF certificate", by="sato")
    assert await state(counter, "O-2") == ("destroyed", ("not_returned",))


async def test_a_certificate_is_kept_sealed_and_only_for_what_is_out(
    counter: Counter, tmp_path: Path
) -> None:
    ledger = counter.house.ledger
    await counter.released("O-1")
    assert await refused(certify_destruction(ledger, "O-1", b"%PDF", by="sato")) == "SEK-TAKE-039"
    await handed_over(counter, tmp_path, "O-2")
    assert await refused(certify_destruction(ledger, "O-2", b"", by="sato")) == "SEK-TAKE-039"
    await certify_destruction(ledger, "O-2", b"%PDF certificate", by="sato")
    [(_, said)] = await counter.told("takeout.destroyed")
    assert await ledger.content(said["document"]) == b"%PDF certificate"
    assert await refused(certify_destruction(ledger, "O-2", b"%PDF", by="sato")) == "SEK-TAKE-039"


async def test_only_the_medium_itself_is_returned(counter: Counter, tmp_path: Path) -> None:
    medium = await counter.register("medium", "USB-4711-AB")
    await counter.released(channel="medium", medium=medium)
    mount, sysfs = plugged_in(tmp_path, "USB-4711-AB")
    await counter.deliveries.write("O-1", mount, by="sato", sysfs=sysfs)
    _, other = plugged_in(tmp_path, "USB-9999-ZZ")
    ledger = counter.house.ledger
    assert await refused(give_back(ledger, "O-1", mount, by="sato", sysfs=other)) == "SEK-TAKE-036"
    plugged_in(tmp_path, "USB-4711-AB")
    await give_back(ledger, "O-1", mount, by="sato", sysfs=sysfs)
    assert (await state(counter))[0] == "returned"


# What a client allows


async def test_a_file_that_does_not_come_whole_becomes_no_copy(counter: Counter, tmp_path: Path) -> None:
    house, ledger = counter.house, counter.house.ledger
    await ledger.reached(await ledger.size() - 1, Level.PUBLISHED, 10)
    history = read_log(house.log, Policy.of_keys([house.signer.key], [], 0), "O-1")
    seats = find_seats(history, "sato", ("minato",), above_limit=False)
    source = listed(people(20))
    call = seal_copy(
        ledger,
        counter.packages,
        master_key(tmp_path / "takeouts"),
        command_line("sekisho.takeout.marking"),
        chunks=lambda: iter([source[:500]]),
        size=len(source),
        name="list.csv",
        rows=20,
        about=about("O-1", 20),
        seats=seats,
        by="sato",
    )
    assert await refused(call) == "SEK-TAKE-041"
    assert list((counter.folder / "packages").iterdir()) == []
    assert await counter.told("takeout.copy_made") == []


async def test_only_the_client_says_what_its_copies_carry(counter: Counter) -> None:
    ledger = counter.house.ledger
    allowed: dict[str, Any] = {"forms": ("name:space",), "reorder": True, "canaries": 0, "contacts": ()}
    for by, changes in (
        ("mori", {}),
        ("tani", {"forms": ("name:colour",)}),
        ("tani", {"canaries": 1}),
        ("tani", {"canaries": 1_001, "contacts": contacts(1)}),
    ):
        assert await refused(allow_marking(ledger, "minato", **allowed | changes, by=by)) == "SEK-TAKE-040"
    assert (await plan_copy(ledger, b"m" * 32, "O-1", ("minato",), 100)).forms == ()
    await allow_marking(ledger, "minato", **allowed, by="tani")
    plan = await plan_copy(ledger, b"m" * 32, "O-1", ("minato",), 100)
    assert (plan.forms, plan.reorder, plan.contacts) == (("name:space",), True, ())
    # A list with another organisation's persons in it: only what both allow.
    assert (await plan_copy(ledger, b"m" * 32, "O-1", ("minato", "aoba"), 100)).forms == ()


async def test_a_copy_is_marked_apart_sealed_and_named_by_a_sample_of_it(
    counter: Counter, tmp_path: Path
) -> None:
    """The whole way: what the client allows, the process apart, the seal, the log, a found list. Two copies share no
    contact, and their keys stand nowhere in the log."""
    house, ledger = counter.house, counter.house.ledger
    pool = (*contacts(5), Contact(phone="0120-000-999"))  # the last one lacks an address
    await allow_marking(ledger, "minato", forms=FORMS, reorder=True, canaries=10, contacts=pool, by="tani")
    await ledger.reached(await ledger.size() - 1, Level.PUBLISHED, 10)
    history = read_log(house.log, Policy.of_keys([house.signer.key], [], 0), "O-1")
    seats = find_seats(history, "sato", ("minato",), above_limit=False)
    source = listed(people(200), "cp932")
    master = master_key(tmp_path / "takeouts")
    found: dict[str, bytes] = {}
    for name in ("O-1", "O-2"):
        package = await seal_copy(
            ledger,
            counter.packages,
            master,
            command_line("sekisho.takeout.marking"),
            chunks=lambda: iter([source[:1_000], source[1_000:]]),
            size=len(source),
            name="list.csv",
            rows=200,
            about=about(name, 200),
            seats=seats,
            by="sato",
        )
        shares = [
            open_shares(text, read_identity(bytes(house.keys[account].export_private_key())))[0]
            for account, text in zip(("mori", "hara"), counter.packages.shares(name), strict=True)
        ]
        [path] = [one for one in (counter.folder / "packages").glob("*.age") if one.name not in found]
        found[path.name] = b""
        open_package(path, tmp_path / f"{name}.zip", shares)
        (tmp_path / name).mkdir()
        opened = unpack(tmp_path / f"{name}.zip", tmp_path / name)
        found[name] = opened.path.read_bytes()
        [(_, said)] = [one for one in await counter.told("takeout.copy_made") if one[1]["takeout"] == name]
        assert (said["rows"], said["planted"], said["package"]) == (202, 2, package.sha256)
        assert opened.rows == 202
    lines = found["O-2"].decode("cp932").splitlines()
    sample = "\n".join([lines[0], *lines[1::20]]).encode()
    first, *others = await naming.who(ledger, master, read_content("found.csv", sample))
    assert first.takeout == "O-2"
    assert first.named
    assert not any(one.named for one in others)
    # Canaries alone name it too, whatever was done to everything else.
    planted = {said["marks"] for _, said in await counter.told("trace.canaries_planted")}
    assert len(planted) == 2
    phones = [line for line in lines if "0120000" in plain(line)]
    [named, *_] = await naming.who(
        ledger, master, read_content("found.csv", "\n".join([lines[0], *phones]).encode())
    )
    assert (named.takeout, named.canaries, named.named) == ("O-2", 2, True)
    log = b"".join(one.leaf for one in await ledger.facts(0, 500))
    for secret in (master, b"0120-000"):
        assert secret not in log


@pytest.mark.parametrize(
    "why", ["not_delivered", "not_received", "not_returned", "rows", "manifest", "package", "early", "forged"]
)
async def test_every_alarm_is_told_and_watched(counter: Counter, why: str) -> None:
    fact = CustodyAlarmed(
        takeout="O-1", why=why, organisations=("minato",), requester="sato", approved=40, found=41
    )
    recorded = await counter.house.ledger.record(fact, by="sekisho", about="O-1")
    rule = RULES["takeout.custody_alarmed"]
    values = rule.values(msgspec.to_builtins(fact))
    notice = rule.notice(values)
    assert {Role.CLIENT, Role.PRIVACY_OFFICER, Role.AUDITOR} <= rule.roles
    assert (values["organisation"], notice.person) == ("minato", "sato")
    assert "O-1" in notice.subject["ja"]
    assert notice.body["ja"] != notice.body["en"]
    seen = read_observation(recorded.leaf)
    assert seen is not None
    assert (seen.kind, seen.client, seen.target, seen.what) == ("gap", "minato", "O-1", why)
