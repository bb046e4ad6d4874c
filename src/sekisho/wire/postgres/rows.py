"""The fast path over DataRow: runs of rows are walked header by header, and only what is asked for is touched.

A reader is made once per RowDescription (`row_reader`) and then called once per run. It takes `(data, position)`,
where a DataRow frame begins at `position`, reads the complete DataRow frames that follow each other there, and
returns where they end with what it found. Anything that is not a DataRow, or is not complete yet, ends the run.

A row costs about 0.13 us to count, 0.3 us with its key, and 1 us with two columns rewritten; a loop over
columns would double the last. That is why the body of a reader is written out as source for the columns at hand and
compiled: the source is made of integers only, never of names or values from the wire.
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from textwrap import indent
from typing import Final, cast

import msgspec

from sekisho.wire.faults import MALFORMED, ProtocolViolation
from sekisho.wire.postgres.frame import HEADER

Mask = Callable[[bytes], bytes | None]


class Rows(msgspec.Struct, frozen=True, gc=False):
    """A run of `count` complete rows.

    `keys` holds the raw value of the key column of each row (None where it is NULL, or where no key column was
    asked for: then the list is empty). `frames` are the DataRow messages to pass on, rewritten where a mask
    applies.
    """

    count: int
    keys: list[bytes | None]
    frames: bytes

    def first(self, count: int) -> bytes:
        """The frames of the first `count` rows: what may still pass when the next one must not."""
        position = 0
        for _ in range(count):
            _, length = HEADER.unpack_from(self.frames, position)
            position += length + 1
        return self.frames[:position]


RowReader = Callable[[bytes, int], tuple[int, Rows]]


def count_rows(data: bytes, position: int) -> tuple[int, Rows]:
    """The reader that counts, and looks at nothing else."""
    start, count, end = position, 0, len(data)
    last, header = end - 5, HEADER.unpack_from
    while position <= last:
        kind, length = header(data, position)
        stop = position + length + 1
        if kind != 68 or stop > end:
            break
        if length < 6:
            raise ProtocolViolation(MALFORMED, message="DataRow")
        position = stop
        count += 1
    return position, Rows(count, [], data[start:position])


def row_reader(columns: int, *, key: int | None = None, masks: Mapping[int, Mask] | None = None) -> RowReader:
    """A reader for rows of `columns` columns.

    `key` is the column (from 0) whose value is collected; `masks` says which columns are rewritten, and by what
    function from value to value (None becomes NULL). A NULL stays NULL without asking its mask. The value in
    `keys` is the one before masking. Rows of another number of columns, and columns that reach out of their
    row, raise ProtocolViolation. Raises ValueError for a column that does not exist.
    """
    masks = masks or {}
    if key is None and not masks:
        return count_rows
    if any(not 0 <= column < columns for column in (*masks, 0 if key is None else key)):
        raise ValueError("a column is asked for that the rows do not have")
    masked = tuple(sorted(masks))
    return _factory(columns, key, masked)(*(masks[column] for column in masked))


def _malformed(cause: Exception) -> ProtocolViolation:
    violation = ProtocolViolation(MALFORMED, message="DataRow")
    violation.__cause__ = cause
    return violation


# Row headers and length prefixes up to this length are looked up, longer ones packed.
_SHORT: Final = 1024
_PREFIXES: Final = [struct.pack(">i", length) for length in range(_SHORT)]


@lru_cache(maxsize=256)
def _factory(columns: int, key: int | None, masked: tuple[int, ...]) -> Callable[..., RowReader]:
    names: dict[str, object] = {
        "head": struct.Struct(">BIHi").unpack_from,  # type, length, number of columns, length of the first
        "int32": struct.Struct(">i").unpack_from,
        "pack_head": struct.Struct(">BIH").pack,
        "pack_size": struct.Struct(">i").pack,
        "heads": [struct.pack(">BIH", 68, length, columns) for length in range(_SHORT)] if masked else [],
        "sizes": _PREFIXES,
        "NULL": struct.pack(">i", -1),
        "MISFIT": struct.error("a column reaches out of its row"),
        "StructError": struct.error,
        "malformed": _malformed,
        "Rows": Rows,
    }
    exec(_source(columns, key, masked), names)  # noqa: S102 (made of integers only, see above)
    return cast("Callable[..., RowReader]", names["make"])


# A row with a column has at least 11 bytes; a shorter rest is incomplete or malformed, which the decoder tells.
_READER: Final = """
def make({masks}):
    def read(data, position):
        start = position
        end = len(data)
        last = end - 11
        keys = []
        add = keys.append
        out = []
        try:
            while position <= last:
                kind, length, width, size = head(data, position)
                stop = position + length + 1
                if kind != 68 or stop > end:
                    break
                if width != {columns}:
                    raise MISFIT
                mark = position + 11
{body}
                if mark > stop:
                    raise MISFIT
{rewrite}
                position = stop
        except StructError as cause:
            raise malformed(cause)
        return position, Rows({count}, keys, {frames})
    return read
"""

_SIZE: Final = """
(size,) = int32(data, mark)
mark += 4
"""

_PASSED: Final = """
if size > 0:
    mark += size
elif size < -1:
    raise MISFIT
"""

_KEY: Final = """
if size >= 0:
    add(data[mark:mark + size])
elif size == -1:
    add(None)
"""

_MASKED: Final = """
from{c} = mark - 4
if size >= 0:
    new{c} = mask{c}(data[mark:mark + size])
    mark += size
    if new{c} is None:
        new{c}, size{c} = b"", NULL
        length -= size
    else:
        n = len(new{c})
        size{c} = sizes[n] if n < {short} else pack_size(n)
        length += n - size
elif size == -1:
    new{c}, size{c} = b"", NULL
else:
    raise MISFIT
to{c} = mark
"""


def _source(columns: int, key: int | None, masked: tuple[int, ...]) -> str:
    """The columns up to the last one that matters are walked; the others are passed on unseen."""
    body = ""
    for column in range(max((*masked, -1 if key is None else key)) + 1):
        body += _SIZE if column else ""
        body += _KEY if column == key else ""
        body += _MASKED.format(c=column, short=_SHORT) if column in masked else _PASSED
    rewrite, pieces = "", [f"heads[length] if length < {_SHORT} else pack_head(68, length, {columns})"]
    cut = "position + 7"
    for column in masked:
        if column and column - 1 not in masked:  # nothing lies between neighbours
            pieces.append(f"data[{cut}:from{column}]")
        pieces += [f"size{column}", f"new{column}"]
        cut = f"to{column}"
    if masked:
        pieces.append(f"data[{cut}:stop]")
        rewrite = f"out += ({', '.join(pieces)})"
    return _READER.format(
        masks=", ".join(f"mask{column}" for column in masked),
        columns=columns,
        body=indent(body, " " * 16),
        rewrite=indent(rewrite, " " * 16),
        count="len(keys)" if key is not None else f"len(out) // {len(pieces)}",
        frames='b"".join(out)' if masked else "data[start:position]",
    )
