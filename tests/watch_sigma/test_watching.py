"""Rules at a real ledger: what they find is an alert like any other."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sekisho.ledger import Ledger
from sekisho.people.facts import AccountAdded
from sekisho.watch import watcher as watching
from sekisho.watch.alerts import explain, list_alerts
from sekisho.watch.facts import AlertRaised, RulesRead
from sekisho.watch.routing import Routed
from sekisho.watch.settings import Response, Watch
from sekisho.watch.sigma.head import SigmaHead
from sekisho.watch.sigma.loading import OURS, Library
from sekisho.watch.sigma.ruleset import Ruleset
from sekisho.watch.sigma.telling import tell_rules
from sekisho.watch.watcher import Watcher

RULE = """title: Any account
name: any_account
level: {level}
logsource: {{product: sekisho, service: people}}
detection:
  s: {{fact: people.account_added}}
  condition: {condition}
"""


class Told:
    """Who was told of what, and an event for each."""

    def __init__(self) -> None:
        self.heard: list[AlertRaised] = []
        self.more = asyncio.Event()

    async def __call__(self, raised: AlertRaised, routed: Routed, level: int) -> None:
        assert raised.human not in routed.to
        self.heard.append(raised)
        self.more.set()

    async def wait_for(self, detector: str) -> AlertRaised:
        while True:
            for one in self.heard:
                if one.detector == detector:
                    return one
            self.more.clear()
            await asyncio.wait_for(self.more.wait(), 20)


async def another_account(ledger: Ledger, name: str, *, by: str, person: str = "sato") -> None:
    added = AccountAdded(account=name, person=person, reason="tests")
    await ledger.record(added, by=by, about=person)


async def alerts_of(ledger: Ledger) -> list[AlertRaised]:
    async with ledger.read() as connection:
        return [one.raised for one in await list_alerts(connection) if one.raised.head == "sigma"]


def ruled(ledger: Ledger, folder: Path, told: Told, **head: Any) -> Watcher:
    watcher = Watcher(ledger, folder / "watch", told)
    watcher.sigma = SigmaHead(Library((OURS,)), **head)
    return watcher


async def test_a_rule_raises_an_alert_that_explains_itself_once(ledger: Ledger, tmp_path: Path) -> None:
    told = Told()
    watcher = ruled(ledger, tmp_path, told)
    await another_account(ledger, "sato2", by="mori")
    while await watcher.catch_up():
        pass
    assert await alerts_of(ledger) == []
    await another_account(ledger, "sato3", by="sato")
    for again in (watcher, ruled(ledger, tmp_path, told)):  # a second reading raises nothing twice
        while await again.catch_up():
            pass
    (raised,) = await alerts_of(ledger)
    assert (raised.detector, raised.human) == ("sigma:sekisho_own_account", "sato")
    assert "another account" in explain(raised)["en"]
    assert "アカウント" in explain(raised)["ja"]


async def test_without_rules_there_is_no_such_alert(ledger: Ledger, tmp_path: Path) -> None:
    watcher = Watcher(ledger, tmp_path / "watch", Told())
    await another_account(ledger, "sato3", by="sato")
    while await watcher.catch_up():
        pass
    assert await alerts_of(ledger) == []


async def rules_told(ledger: Ledger, count: int) -> list[RulesRead]:
    async with asyncio.timeout(20):
        while len(found := await ledger.facts(0, 1_000, names=["watch.rules_read"])) < count:
            await ledger.wait_turn(0.1)
    return [said for one in found if isinstance(said := one.typed(), RulesRead)]


async def test_what_is_in_force_is_told_once(ledger: Ledger, tmp_path: Path) -> None:
    library = Library((OURS,))
    rules = library.load()
    for _ in range(2):
        await tell_rules(ledger, rules, library)
    assert len(await ledger.facts(0, 1_000, names=["watch.rules_read"])) == 1
    (tmp_path / "a.yml").write_text(RULE.format(level="high", condition="s"))
    more = Library((OURS, tmp_path))
    await tell_rules(ledger, more.load(), more)
    (tmp_path / "a.yml").write_text(RULE.format(level="low", condition="s"))  # as many rules, and other ones
    await tell_rules(ledger, more.load(), more)
    told = await rules_told(ledger, 3)
    assert len({one.digest for one in told}) == 3
    assert told[1].rules == told[2].rules


async def test_rules_are_read_again_while_the_watch_runs(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_RULES_SECONDS", 0.05)
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yml").write_text(RULE.format(level="high", condition="nothing"))
    settings = Watch(sigma=str(folder))
    assert settings.mistakes() == ()
    told = Told()
    watcher = Watcher(ledger, tmp_path / "watch", told, settings)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(watcher.run())
        await another_account(ledger, "sato3", by="sato")
        await told.wait_for("sigma:sekisho_own_account")  # ours run beside one that is refused
        assert watcher.sigma is not None
        (mistake,) = watcher.sigma.library.mistakes
        assert mistake.line == 7
        reloaded = asyncio.Event()
        taken = watcher.sigma.reload

        def reload(rules: Ruleset) -> None:
            taken(rules)
            reloaded.set()

        monkeypatch.setattr(watcher.sigma, "reload", reload)
        (folder / "a.yml").write_text(RULE.format(level="high", condition="s"))
        await asyncio.wait_for(reloaded.wait(), 20)
        assert not watcher.sigma.library.mistakes
        said = await rules_told(ledger, 2)  # for the page, and for whoever asks later what was in force when
        assert [(one.path, one.line) for one in said[0].mistakes] == [("a.yml", 7)]
        assert (said[0].refused, said[1].refused) == (1, 0)
        assert said[1].rules == said[0].rules + 1
        assert said[1].digest != said[0].digest
        await another_account(ledger, "sato4", by="mori")
        raised = await told.wait_for("sigma:any_account")
        assert raised.score == 4.5
        running.cancel()


async def test_a_day_has_a_budget_that_a_critical_rule_does_not_heed(tmp_path: Path) -> None:
    for name, level in (("a", "high"), ("b", "critical")):
        text = RULE.format(level=level, condition="s").replace("any_account", name)
        (tmp_path / f"{name}.yml").write_text(text)
    head = SigmaHead(Library((tmp_path,)), daily=2)
    data = {"account": "x", "person": "p", "reason": ""}

    def look(seq: int, by: str, day: int = 6) -> list[str]:
        at = f"2026-04-{day:02}T01:00:00.000000Z"
        said = {"seq": seq, "fact": "people.account_added", "v": 1, "at": at, "by": by, "about": by}
        leaf = msgspec.json.encode({**said, "data": {**data, "person": by}})
        return [alarm.detector for alarm in head.look(leaf, {})]

    assert look(1, "p") == ["sigma:a", "sigma:b"]
    assert look(2, "p") == []  # the same again
    assert look(3, "q") == ["sigma:b"]
    assert head.held_back == 1
    assert look(4, "q", day=7) == ["sigma:a", "sigma:b"]


def test_what_is_remembered_survives_a_restart() -> None:
    head = SigmaHead(Library((OURS,)))

    def failed(seq: int) -> bytes:
        said = {"seq": seq, "fact": "people.login_failed", "v": 1, "by": "sekisho", "about": "sato"}
        data = {"claimed": "sato", "peer": "192.0.2.1:50", "reason": "password"}
        return msgspec.json.encode({**said, "at": f"2026-04-06T01:00:{seq:02}.000000Z", "data": data})

    assert not any(head.look(failed(n), {}) for n in range(9))
    kept = head.dump()
    other = SigmaHead(Library((OURS,)))
    other.load(kept)
    assert other.dump() == kept
    assert [alarm.detector for alarm in other.look(failed(9), {})] == ["sigma:sekisho_login_guessing"]
    assert not SigmaHead(Library((OURS,))).look(failed(9), {})


def test_settings_that_make_no_sense_are_named(tmp_path: Path) -> None:
    wrong = Watch(
        sigma=str(tmp_path / "none"), sigma_daily=0, responses=(Response(what="freeze", detector="x"),)
    )
    assert wrong.mistakes() == ("sigma", "sigma_daily", "responses")
    assert Watch(responses=(Response(what="freeze", detector="sigma:any"),)).mistakes() == ()
