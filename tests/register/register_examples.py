"""A register with invented names: a farm's list, passed on by a call centre."""

from datetime import date

from sekisho.ledger import Ledger
from sekisho.register.changes import agree
from sekisho.register.facts import DatasetAdded, TargetAdded
from sekisho.register.intake import take_in
from sekisho.register.inventory import Dataset
from sekisho.register.parties import (
    Approval,
    Clause,
    Contract,
    Hop,
    LegalPerson,
    Parties,
    Supervision,
    SupervisionItem,
    Tie,
    TieKind,
)
from sekisho.register.periods import parse_period
from sekisho.register.tables_io import RegisterTables

DAY = date(2022, 6, 1)
APPROVED = Approval("farm", date(2016, 1, 9))
TABLES = RegisterTables(
    Parties(
        persons=(
            LegalPerson("call", "架電センター", "Call Centre", "company"),
            LegalPerson("data", "データ保守"),
            LegalPerson("farm", "みつばさ養蜂園", "Mitsubasa Bee Farm", "company"),
            LegalPerson("union", "天霧連合"),
        ),
        ties=(Tie(TieKind.FEDERATION_OF, "union", "farm"),),
        hops=(
            Hop("h1", "farm", "farm", "call", frozenset({"list", "old"}), date(2016, 2, 1)),
            Hop("h2", "farm", "call", "data", frozenset({"list"}), date(2016, 2, 1), APPROVED),
        ),
        contracts=(
            Contract("c1", "h1", "業務委託契約", parse_period("2016年2月~2023年1月"), frozenset(Clause)),
            Contract("c2", "h2", "サービス利用契約", parse_period("2016年2月~"), frozenset({Clause.AUDIT})),
        ),
        supervision=tuple(
            Supervision(hop, item, date(2022, 4, 1), date(2023, 3, 31), "点検表")
            for hop in ("h1", "h2")
            for item in (SupervisionItem.CONTRACT, SupervisionItem.HANDLING, SupervisionItem.SELECTION)
        ),
    ),
    (
        Dataset("list", "farm", "顧客名簿", "氏名、住所", "架電", "一課", ("甲", "乙"), "db1", "s", ("t",)),
        Dataset("old", "farm", "旧名簿", "氏名等"),
    ),
)  # fmt: skip


async def take_in_by_two(ledger: Ledger, tables: RegisterTables) -> None:
    """As `take_in`, and somebody else agrees to what opens more."""
    for one in await take_in(ledger, tables, by="kanri"):
        if one.fact == "register.entrustments_proposed":
            await agree(ledger, one.leaf_hash.hex(), by="fuku")


async def fill(ledger: Ledger, tables: RegisterTables = TABLES, *, operator: str = "data") -> None:
    """The register, and where its dataset `list` stands."""
    await take_in_by_two(ledger, tables)
    target = TargetAdded(
        target="db1",
        protocol="postgres",
        host="127.0.0.1",
        port=5432,
        database="postgres",
        tls_ca="",
        unknown_lineage="mask",
        operator=operator,
    )
    await ledger.record(target, by="kanri", about="db1")
    secret = ledger.vault.seal("checkpoint", b"secret")
    dataset = DatasetAdded(
        dataset="list",
        organisation="farm",
        target="db1",
        name="list",
        role="reader",
        secret=secret.commitment,
        tables=(),
    )
    await ledger.record(dataset, by="kanri", about="list", parts=[secret])
