"""`sekisho watch`: replay logs through the engine, list and explain alerts, tell it what only people know."""

import asyncio
import json
import secrets
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import get_args

import click
import msgspec

import sekisho.people.tables
import sekisho.watch.tables  # noqa: F401 (their projections)
from sekisho.cli.watch_sources import source
from sekisho.faults import Fault, preferred_language
from sekisho.ledger import Fact
from sekisho.service.service import WATCH, open_ledger
from sekisho.service.settings import read_settings
from sekisho.watch import faults
from sekisho.watch.alerts import (
    OpenAlert,
    SignalKind,
    explain,
    fact_of,
    find_alert,
    list_alerts,
    receive_signal,
)
from sekisho.watch.detectors import DETECTORS
from sekisho.watch.engine import Alarm, Engine, Sensitivity
from sekisho.watch.facts import CanaryMet, PopulationStated, ReviewDone
from sekisho.watch.foreign import read_logs, read_mapping
from sekisho.watch.second import SecondOpinion
from sekisho.watch.sigma.loading import OURS, Library
from sekisho.watch.watcher import memory_is_right

_STATE = click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=Path("sekisho-state"),
    show_default=True,
    envvar="SEKISHO_STATE",
)


@click.group()
def watch() -> None:
    """The watch: what it finds, and what it would have found."""


watch.add_command(source)


@watch.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--mapping", type=click.Path(path_type=Path, exists=True), help="TOML: which column is what.")
@click.option(
    "--ranking", is_flag=True, help="A score for each actor and day as JSON lines, instead of alerts."
)
@click.option("--second", is_flag=True, help="With --ranking: a second opinion beside the score.")
@click.option("--json", "as_json", is_flag=True, help="Alerts as JSON lines.")
@click.option("--alert-at", type=click.FloatRange(0.1, 12), default=Sensitivity().alert_at, show_default=True)
@click.option("--daily", type=click.IntRange(1), default=Sensitivity().daily, show_default=True)
@click.option(
    "--zone",
    type=click.FloatRange(-14, 14),
    default=9,
    show_default=True,
    help="Hours east of UTC of local times.",
)
def replay(
    files: tuple[Path, ...],
    mapping: Path | None,
    ranking: bool,
    second: bool,
    as_json: bool,
    alert_at: float,
    daily: int,
    zone: float,
) -> None:
    """Read logs in order of time, and print the alerts as they would have been raised.

    FILES are JSON lines, CSV or Parquet: logon, logoff, file, device, mail, web, reads of persons; our names, OCSF's,
    or those of --mapping."""
    seconds = int(zone * 3600)
    engine = Engine(Sensitivity(alert_at=alert_at, daily=daily, zone=seconds))
    mapped = read_mapping(mapping) if mapping else None
    opinion = SecondOpinion(seconds) if ranking and second else None
    day, last = 0, 0
    for observation in read_logs(list(files), mapping=mapped, zone=seconds):
        alarms = engine.step(observation)
        last = observation.at
        if ranking:
            if engine.heads.day != day:
                _rank(engine, opinion)
                day = engine.heads.day
            if opinion is not None:
                opinion.add(observation, engine.known.human)
            continue
        for alarm in alarms:
            _print(alarm, seconds, as_json=as_json)
    if ranking and last:
        engine.finish()
        _rank(engine, opinion)
    elif not as_json and engine.held_back:
        click.echo(f"{engine.held_back} more were held back by the daily budget of {daily}.", err=True)


def _rank(engine: Engine, opinion: SecondOpinion | None) -> None:
    seconds = opinion.close() if opinion is not None else {}
    for one in engine.days:
        day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=one.day)).date().isoformat()
        line = {"day": day, "actor": one.human, "score": round(one.score, 4), "heads": one.heads}
        if opinion is not None:
            line["second"] = round(seconds.get(one.human, 0.0), 6)
        click.echo(json.dumps(line, ensure_ascii=False))
    engine.days = []


def _print(alarm: Alarm, zone: int, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(alarm).decode())
        return
    at = datetime.fromtimestamp(alarm.at / 1e6, timezone(timedelta(seconds=zone))).strftime("%Y-%m-%d %H:%M")
    click.echo(
        f"{at}  {alarm.score:4.1f}  {alarm.detector:<20}  {explain(fact_of(alarm))[preferred_language()]}"
    )


@watch.command("alerts")
@_STATE
@click.option("--all", "everything", is_flag=True, help="Also those that were acknowledged.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per alert.")
def alerts_command(state: Path, everything: bool, as_json: bool) -> None:
    """The alerts of a checkpoint that nobody has acknowledged, newest first."""

    async def run() -> list[OpenAlert]:
        async with open_ledger(state, read_settings(state)) as ledger, ledger.read() as connection:
            return await list_alerts(connection, open_only=not everything)

    for alert in asyncio.run(run()):
        if as_json:
            click.echo(msgspec.json.encode(alert.raised).decode())
        else:
            state_of = alert.verdict or ("muted" if alert.raised.muted else f"open, step {alert.level}")
            at = alert.at.astimezone().strftime("%Y-%m-%d %H:%M")
            click.echo(
                f"{alert.raised.alert:<16}  {at}  {alert.raised.score:4.1f}  {alert.raised.detector:<20}  "
                f"{alert.raised.human or '-':<12}  {state_of}"
            )


@watch.command("explain")
@click.argument("alert")
@_STATE
def explain_alert(alert: str, state: Path) -> None:
    """What was found, why it matters, with the numbers and the facts; who was told."""

    async def run() -> OpenAlert | None:
        async with open_ledger(state, read_settings(state)) as ledger, ledger.read() as connection:
            return await find_alert(connection, alert)

    found = asyncio.run(run())
    if found is None:
        raise Fault(faults.NO_ALERT, alert=alert)
    raised = found.raised
    click.echo(explain(raised)[preferred_language()])
    click.echo(
        f"score {raised.score:.2f} (claim {raised.claim:.2f}), observed {raised.observed:g}, "
        f"expected {raised.expected:g}"
    )
    click.echo(f"facts {', '.join(map(str, raised.refs)) or '-'}; told: {', '.join(raised.to) or '-'}")


@watch.command()
@click.argument("organisation")
@click.option("--kind", type=click.Choice(get_args(SignalKind)), required=True)
@click.option("--note", required=True, help="What was said; it is sealed under the client's key.")
@click.option("--by", required=True, help="Who records it. Whoever holds the state folder is believed.")
@_STATE
def signal(organisation: str, kind: SignalKind, note: str, by: str, state: Path) -> None:
    """A complaint, an inquiry, the police: look at a client's data more closely, and at its past again."""

    async def run() -> None:
        async with open_ledger(state, read_settings(state)) as ledger:
            name = f"signal-{secrets.token_hex(4)}"
            await receive_signal(ledger, organisation=organisation, kind=kind, note=note, by=by, name=name)

    asyncio.run(run())


@watch.command()
@click.argument("organisation")
@click.argument("persons", type=click.IntRange(1))
@click.option("--by", required=True, help="Who states it. Whoever holds the state folder is believed.")
@_STATE
def population(organisation: str, persons: int, by: str, state: Path) -> None:
    """State how many data subjects a client's data has, so that shares of it can be judged."""
    _record(state, PopulationStated(organisation=organisation, persons=persons), by=by, about=organisation)


@watch.command()
@click.argument("organisation")
@click.argument("canary")
@click.option("--how", required=True, help="call, letter, list, …")
@click.option("--by", required=True, help="Who reports it. Whoever holds the state folder is believed.")
@_STATE
def canary(organisation: str, canary: str, how: str, by: str, state: Path) -> None:
    """A planted person (its id) was met: an alarm without any doubt."""
    _record(state, CanaryMet(organisation=organisation, canary=canary, how=how), by=by, about=organisation)


@watch.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@_STATE
def check(folder: Path | None, state: Path) -> None:
    """Sigma rules in FOLDER: what is wrong with one, by file and line. Without it: is the watch's memory what the facts
    make of it? Reads every fact again. Exit status 1 when something is not right."""
    if folder is not None:
        _check_rules(folder)
        return

    async def run() -> tuple[int, bool] | None:
        settings = read_settings(state)
        async with open_ledger(state, settings) as ledger:
            return await memory_is_right(ledger, state / WATCH, settings.watch)

    found = asyncio.run(run())
    japanese = preferred_language() == "ja"
    if found is None:
        click.echo(
            "監視の記憶はまだありません。" if japanese else "There is no memory yet that could be read."
        )
        return
    facts, right = found
    if right:
        click.echo(
            f"監視の記憶は {facts} 件の事実のとおりです。"
            if japanese
            else f"The memory is what {facts} facts make of it."
        )
        return
    click.echo(
        f"監視の記憶は {facts} 件の事実と一致しません。設定を変えたのでなければ、{state / WATCH} を証拠として保全し、"
        "削除して再起動してください。事実から作り直されます。"
        if japanese
        else f"The memory is not what {facts} facts make of it. Unless the settings were changed, keep a copy of "
        f"{state / WATCH} as evidence, remove it and start again: it is made anew from the facts.",
        err=True,
    )
    raise SystemExit(1)


def _check_rules(folder: Path) -> None:
    library = Library((OURS, folder))  # beside ours, as they would run
    rules = len([one for one in library.load().rules if Path(one.path).is_relative_to(folder)])
    for mistake in library.mistakes:
        click.echo(str(mistake))
    japanese = preferred_language() == "ja"
    click.echo(
        f"使えるルール {rules} 件、誤り {len(library.mistakes)} 件。"
        if japanese
        else f"{rules} rules can be used, {len(library.mistakes)} mistakes.",
        err=True,
    )
    if library.mistakes:
        raise SystemExit(1)


@watch.command()
@click.option(
    "--kind", type=click.Choice(["log review", "surprise"]), default="log review", show_default=True
)
@click.option("--note", default="")
@click.option("--by", required=True, help="Who looked. Whoever holds the state folder is believed.")
@_STATE
def reviewed(kind: str, note: str, by: str, state: Path) -> None:
    """Somebody went through the logs. When it stops being done, that is an alarm."""
    _record(state, ReviewDone(kind=kind, note=note), by=by, about="watch")


def _record(state: Path, fact: Fact, *, by: str, about: str) -> None:
    async def run() -> None:
        async with open_ledger(state, read_settings(state)) as ledger:
            await ledger.record(fact, by=by, about=about)

    asyncio.run(run())


@watch.command("detectors")
def detectors_command() -> None:
    """The twenty-five detectors: what each looks at, over which window, and why."""
    language = preferred_language()
    for one in DETECTORS:
        reason = one.reason.ja if language == "ja" else one.reason.en
        click.echo(f"{one.number:>2}  {one.name:<22}  {one.head:<9}  {one.window}\n      {reason}")
