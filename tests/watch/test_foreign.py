"""Foreign logs: what their rows become, and `sekisho watch replay` over them."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from sekisho.cli.watch import watch
from sekisho.faults import Fault
from sekisho.watch.foreign import Mapping, read_logs, read_mapping

FIRST = datetime(2010, 1, 4)  # noqa: DTZ001 (these logs have no zone)


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def stamp(day: int, hour: float) -> str:
    return (FIRST + timedelta(days=day, hours=hour)).strftime("%m/%d/%Y %H:%M:%S")


def office(folder: Path, *, days: int = 90, seed: int = 1) -> list[Path]:
    """Twelve people with a PC each, as the CERT data sets write them; u07 turns at the end: nights, and a medium."""
    random = Random(seed)
    logons: list[dict[str, Any]] = []
    devices: list[dict[str, Any]] = []
    for day in range(days):
        for person in range(12):
            user, pc = f"u{person:02}", f"PC-{person:04}"
            row = {"id": f"{{{day}-{person}}}", "user": user, "pc": pc}
            if day % 7 < 5:
                start = 8 + person % 3 + random.random()
                logons.append({**row, "date": stamp(day, start), "activity": "Logon"})
                logons.append({**row, "date": stamp(day, start + 8 + random.random()), "activity": "Logoff"})
            if person == 3 and random.random() < 0.7:  # always works with media
                devices.append({**row, "date": stamp(day, 11), "activity": "Connect"})
            if person == 7 and day > days - 10:
                logons.append({**row, "date": stamp(day, 1.5), "activity": "Logon"})
                devices.append({**row, "date": stamp(day, 1.8), "activity": "Connect"})
                logons.append({**row, "date": stamp(day, 3), "activity": "Logoff"})
    key = lambda row: datetime.strptime(row["date"], "%m/%d/%Y %H:%M:%S")  # noqa: E731, DTZ007
    return [
        write_csv(folder / "logon.csv", sorted(logons, key=key)),
        write_csv(folder / "device.csv", sorted(devices, key=key)),
    ]


def ranking(paths: list[Path], *options: str) -> list[dict[str, Any]]:
    run = CliRunner().invoke(watch, ["replay", "--ranking", *options, *map(str, paths)])
    assert run.exit_code == 0, run.output
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_the_one_who_turned_ranks_first(tmp_path: Path) -> None:
    paths = office(tmp_path)
    lines = ranking(paths)
    best: dict[str, float] = {}
    for line in lines:
        best[line["actor"]] = max(best.get(line["actor"], 0), line["score"])
    assert max(best, key=lambda user: best[user]) == "u07"
    assert best["u03"] < best["u07"] - 1  # who always works with media is no news
    assert lines == ranking(paths)
    days = [line["day"] for line in lines]
    assert days == sorted(days)
    assert {line["actor"] for line in lines} == {f"u{n:02}" for n in range(12)}
    assert days[-1] == (FIRST + timedelta(days=89)).date().isoformat()  # the last day counts too


def test_a_second_opinion_stands_beside_the_score_when_it_is_asked_for(tmp_path: Path) -> None:
    paths = office(tmp_path)
    plain, both = ranking(paths), ranking(paths, "--second")
    assert [{**line, "second": 0} for line in plain] == [{**line, "second": 0} for line in both]
    assert all("second" not in line for line in plain)
    assert len({line["second"] for line in both}) > 3
    assert both == ranking(paths, "--second")


def test_replay_prints_the_alerts_with_their_reasons(tmp_path: Path) -> None:
    paths = office(tmp_path)
    run = CliRunner().invoke(watch, ["replay", *map(str, paths)], env={"LANG": "en_US.UTF-8", "LC_ALL": ""})
    assert run.exit_code == 0
    assert "u07" in run.stdout
    assert "2010-03-2" in run.stdout
    assert "u03" not in run.stdout
    as_json = CliRunner().invoke(watch, ["replay", "--json", *map(str, paths)])
    alarms = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert {"detector", "score", "observed", "expected", "refs"} <= alarms[0].keys()


def test_the_form_of_the_file_changes_nothing(tmp_path: Path) -> None:
    paths = office(tmp_path, days=20)
    (other := tmp_path / "other").mkdir()
    for path in paths:
        with path.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        parquet.write_table(pa.Table.from_pylist(rows), other / f"{path.stem}.parquet")
        lines = "\n".join(json.dumps(row) for row in rows)
        (other / f"{path.stem}.jsonl").write_text(lines, encoding="utf-8")
    expected = ranking(paths)
    assert ranking(sorted(other.glob("*.parquet"), reverse=True)) == expected
    assert ranking(sorted(other.glob("*.jsonl"), reverse=True)) == expected


def test_rows_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    paths = office(tmp_path, days=30)
    with paths[0].open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    Random(4).shuffle(rows)
    (other := tmp_path / "other").mkdir()
    shuffled = write_csv(other / "logon.csv", rows)
    assert [one.at for one in read_logs([shuffled])] == [one.at for one in read_logs([paths[0]])]


def test_ocsf_and_our_own_names(tmp_path: Path) -> None:
    ocsf = {
        "time": 1_262_592_000_000,
        "class_uid": 3002,
        "activity_id": 1,
        "actor": {"user": {"name": "sato"}},
        "device": {"hostname": "pc-1"},
    }
    mail = {
        "time": 1_262_592_000_500,
        "class_uid": 4009,
        "activity_id": 1,
        "actor": {"user": {"name": "sato"}},
    }
    own = {
        "at": 1_262_592_001,
        "kind": "read",
        "actor": "sato",
        "client": "minato",
        "persons": 7,
        "tables": "calls",
    }
    named = {**own, "at": 1_262_592_002, "subjects": ["a", "b", "b"]}
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in (ocsf, mail, own, named)))
    first, second, third, fourth = read_logs([path])
    assert (first.kind, first.actor, first.place) == ("logon", "sato", "pc-1")
    assert first.at == 1_262_592_000_000_000
    assert second.kind == "mail"
    assert (third.kind, third.persons, third.client, third.tables) == ("read", 7, "minato", ("calls",))
    assert len(set(fourth.subjects)) == 2
    assert [one.ref for one in (first, second, third, fourth)] == [1, 2, 3, 4]


def test_a_mapping_names_what_we_cannot_guess(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "export.csv",
        [
            {"When": "2026-04-06 09:00:00", "Who": "sato", "What": "LOGIN_OK"},
            {"When": "2026-04-06 09:05:00", "Who": "sato", "What": "HEARTBEAT"},
        ],
    )
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[columns]\nat = "When"\nactor = "Who"\nkind = "What"\n[kinds]\nLOGIN_OK = "logon"\n'
        '[constants]\nclient = "minato"\n'
    )
    with pytest.raises(Fault):
        list(read_logs([path]))
    [one] = read_logs([path], mapping=read_mapping(mapping))
    assert (one.kind, one.actor, one.client) == ("logon", "sato", "minato")
    assert one.at == int(datetime(2026, 4, 6, tzinfo=UTC).timestamp() * 1e6)  # nine o'clock in Japan


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv", "user,activity\nsato,Logon\n"),
        ("log.jsonl", "{broken\n"),
        ("log.jsonl", '{"at": "yesterday", "kind": "read"}\n'),
        ("log.xlsx", "whatever"),
        ("log.parquet", "whatever"),
        ("log.csv", "at,kind,persons\n2026-04-06 09:00:00,read,many\n"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_row(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(Fault) as refused:
        list(read_logs([path]))
    assert str(path) in str(refused.value)


def test_a_wrong_mapping_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text('[columns]\nwho = "User"\n[kinds]\nX = "teleport"\n')
    with pytest.raises(Fault, match="who, teleport"):
        read_mapping(path)
    assert Mapping().columns == {}


def test_copies_to_media_and_mail_to_outside(tmp_path: Path) -> None:
    files = write_csv(
        tmp_path / "file.csv",
        [{"id": 1, "date": stamp(0, 9), "user": "u", "pc": "p", "filename": "x.zip", "content": "50-4B"}],
    )
    mails = write_csv(
        tmp_path / "email.csv",
        [
            {
                "date": stamp(0, 10),
                "user": "u",
                "pc": "p",
                "to": "a@own.example;b@else.example",
                "from": "u@own.example",
            },
            {"date": stamp(0, 11), "user": "u", "pc": "p", "to": "a@own.example", "from": "u@own.example"},
        ],
    )
    web = write_csv(
        tmp_path / "http.csv",
        [
            {
                "date": stamp(0, 12),
                "user": "u",
                "pc": "p",
                "url": "http://x.example",
                "activity": "WWW Upload",
            },
            {
                "date": stamp(0, 13),
                "user": "u",
                "pc": "p",
                "url": "http://x.example",
                "activity": "WWW Visit",
            },
        ],
    )
    found = [(one.kind, one.what) for one in read_logs([files, mails, web])]
    assert found == [("media", ""), ("mail", "outside"), ("mail", "inside"), ("web", "upload"), ("web", "")]
