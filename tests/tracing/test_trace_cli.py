"""`sekisho trace` on files alone: link two lists, look one up in a registry folder."""

import json
from pathlib import Path

from click.testing import CliRunner

from sekisho.cli.trace import trace
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
