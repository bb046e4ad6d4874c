"""The rows of `customers` and `calls` as PostgreSQL COPY text, a pure function of seed, organisation and number.

Each block of rows draws its randomness from SHAKE-128 over (seed, organisation, block), 16 bits at a time, and
looks everything else up in tables that are made once.

Two overlaps are built in. About one row in seven shares family name, address and landline with the row before
it: a household. And one row in sixteen of each company is, as a person, the row with the same number of a larger
company (`_partner_of`): name, birth, address, telephone and mail are the same there.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final, NamedTuple

from sekisho.demo.population import names, places
from sekisho.demo.population.columns import Extra
from sekisho.demo.population.organisations import Organisation, organisations

BLOCK: Final = 4096  # rows; a multiple of 16, so that shared rows keep their places
FIRST_ID: Final = 10_000_001
CALLS_PER: Final = 4  # one call for every four customers

_NULL: Final = r"\N"  # COPY text format
_WORDS: Final = struct.Struct("<16H")
_CALL_WORDS: Final = struct.Struct("<8H")
_HOUSEHOLD: Final = 65536 // 7
_MOBILE: Final = 65536 * 6 // 10
_CARD_HOLDERS: Final = 65536 // 50

_Words = tuple[int, ...]


def rows(organisation: Organisation, seed: int = 0) -> Iterator[bytes]:
    """The organisation's customers as COPY text, in chunks of up to BLOCK rows."""
    for block in range(-(-organisation.persons // BLOCK)):
        size = min(BLOCK, organisation.persons - block * BLOCK)
        yield "".join(_customer_lines(organisation, seed, block, size)).encode()


def customers(
    organisation: Organisation, seed: int = 0, start: int = 0, stop: int | None = None
) -> Iterator[tuple[str | None, ...]]:
    """Customers number `start` to `stop` (from 0) as tuples of text, in the order of the table's columns."""
    stop = organisation.persons if stop is None else min(stop, organisation.persons)
    for block in range(start // BLOCK, -(-stop // BLOCK)):
        lines = _customer_lines(organisation, seed, block, min(BLOCK, stop - block * BLOCK))
        for line in lines[max(0, start - block * BLOCK) :]:
            yield tuple(None if word == _NULL else word for word in line[:-1].split("\t"))


def call_rows(organisation: Organisation, seed: int = 0) -> Iterator[bytes]:
    """The organisation's calls as COPY text, in chunks of up to BLOCK rows."""
    count = organisation.persons // CALLS_PER
    for block in range(-(-count // BLOCK)):
        size = min(BLOCK, count - block * BLOCK)
        yield "".join(_call_lines(organisation, seed, block, size)).encode()


def _random(label: str, seed: int, organisation_id: str, block: int, size: int) -> bytes:
    return hashlib.shake_128(f"{label}:{seed}:{organisation_id}:{block}".encode()).digest(size)


class _Tables(NamedTuple):
    families: list[names.Name]
    births: list[tuple[str, str, list[names.Name]]]  # "1951-", sex, given names of that time
    days: list[str]
    streets: list[str]
    buildings: list[str]
    mail_domains: list[str | None]
    registered: list[str]
    memos: list[str]
    numbers: tuple[list[str], ...]  # all numbers of 0, 1, 2, 3 and 4 digits


# Decade of birth and its share in 64: those who are telephoned at home are not young.
_DECADES: Final = ((1925, 3), (1935, 9), (1945, 15), (1955, 13), (1965, 10), (1975, 7), (1985, 5), (1995, 2))
_MEMOS: Final = (
    *(
        "不在、後日再架電",
        "折り返し希望(午前)",
        "折り返し希望(午後)",
        "定期便を休止中",
        "案内状を送付済み",
        "資料請求あり",
    ),
    *("住所変更の届出あり", "電話は夕方以降を希望", "ご家族が応対", "契約内容の確認済み"),
)
_MAIL_DOMAINS: Final = ("example.jp", "mail.example.jp", "keitai.example.jp", "kitakaze.invalid")


@cache
def _tables() -> _Tables:
    births = [
        (f"{year + more % 10}-", sex, names.given_names(year + more % 10, sex))
        for year, share in _DECADES
        for more in range(64 * share)
        for sex in ["男" if more * 7 % 64 < 27 else "女"]
    ]
    return _Tables(
        families=names.FAMILIES,
        births=births,
        days=[f"{1 + number % 12:02d}-{1 + number // 12 % 28:02d}" for number in range(336)],
        streets=places.streets(),
        buildings=places.buildings(),
        mail_domains=[_MAIL_DOMAINS[number % 4] if number % 16 < 7 else None for number in range(64)],
        registered=[
            f"{2008 + number // 12 % 15}-{1 + number % 12:02d}-{1 + number * 5 % 28:02d}"
            for number in range(2520)
        ],
        memos=[_MEMOS[number % len(_MEMOS)] if number < 2 * len(_MEMOS) else _NULL for number in range(64)],
        numbers=tuple(
            [f"{number:0{digits}d}" if digits else "" for number in range(10**digits)] for digits in range(5)
        ),
    )


@cache
def _areas(prefecture: str | None, city: str | None) -> list[places.Area]:
    return places.areas(prefecture, city)


@cache
def _partner_of(number: int) -> Organisation | None:
    """The larger company with which organisation `number` shares persons. Those bound to one place have none."""
    catalogue = organisations()
    if number == 0 or catalogue[number].prefecture:
        return None
    partner = catalogue[number // 2]
    return partner if partner.prefecture is None else catalogue[0]


def _shared_place(number: int) -> int:
    """Which of every sixteen rows is shared. Differs between an organisation and its partner, so that a shared
    row is always the partner's own."""
    return number.bit_length() % 2 + 2 * (number % 8)


def _drawn(organisation: Organisation, seed: int, block: int, size: int) -> tuple[list[_Words], list[_Words]]:
    """For each row of a block the words of its person, and those of the row before it in the same organisation."""

    def own(organisation_id: str) -> tuple[list[_Words], list[_Words]]:
        drawn = list(
            _WORDS.iter_unpack(_random("customers", seed, organisation_id, block, size * _WORDS.size))
        )
        return drawn, [drawn[0], *drawn[:-1]]

    persons, before = own(organisation.id)
    if partner := _partner_of(organisation.number):
        place = _shared_place(organisation.number)
        theirs, before_theirs = own(partner.id)
        persons[place::16], before[place::16] = theirs[place::16], before_theirs[place::16]
    return persons, before


def _customer_lines(organisation: Organisation, seed: int, block: int, size: int) -> list[str]:
    families, births, days, streets, buildings, mail_domains, registered, memos, numbers = _tables()
    areas = _areas(organisation.prefecture, organisation.city)
    four, three, two = numbers[4], numbers[3], numbers[2]
    extra = _extra(organisation.extra)
    persons, before = _drawn(organisation, seed, block, size)
    shift, own = (
        FIRST_ID + block * BLOCK,
        organisation.number * 131,
    )  # a shared person registered elsewhere too
    lines = []
    # The loop is the whole cost of a population; hence no calls and no attribute look-ups that can be avoided.
    for number, me, home in zip(range(size), persons, before, strict=True):
        w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15 = me
        h7, h8 = w7, w8
        if w13 < _HOUSEHOLD and number:
            w0, w2, w3, w4, h7, h8 = home[0], home[2], home[3], home[4], home[7], home[8]
        family, family_kana, family_romaji = families[w0 & 4095]
        year, sex, given_table = births[w5 & 4095]
        given, given_kana, given_romaji = given_table[w1 & 255]
        postal_code, town, exchange, free = areas[w2 & 4095]
        if w9 < _MOBILE:
            phone = f"090-0{three[w7 % 1000]}-{four[w8 % 10000]}"
        else:
            tails = numbers[free]
            phone = f"{exchange}{tails[h7 % len(tails)]}-{four[h8 % 10000]}"
        domain = mail_domains[w10 & 63]
        mail = f"{given_romaji}.{family_romaji}{two[w14 % 100]}@{domain}" if domain else _NULL
        lines.append(
            f"{shift + number}\t{family} {given}\t{family_kana} {given_kana}\t{postal_code}\t"
            f"{town}{streets[w3 & 8191]}{buildings[w4 & 2047]}\t{phone}\t{year}{days[w6 % 336]}\t{sex}\t{mail}\t"
            f"{registered[(w11 + own) % 2520]}\t{memos[(w12 + own) & 63]}{extra(w14, w15) if extra else ''}\n"
        )
    return lines


def _extra(kind: Extra | None) -> Callable[[int, int], str] | None:
    """What makes the last column, with its tab before it, from two random words."""
    if kind is None:
        return None
    return {"card": _card_number, "insurance_number": _insured_number, "user_id": _user_id}[kind]


def _card_number(holder: int, digits: int) -> str:
    """One customer in fifty has one: a test number, 411111 being the range that card schemes use for tests."""
    if holder >= _CARD_HOLDERS:
        return "\t" + _NULL
    body = f"411111{(holder * 65536 + digits) % 10**9:09d}"
    # ISO/IEC 7812-1 annex B: from the right, beside the check digit, every second digit is doubled.
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(body))
    return f"\t{body}{-total % 10}"


def _insured_number(symbol: int, number: int) -> str:
    return f"\t{symbol % 90 + 10}-{number * 7 % 1_000_000:06d}"


def _user_id(high: int, low: int) -> str:
    return f"\tCAF{(high * 65536 + low) % 10**10:010d}"


_RESULTS: Final = ("受注", "案内済み", "不在", "不在", "折り返し", "お断り", "番号違い", "留守番電話")
_NOTES: Final = (
    _NULL,
    _NULL,
    _NULL,
    _NULL,
    "次回は夕方に架電",
    "商品の使い方の質問",
    "料金の確認",
    "解約の相談",
)


def _call_lines(organisation: Organisation, seed: int, block: int, size: int) -> list[str]:
    registered, two = _tables().registered, _tables().numbers[2]
    drawn = _CALL_WORDS.iter_unpack(_random("calls", seed, organisation.id, block, size * _CALL_WORDS.size))
    first = block * BLOCK
    return [
        f"{call + 1}\t{FIRST_ID + call * CALLS_PER + w0 % CALLS_PER}\t"
        f"{registered[w1 % 2520]} {two[9 + w2 % 11]}:{two[w3 % 60]}:{two[w4 % 60]}+09\t"
        f"op-{1 + w5 % 180:03d}\t{_RESULTS[w6 & 7]}\t{_NOTES[w7 & 7]}\n"
        for call, (w0, w1, w2, w3, w4, w5, w6, w7) in zip(range(first, first + size), drawn, strict=True)
    ]
