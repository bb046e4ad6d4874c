"""The same register in a ledger on PostgreSQL."""

from datetime import date
from pathlib import Path

import pytest

from register.register_examples import DAY, TABLES, fill, take_in_by_two
from sekisho.demo.servers import postgres_server
from sekisho.ledger import KeyRing, Ledger
from sekisho.register.attested import attested_standing
from sekisho.register.campaigns import answer, read_progress
from sekisho.register.erasure import certify, countersign, read_tasks, sweep
from sekisho.register.facts import CampaignAnswered, CampaignOpened
from sekisho.register.overview import read_overview
from sekisho.register.parties import Colour
from sekisho.register.profiles import Bound, Certificate, Demand, Measure, Profiles
from sekisho.register.records import read_tables
from sekisho.register.standing import OpenDataset, standing
from sekisho.register.tables_io import RegisterTables

AFTER = date(2023, 2, 1)


@pytest.mark.e2e
async def test_a_register_from_its_import_to_the_erasure(tmp_path: Path) -> None:
    async def yes(_: object) -> bool:
        return True

    with postgres_server() as server:
        async with await Ledger.open(server.dsn(), keys=KeyRing(tmp_path / "keys")) as ledger:
            await fill(ledger)
            more = RegisterTables(
                profiles=Profiles((Demand("farm", "days", Bound.MOST, 7),), (Measure("call", "days", 9),)),
                certificates=(Certificate("call", "ISMS", AFTER),),
            )
            await take_in_by_two(ledger, more)
            async with ledger.read() as connection:
                held = await read_tables(connection)
                found = await standing(connection, "list", DAY)
            assert held == RegisterTables(TABLES.parties, TABLES.datasets, more.profiles, more.certificates)
            assert isinstance(found, OpenDataset)
            assert await attested_standing(ledger, "list", DAY, yes) == found
            assert len(await sweep(ledger, AFTER)) == 3
            certified = await certify(
                ledger, "list", party="data", by="sato", on=AFTER, method="消去", certificate=b"paper"
            )
            await countersign(
                ledger,
                "list",
                party="data",
                certified=certified.leaf_hash.hex(),
                by="mitsu",
                organisation="farm",
                on=AFTER,
            )
            async with ledger.read() as connection:
                tasks = await read_tasks(connection, AFTER)
                (view,) = await read_overview(connection, AFTER)
            colours = {(task.asked.dataset, task.asked.party): task.colour for task in tasks}
            assert colours == {
                ("list", "call"): Colour.RED,
                ("list", "data"): Colour.GREEN,
                ("old", "call"): Colour.RED,
            }
            assert view.tasks == tasks
            assert view.colour is Colour.RED
            assert {one.code for one in view.gaps} >= {"SEK-REG-143", "SEK-REG-176"}
            opened = CampaignOpened(campaign="c", name="点検", systems=("s",), points=("p",), due=DAY)
            await ledger.record(opened, by="kanri", about="c")
            done = CampaignAnswered(campaign="c", system="s", point="p", answer="done", evidence="票")
            await answer(ledger, [done], by="sato")
            async with ledger.read() as connection:
                assert (await read_progress(connection, "c")).gaps == 0
