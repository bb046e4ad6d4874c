"""Floors, well under what an idle machine reaches: they notice a change that makes the hot paths slow by its nature.

`pytest tests/text/test_speed.py -s` prints the figures of docs/text.md. Processor time: other programs don't count.
"""

import random
import time

from sekisho.text.detect import Scanner
from sekisho.text.mask import mask_for

ROW = "123,佐藤 煌星,サトウ コウセイ,150-0001,東京都渋谷区神宮前一丁目2番3号,090-1234-5678,1984-03-01,a.b@example.jp\n"
PROSE = "関所は街道に設けられ、通行する人や荷物を調べる施設である。江戸時代には幕府が各地に置いた。\n"


def log_lines(count: int) -> list[bytes]:
    chance = random.Random(1)
    return [
        f"2026-11-21 11:{chance.randint(10, 59)}:00,{chance.randint(100, 999)} INFO [{chance.randint(1000, 9999)}] "
        f"com.example.Orders - request={chance.randint(10**6, 10**7)} path=/api/v1/items/{chance.randint(1, 9999)} "
        f"status=200 took={chance.random():.4f}s bytes={chance.randint(100, 99999)}\n".encode()
        for _ in range(count)
    ]


def megabytes_per_second(data: bytes) -> float:
    scanner = Scanner()
    begun = time.process_time()
    for start in range(0, len(data), 65536):
        scanner.feed(data[start : start + 65536])
    scanner.finish()
    return len(data) / 1e6 / (time.process_time() - begun)


def test_the_scanner_passes_over_sparse_text() -> None:
    lines = log_lines(50_000)
    sparse = [line + (ROW.encode() if place % 1000 == 0 else b"") for place, line in enumerate(lines)]
    speeds = {
        "log": max(megabytes_per_second(b"".join(lines)) for _ in range(3)),
        "log, 0.1 % rows of persons": max(megabytes_per_second(b"".join(sparse)) for _ in range(3)),
        "Japanese prose": megabytes_per_second(PROSE.encode() * 10_000),
        "rows of persons": megabytes_per_second(ROW.encode() * 1_000),
    }
    for name, speed in speeds.items():
        print(f"{name}: {speed:.1f} MB/s")
    assert speeds["log"] > 30
    assert speeds["Japanese prose"] > 2


def test_masks_are_fast_enough_for_each_row() -> None:
    values = {
        "name": "佐藤 太郎",
        "address": "東京都渋谷区神宮前1-2-3",
        "phone": "090-1234-5678",
        "email": "a@b.jp",
    }
    for item, text in values.items():
        mask, value = mask_for(item), text.encode()
        begun = time.process_time()
        for _ in range(100_000):
            mask(value)
        taken = (time.process_time() - begun) / 100_000
        print(f"{item}: {taken * 1e9:.0f} ns")
        assert taken < 3e-6
