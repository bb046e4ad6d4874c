"""Our rules: each with what it is about, and what comes near."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
import yaml

import sekisho.console.facts
import sekisho.gate.facts
import sekisho.people.facts
import sekisho.register.facts
import sekisho.relay.facts
import sekisho.relay.ssh.facts
import sekisho.relay.terminal.facts  # noqa: F401 (their facts are registered)
from sekisho.ledger.leaf import FACTS_BY_NAME
from sekisho.watch.sigma.head import SigmaHead
from sekisho.watch.sigma.loading import OURS, Library

JAPAN = 9 * 3600
Row = tuple[str, str, str, dict[str, Any]]  # time of day (UTC), by, fact, data


def leaf(seq: int, row: Row) -> bytes:
    at, by, fact, data = row
    stamp = f"2026-04-06T{at}.000000Z" if "T" not in at else f"{at}.000000Z"
    said = {"seq": seq, "fact": fact, "v": 1, "at": stamp, "by": by, "about": "x", "data": data}
    return msgspec.json.encode(said)


def found(rows: Iterable[Row]) -> list[str]:
    head = SigmaHead(Library((OURS,), zone=JAPAN), alert_at=1.0)
    assert not head.library.mistakes
    names = [
        alarm.detector.removeprefix("sigma:")
        for seq, row in enumerate(rows)
        for alarm in head.look(leaf(seq, row), {})
    ]
    assert not head.rules.stumbled
    return names


def failures(count: int, *, same: str = "claimed", minutes: int = 9) -> list[Row]:
    rows: list[Row] = []
    for n in range(count):
        who, where = ("sato", f"192.0.2.{n}:1") if same == "claimed" else (f"p{n}", f"192.0.2.1:{n + 1000}")
        second = n * minutes * 60 // count
        at = f"01:{second // 60:02}:{second % 60:02}"
        data = {"claimed": who, "peer": where, "reason": "password"}
        rows.append((at, "sekisho", "people.login_failed", data))
    return rows


def statement(at: str, persons: int, by: str = "sato") -> Row:
    return (at, by, "relay.statement", {"session": "s", "organisation": "minato", "persons": persons})


def opened(at: str, host: int, by: str = "sato") -> Row:
    return (
        at,
        by,
        "relay.session_opened",
        {"session": f"s{at}", "person": by, "peer": f"192.0.2.{host}:5001"},
    )


def role(at: str, name: str) -> Row:
    return (at, "mori", "people.role_granted", {"person": "sato", "role": name})


def refused(at: str, target: str) -> Row:
    return (at, "sekisho", "gate.access_refused", {"claimed": "sato", "target": target, "peer": "h:1"})


def frozen(at: str, back: str, person: str = "sato") -> list[Row]:
    return [
        (at, "mori", "people.person_frozen", {"person": "sato", "reason": "r"}),
        (back, "ueda", "people.person_unfrozen", {"person": person, "request": "r"}),
    ]


def pair(first: str, second: str, at: str, then: str, **data: str) -> list[Row]:
    return [(at, "sato", first, data), (then, "mori", second, data)]


TICKET = ("gate.ticket_requested", "gate.ticket_approved")
POLICY = ("gate.policy_proposed", "gate.policy_approved")
KEY = {"key": "k", "person": "sato"}
CASES: dict[str, tuple[list[Row], list[Row]]] = {
    "sekisho_login_guessing": (failures(10), failures(9)),
    "sekisho_login_spraying": (failures(5, same="host"), failures(4, same="host")),
    "sekisho_own_account": (
        [("01:00:00", "sato", "people.account_added", {"account": "sato2", "person": "sato"})],
        [("01:00:00", "mori", "people.account_added", {"account": "sato2", "person": "sato"})],
    ),
    "sekisho_short_freeze": (frozen("01:00:00", "01:59:00"), frozen("01:00:00", "02:01:00")),
    "sekisho_night_authenticator": (
        [("13:00:00", "sato", "people.passkey_added", KEY)],  # 22:00 in Japan
        [
            ("12:59:59", "sato", "people.ssh_key_added", KEY),
            ("21:00:00", "sato", "people.passkey_added", KEY),
        ],
    ),
    "sekisho_many_roles": (
        [role("01:00:00", "a"), role("02:00:00", "b"), role("03:00:00", "c")],
        [role("01:00:00", "a"), role("02:00:00", "b"), role("03:00:00", "a")],
    ),
    "sekisho_break_glass": (
        [("01:00:00", "sato", "gate.break_glass_opened", {"asked": {"ticket": "T"}, "review_by": 1})],
        [("01:00:00", "sato", "gate.ticket_requested", {"ticket": "T"})],
    ),
    "sekisho_break_glass_unjustified": (
        [("01:00:00", "mori", "gate.break_glass_reviewed", {"ticket": "T", "justified": False})],
        [("01:00:00", "mori", "gate.break_glass_reviewed", {"ticket": "T", "justified": True})],
    ),
    "sekisho_hasty_approval": (
        pair(*TICKET, "01:00:00", "01:00:14", ticket="T"),
        pair(*TICKET, "01:00:00", "01:00:16", ticket="T"),
    ),
    "sekisho_hasty_policy": (
        pair(*POLICY, "01:00:00", "01:00:59", proposal="P"),
        pair(*POLICY, "01:00:00", "01:01:01", proposal="P"),
    ),
    "sekisho_trying_doors": (
        [refused(f"01:0{n}:00", f"t{n}") for n in range(4)],
        [refused(f"01:0{n}:00", f"t{n % 3}") for n in range(9)],
    ),
    "sekisho_large_statement": ([statement("01:00:00", 1000)], [statement("01:00:00", 999)]),
    "sekisho_day_of_persons": (
        [statement(f"0{n}:00:00", 900) for n in range(6)],
        [statement(f"0{n}:00:00", 900, by=f"p{n % 2}") for n in range(8)],
    ),
    "sekisho_three_places": (
        [opened("01:00:00", 1), opened("01:20:00", 2), opened("01:59:00", 3)],
        [opened("01:00:00", 1), opened("01:20:00", 2), opened("02:01:00", 3)],
    ),
    "sekisho_encoded_terminal": (
        [("01:00:00", "sato", "relay.terminal_encoded", {"person": "sato", "characters": 1000})],
        [("01:00:00", "sato", "relay.terminal_encoded", {"person": "sato", "characters": 999})],
    ),
    "sekisho_own_log": (
        [("01:00:00", "sato", "console.log_read", {"view": "facts", "filter": {"person": "sato"}})],
        [("01:00:00", "sato", "console.log_read", {"view": "facts", "filter": {"person": "mori"}})],
    ),
    "sekisho_catalogue_loosened": (
        [("01:00:00", "sato", "register.catalogue_proposed", {"loosens": ["customers.phone"]})],
        [("01:00:00", "sato", "register.catalogue_proposed", {"loosens": []})],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_finds_what_it_is_about_and_not_what_comes_near(name: str) -> None:
    positive, near = CASES[name]
    assert found(positive) == [name]
    assert found(near) == []


def test_every_rule_that_raises_is_tried() -> None:
    head = SigmaHead(Library((OURS,)))
    speaking = {rule.name for rule in head.rules.rules if rule.level != "informational"}
    assert speaking == set(CASES)


def test_every_rule_names_facts_and_fields_that_there_are() -> None:
    derived = {"fact", "by", "about", "at", "host"}
    for path in sorted(OURS.glob("*.yml")):
        for document in yaml.safe_load_all(path.read_text()):
            items = [body for name, body in document.get("detection", {}).items() if name != "condition"]
            named = [one["fact"] for one in items if "fact" in one]
            facts = [
                FACTS_BY_NAME[name] for one in named for name in ([one] if isinstance(one, str) else one)
            ]
            for body in items:
                fields = {key.split("|")[0].split(".")[0] for key in body} - derived
                for kind in facts:
                    assert fields <= set(kind.type.__struct_fields__), (path.name, document["title"])


def test_every_rule_is_told_in_both_languages() -> None:
    for rule in SigmaHead(Library((OURS,))).rules.rules:
        if rule.level != "informational":
            assert all(rule.words["ja"])
            assert all(rule.words["en"])
            assert rule.words["ja"][0] != rule.words["en"][0]
