"""`sekisho watch` at a state folder, with right and wrong input."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from sekisho.cli.watch import watch
from sekisho.faults import Fault
from sekisho.ledger import Recorded
from sekisho.service.service import create_state, open_ledger
from sekisho.service.settings import Settings, read_settings
from sekisho.watch.engine import Engine
from sekisho.watch.watcher import MEMORY, Watcher


@pytest.fixture
def state(tmp_path: Path) -> Path:
    create_state(tmp_path / "state", Settings(origin="checkpoint.example/watch"))
    return tmp_path / "state"


def call(*arguments: str, language: str = "en") -> Result:
    return CliRunner().invoke(watch, arguments, env={"LC_ALL": f"{language}_XX.UTF-8"})


def facts(state: Path, name: str) -> list[Recorded]:
    async def run() -> list[Recorded]:
        async with open_ledger(state, read_settings(state)) as ledger:
            return await ledger.facts(0, 100, names=[name])

    return asyncio.run(run())


def caught_up(state: Path) -> None:
    async def quiet(*_: object) -> None:
        return

    async def run() -> None:
        async with open_ledger(state, read_settings(state)) as ledger:
            watcher = Watcher(ledger, state / "watch", quiet)
            while await watcher.catch_up():
                pass
            watcher.save()

    asyncio.run(run())


def test_what_only_people_know_becomes_facts_and_a_canary_an_alert(state: Path) -> None:
    where = ["--state", str(state), "--by", "ono"]
    assert call("signal", "minato", "--kind", "complaint", "--note", "a call", *where).exit_code == 0
    assert call("population", "minato", "50000", *where).exit_code == 0
    assert call("reviewed", *where).exit_code == 0
    assert call("canary", "minato", "c-7", "--how", "letter", *where).exit_code == 0
    [signal] = facts(state, "watch.signal_received")
    assert b"a call" not in signal.leaf
    assert len(facts(state, "watch.population_stated")) == len(facts(state, "watch.review_done")) == 1
    caught_up(state)
    listed = call("alerts", "--state", str(state))
    assert "canary" in listed.stdout
    alert = listed.stdout.split()[0]
    for language, word in (("en", "planted person"), ("ja", "架空人物")):
        said = call("explain", alert, "--state", str(state), language=language)
        assert said.exit_code == 0
        assert word in said.stdout
    assert call("alerts", "--json", "--state", str(state)).stdout.startswith('{"alert"')


def test_the_memory_is_held_against_the_facts(state: Path) -> None:
    where = ["--state", str(state)]
    assert "no memory" in call("check", *where).stdout
    call("canary", "minato", "c-7", "--how", "letter", "--by", "ono", *where)
    caught_up(state)
    assert call("check", *where).exit_code == 0
    # Somebody makes the watch forget.
    path = state / "watch" / MEMORY
    kept = msgspec.msgpack.decode(path.read_bytes())
    path.write_bytes(msgspec.msgpack.encode({**kept, "state": Engine().dump()}))
    assert call("check", *where).exit_code == 1
    assert "一致しません" in call("check", *where, language="ja").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("signal", "minato", "--kind", "rumour", "--note", "x", "--by", "ono"),
        ("population", "minato", "none", "--by", "ono"),
        ("population", "minato", "0", "--by", "ono"),
        ("reviewed", "--kind", "glance", "--by", "ono"),
        ("replay",),
        ("replay", "--alert-at", "0", "x.csv"),
    ],
)
def test_wrong_input_is_refused_with_a_usage_line(state: Path, arguments: tuple[str, ...]) -> None:
    refused = call(*arguments)
    assert refused.exit_code == 2
    assert "Usage" in refused.output


def test_an_unknown_alert_and_a_missing_state_are_said(state: Path, tmp_path: Path) -> None:
    unknown = call("explain", "a-0", "--state", str(state))
    assert isinstance(unknown.exception, Fault)
    assert unknown.exception.code == "SEK-WATCH-002"
    missing = call("alerts", "--state", str(tmp_path / "nowhere"))
    assert isinstance(missing.exception, Fault)


def test_the_detectors_are_listed_in_both_languages() -> None:
    assert "25  admin_watch" in call("detectors").stdout
    assert "誰も見ていなかった" in call("detectors", language="ja").stdout


def test_rules_in_a_folder_are_checked_by_line(tmp_path: Path) -> None:
    rule = "title: t\nlogsource: {product: sekisho}\ndetection:\n  s: {fact: x}\n  condition: %s\n"
    (tmp_path / "good.yml").write_text(rule % "s")
    right = call("check", str(tmp_path))
    assert right.exit_code == 0
    assert "1 rules" in right.stderr
    (tmp_path / "bad.yml").write_text(rule % "nothing")
    wrong = call("check", str(tmp_path), language="ja")
    assert wrong.exit_code == 1
    assert f"{tmp_path / 'bad.yml'}:5: " in wrong.stdout
    assert "誤り 1 件" in wrong.stderr
