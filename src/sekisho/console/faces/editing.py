"""Editing the register: each sheet of it as a list and a form, targets, the catalogue of a dataset, and scans.

A form has the columns of the sheet that a file would have, is read by the same reader, and comes back as it was
written when a cell is wrong. What masks a dataset less, reaches more, or lasts longer, becomes a proposal for a second
person.

Longer than other faces: the forms of one editor share one reader, one way back and one list of errors.
"""

import asyncio
import ipaddress
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from cryptography.x509 import load_pem_x509_certificates
from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel
from sqlalchemy import select
from starlette.datastructures import FormData

from sekisho.console import faults
from sekisho.console.access import Needs, Page
from sekisho.console.faces.register import may_edit
from sekisho.console.house import House
from sekisho.console.pages import Face, back_to, render
from sekisho.console.viewer import ActorDep, HouseDep, Viewer
from sekisho.console.words import gettext_in, marked
from sekisho.faults import Fault, FaultKind
from sekisho.ledger import Commitment, Erased
from sekisho.ledger.leaf import kind_of
from sekisho.ledger.vault import CHECKPOINT
from sekisho.people.ssh_keys import read_public_key
from sekisho.register import faults as register_faults
from sekisho.register.access import STATED
from sekisho.register.catalogue import (
    Catalogue,
    Dataset,
    Target,
    find_catalogue,
    find_target,
    organisation_names,
)
from sekisho.register.changes import agree, change_catalogue, change_target
from sekisho.register.facts import EntrustmentsProposed, ScanKept, TableEntry, TargetAdded, TargetScanned
from sekisho.register.grids import LIST_MARK, Line
from sekisho.register.intake import take_in
from sekisho.register.proposal import Proposal, ProposedColumn, ProposedDataset, ProposedTable, propose
from sekisho.register.proposal_file import prepare
from sekisho.register.records import find_dataset, read_tables
from sekisho.register.survey import surveying
from sekisho.register.tables import scans, targets
from sekisho.register.tables_io import SHEETS, Column, Rejected, Sheet, read_lines, written_rows
from sekisho.text.items import ITEMS

face: Final = Face("register")
_Viewer = Annotated[Viewer, Depends(Needs("register", Page.REGISTER))]
_SHEETS: Final = {sheet.name: sheet for sheet in SHEETS}
_PROPOSED: Final = kind_of(EntrustmentsProposed).name
_SCAN_SECONDS: Final = 120
_MOST_LINES: Final = 500
# In Japanese a column is called what a file of the register calls it.
_ENGLISH: Final = {
    "id": "ID",
    "name": "Name",
    "name_en": "Name in English",
    "kind": "Kind",
    "party": "Party",
    "other": "Other party",
    "client": "Client organisation",
    "items": "Data items",
    "purpose": "Purpose",
    "responsible_unit": "Responsible unit",
    "holders": "Who has access",
    "target": "Target",
    "schema": "Schema",
    "tables": "Tables",
    "client_column": "Column of the client",
    "retention": "Kept for",
    "fingerprint": "Fingerprint",
    "sensitivity": "Sensitivity",
    "giver": "Given by",
    "receiver": "Received by",
    "datasets": "Datasets",
    "began": "Began on",
    "approved_by": "Approved by (on paper)",
    "approved_on": "Approved on",
    "hop": "Entrustment",
    "period": "Period",
    "clauses": "Clauses",
    "item": "Duty",
    "on": "Done on",
    "until": "In force until",
    "evidence": "Evidence",
    "organisation": "Organisation",
    "control": "Control",
    "bound": "Bound",
    "value": "Value",
}
_LONG: Final = frozenset({"items", "purpose", "evidence"})


class SheetColumn(BaseModel):
    """`words` are all that may stand there where they are fixed."""

    name: str
    en: str
    ja: str
    words: list[str]


class SheetView(BaseModel):
    """One sheet of the register: its columns, and its rows as texts. `keyed`: the first column is an id."""

    sheet: str
    columns: list[SheetColumn]
    keyed: bool
    rows: list[list[str]]
    more: int
    may_edit: bool


class Field(NamedTuple):
    """One input of a form. `options` are (value, words); `fault` says what is wrong with what was written."""

    name: str
    label: str
    value: str
    required: bool = True
    example: str = ""
    options: tuple[tuple[str, str], ...] = ()
    many: bool = False
    long: bool = False
    fixed: bool = False
    fault: str = ""
    kind: str = "text"

    @property
    def chosen(self) -> tuple[str, ...]:
        return tuple(word for word in self.value.split(LIST_MARK) if word)


def _sheet(name: str) -> Sheet:
    if name not in _SHEETS:
        raise Fault(faults.NOT_FOUND, what=name[:64])
    return _SHEETS[name]


def _must_edit(viewer: Viewer) -> None:
    if not may_edit(viewer):
        raise Fault(faults.NOT_YOURS, what="register")


@face.shows("/register/edit/sheets/{sheet}", "sheet.html", api="/register/sheets/{sheet}")
async def read_sheet(house: HouseDep, viewer: _Viewer, sheet: str) -> SheetView:
    """The rows of one sheet of the register, as a file of it would have them."""
    of = _sheet(sheet)
    async with house.ledger.read() as connection:
        rows = written_rows(await read_tables(connection), of)
    return SheetView(
        sheet=of.name,
        columns=[
            SheetColumn(
                name=column.name, en=_ENGLISH[column.name], ja=column.ja, words=list(column.kind.choices)
            )
            for column in of.columns
        ],
        keyed=of.columns[0].name == "id",
        rows=rows[:_MOST_LINES],
        more=max(len(rows) - _MOST_LINES, 0),
        may_edit=may_edit(viewer),
    )


@face.pages.get("/register/edit/sheets/{sheet}/row")
async def row_page(
    request: Request, house: HouseDep, viewer: _Viewer, sheet: str, row: str = ""
) -> HTMLResponse:
    """An empty form, or that of the row with this id."""
    _must_edit(viewer)
    of = _sheet(sheet)
    async with house.ledger.read() as connection:
        rows = written_rows(await read_tables(connection), of)
    held = next((one for one in rows if row and of.columns[0].name == "id" and one[0] == row), None)
    if row and held is None:
        raise Fault(faults.NOT_FOUND, what=row[:64])
    names = [column.name for column in of.columns]
    texts = dict(zip(names, held, strict=True)) if held else {}
    fields = await _fields(house, viewer, of, texts, {}, fixed=held is not None)
    return render(request, "row.html", viewer, sheet=of.name, fields=fields, row=row, faults=())


@face.pages.post("/register/edit/sheets/{sheet}/row")
async def write_row(
    request: Request,
    house: HouseDep,
    viewer: ActorDep,
    sheet: str,
    row: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Take one row over, or show the form again with what is wrong at each cell."""
    _must_edit(viewer)
    of = _sheet(sheet)
    texts = _texts(of, await request.form())
    async with house.ledger.read() as connection:
        held = await read_tables(connection)
    read = read_lines({of.name: [Line(1, {name: text for name, text in texts.items() if text})]}, held)
    wrong: dict[str, str] = {}
    if isinstance(read, Rejected):
        wrong = {one.column or "": _at_field(one.fault, viewer) for one in reversed(read.faults)}
    elif of.columns[0].name == "id" and texts["id"] != row:
        if row:
            wrong["id"] = Fault(faults.BAD_INPUT, reason="id").sentence(viewer.language)
        elif any(texts["id"] == one[0] for one in written_rows(held, of)):
            taken = Fault(register_faults.ID_TAKEN, text=texts["id"])
            wrong["id"] = taken.sentence(viewer.language)
    if wrong or isinstance(read, Rejected):
        fields = await _fields(house, viewer, of, texts, wrong, fixed=bool(row))
        shown = {field.name for field in fields}
        rest = tuple(said for name, said in wrong.items() if name not in shown)
        return render(
            request, "row.html", viewer, status=400, sheet=of.name, fields=fields, row=row, faults=rest
        )
    recorded = await take_in(house.ledger, read, by=viewer.person, file="console")
    waits = any(one.fact == _PROPOSED for one in recorded)
    return back_to("/register" if waits else f"/register/edit/sheets/{of.name}")


def _at_field(fault: Fault, viewer: Viewer) -> str:
    """What is wrong, said beside the field: a form has no rows to name."""
    say = gettext_in(viewer.language)
    if fault.kind is register_faults.CELL_MISSING:
        return say(marked("Fill this in."))
    if fault.kind is register_faults.CELL_UNREADABLE:
        return say(marked("This cannot be read; write it as in the example."))
    if fault.kind is register_faults.NAMES_NOTHING:
        return say(marked("Nothing of this ID is registered."))
    return fault.sentence(viewer.language)


def _texts(sheet: Sheet, form: FormData) -> dict[str, str]:
    return {
        column.name: LIST_MARK.join(str(one).strip() for one in form.getlist(column.name) if str(one).strip())
        for column in sheet.columns
    }


async def _fields(
    house: House, viewer: Viewer, sheet: Sheet, texts: dict[str, str], wrong: dict[str, str], *, fixed: bool
) -> list[Field]:
    async with house.ledger.read() as connection:
        held = await read_tables(connection)
        servers = list(await connection.scalars(select(targets.c.target).order_by(targets.c.target)))
    options = {
        "parties": [(one.id, one.name) for one in held.parties.persons],
        "datasets": [(one.id, one.name) for one in held.datasets],
        "entrustments": [
            (hop.id, f"{held.parties.name(hop.giver)} → {held.parties.name(hop.receiver)}")
            for hop in held.parties.hops
        ],
        "targets": [(server, "") for server in servers],
    }

    def field(place: int, column: Column) -> Field:
        named = "targets" if column.name == "target" else column.names
        choices = tuple((one, "") for one in column.kind.choices)
        ids = (
            tuple((one, f"{words} ({one})" if words else one) for one, words in options[named])
            if named
            else ()
        )
        return Field(
            column.name,
            column.ja if viewer.language == "ja" else _ENGLISH[column.name],
            texts.get(column.name, ""),
            column.required,
            column.kind.example,
            choices or ids,
            column.kind.many,
            column.name in _LONG,
            fixed and place == 0 and column.name == "id",
            wrong.get(column.name, ""),
        )

    return [field(place, column) for place, column in enumerate(sheet.columns)]


# Targets


@face.pages.get("/register/edit/target")
async def target_page(request: Request, house: HouseDep, viewer: _Viewer, target: str = "") -> HTMLResponse:
    _must_edit(viewer)
    async with house.ledger.read() as connection:
        found = await find_target(connection, target) if target else None
        houses = await organisation_names(connection)
    if target and found is None:
        raise Fault(faults.NOT_FOUND, what=target[:64])
    values = msgspec.to_builtins(found) if found else {"protocol": "postgres", "unknown_lineage": "mask"}
    values["host_keys"] = "\n".join(values.get("host_keys", ()))
    return render(
        request, "target.html", viewer, values=values, known=target, houses=_said(houses, viewer), wrong={}
    )


def _said(houses: dict[str, tuple[str, str]], viewer: Viewer) -> list[tuple[str, str]]:
    ja = viewer.language == "ja"
    return [(name, one[0] if ja or not one[1] else one[1]) for name, one in sorted(houses.items())]


@face.pages.post("/register/edit/target")
async def write_target(request: Request, house: HouseDep, viewer: ActorDep) -> Response:
    """Register a server, or propose a change of what is registered of it."""
    _must_edit(viewer)
    form = await request.form()
    values = {name: str(form.get(name, "")).strip() for name in (*Target.__slots__, "reason")}
    known = str(form.get("known", ""))
    async with house.ledger.read() as connection:
        taken = await find_target(connection, values["target"])
        houses = await organisation_names(connection)
    wrong: dict[str, Fault] = {}
    values["protocol"] = taken.protocol if taken else "postgres"
    # A browser sends other line ends than a file has: the same certificate is no change.
    values["tls_ca"] = "\n".join(values["tls_ca"].split("\r\n"))
    if taken and values["tls_ca"] == taken.tls_ca.strip():
        values["tls_ca"] = taken.tls_ca
    by_keys = values["protocol"] == "ssh"
    names = (
        ("target", "host", "operator")
        if values["protocol"] != "postgres"
        else ("target", "host", "database", "operator")
    )
    if values["protocol"] != "postgres":
        values["database"] = ""
    keys: tuple[str, ...] = ()

    def refuse(name: str, kind: FaultKind, **said: object) -> None:
        wrong.setdefault(name, Fault(kind, **said))

    if by_keys:
        values["tls_ca"] = ""
        try:
            keys = tuple(
                read_public_key(line)[0] for line in values["host_keys"].splitlines() if line.strip()
            )
        except Fault as fault:
            wrong["host_keys"] = fault
        if not keys:
            refuse("host_keys", faults.BAD_INPUT, reason="–")
    for name in names:
        if not values[name] or len(values[name]) > 253 or not values[name].isprintable():
            refuse(name, faults.BAD_INPUT, reason=values[name][:60] or "–")
    if not known and taken is not None:
        refuse("target", register_faults.ID_TAKEN, text=values["target"])
    if known and values["target"] != known:
        refuse("target", faults.BAD_INPUT, reason="ID")
    if not values["port"].isdigit() or not 0 < int(values["port"][:6]) < 65536:
        refuse("port", faults.BAD_INPUT, reason=values["port"][:20] or "–")
    if values["operator"] not in houses:
        refuse("operator", faults.BAD_INPUT, reason=values["operator"][:60] or "–")
    if values["tls_ca"] and not _is_certificate(values["tls_ca"]):
        refuse("tls_ca", faults.BAD_INPUT, reason="PEM")
    if not by_keys and not values["tls_ca"] and not _is_loopback(values["host"]):
        refuse("tls_ca", register_faults.CLEAR_ONLY_HERE, host=values["host"][:60])
    if values["unknown_lineage"] not in ("mask", "refuse"):
        refuse("unknown_lineage", faults.BAD_INPUT, reason=values["unknown_lineage"][:20] or "–")
    if values["access"] not in STATED:
        refuse("access", faults.BAD_INPUT, reason=values["access"][:20])
    if wrong:
        said = {name: fault.sentence(viewer.language) for name, fault in wrong.items()}
        return render(
            request,
            "target.html",
            viewer,
            status=400,
            values=values,
            known=known,
            houses=_said(houses, viewer),
            wrong=said,
        )
    reason = values.pop("reason")[:500]
    fact = TargetAdded(**{**values, "port": int(values["port"]), "host_keys": keys})  # type: ignore[arg-type]
    await change_target(house.ledger, fact, by=viewer.person, reason=reason)
    return back_to("/register")


def _is_certificate(text: str) -> bool:
    try:
        return bool(load_pem_x509_certificates(text.encode()))
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# The catalogue of one dataset


async def _catalogued(house: House, dataset: str) -> tuple[ProposedDataset, Catalogue, Dataset | None]:
    """The dataset as it stands, as something to correct; one that is only described has no tables yet."""
    async with house.ledger.read() as connection:
        described = await find_dataset(connection, dataset)
        if described is None:
            raise Fault(faults.NOT_FOUND, what=dataset[:64])
        catalogue = await find_catalogue(connection, described.target)
    if catalogue is None:
        raise Fault(register_faults.UNKNOWN_TARGET, target=described.target or "–")
    held = next((one for one in catalogue.datasets if one.dataset == dataset), None)
    proposed = ProposedDataset(
        dataset=dataset,
        organisation=described.client,
        confirmed=True,
        name=described.name,
        role=held.role if held else "",
        items=described.items,
        purpose=described.purpose,
        responsible_unit=described.responsible_unit,
        holders=list(described.holders),
        retention=described.retention,
        tables=[_proposed(table) for table in held.tables] if held else [],
    )
    return proposed, catalogue, held


def _proposed(table: TableEntry) -> ProposedTable:
    return ProposedTable(
        schema=table.schema,
        name=table.name,
        subject=table.subject or "",
        rows_per_subject=table.rows_per_subject,
        metered=table.metered,
        columns=[ProposedColumn(name=column.name, item=column.item) for column in table.columns],
    )


@face.pages.get("/register/edit/columns/{dataset}")
async def columns_page(request: Request, house: HouseDep, viewer: _Viewer, dataset: str) -> HTMLResponse:
    _must_edit(viewer)
    proposed, _, _ = await _catalogued(house, dataset)
    return _columns(request, viewer, proposed, f"/register/edit/columns/{dataset}", scanned=False)


def _columns(
    request: Request,
    viewer: Viewer,
    proposed: ProposedDataset,
    action: str,
    *,
    scanned: bool,
    fault: Fault | None = None,
    more: dict[str, str] | None = None,
    houses: list[tuple[str, str]] | None = None,
) -> HTMLResponse:
    return render(
        request,
        "columns.html",
        viewer,
        status=400 if fault else 200,
        proposed=proposed,
        action=action,
        scanned=scanned,
        fault=fault.sentence(viewer.language) if fault else "",
        more=more or {},
        items=[(item.id, item.ja if viewer.language == "ja" else item.en) for item in ITEMS],
        houses=houses or [],
    )


@face.pages.post("/register/edit/columns/{dataset}")
async def write_columns(request: Request, house: HouseDep, viewer: ActorDep, dataset: str) -> Response:
    """Change how a dataset is catalogued, or propose it where that shows or reaches more."""
    _must_edit(viewer)
    proposed, catalogue, held = await _catalogued(house, dataset)
    form = await request.form()
    _corrected(proposed, form)
    more = {name: str(form.get(name, "")) for name in ("schema", "table", "new_columns", "reason")}
    _with_new_table(proposed, more)
    where = f"/register/edit/columns/{dataset}"
    try:
        await _change(
            house, viewer, Proposal(catalogue.target.target, "", [], [proposed]), catalogue, form, held
        )
    except Fault as fault:
        return _columns(request, viewer, proposed, where, scanned=False, fault=fault, more=more)
    return back_to(f"/register/{dataset}" if held else "/register")


def _corrected(proposed: ProposedDataset, form: FormData) -> None:
    """Put what the form says into the proposal. A field that the form lacks stays as it is."""
    for place, table in enumerate(proposed.tables):
        if f"t{place}" not in form:
            continue
        table.subject = str(form.get(f"t{place}.subject", ""))
        rows = str(form.get(f"t{place}.rows", "1"))
        table.rows_per_subject = int(rows) if rows.isdigit() and len(rows) < 10 else 0
        table.metered = f"t{place}.metered" in form
        for at, column in enumerate(table.columns):
            column.item = str(form.get(f"t{place}.c{at}", column.item))
    proposed.tables = [
        table for place, table in enumerate(proposed.tables) if f"t{place}.leave_out" not in form
    ]
    for name in (
        "role",
        "dataset",
        "organisation",
        "name",
        "items",
        "purpose",
        "responsible_unit",
        "retention",
    ):
        if name in form:
            setattr(proposed, name, str(form[name]).strip())
    if "holders" in form:
        proposed.holders = [word.strip() for word in str(form["holders"]).split(";") if word.strip()]


def _with_new_table(proposed: ProposedDataset, more: dict[str, str]) -> None:
    """A table that somebody typed: each of its columns is masked until somebody says what it holds."""
    columns = dict.fromkeys(line.strip() for line in more["new_columns"].splitlines() if line.strip())
    schema, name = more["schema"].strip(), more["table"].strip()
    if not (schema and name and columns):
        return
    listed = [ProposedColumn(name=column, item="other") for column in columns]
    proposed.tables.append(ProposedTable(schema=schema, name=name, columns=listed))
    more.update(schema="", table="", new_columns="")


async def _change(
    house: House,
    viewer: Viewer,
    proposal: Proposal,
    catalogue: Catalogue,
    form: FormData,
    held: Dataset | None,
    *,
    describe: bool = False,
) -> None:
    [proposed] = proposal.datasets
    password = str(form.get("password", ""))
    kept = {one.role: Commitment(one.secret) for one in catalogue.datasets}
    prepared = await prepare(house.ledger, proposal, {proposed.role: password} if password else {}, kept)
    for one in prepared:
        if describe:
            await house.ledger.record(one.described, by=viewer.person, about=proposed.dataset)
        reason = str(form.get("reason", "")).strip()[:500]
        added = one.added if held is None else msgspec.structs.replace(one.added, name=held.name)
        await change_catalogue(house.ledger, added, by=viewer.person, reason=reason, parts=one.parts)


@face.pages.post("/register/edit/proposals/{proposal}")
async def agree_to(house: HouseDep, viewer: ActorDep, proposal: str) -> RedirectResponse:
    """Be the second person for a change of the catalogue, of a target, or of hops and contracts."""
    _must_edit(viewer)
    await agree(house.ledger, proposal, by=viewer.person)
    return back_to("/register")


# Scans


@face.pages.get("/register/edit/scan")
async def scan_page(request: Request, house: HouseDep, viewer: _Viewer) -> HTMLResponse:
    """What scans have proposed and nobody has confirmed yet, and a form for another one."""
    _must_edit(viewer)
    async with house.ledger.read() as connection:
        servers = list(await connection.scalars(select(targets.c.target).order_by(targets.c.target)))
        rows = list(await connection.execute(select(scans).order_by(scans.c.target)))
        houses = dict(_said(await organisation_names(connection), viewer))
        known: dict[str, set[tuple[str, str]]] = {}
        for row in rows:
            catalogue = await find_catalogue(connection, row.target)
            known[row.target] = set(catalogue.tables()) if catalogue else set()
    found = []
    for row in rows:
        proposal = await _kept(house, row.proposal)
        held = [all((t.schema, t.name) in known[row.target] for t in one.tables) for one in proposal.datasets]
        found.append((row, proposal, held))
    return render(request, "scan.html", viewer, servers=servers, found=found, houses=houses)


@face.pages.post("/register/edit/scan")
async def scan(
    house: HouseDep,
    viewer: ActorDep,
    target: Annotated[str, Form(max_length=64)],
    role: Annotated[str, Form(max_length=63)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
) -> RedirectResponse:
    """Look at a target; that the checkpoint looks is recorded first, and no value of a person is kept."""
    _must_edit(viewer)
    async with house.ledger.read() as connection:
        catalogue = await find_catalogue(connection, target)
        names = await organisation_names(connection)
    if catalogue is None:
        raise Fault(register_faults.UNKNOWN_TARGET, target=target)
    user, secret = role.strip(), password
    if not password:
        user, secret = await _credential(house, catalogue, user)
    looked = TargetScanned(target=target, role=user, rows=_SAMPLE)
    await house.ledger.record(looked, by=viewer.person, about=target)
    try:
        async with (
            asyncio.timeout(_SCAN_SECONDS),
            surveying(catalogue.target, user, secret, rows=_SAMPLE) as eye,
        ):
            proposal = await propose(await eye.survey(), eye, target, names, viewer.language)
    except TimeoutError as error:
        reason = f"> {_SCAN_SECONDS} s"
        raise Fault(register_faults.CANNOT_SURVEY, target=target, role=user, reason=reason) from error
    content = house.ledger.vault.seal(CHECKPOINT, msgspec.json.encode(proposal))
    kept = ScanKept(target=target, datasets=len(proposal.datasets), proposal=content.commitment)
    await house.ledger.record(kept, by=viewer.person, about=target, parts=[content])
    return back_to("/register/edit/scan")


_SAMPLE: Final = 200


async def _credential(house: House, catalogue: Catalogue, role: str) -> tuple[str, str]:
    """The login of a dataset that is confirmed already. Raises Fault BAD_INPUT when there is none."""
    for dataset in catalogue.datasets:
        if role in ("", dataset.role):
            secret = await house.ledger.content(dataset.secret)
            if not isinstance(secret, Erased):
                return dataset.role, secret.decode()
    raise Fault(faults.BAD_INPUT, reason="role, password")


async def _kept(house: House, commitment: str) -> Proposal:
    content = await house.ledger.content(commitment)
    if isinstance(content, Erased):
        raise Fault(faults.NOT_FOUND, what="scan")
    return msgspec.json.decode(content, type=Proposal)


async def _scanned(house: House, target: str, place: int) -> tuple[Proposal, ProposedDataset]:
    async with house.ledger.read() as connection:
        commitment = await connection.scalar(select(scans.c.proposal).where(scans.c.target == target))
    proposal = await _kept(house, commitment) if commitment else None
    if proposal is None or not 0 <= place < len(proposal.datasets):
        raise Fault(faults.NOT_FOUND, what=target[:64])
    return proposal, proposal.datasets[place]


@face.pages.get("/register/edit/scan/{target}/{place}")
async def scanned_page(
    request: Request, house: HouseDep, viewer: _Viewer, target: str, place: int
) -> HTMLResponse:
    """One proposed dataset, to read, correct and confirm."""
    _must_edit(viewer)
    _, proposed = await _scanned(house, target, place)
    return await _scanned_form(request, house, viewer, proposed, f"/register/edit/scan/{target}/{place}")


async def _scanned_form(
    request: Request, house: House, viewer: Viewer, proposed: ProposedDataset, action: str, **said: Any
) -> HTMLResponse:
    async with house.ledger.read() as connection:
        houses = _said(await organisation_names(connection), viewer)
    return _columns(request, viewer, proposed, action, scanned=True, houses=houses, **said)


@face.pages.post("/register/edit/scan/{target}/{place}")
async def confirm_scanned(
    request: Request, house: HouseDep, viewer: ActorDep, target: str, place: int
) -> Response:
    """Confirm a proposed dataset: its description is recorded, its catalogue waits for a second person."""
    _must_edit(viewer)
    proposal, proposed = await _scanned(house, target, place)
    form = await request.form()
    _corrected(proposed, form)
    proposed.confirmed = True
    one = msgspec.structs.replace(proposal, datasets=[proposed])
    async with house.ledger.read() as connection:
        catalogue = await find_catalogue(connection, target)
    if catalogue is None:
        raise Fault(register_faults.UNKNOWN_TARGET, target=target)
    held = next((row for row in catalogue.datasets if row.dataset == proposed.dataset), None)
    try:
        await _change(house, viewer, one, catalogue, form, held, describe=True)
    except Fault as fault:
        more = {"reason": str(form.get("reason", ""))}
        where = f"/register/edit/scan/{target}/{place}"
        return await _scanned_form(request, house, viewer, proposed, where, fault=fault, more=more)
    return back_to("/register")
