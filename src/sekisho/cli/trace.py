"""`sekisho trace`: index what may be found again, look a found list up, keep the answer as a case.

The trace key is a folder apart from the state folder (`--keys`); whoever has both can look anybody up. Each lookup in
a state folder is a case on record, opened before the key is used. `link` and `run --registry` work on files alone.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from sekisho.cli.options import STATE
from sekisho.faults import Language, preferred_language
from sekisho.ledger import Ledger
from sekisho.service.service import DOOR_SECRET, LOG, TRACE_KEYS, open_ledger
from sekisho.service.settings import read_settings
from sekisho.trace.answer import Answer, answer_of
from sekisho.trace.cases import list_cases, openings_of, read_case, repeat_case, run_case, sessions_shown
from sekisho.trace.intake import Listing, read_list
from sekisho.trace.keys import TraceKeys
from sekisho.trace.lookup import trace as look_up
from sekisho.trace.match import TIERS
from sekisho.trace.parts import ITEMS
from sekisho.trace.registry import Registry

_Value = TypeVar("_Value")
_REGISTRY: Final = "trace"
_KEYS = click.option(
    "--keys",
    required=True,
    type=click.Path(path_type=Path),
    envvar="SEKISHO_TRACE_KEYS",
    help="The folder of the trace key, apart from the state folder.",
)
_MASTER = click.option(
    "--master",
    type=click.Path(path_type=Path),
    help="The master key file, when it is held apart from --keys.",
)
_BY = click.option("--by", required=True, metavar="PERSON", help="Who answers for this.")
_COLUMN = click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=ITEM",
    help=f"What a column holds: {', '.join(ITEMS)} or -.",
)
_YES = click.option("--yes", is_flag=True, help="Take the columns as recognised, without asking.")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "indexed": {
        "en": "{dataset}: {records:,} records and {lines:,} lines new, {unchanged:,} as before.",
        "ja": "{dataset}: 新規の本人{records:,}、行{lines:,}、変更なし{unchanged:,}。",
    },
    "gathered": {
        "en": "{sessions} sessions added, {unresolved:,} persons of theirs without an indexed record.",
        "ja": "セッション{sessions}件を追加しました。登録のない本人は{unresolved:,}です。",
    },
    "skipped": {
        "en": "{dataset}: its credential was erased; not indexed.",
        "ja": "{dataset}: 資格情報が消去済みのため登録していません。",
    },
    "column": {
        "en": "  {name}: {item}  ({confidence:.0%}) {reason}",
        "ja": "  {name}: {item}  ({confidence:.0%}) {reason}",
    },
    "confirm": {"en": "Look the list up with these columns?", "ja": "この列の解釈で照会しますか?"},
    "canary": {
        "en": "  copy {copy} ({organisation}): {found} of {planted} canaries",
        "ja": "  写し {copy} ({organisation}): 監視用人物 {planted}人のうち{found}人",
    },
    "favoured": {
        "en": "    columns and number of rows speak for {favoured}",
        "ja": "    列と行数からは {favoured} が有力です",
    },
    "copied": {
        "en": "The list is consistent with a copy that was taken out:",
        "ja": "このリストは、持ち出された次の写しと整合します:",
    },
    "split": {
        "en": "{holders} shares, shown once; any two open the key. The master key is no file any more.",
        "ja": "分割鍵{holders}人分を一度だけ表示しました。2人分で鍵が開きます。マスター鍵のファイルは削除しました。",
    },
    "case": {"en": "Case {case}, answer {sha256}", "ja": "案件 {case}、結果 {sha256}"},
    "passed": {
        "en": "The list is consistent with {sessions} session(s):",
        "ja": "このリストは次の{sessions}件のセッションと整合します:",
    },
    "not_here": {
        "en": "This list did not pass here, as far as was examined "
        "({datasets} datasets, {sessions} sessions; see below).",
        "ja": "調べた範囲では、このリストは当所を通過していません"
        "(データセット{datasets}、セッション{sessions}。下記参照)。",
    },
    "undecided": {
        "en": "No session stands out. That is no proof that it did not pass here: the list says too little.",
        "ja": "際立つセッションはありません。ただし、通過していないことの証明にはなりません。",
    },
    "session": {
        "en": "  {session}  {dataset}  log10 LR {log10_lr:,.1f}  lift {lift:,.1f}  {fraction:.1%} of {records:,} "
        "persons shown ({low:.1%}-{high:.1%})",
        "ja": "  {session}  {dataset}  log10尤度比 {log10_lr:,.1f}  リフト {lift:,.1f}  表示された{records:,}人の"
        "{fraction:.1%}({low:.1%}〜{high:.1%})",
    },
    "held": {
        "en": "    opened {opened} under {ticket} by {person}",
        "ja": "    {opened} 開始、チケット {ticket}、{person}",
    },
    "tie": {"en": "    cannot be told from: {ties}", "ja": "    区別できないセッション: {ties}"},
    "lead": {
        "en": "  not named ({why}): {session}  log10 LR {log10_lr:,.1f}  lift {lift:,.2f}",
        "ja": "  特定しない({why}): {session}  log10尤度比 {log10_lr:,.1f}  リフト {lift:,.2f}",
    },
    "client": {
        "en": "  {organisation}: {rows:,} rows, {best:,} persons ({lower:,}-{upper:,})",
        "ja": "  {organisation}: {rows:,}行、{best:,}人({lower:,}〜{upper:,})",
    },
    "rows": {
        "en": "Of {rows:,} rows {own:,} are of one client, {ambiguous:,} of several, {weak:,} found only weakly, "
        "{fuzzy:,} only by the fuzzy pass, "
        "{foreign:,} not ours. Persons: {best:,} (at least {lower:,}, at most {upper:,}).",
        "ja": "全{rows:,}行のうち、委託元1者{own:,}、複数の可能性{ambiguous:,}、弱い一致のみ{weak:,}、"
        "あいまい照合のみ{fuzzy:,}、当所のものでない"
        "{foreign:,}。本人数 {best:,}人(少なくとも{lower:,}、多くて{upper:,})。",
    },
    "coverage": {
        "en": "Examined: {records:,} records, {sessions} sessions. Not examined: {unresolved:,} shown persons "
        "without an indexed record, {not_gathered} sessions without a set, erased: {erased}.",
        "ja": "調査範囲: 本人{records:,}、セッション{sessions}。未調査: 登録のない表示済み本人{unresolved:,}、"
        "集合のないセッション{not_gathered}、消去済み: {erased}。",
    },
    "same": {"en": "The same answer, byte for byte.", "ja": "結果はバイト単位で一致しました。"},
    "different": {"en": "ANOTHER ANSWER than the case's.", "ja": "案件の結果と異なります。"},
    "erased": {
        "en": "{files} files are gone, and what backups hold is noise.",
        "ja": "{files}件のファイルを消去しました。",
    },
    "linked": {
        "en": "{pairs:,} pairs ({fuzzy:,} by the fuzzy pass) of {first:,} and {second:,} rows.",
        "ja": "{first:,}行と{second:,}行から{pairs:,}組(うちあいまい照合{fuzzy:,}組)。",
    },
    "scored": {
        "en": "Precision {precision:.4f}, recall {recall:.4f}; {wrong:,} wrong, {missed:,} missed.",
        "ja": "適合率 {precision:.4f}、再現率 {recall:.4f}。誤り{wrong:,}、見逃し{missed:,}。",
    },
    "nothing": {"en": "There is no case.", "ja": "案件はありません。"},
}


@click.group()
def trace() -> None:
    """Which sessions a found list is consistent with, whose data it is, or that it is not ours."""


@trace.command()
@click.option("--target", "targets", multiple=True, help="Index the datasets of this target.")
@click.option("--file", "file", type=click.Path(exists=True, path_type=Path), help="Index this file instead.")
@click.option("--dataset", help="With --file: the dataset that it holds.")
@click.option("--organisation", help="With --file: whose dataset it is.")
@click.option("--subject", help="With --file: the column that tells one person from another.")
@STATE
@_KEYS
@_MASTER
@_BY
def index(
    targets: tuple[str, ...],
    file: Path | None,
    dataset: str | None,
    organisation: str | None,
    subject: str | None,
    state: Path,
    keys: Path,
    master: Path | None,
    by: str,
) -> None:
    """Fingerprint datasets, and bring in what closed sessions were shown. To be run daily; twice does no harm."""
    from sekisho.trace.indexing import gather_sessions, index_listing, index_target

    if file is not None and not (dataset and organisation and subject):
        raise click.UsageError("--file goes with --dataset, --organisation and --subject")
    secret = (state / DOOR_SECRET).read_bytes()

    async def run(ledger: Ledger) -> None:
        registry = Registry.create(state / _REGISTRY, TraceKeys.open(keys, master=master))
        if file is not None and dataset and organisation and subject:
            added = await index_listing(
                ledger,
                registry,
                read_list(file),
                dataset=dataset,
                organisation=organisation,
                subject=subject,
                secret=secret,
                by=by,
            )
            _say("indexed", dataset=dataset, **_fields(added))
        for name in targets:
            async for one, done in index_target(ledger, registry, name, secret=secret, by=by, told=_told):
                _say("skipped" if done is None else "indexed", dataset=one, **_fields(done) if done else {})
        passed = await gather_sessions(ledger, registry)
        _say("gathered", sessions=len(passed), unresolved=sum(one.unresolved for one in passed))

    _with_ledger(state, run)


@trace.command()
@click.argument("list", type=click.Path(exists=True, path_type=Path))
@click.option("--reason", default="", help="Why the list is looked up; stands in the case.")
@click.option(
    "--registry",
    type=click.Path(path_type=Path),
    help="Look up in this registry folder, without a case on record.",
)
@click.option("--state", type=click.Path(path_type=Path), envvar="SEKISHO_STATE", help="The state folder.")
@click.option("--by", metavar="PERSON", help="Who answers for this.")
@_KEYS
@_MASTER
@_COLUMN
@_YES
@_JSON
def run(
    list: Path,  # noqa: A002 (the word on the command line)
    reason: str,
    registry: Path | None,
    state: Path | None,
    by: str | None,
    keys: Path,
    master: Path | None,
    columns: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """Look a found LIST up: CSV, TSV, Excel, JSON, Parquet, text or PDF."""
    listing = _confirmed(read_list(list), columns, yes=yes or as_json)
    unlocked = TraceKeys.open(keys, master=master)
    if registry is not None:
        there = Registry.open(registry, unlocked)
        with _progress() as progress:
            traced = look_up(listing, there, there.load(), progress=progress)
        _show(answer_of(traced, registry=there.digest), {}, as_json=as_json)
        return
    if state is None or by is None:
        raise click.UsageError("give --state and --by, or --registry")

    async def open_case(ledger: Ledger) -> None:
        with _progress() as progress:
            case = await run_case(
                ledger,
                Registry.open(state / _REGISTRY, unlocked),
                listing,
                by=by,
                reason=reason,
                progress=progress,
            )
        shown = await sessions_shown(ledger, [one.session for one in case.answer.sessions])
        _show(case.answer, shown, as_json=as_json)
        _say("case", error=True, case=case.case, sha256=case.answer.sha256)

    _with_ledger(state, open_case)


@trace.group()
def case() -> None:
    """Cases: lists that were looked up, and what came out."""


@case.command("list")
@STATE
@_JSON
def list_command(state: Path, as_json: bool) -> None:
    """All cases, the newest first."""
    rows = _with_ledger(state, list_cases)
    if as_json:
        shown = [{**row, "sessions": json.loads(row["sessions"])} for row in rows]
        click.echo(json.dumps(shown, default=str, ensure_ascii=False, indent=1))
        return
    if not rows:
        _say("nothing")
    for row in rows:
        sessions = ", ".join(json.loads(row["sessions"]))
        click.echo(
            f"{row['case']}  {row['opened']:%Y-%m-%d %H:%M}  {row['verdict'] or '-'}  {row['rows']:,}  {sessions}"
        )


@case.command()
@click.argument("case")
@STATE
@_JSON
def show(case: str, state: Path, as_json: bool) -> None:
    """One case's answer."""

    async def read(ledger: Ledger) -> None:
        found = await read_case(ledger, case)
        shown = await sessions_shown(ledger, [one.session for one in found.answer.sessions])
        _show(found.answer, shown, as_json=as_json)

    _with_ledger(state, read)


@case.command()
@click.argument("case")
@click.argument("list", type=click.Path(exists=True, path_type=Path))
@STATE
@_KEYS
@_MASTER
@_BY
def repeat(
    case: str,
    list: Path,  # noqa: A002
    state: Path,
    keys: Path,
    master: Path | None,
    by: str,
) -> None:
    """Look CASE's LIST up again: is the answer the same, byte for byte?"""

    async def again(ledger: Ledger) -> bool:
        registry = Registry.open(state / _REGISTRY, TraceKeys.open(keys, master=master))
        return await repeat_case(ledger, registry, case, read_list(list), by=by)

    same = _with_ledger(state, again)
    _say("same" if same else "different", error=not same)
    sys.exit(0 if same else 1)


@case.command()
@click.argument("case")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A folder to make.")
@STATE
def export(case: str, out: Path, state: Path) -> None:
    """Write a case as report.pdf, report.xlsx, answer.json and, as far as published, evidence.zip."""
    from sekisho.trace.report import write_case

    if out.exists():
        raise click.UsageError(f"{out} exists")

    async def write(ledger: Ledger) -> None:
        found = await read_case(ledger, case)
        shown = await sessions_shown(ledger, [one.session for one in found.answer.sessions])
        openings = await openings_of(ledger, found)
        for path in await asyncio.to_thread(write_case, out, found, shown, state / LOG, openings):
            click.echo(path)

    _with_ledger(state, write)


@trace.command()
@click.argument("organisation")
@STATE
@_KEYS
@_MASTER
@_BY
@click.confirmation_option(prompt="Its fingerprints can never be brought back. Erase them?")
def erase(organisation: str, state: Path, keys: Path, master: Path | None, by: str) -> None:
    """Destroy the key of ORGANISATION's fingerprints and bitmaps."""
    from sekisho.trace.facts import FingerprintsErased

    async def destroy(ledger: Ledger) -> int:
        files = Registry.open(state / _REGISTRY, TraceKeys.open(keys, master=master)).erase(organisation)
        fact = FingerprintsErased(organisation=organisation, files=files)
        await ledger.record(fact, by=by, about=organisation)
        return files

    _say("erased", files=_with_ledger(state, destroy))


@trace.group()
def key() -> None:
    """The trace key: handed out in shares, of which two open it at the console."""


@key.command()
@click.option("--holder", "holders", multiple=True, required=True, metavar="PERSON", help="Who gets a share.")
@click.option(
    "--keys", type=click.Path(path_type=Path), help="The folder of the key, unless it is the console's own."
)
@click.option(
    "--share", "shares", multiple=True, help="Two former shares, where the master key is no file any more."
)
@STATE
@_MASTER
@_BY
def split(
    holders: tuple[str, ...],
    keys: Path | None,
    shares: tuple[str, ...],
    state: Path,
    master: Path | None,
    by: str,
) -> None:
    """Make shares of the master key, one for each HOLDER, and remove the master key. Shares are shown once."""
    from sekisho.trace.release import join_key, record_split

    folder = keys or state / TRACE_KEYS
    file = master or folder / "master.key"
    if shares:
        try:
            secret = join_key(shares)
        except ValueError as error:
            raise click.UsageError(f"--share: {error}") from error
    elif file.exists():
        TraceKeys.open(folder, master=master)  # refuses a file that others can read
        secret = file.read_bytes()
    else:
        if (folder / "fingerprint.sealed").exists():
            raise click.UsageError(f"{file} is gone: give two shares with --share")
        secret = os.urandom(32)
    made = _with_ledger(state, lambda ledger: record_split(ledger, folder, secret, holders, by=by))
    for person, share in made.items():
        click.echo(f"{person}\t{share}")
    if file.exists():
        with file.open("r+b") as opened:
            opened.write(os.urandom(32))
            os.fsync(opened.fileno())
        file.unlink()
    _say("split", error=True, holders=len(made))


@trace.command()
@click.argument("first", type=click.Path(exists=True, path_type=Path))
@click.argument("second", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--id", "id_column", default="id", show_default=True, help="The column of both lists that names a row."
)
@click.option("--truth", type=click.Path(exists=True, path_type=Path), help="CSV of true pairs of ids.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the pairs found as CSV.")
@_COLUMN
def link(
    first: Path, second: Path, id_column: str, truth: Path | None, out: Path | None, columns: tuple[str, ...]
) -> None:
    """Which rows of FIRST and SECOND are the same person's; with --truth, how right that is."""
    from sekisho.trace.linking import link as link_lists
    from sekisho.trace.linking import read_truth, score

    one, other = (_without(_told_columns(read_list(path), columns), id_column) for path in (first, second))
    links = link_lists(one, other)
    ids = [[word or "" for word in listing.table.column(id_column).to_pylist()] for listing in (one, other)]
    if out is not None:
        pairs = zip(links.a.tolist(), links.b.tolist(), links.tier.tolist(), strict=True)
        lines = [
            f"{ids[0][a]},{ids[1][b]},{TIERS[tier].name if tier >= 0 else 'fuzzy'}" for a, b, tier in pairs
        ]
        out.write_text("\n".join(["first,second,by", *lines]) + "\n", encoding="utf-8")
    _say("linked", pairs=len(links.a), fuzzy=int((links.tier < 0).sum()), first=one.rows, second=other.rows)
    if truth is not None:
        found = score(links, read_truth(truth), ids[0], ids[1])
        _say("scored", precision=found.precision, recall=found.recall, wrong=found.wrong, missed=found.missed)


def _without(listing: Listing, id_column: str) -> Listing:
    if id_column not in listing.table.column_names:
        raise click.UsageError(f"{listing.name} has no column {id_column}: give --id")
    return listing.confirmed({id_column: ""})


def _told_columns(listing: Listing, columns: tuple[str, ...]) -> Listing:
    told: dict[str, str] = {}
    for word in columns:
        name, sign, item = word.rpartition("=")
        if not sign or item not in (*ITEMS, "-") or name not in {one.name for one in listing.columns}:
            raise click.UsageError(
                f"--column {word}: NAME is a column of the list, ITEM one of {', '.join(ITEMS)} or -"
            )
        told[name] = "" if item == "-" else item
    return listing.confirmed(told)


def _confirmed(listing: Listing, columns: tuple[str, ...], *, yes: bool) -> Listing:
    """The list with its columns as a person says they are, or as they are recognised and confirmed."""
    listing = _told_columns(listing, columns)
    if yes:
        return listing
    language = preferred_language()
    for column in listing.columns:
        best = column.guesses[0] if column.guesses else None
        reason = best.reasons[0] if best and best.reasons else None
        _say(
            "column",
            error=True,
            name=_printable(column.name),
            item=column.item or "-",
            confidence=best.confidence if best else 0.0,
            reason=(reason.ja if language == "ja" else reason.en) if reason else "",
        )
    click.confirm(_SAYS["confirm"][language], abort=True, err=True)
    return listing


def _show(answer: Answer, shown: dict[str, tuple[Any, str, str, int]], *, as_json: bool) -> None:
    if as_json:
        click.echo(answer.encoded())
        return
    coverage = answer.coverage
    _say(
        "copied" if answer.canaries and not answer.sessions else answer.verdict,
        sessions=len(answer.sessions) if answer.verdict == "passed" else coverage.sessions,
        datasets=len(coverage.datasets),
    )
    for one in answer.sessions:
        _say("session", **_fields(one))
        if one.session in shown:
            opened, person, ticket, _ = shown[one.session]
            _say("held", opened=f"{opened:%Y-%m-%d %H:%M %Z}", person=person, ticket=ticket)
        if one.ties:
            _say("tie", ties=", ".join(one.ties))
        if one.favoured:
            _say("favoured", favoured=one.favoured)
    for hit in answer.canaries:
        _say("canary", **_fields(hit))
    for doubt in answer.doubts[:5]:
        _say("lead", **_fields(doubt))
    for client in answer.clients:
        _say("client", organisation=client.organisation, rows=client.rows, **_fields(client.persons))
    _say(
        "rows",
        rows=answer.rows,
        own=answer.own_rows,
        ambiguous=answer.ambiguous_rows,
        weak=answer.weak_rows,
        fuzzy=answer.fuzzy_rows,
        foreign=answer.foreign_rows,
        **_fields(answer.persons),
    )
    _say(
        "coverage",
        records=coverage.records,
        sessions=coverage.sessions,
        unresolved=coverage.unresolved,
        not_gathered=coverage.not_gathered,
        erased=", ".join(coverage.erased) or "-",
    )


def _fields(value: Any) -> dict[str, Any]:
    names = getattr(value, "__struct_fields__", None) or value.__dataclass_fields__
    return {name: getattr(value, name) for name in names}


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    if not sys.stderr.isatty():
        yield lambda step, done: None
        return
    steps = {"fingerprints": (0, 60), "records": (60, 10), "sessions": (70, 25), "persons": (95, 5)}
    with click.progressbar(length=100, file=sys.stderr, item_show_func=str) as bar:

        def told(step: str, done: float) -> None:
            start, length = steps[step]
            bar.update(max(int(start + length * done) - bar.pos, 0), step)

        yield told


def _told(dataset: str, rows: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{dataset}: {rows:,}", err=True, nl=False)


def _with_ledger(state: Path, run: Callable[[Ledger], Awaitable[_Value]]) -> _Value:
    async def opened() -> _Value:
        async with open_ledger(state, read_settings(state)) as ledger:
            return await run(ledger)

    return asyncio.run(opened())


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def _say(sentence: str, *, error: bool = False, **values: object) -> None:
    click.echo(_SAYS[sentence][preferred_language()].format(**values), err=error)
