"""`sekisho register controls` and `law`: how the controls stand, their evidence, and which rules hold on a day."""

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from sekisho.cli.options import STATE
from sekisho.cli.proof import must_be_known, with_ledger
from sekisho.faults import Fault, Language, preferred_language
from sekisho.ledger import Ledger, Recorded
from sekisho.register.controls import (
    Control,
    ControlStanding,
    describe_control,
    read_controls,
    record_evidence,
    state_control,
)
from sekisho.register.facts import ControlStated
from sekisho.register.faults import FILE_UNREADABLE
from sekisho.register.law import all_rules, rules_on
from sekisho.register.tables import JST

_BY = click.option("--by", required=True, metavar="PERSON", help="Who answers for this; nobody logs in.")
_DAY: Final = click.DateTime(["%Y-%m-%d"])
_ON = click.option("--on", "day", type=_DAY, help="The day to look at; today unless given.")

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "red": {"en": "RED", "ja": "赤"},
    "amber": {"en": "amber", "ja": "黄"},
    "green": {"en": "green", "ja": "緑"},
    "planned": {"en": "planned", "ja": "予定"},
    "interim": {"en": "interim", "ja": "暫定"},
    "permanent": {"en": "permanent", "ja": "恒久"},
    "verified": {"en": "verified", "ja": "検証済み"},
    "evidence": {"en": "evidence {on} ({kind}), until {lapses}", "ja": "証跡 {on} ({kind})、{lapses}まで"},
    "no_evidence": {"en": "no evidence", "ja": "証跡なし"},
    "lapsed": {"en": "evidence lapsed on {lapses}", "ja": "証跡は{lapses}で失効"},
    "minutes": {
        "en": "{operator} min a month to operate, {user} for users",
        "ja": "運用 月{operator}分、利用者 月{user}分",
    },
    "not_in_force": {"en": "not in force", "ja": "未施行"},
}  # fmt: skip


@click.group(invoke_without_command=True)
@STATE
@_ON
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
@click.pass_context
def controls(context: click.Context, state: Path, day: datetime | None, as_json: bool) -> None:
    """How the controls stand: status, evidence, minutes. Exits with 1 while one is red."""
    context.obj = state
    if context.invoked_subcommand is not None:
        return
    on = day.date() if day else _today()
    found = with_ledger(state, lambda ledger: read_controls(ledger, on))
    if as_json:
        click.echo(json.dumps([json_of(one) for one in found], ensure_ascii=False, indent=2))
    else:
        for one in found:
            _print(one)
    sys.exit(1 if any(one.light == "red" for one in found) else 0)


@controls.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--control", required=True)
@click.option("--kind", required=True, help="What the file is: red-team, restore, read-back …")
@click.option("--on", "day", required=True, type=_DAY, help="The day on which it was done.")
@_BY
@click.pass_obj
def record(state: Path, file: Path, control: str, kind: str, day: datetime, by: str) -> None:
    """Record that FILE is evidence of a control. Its SHA-256 is recorded; keep the file."""
    content = file.read_bytes()

    async def act(ledger: Ledger) -> Recorded:
        await must_be_known(ledger, by)
        return await record_evidence(
            ledger, control, content, kind=kind[:64], on=day.date(), today=_today(), by=by
        )

    _echo(with_ledger(state, act))


@controls.command("state")
@click.argument("control")
@click.argument("status", type=click.Choice(["planned", "interim", "permanent", "verified"]))
@click.option("--operator-minutes", type=click.IntRange(0), required=True, help="A month, of all together.")
@click.option("--user-minutes", type=click.IntRange(0), required=True)
@_BY
@click.pass_obj
def state_status(
    state: Path, control: str, status: Any, operator_minutes: int, user_minutes: int, by: str
) -> None:
    """State how far a control has come; "verified" waits for a second person at the console."""
    stated = ControlStated(
        control=control, status=status, operator_minutes=operator_minutes, user_minutes=user_minutes
    )

    async def act(ledger: Ledger) -> Recorded:
        await must_be_known(ledger, by)
        return await state_control(ledger, stated, by=by)

    _echo(with_ledger(state, act))


@controls.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_BY
@click.pass_obj
def describe(state: Path, file: Path, by: str) -> None:
    """Add controls of your own: a YAML list of id, name, does, steps (each en and ja), life and minutes."""
    try:
        described = msgspec.yaml.decode(file.read_bytes(), type=tuple[Control, ...])
    except msgspec.DecodeError as error:
        raise Fault(FILE_UNREADABLE, name=file.name, form="YAML") from error

    async def act(ledger: Ledger) -> list[Recorded]:
        await must_be_known(ledger, by)
        return [await describe_control(ledger, one, by=by) for one in described]

    for recorded in with_ledger(state, act):
        _echo(recorded)


@click.command()
@_ON
@click.option("--all", "everything", is_flag=True, help="Also what does not hold on that day.")
def law(day: datetime | None, everything: bool) -> None:
    """The rules that the register goes by, as they hold on a day, with their sources."""
    on = day.date() if day else _today()
    language = preferred_language()
    for rule in all_rules() if everything else rules_on(on):
        since = rule.since.isoformat() if rule.since else _SAYS["not_in_force"][language]
        click.echo(f"{rule.rule.said(language)}  [{since} – {rule.until or ''}]")
        click.echo(f"  {rule.says.said(language)}")
        click.echo(f"  {rule.source}")


def json_of(one: ControlStanding) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(one.control),
        "status": one.status,
        "stated": msgspec.to_builtins(one.stated),
        "light": one.light.value,
        "evidence": msgspec.to_builtins(one.evidence),
        "lapses": one.lapses.isoformat() if one.lapses else None,
        "minutes": msgspec.to_builtins(one.stated.minutes),
    }


def _print(one: ControlStanding) -> None:
    language = preferred_language()

    def say(word: str, **values: object) -> str:
        return _SAYS[word][language].format(**values)

    evidence = say("no_evidence")
    if one.evidence:
        word = "evidence" if one.in_force else "lapsed"
        evidence = say(word, on=one.evidence.on, kind=one.evidence.kind, lapses=one.lapses)
    minutes = say("minutes", operator=one.stated.minutes.operator, user=one.stated.minutes.user)
    click.echo(
        f"{say(one.light.value)}  {one.control.id}  {one.control.name.said(language)}  {say(one.status)}"
    )
    click.echo(f"  {evidence}; {minutes}")


def _echo(recorded: Recorded) -> None:
    click.echo(f"{recorded.fact} {recorded.leaf_hash.hex()}")


def _today() -> date:
    return datetime.now(JST).date()
