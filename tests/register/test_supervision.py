"""The gap list of a client against one made by hand; profiles, certificates, campaigns."""

import random
from datetime import date

import msgspec
import pytest

from register.register_examples import DAY, TABLES, fill
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.register.campaigns import answer, read_progress
from sekisho.register.facts import CampaignAnswered, CampaignOpened
from sekisho.register.intake import take_in
from sekisho.register.inventory import Dataset, Sensitivity
from sekisho.register.parties import Clause, Contract, Parties, Supervision, SupervisionItem
from sekisho.register.periods import parse_period
from sekisho.register.profiles import Bound, Certificate, Demand, Difference, Measure, Profiles, differences
from sekisho.register.records import read_certificates, read_profiles, read_tables
from sekisho.register.standing import dataset_oversight
from sekisho.register.supervision import client_gaps, supervision_file
from sekisho.register.tables_io import RegisterTables

NONE = Profiles()


def gaps(parties: Parties, on: date = DAY, profiles: Profiles = NONE) -> list[tuple[str, str]]:
    found = client_gaps(parties, TABLES.datasets, profiles, "farm", on)
    for one in found:
        assert one.sentence("en") != one.sentence("ja")
    return [
        (one.code[-3:], str(one.values.get("hop", one.values.get("dataset", one.values.get("control")))))
        for one in found
    ]


def test_the_gap_list_equals_the_one_made_by_hand() -> None:
    by_hand = [
        ("145", "old"),  # purpose, unit, holders and target are not written
        ("172", "h2"),  # approved on paper
        *[("174", "h2")] * 7,  # its contract has the audit clause and no other
    ]
    assert gaps(TABLES.parties) == by_hand
    lapsed = [(code, hop) for hop in ("h1", "h2") for code in ["175"] * 3]
    after = gaps(TABLES.parties, date(2023, 6, 1))
    assert sorted(after) == sorted([*by_hand, ("143", "h1"), *lapsed])
    assert gaps(msgspec.structs.replace(TABLES.parties, hops=())) == [("171", "list"), ("145", "old")]


def test_one_clause_removed_is_named() -> None:
    full = Contract("c1", "h1", "", parse_period("2016年~"), frozenset(Clause))
    for clause in Clause:
        contract = msgspec.structs.replace(full, clauses=full.clauses - {clause})
        parties = msgspec.structs.replace(TABLES.parties, contracts=(contract, TABLES.parties.contracts[1]))
        named = [
            one.values["clause"]
            for one in client_gaps(parties, (), NONE, "farm", DAY)
            if one.values["hop"] == "h1"
        ]
        assert named == [clause]


def test_an_unknown_period_is_told() -> None:
    unknown = Contract("c9", "h1", "覚書", parse_period("不明"))
    parties = msgspec.structs.replace(TABLES.parties, contracts=(*TABLES.parties.contracts, unknown))
    assert ("173", "h1") in gaps(parties)


def test_a_supervision_file_is_complete_when_every_point_is_answered_with_a_day() -> None:
    hop = TABLES.parties.hops[0]
    file = supervision_file(TABLES.parties, hop, DAY)
    assert file.complete
    assert [item for item, _ in file.answers] == list(SupervisionItem)
    assert all(answer is not None and answer.on <= DAY <= answer.until for _, answer in file.answers)
    for left_out in SupervisionItem:
        kept = tuple(one for one in TABLES.parties.supervision if (one.hop, one.item) != ("h1", left_out))
        assert not supervision_file(
            msgspec.structs.replace(TABLES.parties, supervision=kept), hop, DAY
        ).complete
    assert not supervision_file(TABLES.parties, TABLES.parties.hops[1], DAY).complete  # its clauses
    later = Supervision("h1", SupervisionItem.HANDLING, date(2022, 5, 1), date(2022, 12, 31), "二度目")
    more = msgspec.structs.replace(TABLES.parties, supervision=(later, *TABLES.parties.supervision))
    assert dict(supervision_file(more, hop, DAY).answers)[SupervisionItem.HANDLING] == later


DEMANDS = (
    Demand("farm", "approvers_of_a_take_out", Bound.LEAST, 2),
    Demand("farm", "log_review_days", Bound.MOST, 7),
    Demand("farm", "log_kept_days", Bound.LEAST, 1095),
    Demand("farm", "incident_report_hours", Bound.MOST, 24),
)


def test_the_differences_from_a_stricter_profile_equal_those_found_by_hand() -> None:
    measures = [
        Measure("call", "approvers_of_a_take_out", 1),
        Measure("call", "log_review_days", 30),
        Measure("call", "log_kept_days", 1095),
        Measure("call", "badges", 1),
    ]
    assert differences(DEMANDS, measures) == (
        Difference(DEMANDS[0], 1),
        Difference(DEMANDS[1], 30),
        Difference(DEMANDS[3], None),
    )
    assert differences(DEMANDS, [Measure("call", one.control, one.value) for one in DEMANDS]) == ()


async def test_a_clients_profile_is_asked_of_every_tier(ledger: Ledger) -> None:
    await fill(ledger)
    measures = [Measure(party, one.control, one.value) for party in ("call", "data") for one in DEMANDS]
    measures[-3] = Measure("data", "log_review_days", 8)
    stated = RegisterTables(profiles=Profiles(DEMANDS, tuple(measures)))
    assert len(await take_in(ledger, stated, by="kanri")) == 1 + 4 + 8
    assert await take_in(ledger, stated, by="kanri") == ()
    async with ledger.read() as connection:
        profiles = await read_profiles(connection)
    found = gaps(TABLES.parties, profiles=profiles)
    assert [one for one in found if one[0] == "176"] == [("176", "log_review_days")]


async def test_certificates_turn_nothing_green(ledger: Ledger) -> None:
    bare = msgspec.structs.replace(TABLES.parties, supervision=())
    await fill(ledger, RegisterTables(bare, TABLES.datasets))
    async with ledger.read() as connection:
        before = await dataset_oversight(connection, "list", DAY)
    held_by_both = tuple(
        Certificate(organisation, name, date(2030, 1, 1))
        for organisation in ("call", "data")
        for name in ("ISMS", "プライバシーマーク")
    )
    await take_in(ledger, RegisterTables(certificates=held_by_both), by="kanri")
    async with ledger.read() as connection:
        assert await dataset_oversight(connection, "list", DAY) == before
        held = (await read_tables(connection)).parties
        assert await read_certificates(connection) == held_by_both
    assert gaps(held) == gaps(bare)
    assert len([one for one in gaps(held) if one[0] == "175"]) == 6


async def test_a_campaign_over_443_systems_and_44_points_counts_its_gaps_exactly(ledger: Ledger) -> None:
    opened = CampaignOpened(
        campaign="2024-all",
        name="全業務の再点検",
        systems=tuple(f"system-{number:03}" for number in range(443)),
        points=tuple(f"point-{number:02}" for number in range(44)),
        due=date(2024, 3, 29),
    )
    await ledger.record(opened, by="kanri", about="2024-all")
    drawn = random.Random(443)
    places = [(system, point) for system in opened.systems for point in opened.points]
    chosen = drawn.sample(places, 1500)
    without_evidence = set(chosen[:200])
    futures = [
        ledger.record_soon(
            CampaignAnswered(
                campaign="2024-all",
                system=system,
                point=point,
                answer="finding" if number % 10 == 0 else "done",
                evidence=" " if (system, point) in without_evidence else "点検票",
            ),
            by="kanri",
            about="2024-all",
        )
        for number, (system, point) in enumerate(chosen)
    ]
    for future in futures:
        await future
    async with ledger.read() as connection:
        progress = await read_progress(connection, "2024-all")
    assert progress.total == 443 * 44
    assert progress.gaps == 443 * 44 - 1500 + 200
    still_open = {(system, point) for system, points in progress.open.items() for point in points}
    assert still_open == (set(places) - set(chosen)) | without_evidence
    assert len(progress.findings) == 150
    assert progress.overdue(date(2024, 3, 30))
    assert not progress.overdue(date(2024, 3, 29))


async def test_a_campaign_takes_no_answer_to_what_was_not_asked_and_is_not_opened_anew(
    ledger: Ledger,
) -> None:
    opened = CampaignOpened(campaign="c", name="点検", systems=("s",), points=("p", "q"), due=DAY)
    await ledger.record(opened, by="kanri", about="c")
    done = CampaignAnswered(campaign="c", system="s", point="p", answer="done", evidence="票")
    for change, code in (({"campaign": "d"}, "158"), ({"system": "t"}, "156"), ({"point": "r"}, "156")):
        with pytest.raises(Fault, match=f"SEK-REG-{code}"):
            await answer(ledger, [done, msgspec.structs.replace(done, **change)], by="sato")
    async with ledger.read() as connection:
        assert (await read_progress(connection, "c")).gaps == 2
    await answer(ledger, [done], by="sato")
    smaller = CampaignOpened(campaign="c", name="点検", systems=("s",), points=("p",), due=DAY)
    with pytest.raises(Fault, match="SEK-LEDG"):
        await ledger.record(smaller, by="kanri", about="c")
    async with ledger.read() as connection:
        assert (await read_progress(connection, "c")).open == {"s": ("q",)}


async def test_supervision_taken_in_again_lapses_no_earlier(ledger: Ledger) -> None:
    await fill(ledger)
    renewed = Supervision("h1", SupervisionItem.HANDLING, date(2023, 3, 1), date(2024, 2, 29), "更新")
    await take_in(ledger, RegisterTables(Parties(supervision=(renewed,))), by="kanri")
    async with ledger.read() as connection:
        held = (await read_tables(connection)).parties.supervision
    assert len(held) == len(TABLES.parties.supervision) + 1


@pytest.mark.parametrize(
    ("items", "stated", "grade"),
    [
        ("氏名、住所、電話番号、生年月日", None, "ordinary"),
        ("氏名、クレジットカード情報(一部)", None, "sensitive"),
        ("氏名、保険証記号番号", None, "sensitive"),
        ("氏名、整理記号", None, "sensitive"),  # what is not known is not harmless
        ("氏名、健診受診有無", None, "special"),
        ("氏名、個人番号", Sensitivity.ORDINARY, "special"),
        ("氏名", Sensitivity.SPECIAL, "special"),
    ],
)
def test_sensitivity_follows_the_items_and_can_only_be_raised(
    items: str, stated: Sensitivity | None, grade: str
) -> None:
    assert Dataset("d", "farm", "名簿", items, sensitivity=stated).graded() == grade
