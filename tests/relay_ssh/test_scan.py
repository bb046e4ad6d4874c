"""The text meter: persons on a terminal, however they are written, cut, coloured and placed."""

import asyncio
import base64
import random
import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.faults import Fault
from sekisho.gate.budget import Account, Meter, Scope
from sekisho.ledger import Fact
from sekisho.relay.terminal import encoded, faults
from sekisho.relay.terminal.controls import ControlFilter
from sekisho.relay.terminal.encoded import FREE, Unread, drawn_cells, encoded_characters
from sekisho.relay.terminal.scan import TextMeter
from sekisho.relay.terminal.screen import Screen
from terminal_under_test import admission


def meter_of(persons: int = 1000, rows: int = 1000) -> tuple[TextMeter, Meter, list[Fact]]:
    meter = Meter(
        (Account(Scope.SESSION, "session:s-1", persons, rows), Account(Scope.DAY, "day:sato", persons, rows))
    )
    recorded: list[Fact] = []

    async def record(fact: Fact) -> None:
        recorded.append(fact)

    return TextMeter(admission(meter), record, b"k" * 32, lambda: (), unread=Unread()), meter, recorded


def persons_in(*chunks: bytes | str) -> int:
    text_meter, meter, _ = meter_of()

    controls = ControlFilter()

    async def feed() -> None:
        for chunk in chunks:
            clean, _ = controls.feed(chunk.encode() if isinstance(chunk, str) else chunk)
            await text_meter.spend(clean)

    asyncio.run(feed())
    return meter.persons


PHONE = "090-1234-5678"
HIDING = {
    "plain": f"tel {PHONE}\r\n",
    "colours within": "090-\x1b[31m1234\x1b[0m-\x1b[1m5678\r\n",
    "a colour between all": "".join(f"\x1b[3{i % 8}m{c}" for i, c in enumerate(PHONE)) + "\x1b[0m\r\n",
    "overwritten behind a return": "XXX-1234-5678\r090\r\n",
    "a backspace": "090-1234-567X\b8\r\n",
    "right to left": "5678\r\x1b[9C5678\r090-1234-\r\n",
    "the cursor placed": "\x1b[5;10H090-\x1b[5;19H5678\x1b[5;14H1234-\r\n",
    "digit by digit from the end": "".join(
        f"\x1b[7;{10 + i}H{c}" for i, c in reversed(list(enumerate(PHONE)))
    ),
    "forward over what was there": "\x1b[2;1H090-    -5678\x1b[2;1H\x1b[4C1234",
    "a tab back": "\r\x1b[8C-567\r090-1234\x1b[13G8",
    "repeated by the terminal": "09\x1b[5X0-1234-567\x1b[b\b8\r\n",
    "deleted between": "090-12zzz34-5678\x1b[10D\x1b[3P",
    "inserted between": "\r090-5678\r\x1b[4C\x1b[5@1234-",
    "wrapped at the edge": "\x1b[3;75H090-12\x1b[4;1H34-5678",
    "a cut line above": "090-1234-\x1b[s\x1b[20;1Hzzz\x1b[u5678",
    "wide": "０９０－１２３４－５６７８\r\n",
    "no width between": "090\u200b-1234-\u200b5678\r\n",
    "no line end": PHONE,
}


@pytest.mark.parametrize("text", HIDING.values(), ids=HIDING.keys())
def test_a_phone_is_seen_however_it_is_put_on_the_screen(text: str) -> None:
    assert persons_in(text) >= 1
    assert persons_in(*(text.encode()[i : i + 1] for i in range(len(text.encode())))) >= 1


def test_a_line_is_one_person_and_a_list_of_phones_is_many() -> None:
    assert persons_in("1,佐藤 花子,090-1234-5678,hanako@example.jp,東京都港区芝1-2-3\r\n") == 1
    assert persons_in("090-1234-5678 080-1111-2222 03-1234-5678\r\n") == 3
    assert persons_in("".join(f"佐藤 花子 090-1234-{i:04}\r\n" for i in range(50))) == 50


def test_whoever_was_shown_costs_nothing_again() -> None:
    row = "佐藤 花子 090-1234-5678\r\n"
    assert persons_in(row, row, "電話 ０９０ー１２３４ー５６７８\r\n", "\x1b[2J\x1b[H", row) == 1


def test_one_value_repeated_beside_others_does_not_hide_them() -> None:
    shared = "".join(f"info@example.jp 090-1234-{i:04}\r\n" for i in range(20))
    assert persons_in(shared) == 20


def test_nothing_else_counts() -> None:
    log = "2026-11-21 11:10:59,101 INFO [1234] com.example.Orders - request=1234567 path=/api/v1/items/12 200\r\n"
    assert persons_in(log * 100, "total 48\r\ndrwxr-xr-x 2 root root 4096 Nov 21 20:11 .\r\n") == 0


def test_a_redrawn_screen_does_not_make_persons() -> None:
    rows = [f"鈴木 一郎 080-2222-{i:04}" for i in range(20)]
    draws = ["\x1b[H" + "\r\n".join(rows[shift:] + rows[:shift]) for shift in range(10)]
    assert persons_in(*draws) == 20


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_chunking_hides_nobody(chance: random.Random, size: int) -> None:
    numbers = [f"090-1{chance.randrange(1000):03}-{chance.randrange(10000):04}" for _ in range(8)]
    text = "".join(f"\x1b[3{chance.randrange(8)}m{n}\x1b[0m 顧客\r\n" for n in numbers).encode()
    assert persons_in(*(text[i : i + size] for i in range(0, len(text), size))) == len(set(numbers))


def over(persons: int, *chunks: bytes) -> tuple[bytes, Meter]:
    """What may pass of the last chunk, which is too much."""
    text_meter, meter, recorded = meter_of(persons=persons)

    async def feed() -> None:
        for chunk in chunks[:-1]:
            await text_meter.spend(chunk)
        with pytest.raises(Fault) as caught:
            await text_meter.spend(chunks[-1])
        assert caught.value.kind is faults.OVER_LIMIT

    asyncio.run(feed())
    assert recorded  # the lease was a fact before it was spent
    return text_meter.fitting, meter


def numbers(first: int, last: int, form: str = "090-1234-{:04}\r\n") -> bytes:
    return "".join(form.format(number) for number in range(first, last + 1)).encode()


def test_over_the_budget_the_whole_lines_within_it_may_pass() -> None:
    fits, meter = over(5, numbers(1, 1) * 3, numbers(2, 8))
    assert fits == numbers(2, 5)
    assert meter.persons == 5
    # Others stand between them, and nobody is in the first line.
    fits, _ = over(2, b"nobody\r\n" + numbers(1, 4, "{0} 090-1234-{0:04}\r\nnobody {0}\r\n"))
    assert fits == b"nobody\r\n" + numbers(1, 2, "{0} 090-1234-{0:04}\r\nnobody {0}\r\n")
    # Colours and the place of a value within its line do not matter.
    coloured = "\x1b[31mtel\x1b[0m 090-1234-{:04}\x1b[K end\r\n"
    assert over(2, numbers(1, 4, coloured))[0] == numbers(1, 2, coloured)
    # The line that is too much may have begun before.
    assert over(2, numbers(1, 2) + b"tel 090-", b"1234-0003\r\n" + numbers(4, 9))[0] == b""
    assert over(2, numbers(1, 1) + b"tel 090-", b"1234-0002\r\n" + numbers(4, 9))[0] == b"1234-0002\r\n"


def test_what_moves_the_cursor_or_cannot_be_read_is_not_cut_but_kept_back() -> None:
    assert over(2, numbers(1, 4, "\x1b[Htel 090-1234-{:04}\r\n"))[0] == b""
    dump = base64.encodebytes(random.Random(1).randbytes(9000))
    assert over(2, numbers(1, 2) + dump)[0] == b""


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("base64", lambda data: base64.encodebytes(data)),
        ("base32", lambda data: base64.b32encode(data)),
        ("base85", lambda data: base64.b85encode(data)),
        ("hex", lambda data: data.hex().encode()),
        ("xxd", lambda data: b"\n".join(
            b"%08x: %s  ................" % (i, data[i : i + 16].hex(" ", 2).encode()) for i in range(0, len(data), 16)
        )),
        ("hexdump -C", lambda data: b"\n".join(
            b"%08x  %s  |................|" % (i, data[i : i + 16].hex(" ").encode()) for i in range(0, len(data), 16)
        )),
        ("od", lambda data: b"\n".join(
            b"%07o %s" % (i, b" ".join(b"%06o" % word for word in struct.unpack("<8H", data[i : i + 16])))
            for i in range(0, len(data), 16)
        )),
        ("digits", lambda data: b"".join(b"%03d" % byte for byte in data)),
    ],
)  # fmt: skip
def test_what_nobody_can_read_is_counted(name: str, make: Callable[[bytes], bytes]) -> None:
    data = random.Random(7).randbytes(16_000)
    text = make(data).replace(b"\n", b"\r\n") + b"\r\n"
    assert encoded_characters(text) > 0.5 * len(data)
    assert persons_in(text) > (0.5 * len(data) - FREE) / 100


def test_drawings_are_counted() -> None:
    blocks = ("█▀▄ " * 20 + "\r\n") * 40
    assert drawn_cells(blocks.encode()) > 2000
    braille = "⠇⡗⣿⢕" * 500
    assert drawn_cells(braille.encode()) >= 2000
    hashes = (("##  " * 12) + "\r\n") * 50
    assert drawn_cells(hashes.encode()) > 2000
    coloured = ("\x1b[47m  \x1b[40m  " * 20 + "\x1b[0m\r\n") * 40
    assert persons_in(coloured * 4) > 10
    whole = persons_in(coloured * 4)
    assert persons_in(*((coloured * 4)[i : i + 7] for i in range(0, len(coloured) * 4, 7))) == whole


def test_a_dripped_dump_counts_as_a_whole_one() -> None:
    dump = base64.encodebytes(random.Random(3).randbytes(9000)).replace(b"\n", b"\r\n")
    whole = persons_in(dump)
    assert whole > 80
    for size in (1, 7, 100):
        assert persons_in(*(dump[i : i + size] for i in range(0, len(dump), size))) == whole
    # Without a line's end, too.
    endless = dump.replace(b"\r\n", b"")
    assert persons_in(*(endless[i : i + 50] for i in range(0, len(endless), 50))) > 50


def test_ordinary_text_is_not_taken_for_an_encoding() -> None:
    ordinary = (
        "/usr/lib/python3/dist-packages/sqlalchemy/dialects/postgresql/asyncpg.py:123: in connect\r\n"
        "https://example.jp/orders/list?from=2026-11-01&to=2026-11-21&state=open&page=2&sort=date&order=asc\r\n"
        "class AbstractTransactionalDataSourceSpringContextTests(unittest.TestCase):\r\n"
        "drwxr-xr-x 2 root root 4096 Nov 21 20:11 a_rather_long_file_name_for_a_report_2026.txt\r\n"
    ) * 100
    assert encoded_characters(ordinary.encode()) == 0
    assert drawn_cells(ordinary.encode()) == 0


def test_a_screen_of_any_size_stays_cheap() -> None:
    """The target chooses what is drawn: no short sequence may cost a whole screen of work."""
    screen = Screen(100_000, 100_000)
    assert (screen.width, screen.height) == (1000, 500)
    begun = time.process_time()
    for sequence in (
        "\x1b[99999b",
        "\x1b[500S",
        "\x1b[500T",
        "\x1b[2J",
        "\x1b[500L",
        "\x1b[500M",
        "\x1b[999@",
        "\x1b[999P",
    ):
        screen.feed("x" + sequence * 2000)
    assert time.process_time() - begun < 10


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(alphabet="ab12漢\u0301\n\r\b\t ", max_size=12),
            st.builds("\x1b[{}{}".format, st.integers(0, 40), st.sampled_from("ABCDEFGHIJKLMPSTXZ@bdr")),
            st.builds("\x1b[{};{}H".format, st.integers(0, 30), st.integers(0, 90)),
            st.sampled_from(
                ["\x1b7", "\x1b8", "\x1bM", "\x1bD", "\x1bE", "\x1bc", "\x1b[4h", "\x1b[4l", "\x1b[?1049h"]
            ),
        ),
        max_size=40,
    )
)
def test_a_screen_takes_whatever_is_drawn(parts: list[str]) -> None:
    screen = Screen(20, 6)
    for number, part in enumerate(parts):
        screen.feed(part)
        if number == 20:
            screen.resize(33, 3)
        assert 0 <= screen._y < screen.height
        assert 0 <= screen._x <= screen.width
        assert all(len(row) <= screen.width for row in screen._rows)
        assert len(screen._rows) == screen.height
    list(screen.take_changed())
    assert not screen.changed


async def test_many_short_sessions_carry_no_more_unread_than_a_long_one() -> None:
    unread, spent = Unread(), 0
    line = base64.b64encode(bytes(range(42))) + b"\r\n"
    for _ in range(10):
        account = Meter((Account(Scope.SESSION, "session:s-1", 1000, 1000),))

        async def record(fact: Fact) -> None:
            return None

        text = TextMeter(admission(account), record, b"k" * 32, lambda: (), unread=unread)
        for _ in range(FREE // 60):
            await text.spend(line)
        spent += account.persons
    assert spent >= 9 * FREE // 120


def test_a_large_piece_is_judged_as_its_lines_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What numpy says of a large piece only spares work."""
    chance = random.Random(3)
    dumps = (
        base64.b64encode(chance.randbytes(48)), chance.randbytes(40).hex().encode(),
        base64.b85encode(chance.randbytes(60)), chance.randbytes(16).hex(" ").encode(),
        chance.randbytes(16).hex(":").encode(), chance.randbytes(32).hex(" ", 2).encode(),
        b"2001:0db8:85a3:08d3:1319:8a2e:0370:7348",
    )  # fmt: skip
    lines = [b"a plain line of a log, 12:30:11 %d" % chance.randrange(10**9) for _ in range(4000)]
    counts = []
    for dump in (b"", *dumps):
        lines[1900] = lines[-1] = dump
        text = b"\n".join(lines) + b"\n"
        large = encoded.encoded_characters(text)
        with monkeypatch.context() as small:
            small.setattr(encoded, "_LARGE", 1 << 30)
            assert encoded.encoded_characters(text) == large
        counts.append(large)
    assert counts == [0, *(2 * len(dump) for dump in dumps[:-1]), 0]
