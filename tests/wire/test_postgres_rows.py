"""The fast path over rows against a slow, obvious reading of the same bytes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.wire.faults import ProtocolViolation
from sekisho.wire.postgres.backend import CommandComplete, DataRow
from sekisho.wire.postgres.rows import count_rows, row_reader

Row = tuple[bytes | None, ...]

TABLES = st.integers(1, 6).flatmap(
    lambda width: st.tuples(
        st.just(width),
        st.lists(st.tuples(*[st.none() | st.binary(max_size=12)] * width), max_size=8),
        st.none() | st.integers(0, width - 1),
        st.sets(st.integers(0, width - 1)),
    )
)


def mask(value: bytes) -> bytes | None:
    return None if value.startswith(b"\0") else b"*" * (len(value) // 2)


def frames(rows: list[Row]) -> bytes:
    return b"".join(DataRow(row).encode() for row in rows)


@given(TABLES, st.binary(max_size=4))
def test_reading_a_run_equals_reading_row_by_row(
    table: tuple[int, list[Row], int | None, set[int]], before: bytes
) -> None:
    width, rows, key, masked = table
    read = row_reader(width, key=key, masks=dict.fromkeys(masked, mask))
    data = before + frames(rows) + CommandComplete(b"SELECT").encode()
    end, found = read(data, len(before))
    assert end == len(before + frames(rows))
    assert found.count == len(rows)
    assert found.keys == ([] if key is None else [row[key] for row in rows])
    expected: list[Row] = [
        tuple(
            mask(value) if value is not None and column in masked else value
            for column, value in enumerate(row)
        )
        for row in rows
    ]
    assert found.frames == frames(expected)
    for count in range(len(rows) + 1):
        assert found.first(count) == frames(expected[:count])


@given(TABLES, st.data())
def test_an_incomplete_row_ends_the_run_and_is_left_over(
    table: tuple[int, list[Row], int | None, set[int]], data: st.DataObject
) -> None:
    width, rows, key, masked = table
    read = row_reader(width, key=key, masks=dict.fromkeys(masked, mask))
    whole = frames(rows)
    cut = data.draw(st.integers(0, len(whole)))
    end, found = read(whole[:cut], 0)
    assert frames(rows[: found.count]) == whole[:end]
    assert end <= cut < end + (len(DataRow(rows[found.count]).encode()) if found.count < len(rows) else 1)


def test_values_too_long_for_the_tables_are_packed() -> None:
    row: Row = (b"k", b"v" * 5000, b"w")
    end, found = row_reader(3, key=0, masks={1: lambda v: v + b"!"})(frames([row]), 0)
    assert end == len(frames([row]))
    assert found.frames == frames([(b"k", b"v" * 5000 + b"!", b"w")])


@pytest.mark.parametrize(
    "body",
    [
        struct.pack(">Hi", 3, 1) + b"abcd",  # another number of columns
        struct.pack(">Hi", 2, 90) + b"abcd",  # a value that reaches out of its row
        struct.pack(">Hi", 2, -2) + b"abcd",  # a negative length
        struct.pack(">Hi", 2, 4) + b"abcd",  # the second column is missing
        struct.pack(">Hi", 2, 0) + struct.pack(">i", 9) + b"abcd",
    ],
)
@pytest.mark.parametrize("follow", [b"", b"D\0\0\0\x0a\0\2\0\0\0\0\0" * 3])
def test_a_row_that_does_not_fit_is_refused(body: bytes, follow: bytes) -> None:
    data = b"D" + struct.pack(">I", len(body) + 4) + body + follow
    for read in (
        row_reader(2, key=1),
        row_reader(2, masks={1: mask}),
        row_reader(2, key=0, masks={0: mask, 1: mask}),
    ):
        with pytest.raises(ProtocolViolation):
            read(data, 0)


def test_a_column_that_does_not_exist_is_refused() -> None:
    for bad in (-1, 2):
        with pytest.raises(ValueError, match="column"):
            row_reader(2, key=bad)
        with pytest.raises(ValueError, match="column"):
            row_reader(2, masks={bad: mask})


def test_a_row_without_room_for_its_count_is_refused() -> None:
    with pytest.raises(ProtocolViolation):
        count_rows(b"D\0\0\0\5\0", 0)


def test_rows_without_columns_are_counted() -> None:
    assert count_rows(DataRow(()).encode() * 3, 0)[1].count == 3
