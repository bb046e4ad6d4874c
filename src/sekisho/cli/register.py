"""`sekisho register`: take tables in and give them out, look at a database, confirm what was found, see how all stands.

Whoever holds the state folder runs these. `--by` is who answers for it and stands in each fact; it is not checked by
a login here. What is a client's to do (approve a hop, countersign an erasure) asks for that person's own login.

Long because each command is its options, one call and its sentences: they share the table of sentences.
"""

import asyncio
import hashlib
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal, TextIO, TypeVar

import click
import msgspec

from sekisho.cli.agreement import agree, waits
from sekisho.cli.client_acts import approve_hop, countersign
from sekisho.cli.controls import controls, law
from sekisho.cli.options import STATE
from sekisho.cli.proof import must_be_known
from sekisho.faults import Fault, Language, preferred_language
from sekisho.ledger import Commitment, Erased, Ledger, Recorded
from sekisho.ledger.leaf import kind_of
from sekisho.ledger.vault import CHECKPOINT
from sekisho.people.ssh_keys import read_public_key
from sekisho.register.access import DRAWING
from sekisho.register.campaigns import Progress, answer, read_answers, read_progress
from sekisho.register.catalogue import find_catalogue, find_target, organisation_names
from sekisho.register.changes import change_catalogue, change_target
from sekisho.register.erasure import sweep as sweep_tasks
from sekisho.register.facts import (
    CampaignOpened,
    DatasetAdded,
    EntrustmentsProposed,
    TargetAdded,
    TargetScanned,
)
from sekisho.register.faults import FILE_UNREADABLE, UNKNOWN_TARGET
from sekisho.register.graph import mermaid
from sekisho.register.intake import take_in
from sekisho.register.overview import ClientView, read_overview
from sekisho.register.parties import Parties
from sekisho.register.proposal import Proposal, propose
from sekisho.register.proposal_file import confirm as confirm_proposal
from sekisho.register.proposal_file import confirmed, read_proposal, write_proposal
from sekisho.register.records import read_parties, read_tables
from sekisho.register.standing import LockedDataset
from sekisho.register.survey import SAMPLE_ROWS, surveying
from sekisho.register.tables import JST
from sekisho.register.tables_io import Rejected, read_register, write_register
from sekisho.service.service import open_ledger
from sekisho.service.settings import read_settings

_Value = TypeVar("_Value")
_BY = click.option("--by", required=True, metavar="PERSON", help="Who answers for this; nobody logs in.")
_PORTS: Final = {"postgres": 5432, "ssh": 22, "rdp": 3389, "vnc": 5900}
_ON = click.option(
    "--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day to look at; today unless given."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "taken": {
        "en": "{facts} rows were new or different and are recorded.",
        "ja": "新しい、または変わった{facts}行を記録しました。",
    },
    "waits": {
        "en": "Hops and contracts that open more wait for a second person ({proposals} proposals): `sekisho register"
        " waits` shows them.",
        "ja": "いまより多くを開く委託と契約は二人目の同意を待っています(提案{proposals}件)。"
        "`sekisho register waits` で表示します。",
    },
    "rejected": {
        "en": "{faults} faults. Nothing was taken over.",
        "ja": "{faults}件の誤りがあります。何も取り込んでいません。",
    },
    "open": {"en": "open", "ja": "開"},
    "locked": {"en": "LOCKED", "ja": "閉"},
    "red": {"en": "red", "ja": "赤"},
    "green": {"en": "green", "ja": "緑"},
    "task": {
        "en": "  erase {dataset} at {party}: contract ended {ended}, due {due}, {state}",
        "ja": "  消去 {dataset} ({party}): 契約終了 {ended}、期限 {due}、{state}",
    },
    "not_opened": {"en": "no sweep has recorded it", "ja": "未記録(掃引未実施)"},
    "waiting": {"en": "not certified", "ja": "証明なし"},
    "certified": {"en": "certified, waits for the client", "ja": "証明済み、委託元の副署待ち"},
    "countersigned": {"en": "countersigned", "ja": "副署済み"},
    "overdue": {"en": "OVERDUE", "ja": "期限超過"},
    "proposed": {
        "en": "{datasets} datasets, {tables} tables, {columns} columns: {personal} personal, {look} to look at. "
        "{unread} tables could not be read. Written to {path}; nothing is in force.",
        "ja": "データセット{datasets}、表{tables}、列{columns}(うち個人データ{personal}、要確認{look})。"
        "読めなかった表{unread}。{path}に書きました。まだ何も有効ではありません。",
    },
    "shared": {
        "en": "  holds several clients, divided by {column}",
        "ja": "  複数の委託元({column}で区別)",
    },
    "confirmed": {
        "en": "{datasets} datasets confirmed, {left} left as they are in the file.",
        "ja": "データセット{datasets}件を確定しました。{left}件は未確定のままです。",
    },
    "swept": {"en": "{tasks} erase tasks opened.", "ja": "消去タスクを{tasks}件開きました。"},
    "gaps": {
        "en": "{gaps} of {total} open, {findings} findings. {late}",
        "ja": "{total}件中{gaps}件が未了、指摘{findings}件。{late}",
    },
    "nothing": {"en": "Nothing is registered.", "ja": "登録がありません。"},
    "password": {"en": "Password of {role}", "ja": "{role}のパスワード"},
}  # fmt: skip


@click.group()
def register() -> None:
    """Who entrusted what to whom, where it stands, and until when."""


register.add_command(agree)
register.add_command(approve_hop)
register.add_command(countersign)
register.add_command(controls)
register.add_command(law)
register.add_command(waits)


@register.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@STATE
@_BY
def import_tables(path: Path, state: Path, by: str) -> None:
    """Take in a folder of CSV files, an Excel workbook or a YAML document: all of it, or nothing.

    Hops and contracts that open more than now wait for a second person."""

    async def run(ledger: Ledger) -> int:
        await must_be_known(ledger, by)
        async with ledger.read() as connection:
            held = await read_tables(connection)
        read = read_register(path, held)
        if isinstance(read, Rejected):
            for one in read.faults:
                click.echo(f"{one.fault.code}: {one.fault.sentence(preferred_language())}", err=True)
            _say("rejected", error=True, faults=len(read.faults))
            return 1
        recorded = await take_in(ledger, read, by=by, file=path.name, sha256=_digest(path))
        waits = [one for one in recorded if one.fact == kind_of(EntrustmentsProposed).name]
        _say("taken", facts=max(len(recorded) - 1 - len(waits), 0))
        if waits:
            _say("waits", proposals=len(waits))
        return 0

    sys.exit(_with_ledger(state, run))


@register.command()
@click.argument("path", type=click.Path(path_type=Path))
@STATE
def export(path: Path, state: Path) -> None:
    """Write the register as CSV (a folder), .xlsx or .yaml, in the form that `import` reads."""
    if path.exists():
        raise click.UsageError(f"{path} exists")

    async def run(ledger: Ledger) -> None:
        async with ledger.read() as connection:
            tables = await read_tables(connection)
        write_register(tables, path, japanese=preferred_language() == "ja")

    _with_ledger(state, run)


@register.command()
@click.argument("target")
@click.option("--protocol", type=click.Choice(list(_PORTS)), default="postgres", show_default=True)
@click.option("--host", required=True)
@click.option("--port", type=click.IntRange(1, 65535), help="Without it, the protocol's own.")
@click.option("--database", default="", help="For postgres.")
@click.option(
    "--host-key",
    "host_keys",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="For ssh: the server's ssh_host_*_key.pub; it must show one of them.",
)
@click.option("--operator", required=True, metavar="ORGANISATION", help="Whose staff maintain it.")
@click.option(
    "--tls-ca", type=click.Path(exists=True, path_type=Path), help="PEM file; without it, loopback only."
)
@click.option("--unknown-lineage", type=click.Choice(["mask", "refuse"]), default="mask", show_default=True)
@click.option(
    "--access",
    type=click.Choice(["pixels", "masked-text", "text"]),
    help="How much of it may reach a terminal. Without it, pixels where anything tells of persons; more waits for a "
    "second person.",
)
@click.option("--reason", default="", help="Of a change.")
@STATE
@_BY
def target(
    target: str,
    protocol: str,
    host: str,
    port: int | None,
    database: str,
    host_keys: tuple[Path, ...],
    operator: str,
    tls_ca: Path | None,
    unknown_lineage: str,
    access: Literal["pixels", "masked-text", "text"] | None,
    reason: str,
    state: Path,
    by: str,
) -> None:
    """Register a server that holds clients' data, or propose a change of one, to which a second person agrees in the
    console."""
    if (protocol == "postgres") != bool(database) or (protocol == "ssh") != bool(host_keys):
        raise click.UsageError("postgres needs --database, and ssh --host-key; the others know neither")
    if protocol == "rdp" and tls_ca is None:
        raise click.UsageError("rdp needs --tls-ca: the server's certificate")
    keys = tuple(read_public_key(path.read_text(encoding="utf-8"))[0] for path in host_keys)
    certificate = tls_ca.read_text() if tls_ca else ""

    async def run(ledger: Ledger) -> Recorded:
        await must_be_known(ledger, by)
        fact = TargetAdded(
            target=target,
            protocol=protocol,
            host=host,
            port=port or _PORTS[protocol],
            database=database,
            tls_ca=certificate,
            unknown_lineage=unknown_lineage,
            operator=operator,
            host_keys=keys,
            access=access or "",
        )
        return await change_target(ledger, fact, by=by, reason=reason)

    recorded = _with_ledger(state, run)
    click.echo(f"{recorded.fact} {recorded.leaf_hash.hex()}")


def _dataset_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        _BY,
        STATE,
        click.option("--reason", required=True),
        click.option("--name", required=True),
        click.option("--role", required=True, help="The account on the target."),
        click.option("--target", required=True),
        click.option("--organisation", required=True, help="The client whose data it is."),
        click.argument("dataset"),
    ):
        command = option(command)
    return command


@register.command(name="ssh-dataset")
@_dataset_options
def ssh_dataset(
    dataset: str, organisation: str, target: str, role: str, name: str, reason: str, state: Path, by: str
) -> None:
    """Propose a client's dataset that is worked on in a terminal: certificates name the role. A second person agrees
    in the console."""
    _propose_dataset(("ssh",), dataset, organisation, target, role, name, reason, None, state, by)


@register.command(name="desktop-dataset")
@click.option(
    "--passwords", type=click.Path(exists=True, path_type=Path), help="YAML of ROLE: PASSWORD, 0600."
)
@_dataset_options
def desktop_dataset(
    dataset: str,
    organisation: str,
    target: str,
    role: str,
    name: str,
    reason: str,
    passwords: Path | None,
    state: Path,
    by: str,
) -> None:
    """Propose a client's dataset that is worked on in a remote desktop (RDP, VNC), whose password no worker sees. A
    second person agrees in the console. A VNC server that knows no accounts has the role "vnc"."""
    known = _read_passwords(passwords) if passwords else {}
    password = known[role] if role in known else _ask_password(role)
    _propose_dataset(DRAWING, dataset, organisation, target, role, name, reason, password, state, by)


def _propose_dataset(
    protocols: Sequence[str],
    dataset: str,
    organisation: str,
    target: str,
    role: str,
    name: str,
    reason: str,
    password: str | None,
    state: Path,
    by: str,
) -> None:
    async def run(ledger: Ledger) -> Recorded:
        await must_be_known(ledger, by)
        async with ledger.read() as connection:
            found = await find_target(connection, target)
            known = await organisation_names(connection)
        if found is None or found.protocol not in protocols:
            raise Fault(UNKNOWN_TARGET, target=target)
        if organisation not in known:
            raise click.UsageError(f"{organisation} is no registered organisation")
        parts = () if password is None else (ledger.vault.seal(CHECKPOINT, password.encode()),)
        added = DatasetAdded(
            dataset=dataset,
            organisation=organisation,
            target=target,
            name=name,
            role=role,
            secret=parts[0].commitment if parts else Commitment(""),
            tables=(),
        )
        return await change_catalogue(ledger, added, by=by, reason=reason, parts=parts)

    recorded = _with_ledger(state, run)
    click.echo(f"{recorded.fact} {recorded.leaf_hash.hex()}")


@register.command()
@click.argument("target")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The proposal to write (YAML).")
@click.option("--role", help="Read as this role; otherwise as that of a dataset which is confirmed already.")
@click.option("--rows", type=click.IntRange(0, 10_000), default=SAMPLE_ROWS, show_default=True)
@click.option(
    "--passwords", type=click.Path(exists=True, path_type=Path), help="YAML of ROLE: PASSWORD, 0600."
)
@STATE
@_BY
def scan(
    target: str, out: Path, role: str | None, rows: int, passwords: Path | None, state: Path, by: str
) -> None:
    """Read a target's schemas and at most ROWS rows of each table, and propose what stands in it."""
    if out.exists():
        raise click.UsageError(f"{out} exists")

    async def run(ledger: Ledger) -> Proposal:
        await must_be_known(ledger, by)
        async with ledger.read() as connection:
            found = await find_target(connection, target)
            names = await organisation_names(connection)
        if found is None:
            raise Fault(UNKNOWN_TARGET, target=target)
        user, password = await _credential(ledger, target, role, passwords)
        # Before the first row is read: the checkpoint's own look at personal data is on record as well.
        scanned = TargetScanned(target=target, role=user, rows=rows)
        await ledger.record(scanned, by=by, about=target)
        async with surveying(found, user, password, rows=rows) as surveyor:
            return await propose(await surveyor.survey(), surveyor, target, names, preferred_language())

    proposal = _with_ledger(state, run)
    out.write_text(write_proposal(proposal), encoding="utf-8")
    _print_proposal(proposal, out)


@register.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--passwords", type=click.Path(exists=True, path_type=Path), help="YAML of ROLE: PASSWORD, 0600."
)
@STATE
@_BY
def confirm(file: Path, passwords: Path | None, state: Path, by: str) -> None:
    """Take over the datasets that are marked `confirmed: true` in a proposal."""
    proposal = read_proposal(file)
    chosen = confirmed(proposal)
    roles = dict.fromkeys(dataset.role for dataset in chosen if dataset.role)
    known = _read_passwords(passwords) if passwords else {role: _ask_password(role) for role in roles}

    async def run(ledger: Ledger) -> None:
        await must_be_known(ledger, by)
        await confirm_proposal(ledger, proposal, known, by=by)

    _with_ledger(state, run)
    _say("confirmed", datasets=len(chosen), left=len(proposal.datasets) - len(chosen))


@register.command()
@STATE
@_ON
def sweep(state: Path, day: datetime | None) -> None:
    """Open the erase tasks of contracts that have ended. To be run daily; twice does no harm."""
    opened = _with_ledger(state, lambda ledger: sweep_tasks(ledger, _day(day)))
    _say("swept", tasks=len(opened))


@register.command()
@click.argument("client", required=False)
@STATE
@_ON
@click.option("--gaps", is_flag=True, help="Also what is missing, in sentences.")
@_JSON
def show(client: str | None, state: Path, day: datetime | None, gaps: bool, as_json: bool) -> None:
    """How the datasets of CLIENT, or of all clients, stand."""

    async def run(ledger: Ledger) -> tuple[ClientView, ...]:
        async with ledger.read() as connection:
            return await read_overview(connection, _day(day), client)

    views = _with_ledger(state, run)
    if as_json:
        click.echo(json.dumps([_json_of(view, _day(day)) for view in views], ensure_ascii=False, indent=2))
        return
    if not views:
        _say("nothing")
    for view in views:
        _print_client(view, _day(day), gaps=gaps)


@register.command()
@STATE
@_ON
def graph(state: Path, day: datetime | None) -> None:
    """The legal persons, their roles, ties and hops as a Mermaid flowchart."""

    async def run(ledger: Ledger) -> Parties:
        async with ledger.read() as connection:
            return await read_parties(connection)

    click.echo(mermaid(_with_ledger(state, run), _day(day)), nl=False)


@register.group()
def campaign() -> None:
    """Inspecting every system again on every point."""


@campaign.command("open")
@click.argument("campaign")
@click.option("--name", required=True)
@click.option("--due", required=True, type=click.DateTime(["%Y-%m-%d"]))
@click.option("--systems", required=True, type=click.File(encoding="utf-8"), help="One id a line.")
@click.option("--points", required=True, type=click.File(encoding="utf-8"), help="One id a line.")
@STATE
@_BY
def open_campaign(
    campaign: str, name: str, due: datetime, systems: TextIO, points: TextIO, state: Path, by: str
) -> None:
    """Open a campaign. What it asks can never be changed."""
    fact = CampaignOpened(
        campaign=campaign, name=name, systems=_ids(systems), points=_ids(points), due=due.date()
    )

    async def run(ledger: Ledger) -> None:
        await must_be_known(ledger, by)
        await ledger.record(fact, by=by, about=campaign)

    _with_ledger(state, run)


@campaign.command("answer")
@click.argument("campaign")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@STATE
@_BY
def answer_campaign(campaign: str, path: Path, state: Path, by: str) -> None:
    """Record the answers in a CSV, Excel or YAML table: system, point, answer, evidence."""
    answers = tuple(read_answers(campaign, path))

    async def run(ledger: Ledger) -> None:
        await must_be_known(ledger, by)
        await answer(ledger, answers, by=by)

    _with_ledger(state, run)
    _say("taken", facts=len(answers))


@campaign.command("show")
@click.argument("campaign")
@STATE
@_ON
def show_campaign(campaign: str, state: Path, day: datetime | None) -> None:
    """The gaps: pairs of system and point without an answer that has evidence."""

    async def run(ledger: Ledger) -> Progress:
        async with ledger.read() as connection:
            return await read_progress(connection, campaign)

    progress = _with_ledger(state, run)
    for system, missing in progress.open.items():
        click.echo(f"{system}: {', '.join(missing)}")
    late = _word("overdue") if progress.overdue(_day(day)) else ""
    _say("gaps", gaps=progress.gaps, total=progress.total, findings=len(progress.findings), late=late)


def _ids(file: TextIO) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(line.strip() for line in file if line.strip()))
    if not found or any(len(one) > 64 for one in found):
        raise click.UsageError(f"{file.name}: one id of at most 64 characters a line")
    return found


def _with_ledger(state: Path, run: Callable[[Ledger], Awaitable[_Value]]) -> _Value:
    async def opened() -> _Value:
        async with open_ledger(state, read_settings(state)) as ledger:
            return await run(ledger)

    return asyncio.run(opened())


async def _credential(
    ledger: Ledger, target: str, role: str | None, passwords: Path | None
) -> tuple[str, str]:
    if role is not None:
        known = _read_passwords(passwords) if passwords else {}
        return role, known[role] if role in known else _ask_password(role)
    async with ledger.read() as connection:
        catalogue = await find_catalogue(connection, target)
    for dataset in catalogue.datasets if catalogue else ():
        secret = await ledger.content(dataset.secret)
        if not isinstance(secret, Erased):
            return dataset.role, secret.decode()
    raise click.UsageError("no dataset of this target is confirmed yet: give --role")


def _read_passwords(path: Path) -> dict[str, str]:
    if path.stat().st_mode & 0o077:
        raise click.UsageError(f"others may read {path}: chmod 600")
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=dict[str, str])
    except msgspec.DecodeError as error:
        raise Fault(FILE_UNREADABLE, name=path.name, form="YAML") from error


def _ask_password(role: str) -> str:
    prompt = _SAYS["password"][preferred_language()].format(role=role)
    return str(click.prompt(prompt, hide_input=True, err=True))


def _day(day: datetime | None) -> date:
    return day.date() if day else datetime.now(JST).date()


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's CSV files in the order of their names."""
    whole = hashlib.sha256()
    for file in sorted(path.glob("*.csv")) if path.is_dir() else [path]:
        whole.update(file.read_bytes())
    return whole.hexdigest()


def _print_proposal(proposal: Proposal, path: Path) -> None:
    columns = [
        column for dataset in proposal.datasets for table in dataset.tables for column in table.columns
    ]
    for dataset in proposal.datasets:
        click.echo(_printable(f"{dataset.dataset or '?'} ({dataset.organisation or '?'})"))
        for table in dataset.tables:
            items = ", ".join(f"{column.name}={column.item}" for column in table.columns if column.item)
            subject = f"{table.subject} ×{table.rows_per_subject}" if table.subject else "-"
            look = " ?" if table.look else ""
            click.echo(_printable(f"  {table.schema}.{table.name}  [{subject}]  {items}{look}"))
            if table.client_column:
                _say("shared", column=_printable(table.client_column))
    _say(
        "proposed",
        datasets=len(proposal.datasets),
        tables=sum(len(dataset.tables) for dataset in proposal.datasets),
        columns=len(columns),
        personal=sum(bool(column.item) for column in columns),
        look=sum(column.look for column in columns),
        unread=len(proposal.unread),
        path=path,
    )


def _printable(text: str) -> str:
    """A database may name a column with codes that a terminal obeys."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _print_client(view: ClientView, on: date, *, gaps: bool) -> None:
    language = preferred_language()
    click.echo(f"{view.client}  {view.name}  {_word(view.colour)}  {', '.join(sorted(view.roles))}")
    for one in view.datasets:
        state = _word("locked" if one.locked else "open")
        click.echo(f"  {one.dataset}  {one.name}  {state}  {_word(one.colour)}")
        if isinstance(one.standing, LockedDataset):
            for fault in one.standing.reasons:
                click.echo(f"    {fault.code}: {fault.sentence(language)}")
    for task in view.tasks:
        step = "countersigned" if task.countersigned else "certified" if task.certificate else "waiting"
        words = [_word(step)]
        if task.opened is None:
            words.append(_word("not_opened"))
        if task.overdue(on):
            words.append(_word("overdue"))
        asked = task.asked
        _say(
            "task",
            dataset=asked.dataset,
            party=asked.party,
            ended=asked.ended,
            due=asked.due,
            state=", ".join(words),
        )
    if gaps:
        for fault in view.gaps:
            click.echo(f"  - {fault.code}: {fault.sentence(language)}")


def _json_of(view: ClientView, on: date) -> dict[str, Any]:
    return {
        "client": view.client,
        "name": view.name,
        "colour": view.colour,
        "roles": sorted(view.roles),
        "datasets": [
            {
                "dataset": one.dataset,
                "name": one.name,
                "open": not one.locked,
                "colour": one.colour,
                "reasons": _json_faults(
                    one.standing.reasons if isinstance(one.standing, LockedDataset) else ()
                ),
            }
            for one in view.datasets
        ],
        "erase_tasks": [
            {
                "dataset": task.asked.dataset,
                "party": task.asked.party,
                "ended": task.asked.ended.isoformat(),
                "due": task.asked.due.isoformat(),
                "opened": task.opened is not None,
                "certified": task.certificate is not None,
                "countersigned": task.countersigned is not None,
                "overdue": task.overdue(on),
            }
            for task in view.tasks
        ],
        "gaps": _json_faults(view.gaps),
    }


def _json_faults(found: tuple[Fault, ...]) -> list[dict[str, str]]:
    return [{"code": one.code, "en": one.sentence("en"), "ja": one.sentence("ja")} for one in found]


def _word(word: str) -> str:
    return _SAYS[word][preferred_language()]


def _say(sentence: str, *, error: bool = False, **values: object) -> None:
    click.echo(_SAYS[sentence][preferred_language()].format(**values), err=error)
