"""The invented population: sizes, sameness by seed, overlaps, and that nothing in it can be anybody's."""

import hashlib
import itertools
import re
from collections import Counter
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.demo.population import (
    DEFAULT_PERSONS,
    MOST_PERSONS,
    Organisation,
    customers,
    names,
    organisations,
    places,
    rows,
)
from sekisho.demo.population.customers import BLOCK, _partner_of, _shared_place, call_rows
from sekisho.faults import Fault
from sekisho.text.items import ITEM_BY_ID

CLIENTS = {organisation.id: organisation for organisation in organisations()}


def first(organisation: Organisation, count: int, seed: int = 0) -> list[dict[str, str]]:
    listed = [column.name for column in organisation.columns("customers")]
    return [
        dict(zip(listed, (word or "" for word in row), strict=True))
        for row in customers(organisation, seed, 0, count)
    ]


@given(st.integers(min_value=69, max_value=MOST_PERSONS))
@settings(max_examples=50)
def test_sizes_add_up_and_keep_their_shape(persons: int) -> None:
    clients = organisations(persons)
    sizes = [client.persons for client in clients]
    assert sum(sizes) == persons
    assert len(clients) == 69
    assert min(sizes) >= 1
    assert sizes == sorted(sizes, reverse=True)


def test_the_full_and_the_default_size() -> None:
    full = organisations(MOST_PERSONS)
    assert full[0].persons == 4_000_000
    assert sum(client.kind == "municipality" or client.kind == "health_insurer" for client in full) == 38
    assert organisations(DEFAULT_PERSONS)[0].persons >= 32_759
    assert len({client.id for client in full}) == len({client.name for client in full}) == 69
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{2,50}", client.id) for client in full)


@pytest.mark.parametrize("persons", [0, 68, MOST_PERSONS + 1])
def test_a_number_that_cannot_be_spread_is_refused(persons: int) -> None:
    with pytest.raises(Fault, match="between 69 and 9280000"):
        organisations(persons)


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Golden: a change here changes every population that anyone noted by its seed."""
    client = CLIENTS["hinata_aojiru"]
    made = hashlib.sha256(b"".join(itertools.chain(rows(client, 7), call_rows(client, 7)))).hexdigest()
    assert (
        made == hashlib.sha256(b"".join(itertools.chain(rows(client, 7), call_rows(client, 7)))).hexdigest()
    )
    assert made == "a19e388cc7a452c1d9367e5779d7232a8b84c0bbae3a5aa74b137284fa1879f7"
    assert next(rows(client, 8)) != next(rows(client, 7))


def test_a_larger_population_continues_a_smaller_one() -> None:
    for small, large in zip(organisations(50_000), organisations(200_000), strict=True):
        count = min(small.persons, 2 * BLOCK + 5)
        assert list(customers(small, 3, 0, count)) == list(customers(large, 3, 0, count))


def test_rows_and_customers_are_the_same_persons() -> None:
    client = CLIENTS["aoba_tsushin"]
    lines = b"".join(rows(client, 1)).decode().splitlines()
    assert len(lines) == client.persons
    wanted = [tuple(None if word == r"\N" else word for word in line.split("\t")) for line in lines]
    assert list(customers(client, 1)) == wanted
    assert list(customers(client, 1, 4090, 8200)) == wanted[4090:8200]
    assert list(customers(client, 1, client.persons - 3)) == wanted[-3:]
    assert [int(row[0] or 0) for row in wanted] == list(range(10_000_001, 10_000_001 + client.persons))


def test_every_value_is_well_formed() -> None:
    for client in CLIENTS.values():
        for row in first(client, 300):
            assert re.fullmatch(r"[^\s\w]*\w+ \w+", row["name"])
            assert re.fullmatch(r"[ァ-ー]+ [ァ-ー]+", row["name_kana"])
            assert re.fullmatch(r"\d{3}-98\d\d", row["postal_code"])
            assert re.match(r"(北海道|東京都|京都府|大阪府|..県|...県)\w", row["address"])
            assert 1925 <= date.fromisoformat(row["birth_date"]).year <= 2004
            assert date(2008, 1, 1) <= date.fromisoformat(row["registered_on"]) <= date(2022, 12, 31)
            assert row["sex"] in {"男", "女"}
            if client.city:
                assert row["address"].startswith(f"{client.prefecture}{client.city}")


def test_no_telephone_number_or_mail_address_can_be_anybodys() -> None:
    for client in CLIENTS.values():
        for row in first(client, 500):
            number = row["phone"].replace("-", "")
            if row["phone"].startswith("090"):
                assert re.fullmatch(r"090-0\d{3}-\d{4}", row["phone"])
            else:
                # The local exchange begins with 1, which the numbering plan never assigns.
                assert re.fullmatch(r"0\d{1,3}-1\d{1,3}-\d{4}", row["phone"])
                assert len(number) == 10
            assert re.fullmatch(r"|[a-z.]+\d\d@(\w+\.)?(example\.jp|\w+\.invalid)", row["email"])


def test_card_numbers_are_test_numbers_and_pass_luhn() -> None:
    holders = [
        row["card_number"] for row in first(organisations(MOST_PERSONS)[CLIENTS["rengeya_oil"].number], 5000)
    ]
    cards = [number for number in holders if number]
    assert 40 < len(cards) < 200
    for number in cards:
        assert re.fullmatch(r"411111\d{10}", number)
        doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
        assert sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def test_companies_share_persons_and_rows_share_households() -> None:
    shared_columns = ("name", "name_kana", "postal_code", "address", "phone", "birth_date", "sex", "email")
    for client in list(CLIENTS.values())[1:12]:
        partner = _partner_of(client.number)
        if partner is None:
            assert client.prefecture
            continue
        assert partner.persons >= client.persons
        assert partner.number == 0 or _shared_place(partner.number) != _shared_place(client.number)
        same = [
            number
            for number, (mine, theirs) in enumerate(
                zip(first(client, 800), first(CLIENTS[partner.id], 800), strict=True)
            )
            if all(mine[column] == theirs[column] for column in shared_columns)
        ]
        assert same == list(range(_shared_place(client.number), 800, 16))
    listed = first(CLIENTS["minato_yohoen"], 7000)
    households = sum(
        one["address"] == other["address"] and one["name"].split()[0] == other["name"].split()[0]
        for one, other in itertools.pairwise(listed)
    )
    assert 700 < households < 1300


def test_common_names_are_common() -> None:
    listed = first(CLIENTS["minato_yohoen"], 8000)
    families = Counter(row["name"].split()[0] for row in listed)
    assert families["佐藤"] > 3 * families["西山"] > 0
    assert len(families) > 150
    assert len({row["name"] for row in listed}) < 7000  # many persons bear the same full name


def test_readings_become_latin_letters() -> None:
    readings = {
        "サトウ": "sato",
        "イノウエ": "inoue",
        "ハットリ": "hattori",
        "ジュンコ": "junko",
        "オオノ": "ono",
    }
    assert {kana: names.romaji(kana) for kana in readings} == readings


def test_tables_have_the_sizes_that_the_rows_index() -> None:
    assert len(names.FAMILIES) == names.FAMILY_TABLE_SIZE
    assert all(
        len(names.given_names(year, sex)) == names.GIVEN_TABLE_SIZE for year in (1930, 2004) for sex in "男女"
    )
    assert len(places.streets()) == places.STREET_TABLE_SIZE
    assert len(places.buildings()) == places.BUILDING_TABLE_SIZE
    assert {len(places.areas(client.prefecture, client.city)) for client in CLIENTS.values()} == {
        places.AREA_TABLE_SIZE
    }


def test_columns_name_known_data_items() -> None:
    for client in CLIENTS.values():
        assert set(client.items) <= set(ITEM_BY_ID)
        assert {column.item for column in client.columns("calls")} - {None} <= set(ITEM_BY_ID)
    with pytest.raises(ValueError, match="no table"):
        CLIENTS["minato_yohoen"].columns("campaigns")
