"""The register, edited at the console: by form, by scan, and never by one person where more would be shown."""

import re

import httpx2
import msgspec
import pytest

from console.console_scene import Scene
from console.test_acts import send
from sekisho.ledger import Commitment
from sekisho.register.catalogue import Dataset, Target, find_catalogue, find_target
from sekisho.register.changes import different, loosened
from sekisho.register.facts import (
    CatalogueProposed,
    ColumnEntry,
    DatasetAdded,
    TableEntry,
    TargetAdded,
    TargetProposed,
)

pytestmark = pytest.mark.e2e
ROW = "/register/edit/sheets/{}/row"


async def catalogued(house: Scene, dataset: str) -> Dataset:
    async with house.checkpoint.ledger.read() as connection:
        catalogue = await find_catalogue(connection, "callcentre")
    assert catalogue is not None
    return next(one for one in catalogue.datasets if one.dataset == dataset)


def columns_of(page: httpx2.Response) -> dict[str, str]:
    """What the form of a catalogue would send, as it came."""
    text = page.text
    sent = dict.fromkeys(re.findall(r'type="hidden" name="(t\d+)"', text), "1")
    sent |= dict(re.findall(r'name="(t\d+\.rows)" inputmode="numeric" value="(\d+)"', text))
    sent |= dict.fromkeys(re.findall(r'name="(t\d+\.metered)" checked', text), "on")
    for name, options in re.findall(
        r'<select[^>]*name="(t\d+\.(?:c\d+|subject))"[^>]*>(.*?)</select>', text, re.DOTALL
    ):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        sent[name] = (chosen[1] or chosen[2]) if chosen else ""
    sent |= dict(re.findall(r'<input id="[^"]*" name="(\w+)" value="([^"]*)"', text))
    return sent


async def test_a_row_is_taken_over_and_a_wrong_one_comes_back_as_it_was_written(house: Scene) -> None:
    ledger = house.checkpoint.ledger
    async with house.client("hogo") as hogo:
        page = ROW.format("parties")
        await send(
            hogo, page, page, id="outsourcing", name="まちの運用", name_en="Town Operations", kind="company"
        )
        [recorded] = [
            one
            for one in await ledger.facts(0, 999, names=["register.organisation_added"])
            if one.by == "hogo"
        ]
        assert recorded.about == "outsourcing"
        # The same id again is no new row.
        again = await send(hogo, page, page, id="outsourcing", name="別の会社")
        assert (again.status_code, "SEK-REG-189" in again.text or "registered already" in again.text) == (
            400,
            True,
        )
        assert "別の会社" in again.text

        size = len(await ledger.facts(0, 9999, names=["register.contract_added"]))
        page = ROW.format("contracts")
        wrong = await send(
            hogo, page, page, id="c-new", hop="hop-of-nobody", kind="業務委託契約", period="いつか"
        )
        assert wrong.status_code == 400
        assert wrong.text.count('class="wrong"') == 2
        for written in ("c-new", "業務委託契約", "いつか", "hop-of-nobody"):
            assert written in wrong.text
        assert len(await ledger.facts(0, 9999, names=["register.contract_added"])) == size

        done = await send(
            hogo,
            page,
            page,
            id="c-new",
            hop="hop-minato-customers",
            kind="覚書",
            period="令和7年度",
            clauses="audit",
        )
        assert "c-new: hop-minato-customers 令和7年度" in done.text, (
            "a new contract waits, and the page says so"
        )
        [waits] = await ledger.facts(0, 9999, names=["register.entrustments_proposed"])
        agree = f"/register/edit/proposals/{waits.leaf_hash.hex()}"
        await send(hogo, "/register", agree)
        assert len(await ledger.facts(0, 9999, names=["register.contract_added"])) == size, (
            "nobody agrees alone"
        )
        async with house.client("kanri") as kanri:
            await send(kanri, "/register", agree)
        correct = f"{page}?row=c-new"
        assert 'value="audit" checked' in (await hogo.get(correct)).text
        await send(
            hogo,
            correct,
            page,
            row="c-new",
            id="c-new",
            hop="hop-minato-customers",
            kind="覚書2",
            period="令和7年度",
            clauses="audit",
        )
    rows = [
        one for one in await ledger.facts(0, 9999, names=["register.contract_added"]) if one.about == "c-new"
    ]
    assert [one.by for one in rows] == ["kanri", "hogo"]


async def test_only_who_keeps_the_register_edits_it(house: Scene) -> None:
    for person in ("mori", "kensa", "moto"):
        async with house.client(person) as client:
            assert (await client.get("/register/edit/sheets/parties")).status_code == 200
            assert (await client.get(ROW.format("parties"))).status_code == 403
            answer = await send(client, "/me", ROW.format("parties"), id="x", name="x")
            assert answer.status_code == 403
            for path in ("target", "scan", "columns/minato-customers", f"proposals/{'0' * 64}"):
                assert (await send(client, "/me", f"/register/edit/{path}", target="x")).status_code == 403, (
                    path
                )
    for person in ("sato", "haruka"):
        async with house.client(person) as client:
            assert (await client.get("/register/edit/sheets/parties")).status_code == 403


async def test_masking_more_takes_one_and_showing_more_takes_two(house: Scene) -> None:
    where = "/register/edit/columns/minato-customers"
    ledger = house.checkpoint.ledger
    async with house.client("kanri") as kanri, house.client("hogo") as hogo:
        form = columns_of(await kanri.get(where))
        assert (form["t0.c1"], form["t0.c4"], form["t0.subject"]) == ("name", "", "customer_id")
        await send(kanri, where, where, **{**form, "t0.c4": "plan"})
        table = (await catalogued(house, "minato-customers")).tables[0]
        assert [(one.name, one.personal) for one in table.columns][-1] == ("plan", True)
        assert await ledger.facts(0, 99, names=["register.catalogue_proposed"]) == []

        before = await catalogued(house, "minato-customers")
        form = columns_of(await kanri.get(where))
        await send(kanri, where, where, **{**form, "t0.c1": "", "reason": "no name at all"})
        assert await catalogued(house, "minato-customers") == before
        [proposed] = await ledger.facts(0, 99, names=["register.catalogue_proposed"])
        fact = proposed.typed()
        assert isinstance(fact, CatalogueProposed)
        assert fact.loosens == ("minato.customers.name",)
        proposal = f"/register/edit/proposals/{proposed.leaf_hash.hex()}"

        own = await send(kanri, "/register", proposal)
        assert (own.status_code, "SEK-REG-188" in own.text) == (403, True)
        assert await catalogued(house, "minato-customers") == before
        page = (await hogo.get("/register")).text
        assert "no name at all" in page
        assert "minato.customers.name" in page
        await send(hogo, "/register", proposal)
        table = (await catalogued(house, "minato-customers")).tables[0]
        assert not table.columns[1].personal
        agreed = (await ledger.facts(0, 999, names=["register.dataset_added"]))[-1]
        assert agreed.by == "hogo"
        # It is spent: what it replaced does not stand any more.
        spent = await send(hogo, "/me", proposal)
        assert "SEK-REG-187" in spent.text

        # A wrong form comes back with what was written, and changes nothing.
        form = columns_of(await kanri.get(where))
        wrong = await send(kanri, where, where, **{**form, "t0.rows": "many", "reason": "kept words"})
        assert (wrong.status_code, "kept words" in wrong.text, "SEK-REG-184" not in wrong.text) == (
            400,
            True,
            True,
        )


def test_what_loosens_a_catalogue() -> None:
    def column(name: str, item: str = "") -> ColumnEntry:
        return ColumnEntry(name=name, item=item, personal=bool(item))

    def table(*columns: ColumnEntry, **changes: object) -> TableEntry:
        values: dict[str, object] = {"subject": "id", "rows_per_subject": 2, **changes}
        return TableEntry(schema="s", name="t", columns=columns, **values)  # type: ignore[arg-type]

    def added(*tables: TableEntry, role: str = "r") -> DatasetAdded:
        return DatasetAdded(
            dataset="d",
            organisation="o",
            target="x",
            name="d",
            role=role,
            secret=Commitment("0" * 64),
            tables=tables,
        )

    start = (column("id"), column("name", "name"))
    before = Dataset("d", "o", "x", "d", "r", "0" * 64, (table(*start),))
    assert loosened(None, added()) == ("d",)
    assert loosened(before, added(table(*start))) == ()
    assert loosened(before, added(table(column("id", "customer_number"), column("name", "name")))) == ()
    assert loosened(before, added(table(column("id")))) == ()
    assert loosened(before, added(table(*start, column("x", "other")))) == ()
    assert loosened(before, added(table(*start, rows_per_subject=1))) == ()
    assert loosened(before, added()) == ()
    assert loosened(before, added(table(column("id"), column("name")))) == ("s.t.name",)
    assert loosened(before, added(table(column("id"), column("name", "plan")))) == ("s.t.name",)
    assert loosened(before, added(table(*start, column("x")))) == ("s.t.x",)
    assert loosened(before, added(table(*start, rows_per_subject=3))) == ("s.t (persons)",)
    assert loosened(before, added(table(*start, subject=None))) == ("s.t (persons)",)
    assert loosened(before, added(table(*start, metered=False))) == ("s.t (persons)",)
    assert loosened(before, added(table(*start), role="root")) == ("role",)
    other = msgspec.structs.replace(table(*start), name="u")
    assert loosened(before, added(table(*start), other)) == ("s.u",)


async def test_another_address_of_a_target_takes_two(house: Scene) -> None:
    """Whoever pointed a target at the own machine alone would be sent its password with the next session."""
    ledger = house.checkpoint.ledger
    where = "/register/edit/target"

    async def server() -> Target:
        async with ledger.read() as connection:
            found = await find_target(connection, "callcentre")
        assert found is not None
        return found

    before = await server()
    fields = {name: str(getattr(before, name)) for name in Target.__slots__ if name != "host_keys"}
    changed = {**fields, "known": "callcentre", "port": "1", "unknown_lineage": "refuse", "reason": "moved"}
    async with house.client("kanri") as kanri, house.client("hogo") as hogo:
        parties = ROW.format("parties")
        await send(hogo, parties, parties, id="outsourcing", name="まちの運用", kind="company")
        # Refusing more is one person's to do.
        await send(kanri, where, where, **{**fields, "known": "callcentre", "unknown_lineage": "refuse"})
        assert (await server()).unknown_lineage == "refuse"
        await send(kanri, where, where, **{**changed, "unknown_lineage": "mask"})
        assert (await server()).port == before.port
        [*_, proposed] = await ledger.facts(0, 99, names=["register.target_proposed"])
        fact = proposed.typed()
        assert isinstance(fact, TargetProposed)
        assert fact.differs == ("port", "unknown_lineage")
        proposal = f"/register/edit/proposals/{proposed.leaf_hash.hex()}"
        own = await send(kanri, "/register", proposal)
        assert (own.status_code, "SEK-REG-188" in own.text) == (403, True)
        page = (await hogo.get("/register")).text
        assert f"port: {before.port} → 1" in page
        assert "moved" in page
        await send(hogo, "/register", proposal)
        assert ((await server()).port, (await server()).unknown_lineage) == (1, "mask")
        spent = await send(hogo, "/me", proposal)
        assert "SEK-REG-187" in spent.text
        assert "moved" not in (await hogo.get("/register")).text
    assert [one.by for one in await ledger.facts(0, 999, names=["register.target_added"])][-2:] == [
        "kanri",
        "hogo",
    ]


def test_what_of_a_target_takes_two() -> None:
    held = Target("t", "ssh", "h", 22, "", "", "mask", "o", ("ssh-ed25519 AAAA",))
    fields = {name: getattr(held, name) for name in Target.__slots__}
    others = {
        "protocol": "postgres",
        "host": "x",
        "port": 23,
        "database": "d",
        "tls_ca": "PEM",
        "operator": "p",
        "host_keys": (),
    }
    for name, value in others.items():
        assert different(held, TargetAdded(**{**fields, name: value})) == (name,)
    assert different(held, TargetAdded(**fields)) == ()
    assert different(None, TargetAdded(**fields)) == ()
    assert different(held, TargetAdded(**{**fields, "unknown_lineage": "refuse"})) == ()
    loose = Target(**{**fields, "unknown_lineage": "refuse"})
    assert different(loose, TargetAdded(**fields)) == ("unknown_lineage",)


async def test_a_scan_is_confirmed_without_typing_and_by_two(house: Scene) -> None:
    ledger = house.checkpoint.ledger
    async with house.client("kanri") as kanri, house.client("kanri2") as kanri2:
        page = await send(kanri, "/register/edit/scan", "/register/edit/scan", target="callcentre")
        assert page.status_code == 200, page.text
        [looked] = await ledger.facts(0, 99, names=["register.target_scanned"])
        assert looked.by == "kanri"
        links = re.findall(r'href="(/register/edit/scan/callcentre/\d+)">([^<]*)', page.text)
        where = next(link for link, name in links if "minato" in name or "みなと" in name)
        shown = await kanri.get(where)
        assert "佐藤 花子" not in shown.text  # reasons and names of columns, no value
        form = columns_of(shown)
        organisation = re.search(
            r'<option value="(\w+)" selected>[^<]*</option>.*?Data items', shown.text, re.DOTALL
        )
        assert organisation is not None
        form |= {"organisation": organisation[1], "dataset": "minato-scanned", "role": "maintenance"}
        # Its tables belong to another dataset already: refused, and nothing of the form is lost.
        refused = await send(kanri, where, where, **form)
        assert (refused.status_code, "minato-scanned" in refused.text) == (400, True)
        assert await ledger.facts(0, 99, names=["register.catalogue_proposed"]) == []
        form["dataset"] = "minato-customers"
        # What the survey takes for something else than the catalogue has it shows more somewhere: two are needed.
        form["t0.c0"] = ""
        form |= {name: "" for name in form if re.fullmatch(r"t\d+\.c1", name)}
        done = await send(kanri, where, where, **form)
        assert done.status_code == 200, done.text
        [proposed] = await ledger.facts(0, 99, names=["register.catalogue_proposed"])
        await send(kanri2, "/register", f"/register/edit/proposals/{proposed.leaf_hash.hex()}")
    assert (await ledger.facts(0, 999, names=["register.dataset_added"]))[-1].by == "kanri2"


async def test_a_target_without_tls_is_loopback_and_a_person_is_corrected(house: Scene) -> None:
    ledger = house.checkpoint.ledger
    fields = {
        "target": "billing",
        "host": "db.example",
        "port": "5432",
        "database": "postgres",
        "operator": "minato",
        "unknown_lineage": "mask",
    }
    async with house.client("kanri") as kanri:
        clear = await send(kanri, "/register/edit/target", "/register/edit/target", **fields)
        assert (clear.status_code, "db.example" in clear.text, "loopback" in clear.text) == (400, True, True)
        await send(kanri, "/register/edit/target", "/register/edit/target", **{**fields, "host": "127.0.0.1"})
        assert (await ledger.facts(0, 99, names=["register.target_added"]))[-1].about == "billing"
        await send(
            kanri, "/people/sato", "/people/sato/move", employer="Other Agency", unit="2", manager="mori"
        )
    [moved] = await ledger.facts(0, 99, names=["people.person_moved"])
    assert (moved.by, moved.about) == ("kanri", "sato")
    async with house.client("mori") as mori:
        assert (await send(mori, "/me", "/people/sato/move", employer="x")).status_code == 403
