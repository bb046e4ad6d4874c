"""The inspection's own process: a file comes in on standard input, what is in it goes out on standard output.

It runs where there is neither network nor disk (`apart`), because parsers of Excel, PDF and Parquet read what a worker
made. Its limits are set before the first byte is read. What it says is believed no further than its form: numbers,
names and masked cells, and digests as plain integers.

    in    one line of JSON: name, size, fingerprint key as hex or ""; then the file
    out   lines of JSON: {"at": [file, done, of]} …, then {"inspected": …, "rows": n, "lines": n} or {"refused": …};
          behind it the row of each line and its parts, as 64-bit integers
"""

import json
import sys
from typing import Any

from sekisho.takeout.confine import confine


def main() -> None:
    confine()
    order = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read(order["size"])
    if len(content) != order["size"]:
        sys.exit("the file did not come whole")
    _look(order["name"], content, bytes.fromhex(order["key"]))


def _look(name: str, content: bytes, key: bytes) -> None:
    # Imported under the limits.
    import msgspec
    import numpy as np

    from sekisho.faults import Fault
    from sekisho.takeout.inspection import inspect
    from sekisho.trace.faults import NO_COLUMNS
    from sekisho.trace.intake import Listing
    from sekisho.trace.lookup import fingerprinted
    from sekisho.trace.parts import EXACT, LOOSE, joined

    parts = (*EXACT, *LOOSE)
    rows: list[Any] = []
    lines: list[Any] = []
    before = 0

    def listed(listing: Listing) -> None:
        nonlocal before
        if key:
            try:
                row_of_line, found = fingerprinted(listing, key, processes=1)
                rows.append(row_of_line + before)
                lines.append(found)
            except Fault as fault:
                if fault.kind is not NO_COLUMNS:
                    raise
        before += listing.rows

    try:
        found = inspect(name, content, lambda *at: _say({"at": at}), listed=listed)
    except Fault as fault:
        _say({"refused": {key: str(value)[:300] for key, value in fault.values.items()}})
        return
    every = joined(lines) if lines else dict.fromkeys(parts, np.zeros(0, np.int64))
    row = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    _say({"inspected": msgspec.to_builtins(found), "rows": before, "lines": len(row)})
    sys.stdout.buffer.write(row.astype("<i8").tobytes())
    for part in parts:
        sys.stdout.buffer.write(every[part].astype("<i8").tobytes())
    sys.stdout.buffer.flush()


def _say(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()
