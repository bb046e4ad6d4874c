"""`sekisho watch source`: who may deliver logs to the watch, and by which proof."""

import asyncio
from pathlib import Path
from typing import get_args

import click

import sekisho.watch.tables  # noqa: F401 (its projections)
from sekisho.faults import preferred_language
from sekisho.service.service import open_ledger, secret_of
from sekisho.service.settings import read_settings
from sekisho.watch.ingest.sources import (
    Delivery,
    SourceKind,
    certificate_of,
    end_source,
    read_deliveries,
    read_sources,
    register_source,
    token_of,
)

_STATE = click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=Path("sekisho-state"),
    show_default=True,
    envvar="SEKISHO_STATE",
)
_BY = click.option("--by", required=True, help="Who does it. Whoever holds the state folder is believed.")


@click.group()
def source() -> None:
    """Log sources: who may deliver rows to the watch."""


@source.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice(get_args(SourceKind)), required=True)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, exists=True),
    help="PEM: the source's own certificate, for syslog.",
)
@click.option("--mapping", type=click.Path(path_type=Path, exists=True), help="TOML: which column is what.")
@click.option("--product", default="", help="Sigma's word for what it logs, such as linux.")
@click.option("--service", default="", help="Sigma's word for the part of it, such as sshd.")
@click.option("--category", default="", help="Sigma's word for the kind of event, such as process_creation.")
@click.option(
    "--silence-minutes",
    type=click.IntRange(0),
    default=0,
    help="Raise its silence after so long; 0: after three usual pauses.",
)
@_BY
@_STATE
def add(
    name: str,
    kind: SourceKind,
    certificate: Path | None,
    mapping: Path | None,
    product: str,
    service: str,
    category: str,
    silence_minutes: int,
    by: str,
    state: Path,
) -> None:
    """Let a source deliver, or change how it does. For HTTP the token is shown, once; a former one is void."""

    mapped = mapping.read_text(encoding="utf-8") if mapping else ""
    pinned = certificate_of(certificate.read_bytes()) if certificate else ""

    async def run() -> str:
        async with open_ledger(state, read_settings(state)) as ledger:
            await register_source(
                ledger,
                name,
                kind,
                by=by,
                product=product,
                service=service,
                category=category,
                mapping=mapped,
                certificate=pinned,
                silence_minutes=silence_minutes,
            )
            async with ledger.read() as connection:
                made = (await read_sources(connection))[name]
        return token_of(secret_of(state), name, made.generation) if kind == "http" else ""

    if token := asyncio.run(run()):
        click.echo(token)


@source.command("end")
@click.argument("name")
@click.option("--reason", required=True)
@_BY
@_STATE
def end(name: str, reason: str, by: str, state: Path) -> None:
    """Take nothing more from a source."""

    async def run() -> None:
        async with open_ledger(state, read_settings(state)) as ledger:
            await end_source(ledger, name, reason=reason, by=by)

    asyncio.run(run())


@source.command("list")
@_STATE
def listed(state: Path) -> None:
    """The sources, what came from each, and when the last of it."""

    async def run() -> list[Delivery]:
        async with open_ledger(state, read_settings(state)) as ledger, ledger.read() as connection:
            return await read_deliveries(connection)

    japanese = preferred_language() == "ja"
    for one in asyncio.run(run()):
        last = one.received.astimezone().strftime("%Y-%m-%d %H:%M") if one.received else "-"
        ended = ("  終了" if japanese else "  ended") if one.source.ended else ""
        counts = (
            f"{one.rows} 行 (種別不明 {one.unread}、欠番 {one.missing})"
            if japanese
            else f"{one.rows} rows ({one.unread} of no known kind, {one.missing} missing)"
        )
        click.echo(f"{one.source.name:<24}  {one.source.kind:<7}  {last:<16}  {counts}{ended}")
