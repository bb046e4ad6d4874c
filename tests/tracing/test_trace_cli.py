"""`sekisho trace` on files alone: link two lists, look one up in a registry folder."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner

from sekisho.cli.trace import trace
from sekisho.demo.founding import add_person, appoint
from sekisho.people.roles import Role
from sekisho.service.service import TRACE_KEYS, create_state, open_ledger
from sekisho.service.settings import Settings, read_settings
from sekisho.trace.keys import TraceKeys
from sekisho.trace.release import join_key
from tracing.trace_world import HEADING, make_registry, parties, people, rows_of, write_csv


def test_two_lists_are_linked_and_scored(tmp_path: Path) -> None:
    rows = people(parties()[0], 0, 300)
    heading = ("id", *HEADING)
    write_csv(tmp_path / "a.csv", [(f"a{n}", *row) for n, row in enumerate(rows)], heading)
    other = [(f"b{n}", (row[0] or "").replace(" ", ""), *row[1:]) for n, row in enumerate(rows[100:], 100)]
    write_csv(tmp_path / "b.csv", other, heading)
    write_csv(tmp_path / "t.csv", [(f"a{n}", f"b{n}") for n in range(100, 300)], ("a", "b"))
    told = ["link", *(str(tmp_path / name) for name in ("a.csv", "b.csv"))]
    done = CliRunner().invoke(
        trace,
        [*told, "--truth", str(tmp_path / "t.csv"), "--out", str(tmp_path / "o.csv")],
        env={"LANG": "C"},
    )
    assert done.exit_code == 0, done.output
    assert "Precision 1.0000, recall 1.0000" in done.output
    assert (tmp_path / "o.csv").read_text().splitlines()[1].split(",")[2] == "name+phone"


def test_a_list_is_looked_up_in_a_registry_folder(tmp_path: Path) -> None:
    registry, _ = make_registry(tmp_path)
    session = f"s-{parties()[1].id}-7"
    path = write_csv(tmp_path / "list.csv", rows_of(registry, session))
    words = ["run", str(path), "--registry", str(tmp_path / "registry"), "--keys", str(tmp_path / "keys")]
    done = CliRunner().invoke(trace, [*words, "--json"], env={"LANG": "C"})
    assert done.exit_code == 0, done.output
    assert [one["session"] for one in json.loads(done.stdout)["sessions"]] == [session]
    done = CliRunner().invoke(trace, [*words, "--yes"], env={"LANG": "C"})
    assert session in done.output
    assert "consistent with 1 session" in done.output
    refused = CliRunner().invoke(trace, [*words, "--yes", "--column", "氏名=shoe size"], env={"LANG": "C"})
    assert refused.exit_code == 2


async def _found(state: Path) -> None:
    create_state(state, Settings(origin="c.example/trace"))
    async with open_ledger(state, read_settings(state)) as ledger:
        for person, role in (
            ("hogo", Role.PRIVACY_OFFICER),
            ("kensa", Role.AUDITOR),
            ("moto", Role.PROCESSOR_MANAGER),
        ):
            await add_person(ledger, person, f"{person} 某", "Example House", language="ja")
            await appoint(ledger, person, role, first="first", second="second")


def test_the_key_is_handed_out_in_shares_and_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    asyncio.run(_found(state))
    TraceKeys.open(state / TRACE_KEYS)
    assert (state / TRACE_KEYS / "master.key").exists()
    words = ["key", "split", "--state", str(state), "--by", "kanri"]
    done = CliRunner().invoke(trace, [*words, "--holder", "hogo", "--holder", "kensa"], env={"LANG": "C"})
    assert done.exit_code == 0, done.output
    shares = [line.split("\t")[1] for line in done.stdout.splitlines()]
    assert not (state / TRACE_KEYS / "master.key").exists()
    mark = TraceKeys.open(state / TRACE_KEYS, master=join_key(shares)).mark
    # Another split needs two shares of the former one, and makes those of no use to the console.
    more = [*words, "--holder", "hogo", "--holder", "moto"]
    assert CliRunner().invoke(trace, more, env={"LANG": "C"}).exit_code == 2
    done = CliRunner().invoke(trace, [*more, "--share", shares[0], "--share", shares[1]], env={"LANG": "C"})
    assert done.exit_code == 0, done.output
    again = [line.split("\t")[1] for line in done.stdout.splitlines()]
    assert TraceKeys.open(state / TRACE_KEYS, master=join_key(again)).mark == mark
    assert not set(again) & set(shares)
