"""`sekisho explain`: could she, and why, rule by rule. Exit status 0: she could; 1: she could not."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from sekisho.cli.options import STATE
from sekisho.evidence.note import NoteSigner
from sekisho.faults import Language, preferred_language
from sekisho.gate.decide import JST, jst
from sekisho.gate.explain import Explanation, explain
from sekisho.service.published import LogFolder
from sekisho.service.service import LOG, LOG_KEY, open_ledger
from sekisho.service.settings import read_settings

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "yes": {
        "en": "Yes. {person} could open {target} through the door {door} with ticket {ticket} at {at}.",
        "ja": "はい。{person} は {at} に、チケット {ticket} により入口 {door} から {target} を開けました。",
    },
    "no": {
        "en": "No. {person} could not open {what} with ticket {ticket} at {at}.",
        "ja": "いいえ。{person} は {at} に、チケット {ticket} では {what} を開けませんでした。",
    },
    "none": {
        "en": "No. {person} has no ticket for {what}.",
        "ja": "いいえ。{person} には {what} のチケットがありません。",
    },
    "emergency": {
        "en": "  It was an emergency access: nobody had approved it.",
        "ja": "  緊急アクセスでした。誰の承認も受けていません。",
    },
    "past": {
        "en": "Tickets and policy are as they were then; person and register as they are now.",
        "ja": "チケットと方針は当時のもの、担当者と台帳は現在のものです。",
    },
}


@click.command("explain")
@click.option("--who", required=True, metavar="PERSON", help="The account.")
@click.option("--what", required=True, help="A ticket, a dataset, a client organisation, or a target.")
@click.option(
    "--at",
    "moment",
    type=click.DateTime(["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]),
    help="When (JST); now unless given.",
)
@STATE
@click.option("--json", "as_json", is_flag=True, help="JSON, with the sentences in both languages.")
def explain_command(who: str, what: str, moment: datetime | None, state: Path, as_json: bool) -> None:
    """Could this person open this, and why: the answer of every rule."""
    at = moment.replace(tzinfo=JST) if moment else datetime.now(UTC)
    past = at < datetime.now(UTC) and moment is not None
    found = asyncio.run(_explain(state, who, what, int(at.timestamp() * 1e6), past))
    if as_json:
        click.echo(json.dumps([_plain(one) for one in found], ensure_ascii=False, indent=2))
    else:
        for one in found:
            _print(one, what)
        if past:
            click.echo(_SAYS["past"][preferred_language()])
    if not any(one.could for one in found):
        sys.exit(1)


async def _explain(state: Path, who: str, what: str, at: int, past: bool) -> list[Explanation]:
    settings = read_settings(state)
    key = NoteSigner.read(state / LOG_KEY).key
    async with open_ledger(state, settings) as ledger:
        return await explain(ledger, LogFolder(ledger, state / LOG, key), who, what, at, past=past)


def _print(one: Explanation, what: str) -> None:
    language = preferred_language()
    values = {
        "person": one.request.person,
        "ticket": one.request.ticket,
        "target": one.request.target,
        "door": one.request.door,
        "what": what,
        "at": jst(one.request.at),
    }
    kind = "yes" if one.could else ("no" if one.known else "none")
    click.echo(_SAYS[kind][language].format(**values))
    if one.broken_glass:
        click.echo(_SAYS["emergency"][language])
    for verdict in one.verdicts:
        click.echo(f"  {'✗' if verdict.refusal else '✓'} {verdict.sentence(language)}")
    if one.unreadable is not None:
        click.echo(f"  ✗ {one.unreadable.code} {one.unreadable.sentence(language)}")


def _plain(one: Explanation) -> dict[str, Any]:
    unreadable = one.unreadable
    return {
        "could": one.could,
        "person": one.request.person,
        "ticket": one.request.ticket if one.known else None,
        "target": one.request.target,
        "door": one.request.door,
        "at": datetime.fromtimestamp(one.request.at / 1e6, UTC).isoformat(),
        "broken_glass": one.broken_glass,
        "rules": [
            {
                "rule": verdict.rule.name,
                "holds": verdict.refusal is None,
                "code": verdict.refusal.kind.code if verdict.refusal else None,
                "en": verdict.sentence("en"),
                "ja": verdict.sentence("ja"),
            }
            for verdict in one.verdicts
        ],
        "unreadable": unreadable
        and {
            "code": unreadable.code,
            "en": unreadable.sentence("en"),
            "ja": unreadable.sentence("ja"),
        },
    }
