"""The control filter: what passes, what is removed, whatever the chunking."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.relay.terminal.controls import ControlFilter


def filtered(*chunks: bytes) -> tuple[bytes, list[str]]:
    controls = ControlFilter()
    clean, kinds = b"", []
    for chunk in chunks:
        passed, removed = controls.feed(chunk)
        clean += passed
        kinds += removed
    return clean, kinds


PASSES = [
    b"plain text\r\n",
    "日本語 ｶﾅ 😀\r\n".encode(),
    b"\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3mtrue colour\x1b[m",
    b"\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[?25l\x1b[?1049h\x1b[?2004h",
    b"\x1b7\x1b8\x1b(0lqk\x1b(B\x1bM\x1bD\x1bc",
    b"\x1b[6n\x1b[c\x1b[>c",
    b"\x07\x08\t\x0e\x0f",
]

REMOVED = [
    (b"\x1b]52;c;c2VjcmV0\x07", "clipboard"),
    (b"\x1b]52;c;c2VjcmV0\x1b\\", "clipboard"),
    (b"\x1b]5522;type=write\x1b\\", "clipboard"),
    (b"\x1b]0;090-1234-5678\x07", "title"),
    (b"\x1bktitle\x1b\\", "title"),
    (b"\x1b]8;;https://example.jp/\x07", "hyperlink"),
    (b"\x1b]1337;File=name=Zg==;inline=1:AAAA\x07", "iterm"),
    (b"\x1b]777;notify;a;b\x07", "notification"),
    (b"\x1b]11;?\x07", "osc"),
    (b"\x1bPq#0;2;0;0;0~~@@\x1b\\", "sixel"),
    (b"\x1bP0;1;0q~~\x1b\\", "sixel"),
    (b"\x1b_Gf=100,a=T;AAAA\x1b\\", "kitty"),
    (b"\x1bP1000p%begin\x1b\\", "tmux"),
    (b"\x1bP$qm\x1b\\", "report"),
    (b"\x1bP+q544e\x1b\\", "report"),
    (b"\x1b^private\x1b\\", "pm"),
    (b"\x1bXstart\x1b\\", "sos"),
    (b"\x1b[21t", "window"),
    (b"\x1b[5i", "print"),
    (b"\x1b[?15n", "report"),
    (b"\x1b[?2l", "mode"),
    (b"\x1b[?25;2l", "mode"),
    (b"\x1b[1;1;5;5;1;2;2;1$v", "sequence"),
    (b"\x1b[?1$p", "sequence"),
    (b"\x1bZ", "escape"),
    (b"\x1b%@", "charset"),
    (b"\x1b G", "charset"),
    (b"\x05", "answerback"),
    (b"\x01", "kermit"),
    (b"\x00", "control"),
    ("\x9b31m".encode(), "c1"),
    ("\x9d52;c;c2VjcmV0\x9c".encode(), "clipboard"),
    ("\x90q~~\x9c".encode(), "sixel"),
    (b"\x1b[" + b"1;" * 200 + b"m", "sequence"),
]


@pytest.mark.parametrize("data", PASSES)
def test_what_a_screen_program_needs_passes(data: bytes) -> None:
    assert filtered(data) == (data, [])
    assert filtered(*(data[i : i + 1] for i in range(len(data)))) == (data, [])


@pytest.mark.parametrize(("data", "kind"), REMOVED)
def test_what_carries_data_or_answers_is_removed_whatever_the_chunking(data: bytes, kind: str) -> None:
    whole = b"before" + data + b"after"
    for chunks in ([whole], [whole[i : i + 1] for i in range(len(whole))]):
        clean, kinds = filtered(*chunks)
        assert kind in kinds
        assert clean.startswith(b"before")
        assert clean.endswith(b"after")
        assert b"c2VjcmV0" not in clean
        assert not set(clean) & {0x05, 0x00, 0x18}


def test_zmodem_and_trzsz_cannot_start() -> None:
    clean, kinds = filtered(b"rz\r**\x18B00000000000000\r\x8a\x11")
    assert "zmodem" in kinds
    assert b"\x18" not in clean
    magic = b"::TRZSZ:TRANSFER:S:1.1.6:0123456789\r\n"
    for chunks in ([magic], [magic[i : i + 1] for i in range(len(magic))], [b"::TRZ\x00SZ:TRANS", b"FER:S:"]):
        clean, kinds = filtered(*chunks)
        assert "trzsz" in kinds
        assert b"::TRZSZ:TRANSFER:" not in clean


def test_another_encoding_does_not_pass() -> None:
    clean, kinds = filtered("電話 090-1234-5678".encode("shift_jis"))
    assert "encoding" in kinds
    clean.decode()  # valid
    # A character that two chunks share is no mistake.
    text = "佐藤花子".encode()
    assert filtered(text[:4], text[4:]) == (text, [])


def test_a_string_that_never_ends_takes_no_memory_and_ends() -> None:
    controls = ControlFilter()
    clean, _ = controls.feed(b"\x1b]52;c;")
    assert clean == b""
    for _ in range(20):
        clean, _ = controls.feed(b"A" * 100_000)
    assert clean == b"A" * 100_000
    assert len(controls._held) + len(controls._head) < 100


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*PASSES, *(data for data, _ in REMOVED), b"\x1b", b"\x1b[", b"\xe4\xbd", b"\xc2", b"*"]
        ),
        max_size=12,
    ),
    st.lists(st.integers(1, 30), min_size=1, max_size=20),
)
def test_chunking_changes_nothing_and_what_passes_passes_again(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    chunks, place, turn = [], 0, 0
    while place < len(data):
        size = cuts[turn % len(cuts)]
        chunks.append(data[place : place + size])
        place, turn = place + size, turn + 1
    whole, _ = filtered(data)
    pieces, _ = filtered(*chunks)
    assert pieces == whole
    again, removed = filtered(whole)
    assert (again, removed) == (whole, [])
