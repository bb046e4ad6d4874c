"""From a target and from the sets that doors sealed, to a named session."""

from pathlib import Path

import pytest
from pyroaring import BitMap64

from sekisho.demo.population import load, organisations
from sekisho.demo.population.columns import CUSTOMERS
from sekisho.demo.servers import postgres_server
from sekisho.faults import Fault
from sekisho.gate.budget import subject_id, subject_key
from sekisho.ledger import KeyRing, Ledger
from sekisho.register.catalogue import Dataset, Target
from sekisho.register.facts import ColumnEntry, TableEntry
from sekisho.relay.facts import SessionClosed, SessionOpened
from sekisho.trace.cases import run_case, sessions_shown
from sekisho.trace.facts import DatasetIndexed
from sekisho.trace.faults import NO_SUBJECT, TARGET_UNREADABLE
from sekisho.trace.indexing import gather_sessions, index_dataset, index_listing
from sekisho.trace.intake import read_content, read_list
from sekisho.trace.keys import TraceKeys
from sekisho.trace.registry import Registry
from tracing.trace_world import FIRST, parties, people, write_csv

SECRET = b"s" * 32


async def closed_session(ledger: Ledger, session: str, dataset: str, seen: BitMap64) -> None:
    """What a door records of a session, as `Admissions` does."""
    opened = SessionOpened(
        session=session,
        person="p-ito",
        ticket="T-1",
        organisation=dataset,
        dataset=dataset,
        target="db1",
        door="postgres",
        peer="",
        tls="",
        client="",
    )
    await ledger.record(opened, by="p-ito", about=session)
    part = ledger.vault.seal(dataset, seen.serialize())
    closed = SessionClosed(
        session=session,
        reason="",
        statements=1,
        rows=len(seen),
        persons=len(seen),
        bytes=0,
        seen=part.commitment,
    )
    await ledger.record(closed, by="sekisho", about=session, parts=[part])


async def test_what_a_door_sealed_names_the_session(tmp_path: Path) -> None:
    party = parties()[0]
    rows = people(party, 0, 3000)
    keys = TraceKeys.open(tmp_path / "keys")
    registry = Registry.create(tmp_path / "registry", keys)
    # Subject keys that are no numbers: what the door and the index make of them has to be the same.
    heading = ("会員", "氏名", "フリガナ", "電話番号", "住所", "生年月日")
    members = [f"M{number:05d}" for number in range(3000)]
    file = write_csv(
        tmp_path / "dataset.csv", [(m, *row) for m, row in zip(members, rows, strict=True)], heading
    )
    key = subject_key(SECRET, party.id)
    async with await Ledger.open(
        f"sqlite:///{tmp_path / 'ledger.db'}", keys=KeyRing(tmp_path / "vault")
    ) as ledger:
        with pytest.raises(Fault) as caught:
            await index_listing(
                ledger,
                registry,
                read_list(file),
                dataset=party.id,
                organisation=party.id,
                subject="no such",
                secret=SECRET,
                by="p-sato",
            )
        assert caught.value.kind is NO_SUBJECT
        added = await index_listing(
            ledger,
            registry,
            read_list(file),
            dataset=party.id,
            organisation=party.id,
            subject="会員",
            secret=SECRET,
            by="p-sato",
        )
        assert (added.records, added.lines) == (3000, 3000)
        [recorded] = await ledger.facts(0, 10, names=["trace.dataset_indexed"])
        fact = recorded.typed()
        assert isinstance(fact, DatasetIndexed)
        assert fact.registry == registry.digest
        for number, chosen in enumerate((range(900), range(600, 1400), range(200, 2900, 9))):
            seen = BitMap64(subject_id(members[one].encode(), key) for one in chosen)
            await closed_session(ledger, f"s-{number}", party.id, seen | BitMap64([5]))
        passed = await gather_sessions(ledger, registry)
        assert [(one.session, one.records, one.unresolved) for one in passed] == [
            ("s-0", 900, 1),
            ("s-1", 800, 1),
            ("s-2", 300, 1),
        ]
        assert await gather_sessions(ledger, registry) == []
        listing = read_content(
            "list.csv", ("氏名,電話番号\n" + "\n".join(f"{r[0]},{r[2]}" for r in rows[600:1400])).encode()
        )
        case = await run_case(ledger, registry, listing, by="p-sato", reason="", processes=1)
        assert [one.session for one in case.answer.sessions] == ["s-1"]
        assert case.answer.coverage.unresolved == 3
        shown = await sessions_shown(ledger, ["s-1"])
        assert shown["s-1"][1:3] == ("p-ito", "T-1")
        # Whose key is destroyed is no longer found, and the answer says that it was not examined.
        registry.erase(party.id)
        gone = await run_case(ledger, registry, listing, by="p-sato", reason="", processes=1)
        assert gone.answer.coverage.erased == (party.id,)
        assert gone.answer.sessions == ()


@pytest.mark.e2e
async def test_a_dataset_is_read_from_its_target(tmp_path: Path) -> None:
    party = organisations(200)[0]
    table = TableEntry(
        schema=party.id,
        name="customers",
        columns=tuple(
            ColumnEntry(name=column.name, item=column.item or "", personal=column.item is not None)
            for column in CUSTOMERS
        ),
        subject="customer_id",
    )
    keys = TraceKeys.open(tmp_path / "keys")
    registry = Registry.create(tmp_path / "registry", keys)
    with postgres_server(settings={"fsync": "off"}) as server:
        [secret] = await load(server.dsn(), [party])
        target = Target("db1", "postgres", server.host, server.port, "postgres", "", "refuse", "")
        dataset = Dataset(party.id, party.id, "db1", party.name, secret.role, "", (table,))
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
        async with await Ledger.open(url, keys=KeyRing(tmp_path / "vault")) as ledger:
            told: list[int] = []
            added = await index_dataset(
                ledger,
                registry,
                target,
                dataset,
                password=secret.password,
                secret=SECRET,
                by="p-sato",
                told=lambda name, rows: told.append(rows),
            )
            assert added.records == added.lines == party.persons
            assert told == [party.persons]
            [passed] = registry.add_sessions(
                party.id, party.id, [("s-1", BitMap64([FIRST, FIRST + 3]))], (await ledger.facts(0, 1))[0].at
            )
            assert (passed.records, passed.unresolved) == (2, 0)
            with pytest.raises(Fault) as caught:
                await index_dataset(
                    ledger, registry, target, dataset, password="wrong", secret=SECRET, by="p-sato"
                )
            assert caught.value.kind is TARGET_UNREADABLE
