"""A large chunk is read another way than a small one: both must find the same."""

import random

import pytest

from sekisho.text.detect import scanner
from sekisho.text.detect.scanner import Scanner, scan

VALUES = (
    "090-1234-5678", "03-123-4567", "(03)1234-5678", "03 1234 5678", "090 123 4567", "4111 1111 1111 1111",
    "09012345678", "a@example.jp", "+81 90-1234-5678", "DOB: 1980-01-02", "birth 1980-01-02", "BIRTH 1980-01-02",
    "佐藤 花子", "東京都渋谷区神宮前一丁目2番3号", "150-0001", "dob", "IRTH", "+81", "0)0000", "0000000000",
)  # fmt: skip


def text(seed: int) -> bytes:
    """Lines of a log, of which one in ten holds a value; one very long line; both line ends."""
    chance = random.Random(seed)
    lines = []
    for number in range(3000):
        filling = " ".join(f"{chance.choice('abcdefgh')}{chance.randint(0, 99999)}" for _ in range(8))
        value = chance.choice(VALUES) if number % 10 == 0 else ""
        lines.append(f"{filling}, {value} {filling}" + chance.choice(("\n", "\r\n", "\r")))
    lines[1500] = " ".join(lines[1500:1700]).replace("\n", "").replace("\r", "") + "\n"
    return "".join(lines).encode()


@pytest.mark.parametrize("seed", range(3))
def test_large_and_small_chunks_find_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = text(seed)
    large = scan(data)
    assert len(large) > 100
    piecewise = Scanner()
    pieces = [data[start : start + 1000] for start in range(0, len(data), 1000)]
    assert [one for piece in pieces for one in piecewise.feed(piece)] + piecewise.finish() == large
    monkeypatch.setattr(scanner, "_LARGE", 1 << 30)
    assert scan(data) == large
